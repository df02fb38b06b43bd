"""Whether what a study file says of scrapers and steps can be right, before anything is run.

Only of those that know their place in a file: a script has its own interpreter. Used by ``conf``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import SoopsError, StudyError, unknown_name
from soops.kernel.plugging.registry import import_target
from soops.kernel.values import ScoopItem, Source, UserModule

__all__ = ["check_calls"]

#: What a scraper is handed besides its options, and a step besides its arguments.
_HANDED = {"scraper": ("path", "rdata"), "step": ("df", "data")}


def check_calls(app: App, user: UserModule) -> Iterator[SoopsError]:
    """Yield what is wrong with the scrapers and steps that a study file names.

    Parameters
    ----------
    app : App
        Its registries.
    user : UserModule
        What the file offers.
    """
    items = user.scoop_info.items if user.scoop_info is not None else ()
    of_item = [field.name for field in fields(ScoopItem)]
    for item in items:
        if isinstance(item.scraper, str) and item.source is not None and item.scraper:
            yield from _check(app, "scraper", item.scraper, item.options, item.source, of_item)
    for step in user.steps:
        if isinstance(step.target, str) and step.source is not None and step.target:
            yield from _check(app, "step", step.target, step.kwargs, step.source, [])


def _check(
    app: App,
    kind: str,
    name: str,
    given: Mapping[str, Any],
    source: Source,
    others: list[str],
) -> Iterator[SoopsError]:
    try:
        spec = app.registry(kind).get(name)
        function = app.resolve(kind, name)
        check = None if spec.check is None else import_target(replace(spec, target=spec.check))
    except SoopsError as exc:
        exc.source = source
        yield exc
        return
    known = _keywords(function, _HANDED[kind])
    if known is not None:
        wrong = [key for key in given if key not in known]
        for key in wrong:
            what = f"option of the {kind} {name!r}:"
            yield unknown_name(what, key, {*known, *others}, source=source)
        missing = [key for key, needed in known.items() if needed and key not in given]
        for key in missing:
            yield StudyError(
                f"the {kind} {name!r} needs {key!r}", source=source, hint=f"add {key} = ..."
            )
        if wrong or missing:
            return
    if check is not None:
        try:
            check(**given)
        except (ValueError, TypeError, LookupError) as exc:
            yield StudyError(f"{kind} {name!r}: {exc}", source=source)


def _keywords(function: Callable[..., Any], handed: tuple[str, ...]) -> dict[str, bool] | None:
    """Return the keywords of a function and whether each is needed; None when it takes any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(item.kind is item.VAR_KEYWORD for item in parameters):
        return None
    return {
        item.name: item.default is item.empty
        for item in parameters
        if item.name not in handed and item.kind in (item.KEYWORD_ONLY, item.POSITIONAL_OR_KEYWORD)
    }
