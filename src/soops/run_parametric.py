"""What generating functions and computing classes of scripts use.

Part of the script library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from soops.base import product

__all__ = ["get_contracts", "make_key_list", "product"]

ParameterSequence = Sequence[tuple[int, str, Any]]


def make_key_list(key: str, obj: Any) -> list[tuple[int, str, Any]]:
    """Return the values of a parameter, each with its place and the key.

    Only a list has several values; anything else is one value.

    >>> make_key_list("--num", [10, 100])
    [(0, '--num', 10), (1, '--num', 100)]
    """
    values = obj if isinstance(obj, list) else [obj]
    return [(place, key, value) for place, value in enumerate(values)]


def get_contracts(
    contract_seqs: Sequence[Sequence[str]] | None,
    par_seqs: Sequence[ParameterSequence],
    key_order: Sequence[str],
) -> list[list[int]] | None:
    """Return groups of keys in lockstep as groups of places, for :func:`soops.base.product`.

    Parameters
    ----------
    contract_seqs : sequence of sequences of str, or None
        ``options.contract``.
    par_seqs : sequence
        For each key what :func:`make_key_list` returns.
    key_order : sequence of str
        The keys.

    Raises
    ------
    ValueError
        When a key is unknown, or the keys of a group have different numbers of values.
    """
    if contract_seqs is None:
        return None
    order = list(key_order)
    contracts = []
    for keys in contract_seqs:
        unknown = [key for key in keys if key not in order]
        if unknown:
            raise ValueError(
                f"a contract names {unknown[0]!r}, but the parameters are {', '.join(order)}"
            )
        group = [order.index(key) for key in keys]
        lengths = {len(par_seqs[place]) for place in group}
        if len(lengths) > 1:
            raise ValueError(
                f"contracted parameter sequences {list(keys)} "
                f"have {len(lengths)} different lengths!"
            )
        contracts.append(group)
    return contracts
