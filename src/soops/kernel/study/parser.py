"""The parser of the value language: one pass over a text, with its own stack of brackets.

Used through ``grammar``. No text can exhaust Python's stack, and none takes more than
linear time.
"""

from __future__ import annotations

import re
from typing import Any

from soops.kernel.study.tokens import (
    ATOM,
    END,
    ESCAPED,
    FREE,
    MARK,
    MAX_DEPTH,
    OTHER,
    STRICT,
    STRING,
    GrammarError,
    Places,
    read_atom,
    read_older,
    read_string,
)
from soops.kernel.values import Directive, Source

__all__ = ["Parser", "parse_directive", "parse_text"]

_DIRECTIVE = re.compile(r"@([^\W\d]\w*)").fullmatch
_CALL = re.compile(r"@[^\W\d]\w*(\(|\s*\Z)").match
_KEYWORD = re.compile(r"[^\W\d]\w*").fullmatch

#: What may come next in an open bracket: a first item, an item after a comma, the mark
#: between key and value, a value, a comma or the closing bracket.
_FIRST, _ITEM, _SEPARATOR, _VALUE, _NEXT = range(5)
_CLOSES = {"]": "[", ")": "(", "}": "{"}
_OPENS = {"[": "]", "(": ")", "{": "}"}
_MISSING: Any = object()


def parse_directive(text: str, source: Source | None = None) -> Directive | None:
    """Return the directive that a text is, or None when it is a text like any other.

    A directive is exactly ``@name`` or begins with ``@name(``.

    Raises
    ------
    GrammarError
        When it begins as a directive and does not go on as one.
    """
    if not _CALL(text):
        return None
    value = Parser(text, True, source, True).parse("value")
    assert isinstance(value, Directive)
    return value


def parse_text(text: str, source: Source | None = None) -> Directive | str:
    """Return the directive that a text is, or the text; of ``@@...`` the first ``@`` is dropped.

    For readers of formats with texts of their own, such as TOML.
    """
    if text.startswith("@@"):
        return text[1:]
    return parse_directive(text, source) or text


class _Frame:
    """An open bracket, or the text as a whole."""

    __slots__ = ("bare", "free", "items", "key", "kwargs", "late", "mark", "name", "start", "state")

    def __init__(self, mark: str, start: int, free: bool) -> None:
        self.mark = mark
        """``[``, ``(``, ``{``, ``@`` for arguments, or what the whole text is."""
        self.start = start
        self.free = free
        self.state = _FIRST
        self.items: list[Any] = []
        self.kwargs: dict[Any, Any] = {}
        """Entries of a dict, keyword arguments of a directive."""
        self.key: Any = _MISSING
        self.name = ""
        self.late = -1
        """Where an item stands that must turn out to be the name of an argument."""
        self.bare = False
        """Whether the last item was an unquoted word: it may be the name of an argument."""

    @property
    def is_dict(self) -> bool:
        return self.mark == "{" or self.mark == "dict"

    @property
    def is_whole(self) -> bool:
        return len(self.mark) > 1


