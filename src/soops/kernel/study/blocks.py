"""Unions of products: blocks with filters, and parameters that follow from the others.

Used by ``runs``. As in ``space``, sets are generated, never listed; with filters their number
is known by counting only.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from soops.kernel.errors import StudyError
from soops.kernel.study.expression import Expression
from soops.kernel.study.identity import identity
from soops.kernel.study.space import ParameterSpace
from soops.kernel.values import Formula
from soops.kernel.values.frozen import dataclass

__all__ = ["Block", "Completion", "Filter", "UnionSpace"]

Values = dict[str, Any]

#: Seeds are below this: programs take them into 32 bits with a sign.
SEEDS = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """An expression that has to hold, or (``negated``) must not."""

    expression: Expression
    negated: bool = False

    def keeps(self, values: Values) -> bool:
        """Return whether a set belongs."""
        return self.expression.holds(values) is not self.negated


class Completion:
    """Adds to a set what follows from it: derived parameters, then the seed.

    Parameters
    ----------
    derived : sequence of (str, Expression, Formula)
        In an order in which each needs earlier ones only.
    seed : str, optional
        The parameter that gets an integer made from the identity of all the others.
    unhashed : iterable of str
        Parameters that do not tell one set from another: the seed does not see them.
    """

    def __init__(
        self,
        derived: Sequence[tuple[str, Expression, Formula]] = (),
        seed: str | None = None,
        unhashed: Iterable[str] = (),
    ) -> None:
        self._derived = tuple(derived)
        self._seed = seed
        self._unseen = {*unhashed, seed}
        self.keys = (*(key for key, _, _ in self._derived), *((seed,) if seed else ()))

    def __call__(self, values: Values) -> Values:
        """Add to a set in place, and return it.

        Raises
        ------
        StudyError
            When an expression has no result for this set.
        """
        for key, expression, formula in self._derived:
            value = expression(values)
            if value is None:
                raise _without_result(key, expression, formula, values)
            values[key] = value
        if self._seed is not None:
            seen = {key: value for key, value in values.items() if key not in self._unseen}
            digest = hashlib.sha256(f"seed of {identity(seen)}".encode("ascii")).digest()
            values[self._seed] = int.from_bytes(digest[:8], "big") % SEEDS
        return values


class Block:
    """A part of a union: a product, what is added to its sets, and which of them belong.

    Parameters
    ----------
    space : ParameterSpace
        All keys, the completed ones too, at the places where they are to be.
    complete : Completion, optional
        What is added.
    where : sequence of Filter
        All have to keep a set.
    """

    def __init__(
        self,
        space: ParameterSpace,
        complete: Completion | None = None,
        where: Sequence[Filter] = (),
    ) -> None:
        self.space = space
        self.complete = complete
        self.where = tuple(where)
        made = set() if complete is None else set(complete.keys)
        self._before = [item for item in where if made.isdisjoint(item.expression.names)]
        self._after = [item for item in where if item not in self._before]

    def __iter__(self) -> Iterator[Values]:
        if self.complete is None and not self.where:
            return iter(self.space)
        return (values for values in self.space if self.take(values))

    def take(self, values: Values) -> bool:
        """Complete a set in place, and return whether it belongs.

        A filter that needs nothing of what is added is asked before: it may leave out sets for
        which that has no result.
        """
        if not all(item.keeps(values) for item in self._before):
            return False
        if self.complete is not None:
            self.complete(values)
        return all(item.keeps(values) for item in self._after)


class UnionSpace:
    """Blocks one after the other. A set that two blocks hold comes twice.

    Parameters
    ----------
    blocks : iterable of Block
        In the order of their sets; one at least.

    Attributes
    ----------
    is_exact : bool
        Whether ``len`` is the number of sets, all of them different. Otherwise it is the
        most that there can be.
    may_repeat : bool
        Whether one set can come twice.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.blocks = tuple(blocks)
        self.may_repeat = len(self.blocks) > 1
        self.is_exact = not self.may_repeat and not any(block.where for block in self.blocks)

    def __iter__(self) -> Iterator[Values]:
        return itertools.chain.from_iterable(self.blocks)

    def __len__(self) -> int:
        return sum(len(block.space) for block in self.blocks)

    def sample(self) -> Values | None:
        """Return a set for its keys, not completed; None when there is none."""
        return next((block.space[0] for block in self.blocks if len(block.space)), None)

    def take(self, values: Values) -> bool:
        """Complete a set from elsewhere in place, and return whether it belongs to a block.

        For a union with one set, which says what the sets from elsewhere do not.
        """
        block = next(block for block in self.blocks if len(block.space))
        return block.take(values)


def _without_result(
    key: str, expression: Expression, formula: Formula, values: Values
) -> StudyError:
    shown = ", ".join(f"{name}={values.get(name)!r}" for name in expression.names)
    return StudyError(
        f"{key} = {expression.text} has no result for {shown or 'any set'}",
        source=formula.source,
        hint="leave such sets out with where, or write if_else(condition, value, '@undefined')",
    )
