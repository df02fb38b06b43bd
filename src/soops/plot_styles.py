"""What is selected and how it is shown: the styles of :mod:`soops.plot_selected`.

Part of the script library, under the name of that module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from soops.parsing import parse_as_dict

__all__ = [
    "Selected",
    "Styles",
    "get_cat_style",
    "get_parameters_styles",
    "normalize_selected",
    "select_by_keys",
    "select_cat_style",
    "setup_plot_styles",
]

Selected = Mapping[str, Sequence[Any]]
Styles = Mapping[str, Mapping[str, Any]]


def select_by_keys(df: Any, keys: Iterable[str]) -> dict[str, list[Any]]:
    """Return the different values of some columns of a table, sorted, missing ones last."""
    from soops.kernel.table.post import get_uniques

    return get_uniques(df, keys)


def normalize_selected(selected: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return ``selected`` with single values put into lists."""
    return {
        key: values if isinstance(values, list) else [values] for key, values in selected.items()
    }


def setup_plot_styles(selected: Selected, raw_styles: Styles) -> dict[str, dict[str, Any]]:
    """Return styles with a value for each selected value of a parameter.

    Parameters
    ----------
    selected : mapping
        The parameters and their values.
    raw_styles : mapping
        Parameter to ``{style name: what it is}``. A ``color`` that is a text is the name
        of a colour map, ``'viridis'``; ``'viridis:min=0.2,max=0.8'`` takes a part of it,
        ``'tab10:kind=qualitative'`` its first colours, or as many as ``max`` says. An
        ``alpha`` as ``'0.2,1.0'`` goes from the first to the second. Other single values
        are put into a list.

    Returns
    -------
    dict
        Parameter to ``{style name: sequence}``; colours of a map are an array of shape
        (number of colours, 3 or 4).

    Raises
    ------
    ValueError
        When there is no such colour map, or an alpha is no pair of numbers.
    """
    styles = {}
    for key, raw in raw_styles.items():
        if key not in selected:
            styles[key] = dict(raw)
            continue
        size = len(selected[key])
        styles[key] = {name: _style_values(name, value, size) for name, value in raw.items()}
    return styles


def _style_values(name: str, value: Any, size: int) -> Any:
    if name == "color":
        return _colors(value, size) if isinstance(value, str) else value
    if name == "alpha" and isinstance(value, str):
        import numpy as np

        try:
            low, high = (float(item) for item in value.split(","))
        except ValueError:
            raise ValueError(f"alpha is not 'lowest,highest': {value!r}") from None
        return np.linspace(low, high, size)
    return value if isinstance(value, (list, tuple)) or hasattr(value, "__array__") else [value]


def _colors(text: str, size: int) -> Any:
    """Return the colours that ``'cmap:key=value,...'`` means, one for each of ``size`` values."""
    import matplotlib
    import numpy as np

    name, _, rest = text.partition(":")
    options = parse_as_dict(rest, free_word=False)
    if name not in matplotlib.colormaps:
        hint = "; write a single colour in a list" if matplotlib.colors.is_color_like(name) else ""
        raise ValueError(f"there is no colour map {name!r}{hint}")
    colors: Any = matplotlib.colormaps[name]
    if options.get("kind") == "qualitative":
        count = options.get("max", size)
        listed = getattr(colors, "colors", None)
        if listed is None:
            listed = colors(np.linspace(0.0, 1.0, count))
        return np.asarray(listed)[:count]
    low, high = options.get("min", 0.0), options.get("max", 1.0)
    return colors(np.linspace(low, high, max(size, 2)))


def get_parameters_styles(
    parameters: Mapping[str, Any], styles: Any = None, select: Any = None
) -> tuple[dict[str, list[Any]], dict[str, dict[str, Any]], dict[str, Any]]:
    """Return what is selected, how it is shown, and how that was said.

    Parameters
    ----------
    parameters : mapping
        Parameter to its values.
    styles : str or mapping, optional
        As for :func:`setup_plot_styles`; a text is a dict in the value language.
    select : str or mapping, optional
        Parameter to the values to take instead.

    Returns
    -------
    selected : dict
        Parameter to a list of values.
    styles : dict
        As of :func:`setup_plot_styles`, with an entry for every parameter.
    raw_styles : dict
        What they were made from.
    """
    selected = normalize_selected({**parameters, **parse_as_dict(select)})
    raw_styles = {**{key: {} for key in selected}, **parse_as_dict(styles)}
    return selected, setup_plot_styles(selected, raw_styles), raw_styles


def get_cat_style(selected: Selected, key: str, styles: Styles, skey: str) -> dict[Any, Any]:
    """Return the values of one style of a parameter, by the parameter's values."""
    return dict(zip(selected[key], styles[key][skey], strict=False))


def select_cat_style(cdict: Mapping[Any, Any], cats: Iterable[Any]) -> list[Any]:
    """Return the items of a dict for a sequence of keys."""
    return [cdict[cat] for cat in cats]
