"""How figures look: the style, colours, texts, legends and colour bars."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from soops.api import printable
from soops_builtin.steps.arguments import StepError, known_as
from soops_builtin.steps.cells import shown

__all__ = [
    "CMAP",
    "MARKERS",
    "UNDEFINED_COLOUR",
    "add_bar",
    "dashes",
    "is_geometric",
    "label_of",
    "legend_width",
    "literal",
    "number_texts",
    "palette",
    "place_legend",
    "samples",
    "short",
    "short_all",
    "styled",
]

#: Colours that people with any kind of colour vision can tell apart (of Okabe and Ito).
_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", "--", ":", "-.")
CMAP = "viridis"
UNDEFINED_COLOUR = "#A0A0A0"
#: Entries of a legend in one column, and in all.
_PER_COLUMN, _MOST = 22, 66
_INCHES_PER_LETTER = 0.075

_RC = {
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.use_mathtext": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.titlesize": 12,
    "font.size": 10,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "image.cmap": CMAP,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.title_fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "savefig.bbox": "standard",
    "svg.hashsalt": "soops",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


@contextlib.contextmanager
def styled(name: str | None) -> Iterator[None]:
    """Draw in our style, with that of matplotlib over it; settings of the user do not count.

    Raises
    ------
    StepError
        When matplotlib has no such style.
    """
    import matplotlib
    from cycler import cycler
    from matplotlib import style

    if name is not None and name not in ("default", *style.available):
        raise StepError(f"unknown style {name!r}{known_as(name, style.available)}")
    ours = {**_RC, "axes.prop_cycle": cycler(color=_CYCLE)}
    with matplotlib.rc_context(), style.context(["default", ours, *([name] if name else [])]):
        matplotlib.rcParams["svg.hashsalt"] = "soops"
        yield


def palette() -> list[Any]:
    """Return the colours of the style, for things without an order."""
    import matplotlib

    found = matplotlib.rcParams["axes.prop_cycle"].by_key().get("color")
    return list(found or _CYCLE)


def samples(count: int) -> list[Any]:
    """Return colours for things with an order, from dark to light."""
    import matplotlib
    import numpy as np

    cmap = matplotlib.colormaps[matplotlib.rcParams["image.cmap"]]
    return [tuple(color) for color in cmap(np.linspace(0.0, 0.88, count))]


def dashes(place: int) -> str:
    """Return a style of lines."""
    return _DASHES[place % len(_DASHES)]


def literal(text: str) -> str:
    """Return a text that matplotlib shows as it is."""
    return printable(text).replace("$", r"\$")


def short(text: str, limit: int = 24) -> str:
    """Return a text that is not longer than some letters, as it is shown."""
    if len(text) > limit:
        tail = limit // 3
        text = f"{text[: limit - tail - 1]}…{text[-tail:]}"
    return literal(text)


def short_all(texts: Sequence[str], limit: int = 24) -> list[str]:
    """Return texts that are not too long; what all of them share is cut first."""
    if len(texts) < 2 or max(map(len, texts)) <= limit:
        return [short(text, limit) for text in texts]
    head = _shared(texts)
    least = min(map(len, texts)) - head
    tail = min(least, _shared([text[::-1] for text in texts]))
    room = max(limit - (max(map(len, texts)) - head - tail) - 2, 0)
    before = min(head, room * 2 // 3)
    after = min(tail, room - before)
    shorter = []
    for text in texts:
        middle = text[head - before : len(text) - tail + after]
        dots = ("…" if before < head else ""), ("…" if after < tail else "")
        shorter.append(short(f"{dots[0]}{middle}{dots[1]}", limit))
    return shorter


def _shared(texts: Sequence[str]) -> int:
    """Return with how many equal letters all texts begin."""
    low, high = min(texts), max(texts)
    pairs = enumerate(zip(low, high, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(low), len(high)))


def number_texts(values: Sequence[float]) -> list[str]:
    """Return numbers with as few digits as tell them apart."""
    full = [f"{value:.6g}" for value in values]
    for digits in (3, 4, 5):
        texts = [f"{value:.{digits}g}" for value in values]
        same_form = all(("e" in a) == ("e" in b) for a, b in zip(texts, full, strict=True))
        if same_form and len(set(texts)) == len(values):
            return texts
    return full


def is_geometric(values: Any) -> bool:
    """Tell whether numbers span two powers of ten or more, most of them among the small ones."""
    import numpy as np

    low, high = float(values.min()), float(values.max())
    return bool(low > 0 and high / low >= 100 and np.median(values) < low + 0.2 * (high - low))


def label_of(df: Any, label: Any) -> str:
    """Return ``energy [eV]``: the name of a column, and its unit where it is known."""
    unit = (df.attrs.get("units") or {}).get(label)
    name = shown(str(label).lstrip("-") or str(label))
    return literal(f"{name} [{unit}]" if unit else name)


def legend_width(texts: Sequence[str]) -> float:
    """Return about how wide a legend is, in inches."""
    if not texts or len(texts) > _MOST:
        return 0.0
    longest = max(len(text) for text in texts)
    columns = math.ceil(len(texts) / _PER_COLUMN)
    return columns * (0.55 + _INCHES_PER_LETTER * longest)


def place_legend(figure: Any, handles: Sequence[Any], title: str | None) -> str:
    """Put a legend beside the axes; return why there is none, or an empty text."""
    if not handles:
        return ""
    if len(handles) > _MOST:
        return f"there is no legend: it would have {len(handles)} entries"
    figure.legend(
        handles=handles,
        title=title,
        loc="outside right upper",
        ncols=math.ceil(len(handles) / _PER_COLUMN),
        alignment="left",
        fontsize=9 if len(handles) <= 16 else 7,
    )
    return ""


def add_bar(grid: Any, scale: Any, title: str | None) -> None:
    """Put a colour bar beside the panels."""
    axes = [panel.ax for panel in grid.panels]
    bar = grid.figure.colorbar(scale, ax=axes, pad=0.02, aspect=28)
    bar.set_label(title or "")
    bar.outline.set_visible(False)
