"""Queries that our own language has no words for: given to pandas, once they are harmless.

Used by ``query`` only; pandas is imported when a query comes here. ``DataFrame.query`` would
call whatever a text names (``@os.system('...')``, ``num.to_pickle('...')``), so that a text
gets there only when its syntax tree holds nothing but columns, values, operators and the
methods named here, which compute and no more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["positions"]

#: Longer texts are no query.
MAX_TEXT = 10_000

#: What may be asked of a column.
_OF_COLUMNS = (
    "abs all any between clip count cummax cummin cumsum diff duplicated eq fillna ge gt idxmax "
    "idxmin isin isna isnull le lt max mean median min ne notna notnull nunique quantile rank "
    "round shift std sum var"
)
#: What may be asked of the texts of a column: ``name.str.contains('x')``. Nothing that makes
#: them longer.
_OF_TEXTS = (
    "capitalize casefold contains count endswith find fullmatch get isalnum isalpha isdecimal "
    "isdigit islower isnumeric isspace istitle isupper len lower lstrip match removeprefix "
    "removesuffix rfind rstrip slice startswith strip swapcase title upper"
)
_ACCESSOR = "str"
_ATTRIBUTES = frozenset([*_OF_COLUMNS.split(), *_OF_TEXTS.split(), _ACCESSOR])

#: No ``**``, ``<<`` and ``@``: a few characters could ask for more memory than there is.
_NODES = (
    *(ast.Expression, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Constant, ast.Name),
    *(ast.Load, ast.List, ast.Tuple, ast.Call, ast.keyword, ast.Attribute),
    *(ast.Subscript, ast.Slice, ast.boolop, ast.unaryop, ast.cmpop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr),
    ast.BitXor,
)
_PART = re.compile(r"""('(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")|`([^`]*+)`""")


def positions(frame: Any, query: str, engine: str) -> list[int]:
    """Return the places of the rows of a frame for which pandas finds that a query holds.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of which the query names the columns, in backticks where they are no names of Python.
    query : str
        As of :meth:`pandas.DataFrame.query`, without ``@`` and with harmless methods only.
    engine : str
        ``"python"`` or ``"numexpr"``.

    Raises
    ------
    ValueError
        When the query may not be given to pandas.
    Exception
        Whatever pandas makes of a text that is no query.
    """
    frame = frame.reset_index(drop=True)
    text, names = _without_backticks(query.strip(), list(frame.columns))
    frame = frame.rename(columns=names)
    # pandas would cut a text into lines, and evaluate each.
    if len(text) > MAX_TEXT or len(text.splitlines()) > 1 or "`" in text:
        raise ValueError("too long, or not one line, or a backtick too many")
    try:
        tree = ast.parse(text, mode="eval")
        _check(tree, frame)
    except (SyntaxError, RecursionError, MemoryError) as exc:
        raise ValueError(f"no expression: {type(exc).__name__}") from exc
    # Of its own accord pandas looks names up in the modules that call it.
    hits = frame.query(text, engine=engine, local_dict={}, global_dict={})
    return [int(place) for place in hits.index]


def _without_backticks(query: str, columns: Iterable[Any]) -> tuple[str, dict[str, str]]:
    """Return the query with plain names for the quoted ones, and what was renamed."""
    known = [name for name in columns if isinstance(name, str)]
    names: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        quoted = match[2]
        if quoted is None:
            return match[0]
        if quoted not in known:
            raise ValueError(f"no column {quoted!r}")
        place = known.index(quoted)
        name = f"column{place}"
        while name in known:
            name += "x"
        # Blanks, so that it does not become one word with what stands beside it.
        return f" {names.setdefault(quoted, name)} "

    return _PART.sub(plain, query).strip(), names


def _check(tree: ast.Expression, frame: Any) -> None:
    """Raise ValueError unless a tree holds nothing but what is known to be harmless."""
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ValueError(f"{type(node).__name__} is not allowed")
        match node:
            case ast.Name(id=name) if name.startswith("_") and name not in frame.columns:
                raise ValueError(f"the name {name!r} is not allowed")
            case ast.Attribute(attr=name) if name not in _ATTRIBUTES:
                raise ValueError(f"the attribute {name!r} is not allowed")
            case ast.Subscript(value=value) if not _is_accessor(value):
                raise ValueError("a subscript is not allowed")
            case ast.keyword(arg=None):
                raise ValueError("** is not allowed")
            case ast.BinOp(op=ast.Mult()):
                _check_factors(node, frame)


def _is_accessor(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == _ACCESSOR


def _check_factors(product: ast.BinOp, frame: Any) -> None:
    """Refuse what would repeat a text or a list, perhaps a million million times."""
    for node in ast.walk(product):
        match node:
            case ast.Constant(value=str() | bytes()) | ast.List() | ast.Tuple():
                raise ValueError("only numbers are multiplied")
            case ast.Name(id=name) if (
                name in frame.columns and frame[name].dtype.kind not in "biuf"
            ):
                raise ValueError("only numbers are multiplied")
