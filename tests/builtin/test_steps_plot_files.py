"""The files of the step ``plot``, and what is said of arguments that do not fit."""

from __future__ import annotations

import re
import struct
import sys
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from soops.api import App, SoopsError
from soops.base import Struct


@pytest.fixture
def frame():
    """Return two replicates of six parameter sets."""
    rows = [
        {"--n": n, "host": host, "replicate": r, "energy": n * (1.0 + r), "time_s": n / 4}
        for n in (10, 100, 1000)
        for host in ("first", "random")
        for r in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def plot(tmp_path):
    """Return ``plot(frame, **arguments)``: the step, which returns its data."""

    def run(frame, data=None, **kwargs):
        data = data or Struct(output_dir=str(tmp_path))
        return App.create().resolve("step", "plot")(frame, data=data, **{"dpi": 50, **kwargs})

    return run


def test_files_are_what_their_suffixes_say_and_the_same_each_time(plot, frame, tmp_path, capsys):
    names = ["a.png", "deep/er/a.svg", "a.pdf"]
    made = []
    for _ in range(2):
        data = plot(frame, x="n", y="energy", hue="host", output=names, size=[4, 3], dpi=100)
        made.append([(tmp_path / name).read_bytes() for name in names])

    png, svg, pdf = made[0]
    assert made[0] == made[1]
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (400, 300)
    assert ET.fromstring(svg).tag.endswith("svg")
    assert pdf.startswith(b"%PDF-")
    assert not re.search(rb"20\d\d-\d\d-\d\d|CreationDate", svg + pdf)
    assert data.figures == [str(tmp_path / name) for name in names]
    assert str(tmp_path / "a.png") in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["a.pdf", "a.png", "a.svg"]


def test_files_without_a_name_are_named_after_the_columns(plot, frame, tmp_path, caplog):
    data = plot(frame, x="--n", y="energy")
    data = plot(frame, data, x="--n", y="energy", hue="host")
    data = plot(frame, data, kind="heatmap", x="--n", y="host", value="energy")
    data = plot(frame, data, kind="parallel", columns=["n", "energy"])
    plot(frame, data, x="n", y="energy", output="parallel.png")

    assert {path.name for path in tmp_path.iterdir()} == {
        "energy-over-n.png",
        "energy-over-n-2.png",
        "energy-over-n-host.png",
        "parallel.png",
    }
    assert "parallel.png was made by a step before this one" in caplog.text


def test_the_table_of_an_earlier_step_is_plotted(plot, frame, tmp_path):
    data = Struct(output_dir=str(tmp_path), par_keys={"--n", "host", "replicate"})
    App.create().resolve("step", "statistics")(frame, data=data)
    plot(frame, data, table="statistics", x="n", y="energy_mean", error="energy_std", hue="host")

    assert (tmp_path / "energy_mean-over-n.png").exists()


def test_no_window_and_no_state_of_pyplot(plot, frame, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    plot(frame, x="n", y="energy")

    assert "matplotlib.pyplot" not in sys.modules


def test_the_settings_of_a_user_do_not_change_a_figure(plot, frame, tmp_path):
    import matplotlib

    plot(frame, x="n", y="energy", output="a.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        plot(frame, x="n", y="energy", output="b.png")
    plot(frame, x="n", y="energy", output="c.png", style="dark_background")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


# --- what goes wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"x": "n", "y": "enrgy"}, "unknown column 'enrgy'; did you mean 'energy'?"),
        ({"x": "n", "y": "enrgy"}, "known: --n, host, replicate, energy, time_s"),
        ({"x": "n", "y": "energy", "hue": "hots"}, "unknown column 'hots'; did you mean 'host'?"),
        ({"x": "n", "y": "energy", "error": "sdt"}, "unknown error 'sdt'"),
        ({"x": "n", "y": "host"}, "there is no number in the column 'host'"),
        ({"x": "host", "y": "energy", "logx": True}, "no logarithmic scale of 'host'"),
        ({"x": "n", "y": "energy", "style": "ggplott"}, "unknown style 'ggplott'; did you mean"),
        ({"x": "n", "y": "energy", "table": "statistics"}, "there is no table 'statistics'"),
        ({"x": "n", "y": "energy", "title": "$\\bad{$"}, "matplotlib cannot draw it"),
        ({"kind": "heatmap", "x": "n", "y": "host", "value": "host"}, "there is no number in"),
        ({"kind": "heatmap", "x": "n", "y": "host", "value": "energy", "aggregate": "none"},
         "several rows for a cell"),
        ({"kind": "parallel"}, "no two parameters with several values"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_one_line(plot, frame, kwargs, text, tmp_path):
    with pytest.raises(SoopsError) as caught:
        plot(frame, **kwargs)

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frame", "kwargs", "text"),
    [
        (pd.DataFrame({"x": [], "y": []}), {}, "the table has no rows"),
        (pd.DataFrame({"x": [1.0, None], "y": [None, 1.0]}), {}, "nothing is left to plot"),
        (pd.DataFrame({"x": [-1.0, 0.0], "y": [2, 1]}), {"logx": True}, "nothing is left to plot"),
        (pd.DataFrame({"x": [1], "y": [[1, 2]]}), {}, 'x is a column of arrays or "index"'),
        (
            pd.DataFrame({"x": [1], "y": [[1, 2]]}),
            {"kind": "scatter"},
            "draw it with the kind line",
        ),
        (pd.DataFrame({"x": range(50), "y": 1}), {"facets": "x"}, "there is room for 36"),
    ],
)
def test_nothing_to_plot(plot, frame, kwargs, text):
    with pytest.raises(SoopsError, match=re.escape(text)):
        plot(frame, x="x", y="y", **kwargs)


def test_a_mistake_shows_no_traceback_and_the_next_step_is_run(frame, tmp_path, caplog):
    from soops.api import StepCall
    from soops.kernel.table.post import run_steps

    steps = [
        StepCall(name="plot", target="plot", kwargs={"x": "n", "y": "enrgy"}),
        StepCall(name="plot", target="plot", kwargs={"x": "n", "y": "energy"}),
    ]
    app, said = App.create(), []
    data = Struct(output_dir=str(tmp_path))
    result = run_steps(steps, frame, data, {}, lambda name: app.resolve("step", name), said.append)

    assert [name for name, _ in result.failures] == ["plot"]
    assert any("unknown column 'enrgy'" in line for line in said)
    assert "Traceback" not in caplog.text
    assert (tmp_path / "energy-over-n.png").exists()
