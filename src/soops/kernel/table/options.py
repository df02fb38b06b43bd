"""What a person may ask of a scoop: one frozen value.

May be imported by the modules of ``table`` and by those who call ``gather``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from soops.kernel.values import Source
from soops.kernel.values.frozen import dataclass

__all__ = ["ScoopOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopOptions:
    """What a person may ask of a scoop.

    Attributes
    ----------
    output_dir : Path
        Where ``results.csv`` and ``results-meta.csv`` go, and the results by default.
    results : Path, optional
        The table file; its suffix chooses the store. By default ``results.h5``.
    sort : tuple of str
        Columns to sort by.
    filter : tuple of str
        Keep the rows in which any of these items was read.
    call_plugins : bool
        Run the steps.
    use_plugins, omit_plugins : tuple of str
        Steps to run in this order, or to leave out.
    plugin_args : mapping or str
        Step name to keyword arguments; as text, in the dict-like language.
    save_csv : bool
        Write ``results.csv``.
    reuse : bool
        Take the stored table as it is.
    update : bool
        Take it, and read only what is new or changed.
    write : bool
        Write also a table that was taken as it is.
    write_after_plugins : bool
        Write the results again after the steps, which may have changed the table.
    strict : bool
        An item that cannot be read makes the command fail; the table is made all the same.
    debug : bool
        Let the exceptions of scrapers and steps pass.
    n_workers : int, optional
        Processes that read; None: one for each processor.
    """

    output_dir: Path = Path()
    results: Path | None = None
    sort: tuple[str, ...] = ()
    filter: tuple[str, ...] = ()
    call_plugins: bool = True
    use_plugins: tuple[str, ...] = ()
    omit_plugins: tuple[str, ...] = ()
    plugin_args: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    save_csv: bool = True
    reuse: bool = False
    update: bool = False
    write: bool = False
    write_after_plugins: bool = False
    strict: bool = False
    debug: bool = False
    n_workers: int | None = None

    @classmethod
    def create(
        cls, study: Mapping[str, Any], given: Mapping[str, Any], *, alone: bool = False
    ) -> ScoopOptions:
        """Return what a person gave, and where that is nothing, what a study file says.

        Parameters
        ----------
        study : mapping
            ``UserModule.results``: ``directories``, ``output_dir``, ``file``, ``sort``.
        given : mapping
            Fields of this class.
        alone : bool
            Whether the directories are those of the study: then the results go there, too.
        """
        used = dict(given)
        if "sort" in study:
            used.setdefault("sort", study["sort"])
        home = study.get("output_dir") or (study["directories"][0] if alone else None)
        if home is not None:
            used.setdefault("output_dir", home)
        if "file" in study:
            used.setdefault("results", Path(used.get("output_dir", "."), study["file"]))
        return cls(**used)

    def __post_init__(self) -> None:
        """Take what a command line or a notebook has: texts for paths, lists for tuples."""
        put = functools.partial(object.__setattr__, self)
        put("output_dir", Path(self.output_dir))
        if self.results is not None:
            put("results", Path(self.results))
        for name in ("sort", "filter", "use_plugins", "omit_plugins"):
            given = getattr(self, name) or ()
            put(name, (given,) if isinstance(given, str) else tuple(given))
        if not isinstance(self.plugin_args, Mapping):
            put("plugin_args", _parse_arguments(self.plugin_args))

    @property
    def results_path(self) -> Path:
        """The table file."""
        return self.output_dir / "results.h5" if self.results is None else self.results


def _parse_arguments(text: str | None) -> dict[str, Any]:
    from soops.kernel.study.grammar import parse_dict

    source = Source(path="--plugin-args")
    return parse_dict(text or "", free_word=False, source=source, directives=False)
