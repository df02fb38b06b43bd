"""Filters and queries: safe expressions over parameters, for ``where``, ``--where``, ``-q``.

Anyone of the kernel may import it. The language is a part of Python's: comparisons, ``and``,
``or``, ``not``, ``in``, arithmetic and a fixed table of functions. There are no attributes, no
subscripts and no other calls, and nothing is evaluated by Python. As in queries of pandas,
``&``, ``|`` and ``~`` are ``and``, ``or`` and ``not``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from soops.kernel.errors import near_misses, unknown_name
from soops.kernel.study.operations import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    negative,
    positive,
    truth,
)
from soops.kernel.study.tokens import GrammarError, Places
from soops.kernel.values import UNDEFINED, Source

__all__ = ["Expression", "compile_expression", "short_name"]

#: Deeper nesting is refused; chains of one operator may be of any length.
MAX_DEPTH = 40

Values = Mapping[str, Any]
Node = Callable[[Values], Any]

TOKEN = re.compile(
    r"""\s*+(?:
        ((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+(?![\w.]))
      | ('(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
      | ([^\W\d]\w*+)
      | `([^`]*+)`
      | (@(?:un)?defined\b)
      | (==|!=|<=|>=|<|>|\*\*|//|&&|\|\||[-+*/%()\[\],&|~=!])
      | (\Z)
      | (.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER, _STRING, NAME, QUOTED, _WORD, _MARK, _END, _OTHER = range(1, 9)
_ESCAPE = re.compile(r"\\([\\'\"])")
_WORDS = {"&": "and", "|": "or", "~": "not"}
_RESERVED = frozenset({"and", "or", "not", "in"})
_CONSTANTS = {
    "True": True,
    "true": True,
    "False": False,
    "false": False,
    "None": None,
    "none": None,
}
#: Names that a parameter may take for itself.
_NUMBERS = {"nan": math.nan, "NaN": math.nan, "inf": math.inf, "pi": math.pi}


class Expression:
    """A compiled expression; called with the values of a set it gives its value.

    A value that is ``'@undefined'`` or missing is None in an expression.

    Attributes
    ----------
    text : str
        As it was written.
    names : tuple of str
        The parameters that it asks for, as they are named in a study.
    """

    __slots__ = ("_node", "names", "text")

    def __init__(self, text: str, names: tuple[str, ...], node: Node) -> None:
        self.text = text
        self.names = names
        self._node = node

    def __call__(self, values: Values) -> Any:
        """Return the value for one set."""
        return self._node(values)

    def holds(self, values: Values) -> bool:
        """Return whether the value is true; one that cannot tell is not."""
        return truth(self._node(values))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def compile_expression(text: str, names: Iterable[str], source: Source | None = None) -> Expression:
    """Return the compiled form of an expression.

    Parameters
    ----------
    text : str
        ``"num > 10 and host == 'random'"``. A parameter ``--n-cell`` is written ``n_cell``,
        or in backticks as it is.
    names : iterable of str
        The parameters that there are.
    source : Source, optional
        Where the text comes from.

    Raises
    ------
    GrammarError
        With the column of the mistake.
    """
    parser = _Parser(text, names, source)
    node = parser.parse()
    return Expression(text, tuple(parser.used), node)


def short_name(key: str) -> str:
    """Return the name that a parameter has in an expression."""
    return key.lstrip("-").replace("-", "_")


class _Parser:
    """Recursive descent, one method for each precedence; nodes are closures."""

    def __init__(self, text: str, names: Iterable[str], source: Source | None) -> None:
        base = source or Source()
        if base.line is None and not base.path.startswith("-"):
            # Columns are those of the expression, wherever in the file it stands.
            base = Source(path=base.path, section=base.section or "where")
        self.places = Places(text, base)
        self.text = text
        self.keys = [name for name in names if isinstance(name, str)]
        self.short: dict[str, list[str]] = {}
        for key in self.keys:
            self.short.setdefault(short_name(key), []).append(key)
        self.used: dict[str, None] = {}
        self.depth = 0
        self.advance(0)

    def parse(self) -> Node:
        """Return the node of the whole text."""
        if self.kind == _END:
            raise self.error("the expression is empty")
        node = self.disjunction()
        if self.kind != _END:
            raise self.unexpected("an operator")
        return node

    # --- tokens --------------------------------------------------------------------------

    def advance(self, position: int) -> None:
        """Read the token at ``position``; words that mean marks become what they mean."""
        match = TOKEN.match(self.text, position)
        assert match is not None
        self.kind = match.lastindex or _OTHER
        self.start, self.end = match.start(self.kind), match.end()
        self.token = match[self.kind]
        if self.kind == _MARK:
            self.token = _WORDS.get(self.token, self.token)
        elif self.kind == NAME and self.token in _RESERVED:
            self.kind = _MARK

    def accept(self, *marks: str) -> str | None:
        """Return the mark that comes next and go on, or None when it is another."""
        if self.kind != _MARK or self.token not in marks:
            return None
        mark = self.token
        self.advance(self.end)
        return mark

    def expect(self, mark: str) -> None:
        """Go on behind a mark that must come next."""
        if self.accept(mark) is None:
            raise self.unexpected(repr(mark))

    def error(self, message: str, hint: str | None = None, at: int | None = None) -> GrammarError:
        """Return the error of a mistake at the current token, or at ``at``."""
        return self.places.error(message, self.start if at is None else at, hint)

    def unexpected(self, wanted: str) -> GrammarError:
        """Return the error for a token where ``wanted`` should be."""
        hint = None
        if self.token == "=":
            hint = "compare with =="
        elif self.token in ("&&", "||", "!"):
            hint = "write and, or, not (or &, |, ~)"
        elif self.token in (".", "["):
            hint = "there are no attributes and subscripts; write contains(name, 'text')"
        elif self.kind == _OTHER and self.token in "'\"`":
            hint = "the quotation mark is not closed"
        found = "the end" if self.kind == _END else repr(self.token[:30])
        return self.error(f"{found} where {wanted} should be", hint)

    # --- logic ---------------------------------------------------------------------------

    def disjunction(self) -> Node:
        """Read ``a or b or ...``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"the expression is nested more than {MAX_DEPTH} deep")
        nodes = [self.conjunction()]
        while self.accept("or"):
            nodes.append(self.conjunction())
        self.depth -= 1
        if len(nodes) == 1:
            return nodes[0]
        return lambda values: any(truth(node(values)) for node in nodes)

    def conjunction(self) -> Node:
        """Read ``a and b and ...``."""
        nodes = [self.negation()]
        while self.accept("and"):
            nodes.append(self.negation())
        if len(nodes) == 1:
            return nodes[0]
        return lambda values: all(truth(node(values)) for node in nodes)

    def negation(self) -> Node:
        """Read ``not a``."""
        times = 0
        while self.accept("not"):
            times += 1
        node = self.comparison()
        if not times:
            return node
        wanted = times % 2 == 0
        return lambda values: truth(node(values)) is wanted

    def comparison(self) -> Node:
        """Read ``a < b <= c``, ``a in b``, ``a not in b``."""
        first = self.sum()
        rest: list[tuple[Callable[[Any, Any], bool], Node]] = []
        while mark := self.accept(*COMPARISONS, "not"):
            if mark == "not":
                self.expect("in")
                mark = "not in"
            rest.append((COMPARISONS[mark], self.sum()))
        if not rest:
            return first
        if len(rest) == 1:
            compare, second = rest[0]
            return lambda values: compare(first(values), second(values))

        def chain(values: Values) -> bool:
            left = first(values)
            for compare, node in rest:
                right = node(values)
                if not compare(left, right):
                    return False
                left = right
            return True

        return chain

    # --- arithmetic ----------------------------------------------------------------------

    def sum(self) -> Node:
        """Read ``a + b - ...``."""
        return self.left_to_right(self.product, "+", "-")

    def product(self) -> Node:
        """Read ``a * b / ...``."""
        return self.left_to_right(self.signed, "*", "/", "//", "%")

    def left_to_right(self, operand: Callable[[], Node], *marks: str) -> Node:
        """Read a chain of operations of one precedence; one node, however long."""
        first = operand()
        rest = []
        while mark := self.accept(*marks):
            rest.append((ARITHMETIC[mark], operand()))
        if not rest:
            return first

        def chain(values: Values) -> Any:
            result = first(values)
            for operation, node in rest:
                result = operation(result, node(values))
            return result

        return chain

    def signed(self) -> Node:
        """Read ``-a`` and ``+a``."""
        signs = []
        while sign := self.accept("-", "+"):
            signs.append(sign)
        node = self.power()
        if not signs:
            return node
        apply = negative if signs.count("-") % 2 else positive
        return lambda values: apply(node(values))

    def power(self) -> Node:
        """Read ``a ** b``."""
        base = self.atom()
        if not self.accept("**"):
            return base
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"the expression is nested more than {MAX_DEPTH} deep")
        exponent = self.signed()
        self.depth -= 1
        operation = ARITHMETIC["**"]
        return lambda values: operation(base(values), exponent(values))

    # --- atoms ---------------------------------------------------------------------------

    def atom(self) -> Node:
        """Read a literal, a name, a call, a list or a bracket."""
        kind, token, start = self.kind, self.token, self.start
        if kind in (_NUMBER, _STRING, _WORD):
            value = self.literal(kind, token)
            self.advance(self.end)
            return lambda values: value
        if kind in (NAME, QUOTED):
            self.advance(self.end)
            if kind == NAME and self.accept("("):
                return self.call(token, start)
            return self.name(token, start, quoted=kind == QUOTED)
        if self.accept("["):
            return self.items("]", list)
        if self.accept("("):
            node = self.disjunction()
            if self.accept(","):
                return self.items(")", tuple, node)
            self.expect(")")
            return node
        raise self.unexpected("a value")

    def literal(self, kind: int, token: str) -> Any:
        """Return the value of a number or a text."""
        if kind == _STRING:
            token = _ESCAPE.sub(r"\1", token[1:-1])
        if kind == _NUMBER:
            try:
                return int(token) if token.isdecimal() else float(token)
            except ValueError:
                raise self.error("the number has too many digits") from None
        return None if token == UNDEFINED else token

    def items(self, close: str, kind: type, *first: Node) -> Node:
        """Read items up to the closing bracket."""
        nodes = list(first)
        while not self.accept(close):
            nodes.append(self.disjunction())
            if not self.accept(","):
                self.expect(close)
                break
        return lambda values: kind([node(values) for node in nodes])

    def call(self, name: str, start: int) -> Node:
        """Read the arguments of a function."""
        if name not in FUNCTIONS:
            hint = near_misses(name, FUNCTIONS) or f"known: {', '.join(sorted(FUNCTIONS))}"
            raise self.error(f"unknown function {name!r}", hint, start)
        function, least, most = FUNCTIONS[name]
        nodes: list[Node] = []
        while not self.accept(")"):
            nodes.append(self.disjunction())
            if not self.accept(","):
                self.expect(")")
                break
        if not least <= len(nodes) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"{name}() takes {wanted} arguments, not {len(nodes)}", None, start)
        return lambda values: function(*[node(values) for node in nodes])

    def name(self, name: str, start: int, quoted: bool) -> Node:
        """Return the node of a constant or of a parameter."""
        if not quoted and name in _CONSTANTS:
            constant = _CONSTANTS[name]
            return lambda values: constant
        keys = [name] if name in self.keys else self.short.get(name, [])
        if len(keys) > 1:
            shown = ", ".join(f"`{key}`" for key in keys)
            raise self.error(
                f"{name!r} may mean several parameters", f"write one of {shown}", start
            )
        if not keys:
            if not quoted and name in _NUMBERS:
                number = _NUMBERS[name]
                return lambda values: number
            known = self.keys if quoted else self.short
            unknown = unknown_name("parameter", name, known)
            raise self.error(unknown.message, unknown.hint, start)
        key = keys[0]
        self.used[key] = None

        def value(values: Values) -> Any:
            found = values.get(key)
            return None if isinstance(found, str) and found == UNDEFINED else found

        return value
