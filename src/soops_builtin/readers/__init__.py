"""The formats of studies: text of the command line, ``.cfg``, ``.toml``, ``.yaml``, ``.json``.

Found through the plugin of the builtin; each format is imported when it is read.
"""

from __future__ import annotations

from pathlib import Path

from soops.api import Source, Study, StudyError
from soops.parsing import parse_dict, parse_older

__all__ = ["read_ini", "read_json", "read_text", "read_toml", "read_yaml"]

#: What ``Source`` calls a text that is in no file.
NO_FILE = Source().path


def read_text(text: str, source: Source, section: str | None) -> Study:
    """Read ``key=value, key=value``: the whole text is one study."""
    name = "study"
    if source.path != NO_FILE:
        name = Path(source.path).stem
        if section is not None:
            raise StudyError(
                f"there is no study {section!r}: the file has no sections",
                source=Source(path=source.path),
                hint=f"begin it with a line [{section}], or leave --study out",
            )
    values = parse_dict(text, source=source)
    older = parse_older(text, values, source=source)
    return Study(name=name, source=source, values=values, older=older)


def read_ini(text: str, source: Source, section: str | None) -> Study:
    """Read a file of sections, one for each study."""
    from soops_builtin.readers.ini import read

    return read(text, source, section)


def read_toml(text: str, source: Source, section: str | None) -> Study:
    """Read a study that may describe its program, its scrapers and its steps too."""
    from soops_builtin.readers.toml import read

    return read(text, source, section)


def read_yaml(text: str, source: Source, section: str | None) -> Study:
    """Read the same as YAML (needs soops[yaml])."""
    from soops_builtin.readers.yaml_form import read

    return read(text, source, section)


def read_json(text: str, source: Source, section: str | None) -> Study:
    """Read the same as JSON."""
    from soops_builtin.readers.json_form import read

    return read(text, source, section)
