"""Values of the end: what was read from run directories, and the table of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from soops.kernel.values.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One item read: its pattern, the files it stood for, their mtimes, the keys it gave."""

    item: str
    filenames: tuple[str, ...]
    mtimes: tuple[float, ...]
    """Seconds since the epoch, NaN where unknown."""
    columns: tuple[str, ...]
    stamp: str = ""
    """Digest of the scraper, then name (of several), size and mtime_ns of each file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoopedRow:
    """What was read from one run directory. An error is data: item name to text."""

    directory: str
    values: Mapping[str, Any]
    files: tuple[FileRead, ...] = ()
    parameter_keys: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    """Columns of soops itself: ``time``, and what the record of the run says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scooped:
    """The table: the only value with pandas inside.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each run directory.
    meta : pandas.DataFrame
        One row for each run directory and item.
    parameter_keys : tuple of str
        The columns that are input parameters.
    errors : mapping
        Run directory to ``{item: text}``.
    units : mapping
        Column to its unit, where a study says it.
    """

    frame: Any
    meta: Any
    parameter_keys: tuple[str, ...]
    errors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    path: Path | None = None
    """Where it is stored, or the place it would be stored at."""
    output_dir: Path = Path()
    units: Mapping[str, str] = field(default_factory=dict)
    failed_steps: Mapping[str, str] = field(default_factory=dict)
    """Steps that raised: name to ``"Type: text"``."""
