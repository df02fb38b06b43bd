"""The space of a study file: parameters, blocks, rows, samples, replicates, derived ones.

Everything becomes values with contracts and filters: a row of a table or a sample is one axis
of several keys, "one at a time" one block for each key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soops.api import Formula, PluginError, StudyBlock, expression_names
from soops_builtin.readers.document import schema
from soops_builtin.readers.document.tables import Table
from soops_builtin.readers.document.values import values_of

__all__ = ["REPLICATE", "SEED", "SpaceText", "read_space"]

REPLICATE, SEED = "replicate", "seed"

Groups = tuple[tuple[str, ...], ...]


@dataclass
class SpaceText:
    """What a file says of its sets."""

    values: dict[str, Any]
    output_key: str
    contracts: Groups = ()
    where: str | None = None
    blocks: tuple[StudyBlock, ...] = ()
    derived: dict[str, Formula] = field(default_factory=dict)
    seed: str | None = None
    named: dict[str, Table] = field(default_factory=dict)
    """Parameter to a table that gives it, for messages."""

    @property
    def keys(self) -> set[str]:
        """All parameters that the file gives."""
        return {*self.named, *self.derived, *((self.seed,) if self.seed else ())}


def read_space(root: Table, study: Table, base: Path) -> SpaceText:
    """Return what a file says of its sets; ``base`` is its directory."""
    parameters = root.table(schema.PARAMETERS)
    output_key = study.get("output_key", "output_dir")
    space = SpaceText(values_of(parameters, parameters.own()), output_key)
    space.named = dict.fromkeys(parameters.own(), parameters)
    if output_key in space.values:
        parameters.wrong(
            f"{output_key!r} is the output directory, not a parameter",
            output_key,
            hint="give it as output_dir of [study]",
        )
    space.contracts = _groups(study)
    space.derived = _derived(root.table(schema.DERIVED))
    if study.get("seed"):
        space.seed = study["seed"]
    if isinstance(study.get("where"), str):
        space.where = study["where"]
    _read_blocks(root, study, base, space)
    _repeat(study, space)
    template = study.get("output_dir")
    if template is not None:
        space.values[output_key] = template
    return space


def _derived(table: Table) -> dict[str, Formula]:
    """Return the derived parameters in an order in which each needs earlier ones only."""
    left = {key: Formula(text=text, source=table.source(key)) for key, text in table.own().items()}
    needs = {key: set(expression_names(formula.text, left)) for key, formula in left.items()}
    done: dict[str, Formula] = {}
    while left:
        free = [key for key in left if not needs[key] - set(done)]
        if not free:
            circle = ", ".join(map(repr, left))
            table.wrong(f"{circle} need each other", next(iter(left)), hint="break the circle")
            return {**done, **left}
        for key in free:
            done[key] = left.pop(key)
    return done


def _groups(table: Table) -> Groups:
    groups = []
    for place, group in enumerate(table.get("lockstep", [])):
        if len(group) < 2:
            table.wrong(
                "keys in lockstep are two or more",
                "lockstep",
                place,
                hint='write lockstep = [["a", "b"]]',
            )
        else:
            groups.append(tuple(group))
    return tuple(groups)


def _filters(table: Table, *, study: bool) -> Iterator[Formula]:
    """Yield the filters of a block; a lone ``where`` of the study holds for all anyway."""
    for key in ("where", "exclude"):
        given = table.get(key, [])
        if study and key == "where" and isinstance(given, str):
            continue
        for text in [given] if isinstance(given, str) else given:
            yield Formula(text=text, source=table.source(key), negated=key == "exclude")


def _read_blocks(root: Table, study: Table, base: Path, space: SpaceText) -> None:
    tables = root.tables(schema.BLOCK)
    shared = _Part(values={}, contracts=space.contracts, where=list(_filters(study, study=True)))
    _add_rows(study, base, shared, space)
    if "sample" in root:
        _add_sample(root.table(schema.SAMPLE), shared, space)
    alone = root.table(schema.ONE_AT_A_TIME)
    shared_values = values_of(alone, alone.own())
    space.named.update(dict.fromkeys(shared_values, alone))
    parts = []
    for number, table in enumerate(tables, 1):
        name = table.get("name") or f"block {number}"
        values = values_of(table, table.get("parameters", {}), "parameters")
        space.named.update(dict.fromkeys(values, table))
        part = _Part(
            values={**shared.values, **values},
            contracts=(*shared.contracts, *_groups(table)),
            where=[*shared.where, *_filters(table, study=False)],
        )
        _add_rows(table, base, part, space)
        if "sample" in table:
            _add_sample(table.table(schema.SAMPLE), part, space)
        own = values_of(table, table.get("one_at_a_time", {}), "one_at_a_time")
        space.named.update(dict.fromkeys(own, table))
        parts += _one_at_a_time(name, table, part, {**shared_values, **own}, space)
    if not tables and (shared.values or shared.where or shared_values):
        parts += _one_at_a_time("study", alone, shared, shared_values, space)
    space.blocks = tuple(parts)


@dataclass
class _Part:
    values: dict[str, Any]
    contracts: Groups
    where: list[Formula]


def _add_rows(table: Table, base: Path, part: _Part, space: SpaceText) -> None:
    if "rows" not in table or table.get("rows") is None:
        return
    from soops_builtin.readers.document.rows import read_rows

    with table.mistakes.noting(table.source("rows")):
        columns = read_rows(table["rows"], base, table.source("rows"))
        _add_columns(table, columns, part, space)


def _add_sample(table: Table, part: _Part, space: SpaceText) -> None:
    from soops_builtin.readers.document import samples  # few studies have one

    over = table.need("over") or {}
    count = table.need("count")
    if not over or not count:
        return
    space.named.update(dict.fromkeys(over, table))
    settings = {"seed": table.get("seed", 0), "base": table.get("base")}
    try:
        method = table.get("method", "lhs")
        samples.check(method, count, over, **settings)
        columns = samples.sample(method, count, over, **settings)
    except samples.SampleError as exc:
        place = ("over", exc.key) if exc.key is not None else ()
        table.wrong(str(exc), *place)
        return
    except PluginError as exc:
        table.mistakes.take(exc, table.source("method"))
        return
    _add_columns(table, columns, part, space)


def _add_columns(
    table: Table, columns: Mapping[str, list[Any]], part: _Part, space: SpaceText
) -> None:
    """Add columns that change together to a part."""
    part.values.update(columns)
    space.named.update(dict.fromkeys(columns, table))
    if len(columns) > 1:
        part.contracts = (*part.contracts, tuple(columns))


def _one_at_a_time(
    name: str, table: Table, part: _Part, tried: Mapping[str, Any], space: SpaceText
) -> list[StudyBlock]:
    def block(values: dict[str, Any]) -> StudyBlock:
        return StudyBlock(
            name=name,
            values=values,
            contracts=part.contracts,
            where=tuple(part.where),
            source=table.source(),
        )

    blocks = [block(part.values)]
    for key, values in tried.items():
        base = part.values.get(key, space.values.get(key))
        if isinstance(base, list):
            table.wrong(
                f"the baseline of {key!r} is a list of values",
                key,
                hint=f"give {key} one value in [parameters]",
            )
        given = values if isinstance(values, list) else [values]
        blocks.append(block({**part.values, key: given}))
    return blocks


def _repeat(study: Table, space: SpaceText) -> None:
    count = study.get("repeat")
    if count is None:
        return
    if REPLICATE in space.named:
        study.wrong(
            f"{REPLICATE!r} is made by repeat, and given as a parameter, too",
            "repeat",
            hint="leave one of them out",
        )
        space.named[REPLICATE] = study
        return
    space.values[REPLICATE] = list(range(count))
    space.named[REPLICATE] = study
