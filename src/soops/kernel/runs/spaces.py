"""The values of a study to the space of its sets: one product, or blocks of them.

Used by ``prepare``; what is wrong with keys, contracts and filters is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import StudyError, unknown_name
from soops.kernel.study.blocks import Block, Completion, Filter, UnionSpace
from soops.kernel.study.conf import expand
from soops.kernel.study.expression import compile_expression
from soops.kernel.study.identity import identity
from soops.kernel.study.space import ParameterSpace, build_axes
from soops.kernel.values import Axis, Formula, RunInfo, Study, StudyBlock
from soops.kernel.values.frozen import dataclass

__all__ = ["Built", "Space", "build_space", "check_keys"]

Space = ParameterSpace | UnionSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A space; its axes with all rows, and without repeated ones (of a lone product)."""

    space: Space
    all_axes: Sequence[Axis]
    axes: Sequence[Axis]
    warnings: tuple[str, ...]


def build_space(
    app: App,
    study: Study,
    info: RunInfo,
    keys: Sequence[str],
    values: Mapping[str, Any],
    contracts: Sequence[Sequence[str]],
    where: Sequence[Formula] = (),
) -> Built:
    """Return the space of a study.

    Parameters
    ----------
    app : App
        Its directives.
    study : Study
        Its blocks, derived parameters and seed.
    info : RunInfo
        ``unhashed``.
    keys : sequence of str
        Of each set, in order.
    values : mapping
        What the study gives for all blocks: a list is an axis. Directives are resolved.
    contracts : sequence of sequences of str
        Keys in lockstep, of blocks that say nothing of it.
    where : sequence of Formula
        Filters of all blocks; those of a lone product are left to the plan.

    Raises
    ------
    StudyError
        For contracts and filters that do not fit.
    """
    completion = _completion(study, info, keys)
    made = completion.keys if completion is not None else ()
    if not study.blocks and completion is None:
        given = {key: values[key] for key in keys}
        all_axes = build_axes(keys, given, contracts, study.source)
        axes, warnings = _distinct(all_axes, info.unhashed)
        space: Space = ParameterSpace(keys, axes)
        return Built(space=space, all_axes=all_axes, axes=axes, warnings=tuple(warnings))
    own = [key for key in keys if key not in made]
    blocks, notes = [], dict[str, None]()
    parts = study.blocks or (StudyBlock(name=study.name, values={}, source=study.source),)
    for part in parts:
        given = {**values, **expand(app, replace(study, values=part.values))}
        _check_given(part, own, given)
        all_axes = build_axes(
            own, {key: given[key] for key in own}, part.contracts or contracts, part.source
        )
        axes, warnings = _distinct(all_axes, info.unhashed)
        notes.update(dict.fromkeys(warnings))
        later = [Axis(keys=(key,), rows=[(None,)]) for key in made]
        filters = [
            Filter(
                expression=compile_expression(item.text, keys, item.source), negated=item.negated
            )
            for item in (*where, *part.where)
        ]
        blocks.append(Block(ParameterSpace(keys, [*axes, *later]), completion, filters))
    return Built(space=UnionSpace(blocks), all_axes=(), axes=axes, warnings=tuple(notes))


def check_keys(study: Study, info: RunInfo, keys: Sequence[str]) -> None:
    """Refuse parameters that nothing uses, and keys that nothing gives.

    Raises
    ------
    StudyError
        With near misses.
    """
    known = {*keys, info.output_key}
    made = {*study.derived, study.seed}
    for key in (*study.values, *study.derived, *(k for b in study.blocks for k in b.values)):
        if key not in known:
            raise unknown_name("parameter", str(key), known, source=study.source)
    if info.output_key not in study.values:
        raise StudyError(
            f"the study does not give the output directory {info.output_key!r}",
            source=study.source,
            hint=f"add {info.output_key}='output/%s'",
        )
    for key in keys:
        given = key in study.values or key in info.defaults or key in info.options
        in_blocks = any(key in block.values for block in study.blocks)
        if not (given or in_blocks or key in made):
            raise StudyError(
                f"the study gives no value for {key!r}, which the command needs",
                source=study.source,
                hint=f"add {key}=... to the study, or a default to the module",
            )


def _check_given(part: StudyBlock, keys: Sequence[str], values: Mapping[str, Any]) -> None:
    for key in keys:
        if key not in values:
            raise StudyError(
                f"the block {part.name!r} gives no value for {key!r}, which other blocks give",
                source=part.source,
                hint=f"add {key} = ... to it, or to the parameters of the study",
            )


def _completion(study: Study, info: RunInfo, keys: Sequence[str]) -> Completion | None:
    if not study.derived and study.seed is None:
        return None
    known = [key for key in keys if key not in study.derived and key != study.seed]
    derived = []
    for key, formula in study.derived.items():
        derived.append((key, compile_expression(formula.text, known, formula.source), formula))
        known.append(key)
    return Completion(derived, study.seed, info.unhashed)


def _distinct(axes: Sequence[Axis], unhashed: Iterable[str]) -> tuple[list[Axis], list[str]]:
    """Keep the first of the rows of an axis that make equal sets, and say what was dropped.

    Sets are equal when all their rows are: doing it by axis needs no memory of sets.
    """
    ignored = set(unhashed)
    out, warnings = [], []
    for axis in axes:
        if not axis.rows:
            warnings.append(f"{' + '.join(axis.keys)} has no values: there are no parameter sets")
        if _has_distinct_column(axis, ignored):
            out.append(axis)
            continue
        rows: dict[str, tuple[Any, ...]] = {}
        texts: dict[str, str] = {}
        for row in axis.rows:
            hashed = {
                key: value for key, value in zip(axis.keys, row, strict=True) if key not in ignored
            }
            mark = identity(hashed)
            if mark not in rows:
                rows[mark] = row
                text = repr([str(value) for value in hashed.values()])
                if text in texts and len(warnings) < 5:
                    warnings.append(
                        f"two values of {' + '.join(axis.keys)} differ in type only and make "
                        f"the same command: {', '.join(map(repr, row))}"
                    )
                texts[text] = mark
        dropped = len(axis.rows) - len(rows)
        if dropped:
            warnings.append(
                f"{dropped} repeated value{'s' * (dropped > 1)} of {' + '.join(axis.keys)} "
                "will not be run twice"
            )
        out.append(axis if not dropped else Axis(keys=axis.keys, rows=tuple(rows.values())))
    return out, warnings


def _has_distinct_column(axis: Axis, ignored: set[str]) -> bool:
    """Return whether the values of one key alone show, and cheaply, that no row is repeated."""
    for place, key in enumerate(axis.keys):
        values = [row[place] for row in axis.rows]
        if key not in ignored and set(map(type, values)) in ({int}, {str}):
            return len(set(values)) == len(values)
    return False
