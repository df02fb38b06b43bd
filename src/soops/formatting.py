r"""Numbers, texts, tables and figures for reports in LaTeX.

Part of the script library. A report is written with :class:`soops.base.Output`:

>>> from soops.base import Output
>>> report = Output(prefix="", filename="report.tex", quiet=True)   # doctest: +SKIP
>>> report(fragments["begin-document"].format(options="a4paper"))   # doctest: +SKIP
"""

from __future__ import annotations

import re
from math import isfinite
from textwrap import dedent, fill, indent, shorten, wrap

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = [
    "build_pdf",
    "dedent",
    "escape_latex",
    "fill",
    "format_array_latex",
    "format_float",
    "format_float_latex",
    "format_next",
    "fragments",
    "indent",
    "itemize_latex",
    "make_tabular_latex",
    "setup_figures_latex",
    "shorten",
    "typeset_to_indent",
    "wrap",
]

#: Pieces of a document; those with fields are texts for ``str.format``.
fragments = {
    "begin-document": r"""
\documentclass[{options}]{{article}}

\usepackage{{siunitx}}
\usepackage{{booktabs}}
\usepackage{{graphicx}}
\usepackage{{amsmath}}
\usepackage{{a4wide}}
\usepackage{{multirow}}

\begin{{document}}
""",
    "begin-document-packages": r"""
\documentclass[{options}]{{article}}

{packages}

\begin{{document}}
""",
    "end-document": "\n\\end{document}\n    ",
    "section": "\n\\{level}section{{{name}}}\n\\label{{{label}}}\n    ",
    "center": "\n\\begin{{center}}\n{text}\n\\end{{center}}\n",
    "env": "\\begin{{{env}}}\n{text}\n\\end{{{env}}}",
    "figure": r"""
\begin{{figure}}[htp!]
  \centering
    \includegraphics[width={width}\linewidth]{{{path}}}
  \caption{{{caption}}}
  \label{{{label}}}
\end{{figure}}
    """,
    "newline": "\n\\\\\n",
    "newpage": "\n\\clearpage\n",
    "input": "\n\\input {filename}\n    ",
}

_ESCAPES = {
    "\\": r"\textbackslash ",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "^": r"\textasciicircum ",
    "~": r"\textasciitilde ",
}
_SPECIAL = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")


def format_float(val: Any, prec: int | str, replace_dot: bool = True) -> str:
    """Return a number as text, by default without a dot, as parts of file names are.

    Parameters
    ----------
    val : number
        The number.
    prec : int or str
        Digits after the dot in exponential notation, or a format as ``".2f"``.
    replace_dot : bool
        Write ``:`` for the dot.

    >>> format_float(0.125, 1), format_float(0.125, "g", replace_dot=False)
    ('1:2e-01', '0.125')
    """
    text = format(val, f".{prec}e" if isinstance(prec, int) else prec)
    return text.replace(".", ":") if replace_dot else text


def format_float_latex(
    val: Any, prec: int | str, in_math: bool = False, mul_one: bool = True
) -> str:
    r"""Return a number in LaTeX, as a power of ten.

    Parameters
    ----------
    val : number
        The number; zero is ``0``, what is not finite is as Python writes it.
    prec : int or str
        Digits after the dot at most, or a format as ``".2f"``.
    in_math : bool
        Leave out the dollars, for use in formulae.
    mul_one : bool
        Write the factor also when it is one.

    >>> print(format_float_latex(0.0125, 3), format_float_latex(1e6, 3, mul_one=False))
    $1.25 \cdot 10^{-2}$ $10^{6}$
    """
    if val == 0:
        return "0"
    if not isfinite(val):
        return str(val)
    if isinstance(prec, int):
        factor, exponent = format(val, f".{prec}e").split("e")
        if prec:
            factor = factor.rstrip("0")
            factor += "0" if factor.endswith(".") else ""
        power = f"10^{{{int(exponent)}}}"
        text = power if not mul_one and float(factor) == 1.0 else rf"{factor} \cdot {power}"
    else:
        text = format(val, prec)
    return text if in_math else f"${text}$"


