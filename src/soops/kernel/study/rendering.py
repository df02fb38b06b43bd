"""Values to text of the value language: the inverse of the grammar.

Used through ``grammar``.
"""

from __future__ import annotations

import math
import re
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.study.tokens import MAX_DEPTH
from soops.kernel.values import Directive

__all__ = ["as_texts", "render"]

_PLAIN = re.compile(r"(?!(?:none|true|false)\Z)[A-Za-z][A-Za-z0-9_]*\Z", re.IGNORECASE).match
#: Texts that single quotes can hold as they are.
_QUOTABLE = re.compile(r"(?!@)(?:[^'\\\x00-\x1f\x7f\ud800-\udfff]|\\(?!'|\\|\Z))*+\Z").match
_NAMED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render(value: Any) -> str:
    """Return text that :func:`parse_value` reads as an equal value of the same type.

    Parameters
    ----------
    value : object
        Of the types that the language has, and directives.

    Raises
    ------
    StudyError
        When there is no such text: NaN, an object of another type, endless nesting.
    """
    return _render(value, 0)


def as_texts(value: Any) -> Any:
    """Return a value of a study with each directive as the text that it was.

    So scripts have always seen them; a text that begins with ``@`` has one more of them.
    """
    if isinstance(value, Directive):
        return value.text
    if isinstance(value, str) and value.startswith("@"):
        return f"@{value}"
    if isinstance(value, list | tuple):
        return type(value)(as_texts(item) for item in value)
    if isinstance(value, dict):
        return {key: as_texts(item) for key, item in value.items()}
    return value


def _render(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise StudyError(f"a value nested more than {MAX_DEPTH} deep cannot be written as text")
    if value is None or value is True or value is False:
        return str(value)
    kind = type(value)
    if kind is str:
        return _render_text(value)
    if kind is int:
        return str(value)
    if kind is float:
        return _render_real(value)
    if kind is complex:
        return _render_complex(value)
    if kind is list:
        return "[" + ", ".join(_render(item, depth + 1) for item in value) + "]"
    if kind is tuple:
        return "(" + ", ".join(_render(item, depth + 1) for item in value) + ")"
    if kind is dict:
        return "{" + _render_pairs(value, depth) + "}"
    if kind is Directive:
        return _render_directive(value, depth)
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return _render(value.item(), depth + 1)
    raise _no_text(value)


def _no_text(value: Any) -> StudyError:
    return StudyError(
        f"a value of type {type(value).__name__} cannot be written as text: {str(value)[:60]}"
    )


def _render_text(text: str) -> str:
    if _PLAIN(text):
        return text
    if _QUOTABLE(text):
        return f"'{text}'"
    # Outside of plain quotes: what they cannot hold, and texts that look like directives.
    escaped = (
        _NAMED.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text
    )
    return "$'" + "".join(escaped) + "'"


def _render_real(value: float) -> str:
    if math.isnan(value):
        raise _no_text(value)
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _render_complex(value: complex) -> str:
    if not (math.isfinite(value.real) and math.isfinite(value.imag)):
        raise _no_text(value)
    return repr(value).strip("()")


def _render_pairs(pairs: dict[Any, Any], depth: int) -> str:
    return ", ".join(
        f"{_render(key, depth + 1)}={_render(item, depth + 1)}" for key, item in pairs.items()
    )


def _render_directive(value: Directive, depth: int) -> str:
    if not value.called:
        return f"@{value.name}"
    named = (f"{name}={_render(item, depth + 1)}" for name, item in value.kwargs.items())
    return f"@{value.name}({', '.join([*(_render(x, depth + 1) for x in value.args), *named])})"
