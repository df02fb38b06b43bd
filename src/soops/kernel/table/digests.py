"""What a scraper is, as a few digits: when they change, what it read is read again.

For ``gather`` only. A function is its source, and that of the functions and plain constants
of its module that it uses; not the libraries that it calls. What an item makes of the values
(``reduce``, ``rename``, ``default``) belongs to it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from soops._version import __version__
from soops.kernel.values import ScoopInfo, ScoopItem

__all__ = ["with_digests"]

_DIGITS = 12
_PLAIN = (bool, int, float, complex, str, bytes, type(None), re.Pattern)
#: What differs from process to process in the text of an object.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def with_digests(info: ScoopInfo, resolve: Callable[[str], Callable[..., Any]]) -> ScoopInfo:
    """Return the items with the digests of their scrapers, which make their stamps.

    Parameters
    ----------
    info : ScoopInfo
        What is to be read.
    resolve : callable
        ``resolve(name)`` returns a registered scraper.
    """
    return ScoopInfo(
        items=tuple(replace(item, digest=_digest(item, resolve)) for item in info.items)
    )


def _digest(item: ScoopItem, resolve: Callable[[str], Callable[..., Any]]) -> str:
    function = resolve(item.scraper) if isinstance(item.scraper, str) else item.scraper
    texts = [__version__, item.pattern, repr(sorted(item.options.items(), key=repr))]
    shapes = (item.reduce, item.rename, item.default)
    texts += [repr(sorted(shape.items(), key=repr)) for shape in shapes] if any(shapes) else []
    texts += _texts(function, set())
    whole = _ADDRESS.sub("", "\0".join(texts)).encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).hexdigest()[:_DIGITS]


def _texts(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield what makes a function, or another value that one uses, what it is."""
    if id(value) in seen:
        return
    seen.add(id(value))
    value = inspect.unwrap(value)
    if isinstance(value, functools.partial):
        yield repr((value.args, value.keywords))
        yield from _texts(value.func, seen)
    elif isinstance(value, types.MethodType):
        yield from _texts(value.__func__, seen)
        yield repr(value.__self__)
    elif isinstance(value, types.FunctionType):
        yield _source(value)
        yield repr((value.__defaults__, value.__kwdefaults__))
        yield from _used(value, seen)
    elif isinstance(value, type):
        yield _source(value)
    else:
        kind = type(value)
        yield f"{kind.__qualname__} {getattr(value, '__qualname__', '')}"
        yield repr(getattr(value, "__dict__", ""))
        if kind.__module__ != "builtins":
            yield _source(kind)


def _used(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    """Yield the same for what a function uses of its own module, and of what is around it."""
    for cell in function.__closure__ or ():
        try:
            yield from _value(cell.cell_contents, function, seen)
        except ValueError:  # not set yet
            continue
    for name in sorted(set(_names(function.__code__))):
        if name in function.__globals__:
            yield name
            yield from _value(function.__globals__[name], function, seen)


def _value(value: Any, function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif isinstance(value, (tuple, list, dict, set, frozenset)):
        yield repr(sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value)
    elif getattr(value, "__module__", None) == function.__module__:
        yield from _texts(value, seen)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError, SyntaxError, IndentationError):
        pass  # made without a file
    code = getattr(value, "__code__", None)
    if code is None:
        return f"{value.__module__} {value.__qualname__}"
    constants = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
    return repr((code.co_code, constants, code.co_names))
