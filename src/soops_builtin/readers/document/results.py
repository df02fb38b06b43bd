"""What comes after the runs: scrapers, steps, and where the table goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from soops.api import ScoopInfo, ScoopItem, StepCall, check_shapes
from soops_builtin.readers.document import schema
from soops_builtin.readers.document.tables import Table

__all__ = ["read_results", "read_scoop", "read_steps"]


def read_scoop(root: Table) -> ScoopInfo | None:
    """Return what is read of each run directory; None when nothing is."""
    items = []
    for table in root.tables(schema.SCOOP):
        item = ScoopItem(
            pattern=table.need("file") or "",
            scraper=table.need("scraper") or "",
            options={**table.get("options", {}), **table.own()},
            is_parameters=table.get("is_parameters", False),
            optional=table.get("optional", False),
            reduce=table.get("reduce", {}),
            rename=table.get("rename", {}),
            default=table.get("default", {}),
            units=table.get("units", {}),
            source=table.source(),
        )
        with table.mistakes.noting(table.source()):
            check_shapes([item])
        items.append(item)
    return ScoopInfo(items=tuple(items)) if items else None


def read_steps(root: Table) -> tuple[StepCall, ...]:
    """Return the steps, in order."""
    steps = []
    for table in root.tables(schema.STEP):
        name = table.need("name") or ""
        kwargs = {**table.get("kwargs", {}), **table.own()}
        steps.append(StepCall(name=name, target=name, kwargs=kwargs, source=table.source()))
    return tuple(steps)


def read_results(root: Table) -> dict[str, Any]:
    """Return the defaults of a scoop: directories, and where its table goes."""
    table = root.table(schema.RESULTS)
    template = root.table(schema.STUDY).get("output_dir")
    found: dict[str, Any] = {}
    if template:
        runs = str(Path(template.split("%s")[0] + "x").parent)
        found["directories"] = [runs]
    if table.get("output_dir"):
        found["output_dir"] = table["output_dir"]
    if table.get("file"):
        found["file"] = table["file"]
    if table.get("sort"):
        found["sort"] = tuple(table["sort"])
    return found
