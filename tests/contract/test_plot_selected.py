"""soops.plot_selected: rows as curves, parameters as styles."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest

import soops.plot_selected as ps

matplotlib.use("Agg")


@pytest.fixture
def df():
    return pd.DataFrame(
        {
            "num": [100, 1000, 100, 1000],
            "host": ["r", "f", "f", "r"],
            "switch": [True, False, False, True],
            "seed": [np.nan, 1.0, np.nan, 1.0],
            "name": [None, "a", None, "b"],
            "mixed": [None, 1, "x", 2.5],
            "y": [np.array([1, 2, 3]) * k for k in range(4)],
            "x": [np.array([0.0, 0.1, 0.2])] * 4,
        }
    )


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


SELECTED = {"num": [100, 1000], "host": ["r", "f"], "seed": [1.0, np.nan]}
STYLES = {
    "num": {"color": ["r", "g"]},
    "host": {"ls": ["-", "--"], "lw": [1]},
    "seed": {"alpha": [0.5, 1]},
}


def curves(ax):
    return [(line.get_color(), line.get_linestyle(), list(line.get_ydata())) for line in ax.lines]


def legends(ax):
    found = [item for item in ax.get_children() if isinstance(item, matplotlib.legend.Legend)]
    return [[text.get_text() for text in legend.get_texts()] for legend in found]


# --- what is selected ------------------------------------------------------------------


def test_select_by_keys(df):
    assert ps.select_by_keys(df, ["num", "host", "switch"]) == {
        "num": [100, 1000],
        "host": ["f", "r"],
        "switch": [False, True],
    }
    assert ps.select_by_keys(df, []) == {}
    with pytest.raises(KeyError, match="zz"):
        ps.select_by_keys(df, ["zz"])


@pytest.mark.parametrize(("key", "first"), [("seed", [1.0]), ("name", ["a", "b"])])
def test_missing_values_are_selected_last(df, key, first):
    *values, last = ps.select_by_keys(df, [key])[key]

    assert values == first
    assert pd.isna(last)


def test_values_that_cannot_be_compared_are_selected(df):
    values = ps.select_by_keys(df, ["mixed"])["mixed"]

    assert set(values) == {None, 1, "x", 2.5}


def test_normalize_selected():
    assert ps.normalize_selected({"a": [1, 2], "b": 5, "c": "x", "d": (1, 2), "e": None}) == {
        "a": [1, 2],
        "b": [5],
        "c": ["x"],
        "d": [(1, 2)],
        "e": [None],
    }


# --- styles ----------------------------------------------------------------------------


def colors(text, n=3):
    return ps.setup_plot_styles({"k": list(range(n))}, {"k": {"color": text}})["k"]["color"]


def test_a_colour_map_gives_a_colour_for_each_value():
    cmap = matplotlib.colormaps["viridis"]

    np.testing.assert_allclose(colors("viridis"), cmap([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(colors("viridis:min=0.2,max=0.8"), cmap([0.2, 0.5, 0.8]))
    np.testing.assert_allclose(colors("viridis", n=1)[0], cmap(0.0))


def test_a_qualitative_colour_map_gives_its_first_colours():
    listed = np.array(matplotlib.colormaps["tab10"].colors)

    np.testing.assert_allclose(colors("tab10:kind=qualitative"), listed[:3])
    np.testing.assert_allclose(colors("tab10:kind=qualitative,max=5"), listed[:5])


@pytest.mark.parametrize("text", ["nocmap", "r"])
def test_an_unknown_colour_map_is_named(text):
    with pytest.raises(ValueError, match=f"no colour map '{text}'"):
        colors(text)


def test_other_styles():
    styles = ps.setup_plot_styles(
        {"k": [1, 2, 3]},
        {"k": {"alpha": "0.1,0.9", "lw": 2, "marker": ["o", "s"], "ls": "--", "color": ["r"]}},
    )["k"]

    np.testing.assert_allclose(styles.pop("alpha"), [0.1, 0.5, 0.9])
    assert styles == {"lw": [2], "marker": ["o", "s"], "ls": ["--"], "color": ["r"]}
    with pytest.raises(ValueError, match="alpha"):
        ps.setup_plot_styles({"k": [1]}, {"k": {"alpha": "0.1"}})


def test_get_parameters_styles_from_texts():
    selected, styles, raw = ps.get_parameters_styles(
        {"num": [1, 2], "host": "r"}, styles="num={marker=[o, s]}", select="num=[2]"
    )

    assert selected == {"num": [2], "host": ["r"]}
    assert styles == {"num": {"marker": ["o", "s"]}, "host": {}}
    assert raw == styles


def test_styles_of_categories():
    by_value = ps.get_cat_style({"num": [1, 2, 3]}, "num", {"num": {"color": list("rgb")}}, "color")

    assert by_value == {1: "r", 2: "g", 3: "b"}
    assert ps.select_cat_style(by_value, pd.Series([3, 1, 3])) == ["b", "r", "b"]


# --- rows ------------------------------------------------------------------------------


def test_the_places_of_a_row(df):
    assert ps.get_indices_in_selected(SELECTED, df.iloc[1], {}) == {"num": 1, "host": 1, "seed": 0}
    assert ps.get_indices_in_selected({"num": [5]}, df.iloc[1], {}) is None
    assert ps.get_indices_in_selected({}, df.iloc[1], {}) == {}
    with pytest.raises(KeyError):
        ps.get_indices_in_selected({"zz": [5]}, df.iloc[1], {})


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, float("nan")])
@pytest.mark.parametrize("selected", [[1.0, np.nan], [1.0, None]])
def test_a_missing_value_is_found(missing, selected):
    """Rows without a value vanished from plots."""
    row = {"seed": missing}

    assert ps.get_indices_in_selected({"seed": selected}, row, {}) == {"seed": 1}
    assert ps.get_indices_in_selected({"seed": [1.0]}, row, {}) is None
    assert ps.get_indices_in_selected({"seed": selected}, {"seed": 2.0}, {}) is None


def test_arrays_are_compared_as_a_whole():
    selected = {"p": [np.array([1, 2]), np.array([1, 3])]}

    assert ps.get_indices_in_selected(selected, {"p": np.array([1, 3])}, None) == {"p": 1}
    assert ps.get_indices_in_selected(selected, {"p": [1, 4]}, None) is None


def test_values_may_be_compared_by_a_function():
    seen = []

    def close(value, of_row):
        seen.append((value, of_row))
        return abs(value - of_row) < 0.1

    indices = ps.get_indices_in_selected({"a": [1, 2]}, {"a": 2.05}, {"a": close})

    assert indices == {"a": 1}
    assert seen == [(1, 2.05), (2, 2.05)]


def test_the_style_of_a_row(df):
    style, indices = ps.get_row_style(df.iloc[1], SELECTED, {}, STYLES, lw=9, zorder=2)

    assert style == {"color": "g", "ls": "--", "lw": 9, "alpha": 0.5, "zorder": 2}
    assert indices == {"num": 1, "host": 1, "seed": 0}
    assert ps.get_row_style(df.iloc[1], {"num": [5]}, {}, STYLES) == (None, None)


def test_short_styles_are_used_again_and_clashes_are_told(capsys):
    assert ps.get_plot_style({"num": 5, "host": 3}, STYLES) == {"color": "g", "ls": "--", "lw": 1}
    both = {"a": {"color": ["r"]}, "b": {"color": ["g"]}}
    assert capsys.readouterr().out == ""
    assert ps.get_plot_style({"a": 0, "b": 0, "c": 0}, both) == {"color": "g"}
    assert capsys.readouterr().out == 'soops: style key "color" of "b" already in use!\n'


def test_what_was_used_is_noted(df):
    used = {}
    style, indices, same = ps.get_row_style_used(df.iloc[1], SELECTED, {}, STYLES, used)

    assert style["color"] == "g"
    assert same is used
    assert used == {"num": {1}, "host": {1}, "seed": {0}}
    assert ps.get_row_style_used(df.iloc[1], {"num": [5]}, {}, STYLES, used) == (None, None, used)
    assert ps.update_used(used, {"num": 0}) == {"num": {0, 1}, "host": {1}, "seed": {0}}
    assert ps.update_used(None, indices) == {"num": {1}, "host": {1}, "seed": {0}}


# --- legends ---------------------------------------------------------------------------


def test_legend_items():
    lines, labels = ps.get_legend_items(SELECTED, {**STYLES, "seed": {}})

    assert labels == [["num: 100", "num: 1000"], ["host: r", "host: f"]]
    assert [line.get_color() for line in lines[0]] == ["r", "g"]
    assert [line.get_linestyle() for line in lines[1]] == ["-", "--"]
    assert lines[1][0].get_color() == (0.5, 0.5, 0.5)


def test_legend_items_of_what_was_used():
    _, labels = ps.get_legend_items(SELECTED, STYLES, used={"num": {1}, "host": {0}})

    assert labels == [["num: 1000"], ["host: r"]]


def test_labels_can_be_made_by_a_function():
    _, labels = ps.get_legend_items(
        {"num": [5, 7]}, STYLES, format_labels=lambda key, place, value: f"{key}-{place}-{value}"
    )

    assert labels == [["num-0-5", "num-1-7"]]


def test_styles_of_markers_are_seen_in_the_legend():
    for name in ("markersize", "mfc"):
        values = [3, 5] if name == "markersize" else ["r", "b"]
        lines, _ = ps.get_legend_items({"a": [1, 2]}, {"a": {name: values}})
        assert [line.get_marker() for line in lines[0]] == ["o", "o"]


@pytest.fixture
def items():
    return ps.get_legend_items(
        {"a": list(range(10)), "b": ["x", "y"]},
        {"a": {"color": ["r"]}, "b": {"ls": ["-", "--"]}},
    )


def test_add_legend(ax, items):
    assert ps.add_legend(ax, *items, fontsize=5, ncols=2, title="t") is None
    (texts,) = legends(ax)
    legend = ax.get_legend()

    assert texts == [f"a: {k}" for k in range(10)] + ["b: x", "b: y"]
    assert legend.get_frame().get_alpha() == 0.5
    assert legend.get_texts()[0].get_fontsize() == 5
    assert legend.get_title().get_text() == "t"


def test_a_legend_for_each_parameter(ax, items):
    ps.add_legend(ax, *items, per_parameter=True, loc=["upper left", "lower right"])
    found = [item for item in ax.get_children() if isinstance(item, matplotlib.legend.Legend)]

    assert [len(legend.get_texts()) for legend in found] == [10, 2]
    assert [legend._loc for legend in found] == [2, 4]
    assert [legend.get_frame().get_alpha() for legend in found] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("count", "places"),
    [(0, []), (1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (5, [0, 2, 4, 6, 9]), (20, range(10))],
)
def test_a_legend_shows_so_many_labels(ax, items, count, places):
    ps.add_legend(ax, *items, max_legend_labels=count)
    (texts,) = legends(ax)

    assert [text for text in texts if text[0] == "a"] == [f"a: {k}" for k in places]


# --- plots -----------------------------------------------------------------------------

PLOTTED = {"num": [100, 1000], "host": ["r", "f"]}


def test_a_curve_for_each_row(df, ax):
    assert ps.plot_selected(ax, df, "y", PLOTTED, {}, STYLES) is ax
    assert curves(ax) == [
        ("r", "-", [0, 0, 0]),
        ("g", "--", [1, 2, 3]),
        ("r", "--", [2, 4, 6]),
        ("g", "-", [3, 6, 9]),
    ]
    assert list(ax.lines[0].get_xdata()) == [0, 1, 2]
    assert legends(ax) == [["num: 100", "num: 1000", "host: r", "host: f"]]


def test_only_what_is_selected_is_plotted_and_in_the_legend(df, ax):
    ps.plot_selected(ax, df, "y", {"num": [100, 7], "host": ["r", "f"]}, None, STYLES, xaxis="x")

    assert curves(ax) == [("r", "-", [0, 0, 0]), ("r", "--", [2, 4, 6])]
    assert list(ax.lines[0].get_xdata()) == [0.0, 0.1, 0.2]
    assert legends(ax) == [["num: 100", "host: r", "host: f"]]


def test_rows_with_missing_parameters_are_plotted(df, ax):
    ps.plot_selected(ax, df, "y", {"seed": [1.0, np.nan]}, {}, {"seed": {"color": ["r", "b"]}})

    assert [color for color, _, _ in curves(ax)] == ["b", "r", "b", "r"]
    assert legends(ax) == [["seed: 1.0", "seed: nan"]]


def test_rows_without_a_value_are_left_out(df, ax):
    df["y"] = [None, [1, 2], None, None]
    ps.plot_selected(ax, df, "y", PLOTTED, {}, STYLES)

    assert curves(ax) == [("g", "--", [1, 2])]


def test_options_of_plots(df, ax):
    ps.plot_selected(
        ax,
        df,
        "y",
        PLOTTED,
        {},
        STYLES,
        format_labels=lambda key, place, value: str(value),
        legend_kwargs={"loc": "upper left", "max_legend_labels": 1},
        color="k",
        marker="s",
    )

    assert {(line.get_color(), line.get_marker()) for line in ax.lines} == {("k", "s")}
    assert legends(ax) == [["100", "r"]]
    assert ax.get_legend()._loc == 2


def test_without_a_legend_its_items_are_returned(df, ax):
    same, lines, labels = ps.plot_selected(ax, df, "y", PLOTTED, {}, STYLES, make_legend=False)

    assert same is ax
    assert labels == [["num: 100", "num: 1000"], ["host: r", "host: f"]]
    assert [len(items) for items in lines] == [2, 2]
    assert legends(ax) == []


def test_show_figures_without_a_screen(caplog, capsys):
    import matplotlib.pyplot as plt

    from soops.plugins import show_figures

    assert show_figures(None, data={"a": 1}) == {"a": 1}
    assert caplog.messages == []
    figure = plt.figure()
    assert show_figures(None) is None
    plt.close(figure)
    (message,) = caplog.messages
    assert message.startswith("no figure is shown")
    assert capsys.readouterr().out == ""


def test_show_figures_shows_them(monkeypatch):
    import matplotlib.pyplot as plt

    from soops.plugins import show_figures

    shown = []
    figure = plt.figure()
    monkeypatch.setattr(plt, "get_backend", lambda: "QtAgg")
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    show_figures(None)
    plt.close(figure)

    assert shown == [figure.number]