def format_array_latex(
    arr: Any, prec: int | str = 2, rel_zero: float = 0.0, env: str = "bmatrix"
) -> str:
    """Return an array as a matrix in LaTeX, for use in formulae.

    Parameters
    ----------
    arr : array_like
        One-dimensional ones are a column; of more than two dimensions, all but the first
        are joined.
    prec : int or str
        See :func:`format_float_latex`.
    rel_zero : float
        What is smaller than the largest absolute value times this is written as 0.
    env : str
        The environment of the matrix.
    """
    import numpy as np

    array = np.asarray(arr)
    if array.ndim == 0:
        return format_float_latex(array.item(), prec, in_math=True)
    table = array.reshape(array.shape[0], -1)
    sizes = np.abs(table[np.isfinite(table)])
    limit = rel_zero * sizes.max(initial=0.0)
    rows = [
        " & ".join(
            format_float_latex(0 if abs(val) < limit else val, prec, in_math=True) for val in row
        )
        for row in table.tolist()
    ]
    return fragments["env"].format(env=env, text=" \\\\\n".join(rows))


def escape_latex(txt: Any) -> str:
    r"""Return a text in which what LaTeX takes for commands is shown as it is.

    An empty text and None are ``{}``.

    >>> print(escape_latex("100 % of n_cell"))
    100 \% of n\_cell
    """
    if not txt and not isinstance(txt, int):
        return "{}"
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], str(txt))


def itemize_latex(items: Iterable[Any]) -> str:
    """Return a list of items in LaTeX."""
    text = "\n".join(f"\\item {item}" for item in items)
    return fragments["env"].format(env="itemize", text=text)


def make_tabular_latex(rows: Any, **kwargs: Any) -> str:
    """Return a table in LaTeX.

    Parameters
    ----------
    rows : sequence of sequences, or pandas.DataFrame
        What it holds.
    **kwargs
        Arguments of :meth:`pandas.DataFrame.to_latex`, which needs the package jinja2.
    """
    import pandas as pd

    return str(pd.DataFrame(rows).to_latex(**kwargs))


def setup_figures_latex(
    output_dir: Any, figdir: str = "figures"
) -> tuple[Callable[..., str], Callable[..., str]]:
    """Return two functions for the figures of a report.

    Parameters
    ----------
    output_dir : str or path
        Where the report is.
    figdir : str
        The directory of the figures, below it.

    Returns
    -------
    infdir : callable
        ``infdir(name)`` is the path of a figure.
    make_figure_latex : callable
        ``make_figure_latex(figname, width=1.0, caption='', label=None)`` is the figure in
        LaTeX; the width is a part of that of the text.
    """
    import os
    from functools import partial

    infdir = partial(os.path.join, os.fspath(output_dir), figdir)

    def make_figure_latex(
        figname: Any, width: float | str = 1.0, caption: str = "", label: str | None = None
    ) -> str:
        name = os.path.basename(figname)  # noqa: PTH119 (a text, as all paths here)
        return fragments["figure"].format(
            width=width,
            path=f"{figdir}/{name}",
            caption=caption,
            label=f"fig:{name}" if label is None else label,
        )

    return infdir, make_figure_latex


def build_pdf(filename: Any) -> None:
    """Run pdflatex on a file, three times, in its directory; say when it fails."""
    from soops.base import output, run_command

    status = run_command("pdflatex -interaction=nonstopmode", filename, repeat=3, silent=True)
    if status:
        output(f"build_pdf() failed with status {status}!")


def format_next(
    text: str, new_text: str, pos: int, can_newline: bool, width: int, ispaces: str
) -> tuple[str, int, bool]:
    """Append to a text, on a new line when it does not fit.

    Parameters
    ----------
    text, new_text : str
        What there is and what is to be appended.
    pos : int
        The column where ``text`` ends; 0 begins a line.
    can_newline : bool
        Whether a new line may be begun.
    width : int
        The number of columns.
    ispaces : str
        What new lines begin with; it does not count in ``width``.

    Returns
    -------
    text : str
    pos : int
        Where it ends.
    can_newline : bool
        False after a new line.
    """
    if can_newline and pos + len(new_text) > width:
        return f"{text}\n{ispaces}{new_text}", len(new_text), False
    gap = " " if pos else ispaces
    return f"{text}{gap}{new_text}", pos + len(gap) + len(new_text), True


def typeset_to_indent(txt: str, indent: int, width: int) -> str:
    """Return a text with lines of about ``width`` columns, each after ``indent`` blanks."""
    ispaces = " " * indent
    text, pos, can_newline = "", 0, False
    for word in txt.split():
        text, pos, can_newline = format_next(text, word, pos, can_newline, width, ispaces)
    return text
