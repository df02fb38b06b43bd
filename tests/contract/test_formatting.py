r"""soops.formatting: pieces of LaTeX reports."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

import soops.formatting as fm


@pytest.mark.parametrize(
    ("val", "prec", "text"),
    [
        (0.125, 1, "1:2e-01"),
        (1, 0, "1e+00"),
        (-2.25, 5, "-2:25000e+00"),
        (0.5, ".2f", "0:50"),
        (0.5, "", "0:5"),
        (math.nan, 2, "nan"),
    ],
)
def test_format_float(val, prec, text):
    assert fm.format_float(val, prec) == text
    assert fm.format_float(val, prec, replace_dot=False) == text.replace(":", ".")


@pytest.mark.parametrize(
    ("val", "prec", "text"),
    [
        (0.0125, 5, r"1.25 \cdot 10^{-2}"),
        (123456.789, 2, r"1.23 \cdot 10^{5}"),
        (123456.789, 0, r"1 \cdot 10^{5}"),
        (100.0, 3, r"1.0 \cdot 10^{2}"),
        (-1.0, 3, r"-1.0 \cdot 10^{0}"),
        (1e-10, 0, r"1 \cdot 10^{-10}"),
        (9.99999e5, 2, r"1.0 \cdot 10^{6}"),
        (12.5, ".2f", "12.50"),
        (np.float64(2), 1, r"2.0 \cdot 10^{0}"),
    ],
)
def test_format_float_latex(val, prec, text):
    assert fm.format_float_latex(val, prec) == f"${text}$"
    assert fm.format_float_latex(val, prec, in_math=True) == text


@pytest.mark.parametrize("prec", [0, 2, ".2e"])
def test_numbers_without_a_power(prec):
    assert fm.format_float_latex(0.0, prec) == "0"
    assert fm.format_float_latex(math.inf, prec) == "inf"


def test_the_factor_one_can_be_left_out():
    assert fm.format_float_latex(1e6, 3, mul_one=False) == "$10^{6}$"
    assert fm.format_float_latex(-1e6, 3, mul_one=False) == r"$-1.0 \cdot 10^{6}$"
    assert fm.format_float_latex(1.2e6, 3, mul_one=False) == r"$1.2 \cdot 10^{6}$"


def test_format_array_latex():
    one, small = r"1.0 \cdot 10^{0}", r"1.0 \cdot 10^{-10}"

    assert fm.format_array_latex(np.array([[1, 0], [1e-10, math.nan]])) == (
        f"\\begin{{bmatrix}}\n{one} & 0 \\\\\n{small} & nan\n\\end{{bmatrix}}"
    )
    assert fm.format_array_latex([[1.0, 1e-10]], rel_zero=1e-8, env="pmatrix") == (
        f"\\begin{{pmatrix}}\n{one} & 0\n\\end{{pmatrix}}"
    )
    assert fm.format_array_latex([1, 1]) == (
        f"\\begin{{bmatrix}}\n{one} \\\\\n{one}\n\\end{{bmatrix}}"
    )
    assert fm.format_array_latex(np.array(1.0)) == one
    assert fm.format_array_latex(np.zeros((2, 1, 2))).count("0 & 0") == 2


def test_escape_latex():
    assert fm.escape_latex("100 % of a_b & #1 {$x$}") == r"100 \% of a\_b \& \#1 \{\$x\$\}"
    assert fm.escape_latex("a\\b^2~") == r"a\textbackslash b\textasciicircum 2\textasciitilde "
    assert fm.escape_latex("<žluť>") == "<žluť>"
    assert [fm.escape_latex(item) for item in ("", None, 3)] == ["{}", "{}", "3"]


def test_itemize_latex():
    assert fm.itemize_latex(["a", 2]) == "\\begin{itemize}\n\\item a\n\\item 2\n\\end{itemize}"


def test_make_tabular_latex():
    pytest.importorskip("jinja2")
    text = fm.make_tabular_latex([["a", 1.5]], header=["x", "y"], float_format="%.2f", index=False)

    assert text.split("\n") == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"x & y \\",
        r"\midrule",
        r"a & 1.50 \\",
        r"\bottomrule",
        r"\end{tabular}",
        "",
    ]


def test_figures():
    infdir, make_figure = fm.setup_figures_latex("/out/dir", figdir="figs")

    assert infdir("a.png") == str(Path("/out/dir", "figs", "a.png"))
    assert make_figure("/out/dir/figs/a.png", width=0.5, caption="Wins").split("\n")[1:-1] == [
        r"\begin{figure}[htp!]",
        r"  \centering",
        r"    \includegraphics[width=0.5\linewidth]{figs/a.png}",
        r"  \caption{Wins}",
        r"  \label{fig:a.png}",
        r"\end{figure}",
    ]
    assert r"\label{l}" in make_figure("a.png", label="l")


def test_a_document_can_be_put_together():
    text = "".join(
        [
            fm.fragments["begin-document"].format(options="a4paper,10pt"),
            fm.fragments["section"].format(level="sub", name="Results", label="sec:r"),
            fm.fragments["center"].format(text="x"),
            fm.fragments["newpage"],
            fm.fragments["newline"],
            fm.fragments["input"].format(filename="t.tex"),
            fm.fragments["end-document"],
        ]
    )

    for piece in (
        r"\documentclass[a4paper,10pt]{article}",
        r"\usepackage{booktabs}",
        r"\begin{document}",
        r"\subsection{Results}",
        r"\label{sec:r}",
        "\\begin{center}\nx\n\\end{center}",
        r"\clearpage",
        r"\input t.tex",
        r"\end{document}",
    ):
        assert piece in text
    packages = fm.fragments["begin-document-packages"].format(
        options="", packages=r"\usepackage{x}"
    )
    assert r"\usepackage{x}" in packages


@pytest.fixture
def pdflatex(tmp_path, monkeypatch):
    """Return the directory of a pdflatex that notes how it is called."""
    program = tmp_path / "bin" / "pdflatex"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >> calls\necho noise\nexit "${STATUS:-0}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "a report").mkdir()
    return tmp_path / "a report"


@pytest.mark.parametrize("status", [0, 3])
def test_build_pdf_runs_latex_three_times_where_the_file_is(pdflatex, status, monkeypatch, capfd):
    monkeypatch.setenv("STATUS", str(status))
    fm.build_pdf(pdflatex / "r.tex")

    assert Path(pdflatex / "calls").read_text() == "-interaction=nonstopmode r.tex\n" * 3
    said = f"soops: build_pdf() failed with status {status}!\n" if status else ""
    assert capfd.readouterr().out == said


def test_format_next_begins_a_line_when_it_must():
    assert fm.format_next("abc", "def", 7, True, 10, "  ") == ("abc def", 11, True)
    assert fm.format_next("abc", "def", 8, True, 10, "  ") == ("abc\n  def", 3, False)
    assert fm.format_next("abc", "def", 9, False, 10, "  ") == ("abc def", 13, True)
    assert fm.format_next("", "def", 0, True, 10, "  ") == ("  def", 5, True)


def test_typeset_to_indent():
    text = "some long text with words\nand more words"

    assert fm.typeset_to_indent(text, 4, 20).split("\n") == [
        "    some long text",
        "    with words and more",
        "    words",
    ]
    assert fm.typeset_to_indent(text, 0, 80) == text.replace("\n", " ")
    assert fm.typeset_to_indent("", 2, 10) == ""


def test_the_functions_of_textwrap_are_there():
    assert fm.dedent("  a") == fm.fill("a") == fm.shorten("a", 5) == "a"
    assert fm.indent("a", " ") == " a"
    assert fm.wrap("a b", 1) == ["a", "b"]
