"""The form of YAML: text to plain values and lines; the structure is that of ``document``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from soops.api import PluginError, Source, Study, StudyError
from soops_builtin.readers.document.read import read_document
from soops_builtin.readers.document.tables import Path

__all__ = ["read"]

#: Aliases can make a small text stand for a huge one.
MAX_NODES = 200_000
_MERGE = "tag:yaml.org,2002:merge"
#: What a key may be.
_TEXTS = ("tag:yaml.org,2002:str", _MERGE)


def read(text: str, source: Source, section: str | None) -> Study:
    """Return the study of a YAML text.

    Raises
    ------
    StudyError
        With the lines, when the text is no YAML or does not say what it should.
    PluginError
        When PyYAML is not installed.
    """
    source = replace(source, section=None)
    data, lines = _parse(text, source)
    return read_document(data, source, section, lambda: lines)


def _parse(text: str, source: Source) -> tuple[Any, dict[Path, int]]:
    try:
        import yaml
    except ImportError as exc:
        raise PluginError(
            "YAML files are read with PyYAML, which is not installed",
            hint="pip install 'soops[yaml]'",
        ) from exc
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        lines: dict[Path, int] = {}
        _note(node, (), lines, source)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        if mark is not None:
            source = replace(source, line=mark.line + 1, column=mark.column + 1)
        raise StudyError(f"this is not YAML: {exc.problem or exc.context}", source=source) from exc
    except (yaml.YAMLError, ValueError, TypeError) as exc:
        raise StudyError(f"this is not YAML: {exc}", source=source) from exc
    except RecursionError:
        raise StudyError("this is not YAML: it is nested too deep", source=source) from None
    finally:
        loader.dispose()


def _note(node: Any, path: Path, lines: dict[Path, int], source: Source) -> None:
    """Note the line of every key and item below a node."""
    if len(lines) > MAX_NODES:
        raise ValueError(f"it stands for more than {MAX_NODES} values")
    lines.setdefault(path, node.start_mark.line + 1)
    if node.id == "mapping":
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag not in _TEXTS:
                raise StudyError(
                    "a key is no text",
                    source=replace(source, line=line),
                    hint="write it in quotation marks: '1', 'on'",
                )
            inner = (*path, key.value)
            if inner in lines and key.tag != _MERGE:
                raise StudyError(
                    f"the key {key.value!r} is given twice", source=replace(source, line=line)
                )
            lines.setdefault(inner, line)
            _note(value, inner, lines, source)
    elif node.id == "sequence":
        for place, item in enumerate(node.value):
            _note(item, (*path, place), lines, source)
