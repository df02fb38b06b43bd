"""The step ``plot``: what is in the figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from soops.api import SoopsError
from soops.base import Struct
from soops_builtin.steps.plot.arguments import read
from soops_builtin.steps.plot.look import styled
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.step import draw


@pytest.fixture
def frame():
    """Return three replicates of six parameter sets; one run failed."""
    rows = [
        {"--n": n, "host": host, "replicate": r, "energy": n * (1 + r) + len(host), "time_s": n / 4}
        for n in (10, 100, 1000)
        for host in ("first", "random")
        for r in range(3)
    ]
    frame = pd.DataFrame(rows).astype({"energy": float})
    frame.loc[0, "energy"] = np.nan
    frame.attrs["units"] = {"energy": "eV"}
    return frame


@pytest.fixture
def figure():
    """Return ``figure(frame, **arguments)``: a figure before it is written."""

    def make(frame, data=None, lay_out=False, **kwargs):
        asked = read(kwargs)
        with styled(asked.style):
            made = draw(frame, data or Struct(), asked, Notes(len(frame)))
            if lay_out:
                made.draw_without_rendering()
        return made

    return make


def legend(figure):
    if not figure.legends:
        return None, []
    found = figure.legends[0]
    return found.get_title().get_text(), [text.get_text() for text in found.get_texts()]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def points(line):
    return [tuple(pair) for pair in np.asarray(line.get_xydata()).tolist()]


# --- lines -------------------------------------------------------------------------------


def test_rows_of_one_x_become_their_mean(figure, frame, caplog):
    made = figure(frame, x="n", y="energy", hue="host")
    (ax,) = made.axes

    assert [points(line) for line in ax.lines] == [
        [(10, 30), (100, 205), (1000, 2005)],
        [(10, 26), (100, 206), (1000, 2006)],
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("n", "energy [eV], mean")
    assert legend(made) == ("host", ["first", "random"])
    assert len({line.get_color() for line in ax.lines}) == 2
    assert "plot: 1 row of 18 left out: no number in 'energy'" in caplog.text


def test_a_single_row_for_each_x_is_drawn_as_it_is(figure):
    made = figure(pd.DataFrame({"x": [3, 1, 2], "y": [9.0, 1.0, 4.0]}), x="x", y="y")

    assert points(made.axes[0].lines[0]) == [(1, 1), (2, 4), (3, 9)]
    assert made.axes[0].get_ylabel() == "y"
    assert not made.legends


def test_the_band_is_as_wide_as_the_spread(figure, frame):
    made = figure(frame[frame.host == "random"], x="n", y="energy", error="std", logx=True)
    (ax,) = made.axes
    band = ax.collections[0].get_paths()[0].vertices

    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "energy [eV], mean ± std"
    assert (band[:, 1].min(), band[:, 1].max()) == (16, 3006)  # 26 - 10 and 2006 + 1000
    assert ticks(ax.xaxis) == ["10", "100", "1000"]


def test_spreads_below_zero_do_not_stretch_a_logarithmic_axis(figure):
    frame = pd.DataFrame({"x": [1, 1, 2, 2], "y": [1.0, 9.0, 0.1, 9.0]})
    (ax,) = figure(frame, x="x", y="y", error="std", logy=True).axes

    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] > 1


def test_spreads_of_a_column_and_of_categories_are_bars(figure):
    frame = pd.DataFrame({"host": ["b", "a"], "e": [1.0, 2.0], "e_std": [0.5, np.nan]})
    (ax,) = figure(frame, x="host", y="e", error="e_std").axes
    ends = [segment.tolist() for segment in ax.collections[0].get_segments()]

    assert ticks(ax.xaxis) == ["a", "b"]
    assert ends == [[[0, 2], [0, 2]], [[1, 0.5], [1, 1.5]]]
    assert ax.get_ylabel() == "e ± e_std"


def test_an_error_column_needs_one_row_for_each_point(figure, frame):
    with pytest.raises(SoopsError, match="one row for each x"):
        figure(frame, x="n", y="energy", error="time_s")


def test_several_y_share_the_figure(figure, frame):
    made = figure(frame, x="n", y=["energy", "time_s"])
    styles = {line.get_linestyle() for line in made.axes[0].lines}

    assert legend(made) == ("", ["energy [eV]", "time_s"])
    assert styles == {"-", "--"}
    both = figure(frame, x="n", y=["energy", "time_s"], hue="host")
    assert legend(both) == ("host", ["first", "random", "energy [eV]", "time_s"])
    assert len(both.axes[0].lines) == 4


def test_few_numbers_have_a_legend_and_many_a_colour_bar(figure):
    rows = [{"x": x, "k": k, "y": x * k} for x in range(3) for k in (10, 9, 8)]
    assert legend(figure(pd.DataFrame(rows), x="x", y="y", hue="k")) == ("k", ["8", "9", "10"])

    rows = [{"x": x, "k": k, "y": x * k} for x in range(3) for k in range(40)]
    made = figure(pd.DataFrame(rows), x="x", y="y", hue="k")
    ax, bar = made.axes
    assert not made.legends
    assert bar.get_ylabel() == "k"
    assert len({line.get_color() for line in ax.lines}) == 40


def test_forty_names_look_different_and_their_legend_leaves_the_axes_free(figure):
    rows = [{"x": x, "name": f"solver {k}", "y": x * k} for x in range(3) for k in range(30)]
    made = figure(pd.DataFrame(rows), lay_out=True, x="x", y="y", hue="name")
    (ax,) = made.axes
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines}
    texts = legend(made)[1]
    box, beside = ax.get_window_extent(), made.legends[0].get_window_extent()

    assert len(looks) == 30
    assert texts[:3] == ["solver 0", "solver 1", "solver 2"]
    assert beside.x0 >= box.x1
    assert beside.y0 >= 0 and beside.x1 <= made.bbox.width


def test_undefined_values_are_a_colour_and_a_category(figure):
    frame = pd.DataFrame(
        {"tol": [0.1, "@undefined", None], "m": ["b", math.nan, "a"], "y": [1, 2, 3]}
    )
    made = figure(frame, x="m", y="y", hue="tol", aggregate="none")

    assert ticks(made.axes[0].xaxis) == ["a", "b", "undefined"]
    assert legend(made) == ("tol", ["0.1", "undefined"])


def test_facets_make_panels_with_common_axes(figure, frame):
    made = figure(frame, x="n", y="energy", facets="host", xlabel="cells", title="Both")
    assert [ax.get_title() for ax in made.axes] == ["host = first", "host = random"]
    assert made.axes[0].get_ylim() == made.axes[1].get_ylim()
    assert made.get_supxlabel() == "cells"
    assert made.get_suptitle() == "Both"

    grid = figure(frame, x="n", y="energy", facets=["host", "replicate"])
    texts = [text.get_text() for ax in grid.axes for text in ax.texts]
    assert [ax.get_title() for ax in grid.axes[:3]] == [f"replicate = {r}" for r in range(3)]
    assert texts == ["host = first", "host = random"]
    assert points(grid.axes[5].lines[0]) == [(10, 36), (100, 306), (1000, 3006)]


def test_arrays_are_a_curve_for_each_row(figure, caplog):
    cells = [[1.0, 2.0, 3.0], np.array([4.0, None, 6.0], dtype=object), [1.0], None, "text"]
    frame = pd.DataFrame({"t": [[0.0, 0.5, 1.0]] * 5, "curve": cells, "k": [1, 2, 3, 4, 5]})
    made = figure(frame, x="t", y="curve", hue="k")
    first, second = made.axes[0].lines

    assert points(first) == [(0, 1), (0.5, 2), (1, 3)]
    assert np.isnan(second.get_ydata()).tolist() == [False, True, False]
    assert legend(made) == ("k", ["1", "2"])
    assert "2 rows of 5 left out: no array of numbers in 'curve' and 't'" in caplog.text
    assert "1 row of 5 left out: arrays of different lengths" in caplog.text


def test_curves_without_a_hue_are_named_by_what_differs(figure):
    frame = pd.DataFrame({"n": [1, 2], "m": [3, 3], "c": [[1, 2], [3, 4]]})
    made = figure(frame, Struct(multi_par_keys=["n", "m"]), x="index", y="c")

    assert legend(made)[1] == ["n=1", "n=2"]
    assert points(made.axes[0].lines[1]) == [(0, 3), (1, 4)]
    assert made.axes[0].get_xlabel() == "index"


# --- other kinds -------------------------------------------------------------------------


def test_a_scatter_has_all_points(figure, frame):
    made = figure(frame, kind="scatter", x="n", y="energy", hue="host")
    (ax,) = made.axes

    assert [len(part.get_offsets()) for part in ax.collections] == [8, 9]
    assert ax.get_ylabel() == "energy [eV]"


def test_a_heat_map_has_a_cell_for_each_pair(figure, caplog):
    frame = pd.DataFrame(
        {"n": [10, 9, 10, 10], "host": ["a", "a", "b", "b"], "e": [1.0, 2.0, 3.0, 5.0]}
    )
    made = figure(frame, kind="heatmap", x="n", y="host", value="e")
    ax, bar = made.axes
    cells = ax.collections[0].get_array()

    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["9", "10"], ["a", "b"])
    assert cells.filled(-1).tolist() == [[2, 1], [-1, 4]]
    assert [text.get_text() for text in ax.texts] == ["2", "1", "4"]
    assert bar.get_ylabel() == "e, mean"
    assert "1 cell of the heat map without a number" in caplog.text


def test_a_large_heat_map_has_no_numbers_and_fewer_ticks(figure):
    frame = pd.DataFrame([{"x": x / 7, "y": y, "e": x * y} for x in range(80) for y in range(70)])
    ax, _ = figure(frame, kind="heatmap", x="x", y="y", value="e").axes

    assert not ax.texts
    assert 10 < len(ticks(ax.xaxis)) < 80


def test_parallel_coordinates_have_a_line_for_each_row(figure, caplog):
    frame = pd.DataFrame({"n": [1, 2, 4], "host": ["b", "a", None], "e": [0.5, np.nan, 1.5]})
    made = figure(frame, kind="parallel", columns=["n", "host", "e"], hue="host")
    (ax,) = made.axes
    lines = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]

    assert lines == [[0, 0.5, 0], [1, pytest.approx(5 / 6), 1]]
    assert ticks(ax.xaxis) == ["n", "host", "e"]
    assert [t.get_text() for t in ax.texts] == [
        *("1", "2", "4"), *("a", "b", "undefined"), *("0.5", "1.5"),
    ]  # fmt: skip
    assert legend(made) == ("host", ["b", "undefined"])
    assert "1 row of 3 left out: no number on one of the axes" in caplog.text


def test_parallel_coordinates_are_of_the_parameters_that_differ(figure, frame):
    data = Struct(multi_par_keys=["--n", "host"])
    (ax, _) = figure(frame, data, kind="parallel", y="energy").axes

    assert ticks(ax.xaxis) == ["n", "host", "energy [eV]"]


# --- looks -------------------------------------------------------------------------------


@pytest.mark.parametrize("inches", [[3, 2.5], [8, 5]])
def test_long_names_do_not_overlap(figure, inches):
    names = [f"configuration {k} of the conjugate gradient solver" for k in range(12)]
    frame = pd.DataFrame({"name": names, "y": range(12)})
    made = figure(frame, lay_out=True, x="name", y="y", size=inches)
    labels = [text for text in made.axes[0].get_xticklabels() if text.get_text()]
    texts = [text.get_text() for text in labels]
    turned = {text.get_rotation() for text in labels}
    gap = np.diff([text.get_transform().transform(text.get_position())[0] for text in labels])
    line = labels[0].get_fontsize() * made.dpi / 72

    assert len(set(texts)) == len(texts) > 3
    assert "configuration" not in texts or len(texts[0]) <= 24
    assert turned <= {30.0, 90.0}
    assert gap.min() >= line * (1 if turned == {90.0} else 1.8)


def test_dollar_signs_in_names_are_dollar_signs(figure):
    frame = pd.DataFrame({"a$b$c": [1, 2], "$\\bad{": [1, 2]})
    (ax,) = figure(frame, lay_out=True, x="a$b$c", y="$\\bad{").axes

    assert ax.get_xlabel() == r"a\$b\$c"


@pytest.mark.parametrize("kind", ["line", "parallel"])
def test_numbers_that_no_figure_has_room_for_are_left_out(figure, kind, caplog):
    x = [math.inf, 1e308, -1e308, 1e-320, *range(1, 20)]
    frame = pd.DataFrame({"x": pd.Series([*x, 10**400], dtype=object), "y": [1.0, 2.0] * 12})
    axes = {"columns": ["x", "y"]} if kind == "parallel" else {"x": "x", "y": "y"}
    made = figure(frame, lay_out=True, kind=kind, hue="x", **axes)

    assert "4 rows of 24 left out: no number" in caplog.text
    assert made.axes[1].get_ylabel() == "x"