class Parser:
    """One pass over one text; ``older``: words as soops 2026.2 read them."""

    def __init__(
        self,
        text: str,
        free: bool,
        source: Source | None,
        directives: bool,
        older: bool = False,
    ) -> None:
        self.text = text
        self.free = free
        self.directives = directives
        self.older = older
        self.places = Places(text, source)
        self.stack: list[_Frame] = []

    def parse(self, whole: str) -> Any:
        """Return what the text is, read as a ``"dict"``, ``"list"`` or ``"value"``."""
        text, stack = self.text, self.stack
        frame = _Frame(whole, 0, self.free)
        stack.append(frame)
        position = 0
        while True:
            match = (FREE if frame.free else STRICT).match(text, position)
            assert match is not None
            group = match.lastindex
            position = match.end()
            if group == MARK:
                frame = self._mark(match[MARK], match.start(MARK), frame)
            elif group == END:
                return self._end(frame)
            elif frame.state == _SEPARATOR and frame.free and match[ATOM] and match[ATOM][0] == ":":
                frame.state = _VALUE
                position = match.start(ATOM) + 1
            elif group == ATOM:
                position = self._atom(match, frame)
                frame = stack[-1]
            else:
                self._quoted(match, frame)

    # --- items -------------------------------------------------------------------------

    def _atom(self, match: re.Match[str], frame: _Frame) -> int:
        """Take a word, number or directive; return where the parser goes on."""
        word, start = match[ATOM], match.start(ATOM)
        if frame.state >= _NEXT or frame.state == _SEPARATOR:
            raise self._unexpected(frame, start)
        is_key = frame.is_dict and frame.state != _VALUE
        if self.directives and word[0] == "@" and not is_key:
            return self._at_word(word, start, frame)
        try:
            value = read_atom(word, frame.free or frame.mark == "@")
        except ValueError as exc:
            hint = f"quote it: '{word}'" if len(word) < 40 else "quote it"
            raise self.places.error(str(exc), start, hint) from None
        if self.older and frame.mark != "@":
            value = read_older(word, value, self.text[match.end() : match.end() + 1].isspace())
        may_be_name = frame.state != _VALUE
        self._deliver(frame, value, start)
        frame.bare = may_be_name and value is word
        return match.end()

    def _at_word(self, word: str, start: int, frame: _Frame) -> int:
        end = start + len(word)
        name = _DIRECTIVE(word)
        if name is None:
            if not frame.free:
                raise self.places.error(f"{word[:40]!r} is not a plain word", start, "quote it")
            self._deliver(frame, word[1:] if word.startswith("@@") else word, start)
        elif self.text.startswith("(", end):
            self._push("@", start).name = name[1]
            return end + 1
        else:
            source = self.places.source_at(start)
            self._deliver(frame, Directive(name=name[1], text=word, source=source), start)
        return end

    def _quoted(self, match: re.Match[str], frame: _Frame) -> None:
        group = match.lastindex or OTHER
        token, start = match[group], match.start(group)
        if group == OTHER:
            raise self._stranger(token, start)
        if frame.state >= _NEXT or frame.state == _SEPARATOR:
            raise self._unexpected(frame, start)
        try:
            value: Any = read_string(token)
        except ValueError as exc:
            hint = r"known: \\ \' \" \n \r \t \0 \xHH \uHHHH \UHHHHHHHH"
            raise self.places.error(exc.args[0], start + exc.args[1], hint) from None
        is_key = frame.is_dict and frame.state != _VALUE
        if group == STRING and value.startswith("@") and self.directives and not is_key:
            value = parse_text(value, self.places.source_at(start + 1))
        self._deliver(frame, value, start)

    def _deliver(self, frame: _Frame, value: Any, start: int) -> None:
        """Put an item where the innermost bracket expects one."""
        frame.bare = False
        if frame.state == _VALUE:
            frame.kwargs[frame.key] = value
            frame.state = _NEXT
        elif frame.is_dict:
            try:
                hash(value)
            except TypeError:
                what = "dict" if isinstance(value, dict) else "list"
                message = f"a {what} cannot be a key"
                raise self.places.error(message, start, "use a word or a tuple") from None
            frame.key = value
            frame.state = _SEPARATOR
        else:
            if frame.kwargs:
                frame.late = start
            frame.items.append(value)
            frame.state = _NEXT

    # --- marks -------------------------------------------------------------------------

    def _mark(self, mark: str, start: int, frame: _Frame) -> _Frame:
        """Take a comma, bracket or separator; return the bracket that is then innermost."""
        state = frame.state
        if mark == ",":
            if state not in (_NEXT, _VALUE) or frame.mark == "value":
                raise self._unexpected(frame, start)
            self._finish(frame, start)
            frame.state = _ITEM
        elif mark in _OPENS:
            if state in (_NEXT, _SEPARATOR):
                raise self._unexpected(frame, start)
            return self._push(mark, start)
        elif mark in _CLOSES:
            return self._close(mark, start, frame)
        elif state == _SEPARATOR:
            frame.state = _VALUE
        elif mark == "=" and frame.mark == "@" and state == _NEXT and frame.bare:
            self._name_argument(start, frame)
        else:
            raise self._unexpected(frame, start)
        return frame

    def _name_argument(self, start: int, frame: _Frame) -> None:
        name = frame.items.pop()
        if not _KEYWORD(name) or name in frame.kwargs:
            what = "is given twice" if name in frame.kwargs else "is no name of an argument"
            raise self.places.error(f"{name!r} {what}", start)
        frame.key = name
        frame.state = _VALUE
        frame.late = -1

    def _push(self, mark: str, start: int) -> _Frame:
        if len(self.stack) > MAX_DEPTH:
            message = f"brackets are nested more than {MAX_DEPTH} deep"
            raise self.places.error(message, start)
        # Arguments have dotted words (np.int32) whatever the words around them are.
        frame = _Frame(mark, start, self.stack[-1].free or mark == "@")
        self.stack.append(frame)
        return frame

    def _close(self, mark: str, start: int, frame: _Frame) -> _Frame:
        opened = "(" if frame.mark == "@" else frame.mark
        if opened != _CLOSES[mark]:
            if frame.is_whole:
                raise self.places.error(f"{mark!r} closes nothing", start)
            line = self.places.source_at(frame.start).line
            message = f"{opened!r} of line {line} is closed by {mark!r}"
            raise self.places.error(message, start, f"close it with {_OPENS[opened]!r}")
        self._finish(frame, start)
        self.stack.pop()
        outer = self.stack[-1]
        self._deliver(outer, self._value_of(frame, start + 1), frame.start)
        return outer

    def _finish(self, frame: _Frame, start: int) -> None:
        """Take the end of an entry or of a whole bracket."""
        if frame.state == _SEPARATOR:
            hint = "write key=value"
            if ":" in str(frame.key):
                hint += "; ':' is part of a word unless a blank stands before it"
            raise self.places.error(f"there is no value for {frame.key!r}", start, hint)
        if frame.state == _VALUE:
            frame.kwargs[frame.key] = None
        if frame.late >= 0:
            message = f"a plain argument of @{frame.name} comes after one with a name"
            raise self.places.error(message, frame.late)

    def _value_of(self, frame: _Frame, end: int) -> Any:
        if frame.mark == "[":
            return frame.items
        if frame.mark == "(":
            return tuple(frame.items)
        if frame.mark == "{":
            return frame.kwargs
        return Directive(
            name=frame.name,
            args=tuple(frame.items),
            kwargs=frame.kwargs,
            called=True,
            text=self.text[frame.start : end],
            source=self.places.source_at(frame.start),
        )

    def _end(self, frame: _Frame) -> Any:
        end = len(self.text)
        if not frame.is_whole:
            opened = f"@{frame.name}(" if frame.mark == "@" else frame.mark
            raise self.places.error(f"{opened!r} is never closed", frame.start)
        self._finish(frame, end)
        if frame.mark == "value":
            if not frame.items:
                raise self.places.error("there is no value", end)
            return frame.items[0]
        return frame.kwargs if frame.is_dict else frame.items

    # --- mistakes ----------------------------------------------------------------------

    def _unexpected(self, frame: _Frame, start: int) -> GrammarError:
        """Return the error for a token that cannot stand here."""
        match = (FREE if frame.free else STRICT).match(self.text, start)
        assert match is not None
        group = match.lastindex or OTHER
        found = match[group][:30]
        if group == MARK and frame.state in (_FIRST, _ITEM, _VALUE):
            what = "value" if frame.state == _VALUE or not frame.is_dict else "entry"
            hint = "quote a text that holds it" if found in "=:" else None
            return self.places.error(f"there is no {what} before {found!r}", start, hint)
        if frame.state == _SEPARATOR:
            hint = "write key=value; quote a key that holds blanks"
            if str(frame.key).endswith(":"):
                hint = "':' is part of a word: write key=value, or key : value"
            return self.places.error(f"{found!r} where '=' should be", start, hint)
        if frame.mark == "value":
            message = f"{found!r} after the end of the value"
        else:
            close = (
                "the end"
                if frame.is_whole
                else repr(_OPENS["(" if frame.mark == "@" else frame.mark])
            )
            message = f"{found!r} where ',' or {close} should be"
        hint = "separate by commas; quote a text that holds blanks, commas, brackets, quotes or ="
        if group in (STRING, ESCAPED):
            hint = "separate by commas; quote a text as a whole"
        return self.places.error(message, start, hint)

    def _stranger(self, token: str, start: int) -> GrammarError:
        if token not in "'\"":
            return self.places.error(f"{token!r} cannot be part of a word", start, "quote it")
        hint = f"close it with {token}, or write the quotation mark inside the other quotes"
        if "\\" + token in self.text[start:]:
            hint = r"a quotation mark after \ does not end the text; $'...' has \\ for one \ "
        return self.places.error("the text that begins here does not end on its line", start, hint)
