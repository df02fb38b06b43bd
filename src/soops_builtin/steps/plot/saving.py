"""Figures as files, the same bytes when nothing has changed."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.groups import say
from soops_builtin.steps.plot.arguments import PlotArguments
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.tables import output_path, save

__all__ = ["file_names", "save_figure"]

#: What matplotlib would write of the time.
_METADATA: Mapping[str, Mapping[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
#: Warnings of matplotlib and what is said instead.
_WARNINGS = {
    "constrained_layout not applied": "the figure is too small: give a larger size",
    "Glyph": "the font lacks a letter of a label",
}


def file_names(asked: PlotArguments, made: Sequence[str]) -> Sequence[str]:
    """Return the files to write: those asked for, or a new name after what is drawn.

    Parameters
    ----------
    asked : PlotArguments
        The arguments of the step.
    made : sequence of str
        The paths of figures that were made before.
    """
    if asked.output:
        return asked.output
    words = [*(asked.value or asked.y), *(["over"] if asked.x else []), *asked.x]
    words += asked.y if asked.value else ()
    stem = re.sub(r"[^\w.]+", "-", "-".join(words)).strip("-.")[:80] or asked.kind
    taken = {Path(path).name for path in made}
    names = [f"{stem}.png", *(f"{stem}-{place}.png" for place in range(2, len(taken) + 2))]
    return [next(name for name in names if name not in taken)]


def save_figure(
    figure: Any, data: Any, names: Sequence[str], dpi: float, notes: Notes
) -> list[str]:
    """Write a figure to files, and return their paths.

    Raises
    ------
    StepError
        When matplotlib cannot draw it: a formula in a title is wrong.
    """
    made = list(data.get("figures") or ())
    for name in names:
        content = _draw(figure, PurePath(name).suffix.lower()[1:], dpi, notes)
        path = output_path(data, name)
        if str(path) in made:
            notes.say(f"{path} was made by a step before this one, and is written again")
        else:
            made.append(str(path))
        save(path, content)
        say(str(path))
    return made


def _draw(figure: Any, suffix: str, dpi: float, notes: Notes) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            figure.savefig(buffer, format=suffix, dpi=dpi, metadata=_METADATA[suffix])
        except ValueError as exc:
            text = " ".join(str(exc).split())
            raise StepError(f"matplotlib cannot draw it: {text[:200]}") from exc
    texts = {_said(str(warning.message)) for warning in caught}
    for text in sorted(texts):
        notes.say(text)
    return buffer.getvalue()


def _said(message: str) -> str:
    for beginning, text in _WARNINGS.items():
        if message.startswith(beginning):
            return text
    return " ".join(message.split())[:200]
