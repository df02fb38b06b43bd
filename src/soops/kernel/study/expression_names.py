"""Which parameters the text of an expression names, before it is known which there are.

For readers of study files, which find out what depends on what. Texts that are wrong are left
to ``expression``.
"""

from __future__ import annotations

from collections.abc import Iterable

from soops.kernel.study.expression import NAME, QUOTED, TOKEN, short_name

__all__ = ["expression_names"]


def expression_names(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that an expression uses, in their order.

    Parameters
    ----------
    text : str
        ``"2 * n_cell"`` uses ``--n-cell``; so does ``"`--n-cell` > 1"``.
    names : iterable of str
        Parameters.
    """
    words = set()
    for match in TOKEN.finditer(text):
        kind = match.lastindex
        is_call = text[match.end() :].lstrip().startswith("(")
        if kind == QUOTED or (kind == NAME and not is_call):
            words.add(match[kind])
    return tuple(name for name in names if name in words or short_name(name) in words)
