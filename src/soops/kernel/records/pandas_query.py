"""Queries that our own language has no words for: given to pandas, once they are harmless.

Used by ``query`` only; pandas is imported when a query comes here. ``DataFrame.query`` would
call whatever a text names (``@os.system('...')``, ``num.to_pickle('...')``), so that a text
gets there only when its syntax tree holds nothing but columns, values, operators and the
methods named here, which compute and no more.
"""

from __future__ import annotations

import ast
import re
import warnings
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
#: Those that give numbers, or true and false, whatever the column holds.
_NUMERIC = (
    "between contains count duplicated endswith eq find fullmatch ge gt isalnum isalpha isdecimal "
    "isdigit isin islower isna isnull isnumeric isspace istitle isupper le len lt match ne notna "
    "notnull nunique rank rfind startswith"
)
_ACCESSOR = "str"
_ATTRIBUTES = frozenset([*_OF_COLUMNS.split(), *_OF_TEXTS.split(), _ACCESSOR])
_GIVE_NUMBERS = frozenset(_NUMERIC.split())

#: No ``**``, ``<<`` and ``@``: a few characters could ask for more memory than there is.
_NODES = (
    *(ast.Expression, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Constant, ast.Name),
    *(ast.Load, ast.List, ast.Tuple, ast.Call, ast.keyword, ast.Attribute),
    *(ast.Subscript, ast.Slice, ast.boolop, ast.unaryop, ast.cmpop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr),
    ast.BitXor,
)
#: Texts and quoted names. A text without an end is one, too, lest each quote in it is tried.
_PART = re.compile(
    r"""('(?:[^'\\]|\\.?)*+(?:'|\Z)|"(?:[^"\\]|\\.?)*+(?:"|\Z))|`([^`]*+)`""", re.DOTALL
)


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
    if len(query) > MAX_TEXT:
        # Before anything looks at it: of a quotation mark that is not closed all is read.
        raise ValueError(f"of more than {MAX_TEXT} characters")
    frame = frame.reset_index(drop=True)
    text, names = _without_backticks(query.strip(), list(frame.columns))
    frame = frame.rename(columns=names)
    # pandas would cut a text into lines, and evaluate each.
    if len(text.splitlines()) > 1 or "`" in text:
        raise ValueError("not one line, or a backtick too many")
    try:
        tree = ast.parse(text, mode="eval")
        _check(tree, frame)
    except (SyntaxError, RecursionError, MemoryError) as exc:
        raise ValueError(f"no expression: {type(exc).__name__}") from exc
    with warnings.catch_warnings():
        # Of a pattern with groups, say: nothing that the person who asks has to mend.
        warnings.simplefilter("ignore")
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
            case ast.BinOp(left=left, op=ast.Mult() | ast.Mod(), right=right):
                # ``'%999999999d' % 1`` needs 1 GB.
                if not (_is_number(left, frame) and _is_number(right, frame)):
                    raise ValueError("only numbers are multiplied and divided")


def _is_accessor(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == _ACCESSOR


def _is_number(node: ast.expr, frame: Any) -> bool:
    """Whether a value is a number or a truth, or a column of them: nothing that can grow."""
    match node:
        case ast.Constant(value=value):
            return not isinstance(value, str | bytes)
        case ast.Name(id=name):
            return name not in frame.columns or frame[name].dtype.kind in "biuf"
        case ast.UnaryOp(operand=operand):
            return _is_number(operand, frame)
        case ast.BinOp(op=ast.Mult() | ast.Mod()):
            return True  # or it is refused itself
        case ast.BinOp(left=left, right=right):
            return _is_number(left, frame) and _is_number(right, frame)
        case ast.Compare() | ast.BoolOp():
            return True
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=args, keywords=keywords):
            # The greatest text of a column is a text; ``fillna('x')`` gives one, too.
            given = [value, *args, *(keyword.value for keyword in keywords)]
            return name in _GIVE_NUMBERS or all(_is_number(part, frame) for part in given)
    return False
