"""What a run finds in its directory: files that are copied or linked, and rendered templates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soops.api import UNDEFINED, PluginError, Source, StudyError, near_misses, short_name
from soops_builtin.readers.document.tables import Table

__all__ = ["Furnish", "Input", "Template", "read_furnish"]

#: Files of a run directory that are not the user's to give.
RESERVED = frozenset(
    ("stdout.txt", "stderr.txt", "run.py", "soops-run.json", "soops-parameters.csv")
)
_SUFFIXES = (".j2", ".jinja", ".jinja2")


@dataclass(frozen=True, slots=True)
class Input:
    """A file or directory that is copied, or linked; ``file`` may have fields."""

    file: str
    to: str
    link: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template, and the names of the variables that it uses."""

    compiled: Any
    to: str
    variables: Mapping[str, int]
    path: str


class Furnish:
    """Puts inputs and rendered templates into the directory of a run.

    Parameters
    ----------
    base : str
        The directory that relative paths of inputs begin at.
    inputs : sequence of Input
        What is copied or linked.
    templates : sequence of Template
        What is rendered.
    """

    def __init__(self, base: str, inputs: Sequence[Input], templates: Sequence[Template]) -> None:
        self.base = base
        self.inputs = tuple(inputs)
        self.templates = tuple(templates)

    def __call__(self, directory: str, values: Mapping[str, Any]) -> list[str]:
        """Put everything there, over what an earlier attempt left; return the names.

        Raises
        ------
        StudyError
            When an input is not there, has no place in the directory, or a template cannot be
            rendered.
        OSError
            When the system refuses to write.
        """
        where = Path(directory)
        names = [self._bring(item, where, values) for item in self.inputs]
        context = variables_of(values) if self.templates else {}
        for template in self.templates:
            text = _render(template, context)
            target = _place(where, template.to, Source(path=template.path))
            target.write_text(text, encoding="utf-8", newline="")
            names.append(template.to)
        return names

    def _bring(self, item: Input, where: Path, values: Mapping[str, Any]) -> str:
        origin = Path(self.base, item.file.format_map(values)).absolute()
        if not origin.exists():
            raise StudyError(
                f"the input {str(origin)!r} is not there",
                source=item.source,
                hint="paths are relative to the study file",
            )
        name = os.path.normpath(item.to.format_map(values) or origin.name)
        target = _place(where, name, item.source)
        if item.link:
            target.symlink_to(origin)
        elif origin.is_dir():
            shutil.copytree(origin, target, symlinks=True)
        else:
            shutil.copy2(origin, target)
        return name


def variables_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template sees of a set: no undefined parameters, names as in expressions."""
    return {
        short_name(str(key)): value
        for key, value in values.items()
        if not (isinstance(value, str) and value == UNDEFINED)
    }


def read_furnish(study: Table, base: Path) -> Furnish | None:
    """Return what puts files into run directories; None when there are none to put."""
    inputs = [
        Input(
            file=item["file"],
            to=item.get("to") or ("" if "{" in item["file"] else Path(item["file"]).name),
            link=item.get("link", False),
            source=source,
        )
        for item, source in _entries(study, "inputs", {"file": str, "to": str, "link": bool})
    ]
    for entry in inputs:
        if "{" not in entry.file and not (base / entry.file).exists():
            study.mistakes.add(
                f"the input {entry.file!r} is not there",
                entry.source,
                "paths are relative to the study file",
                only_to_run=True,
            )
    templates = []
    for item, source in _entries(study, "templates", {"file": str, "to": str}):
        with study.mistakes.noting(source):
            templates.append(_compile(base, item["file"], item.get("to"), source))
    _check_targets(study, inputs, templates)
    if not inputs and not templates:
        return None
    return Furnish(str(base), inputs, templates)


def _entries(
    study: Table, key: str, kinds: Mapping[str, type]
) -> list[tuple[dict[str, Any], Source]]:
    """Return the well-formed entries of a list of files, each as a table."""
    found = []
    for place, given in enumerate(study.get(key, [])):
        entry = {"file": given} if isinstance(given, str) else given
        source = study.source(key, place)
        for name, value in entry.items():
            if name not in kinds:
                hint = near_misses(name, kinds) or f"known: {', '.join(kinds)}"
                study.mistakes.add(f"unknown key of {key}: {name!r}", source, hint)
            elif not isinstance(value, kinds[name]):
                word = "true or false" if kinds[name] is bool else "a text"
                study.mistakes.add(f"{name!r} must be {word}", source)
        if not isinstance(entry.get("file"), str) or not entry["file"]:
            study.mistakes.add(f"there is a table of {key} without a file", source)
        elif all(isinstance(v, kinds.get(k, object)) for k, v in entry.items()):
            found.append((dict(entry), source))
    return found


def _compile(base: Path, name: str, to: str | None, source: Source) -> Template:
    try:
        import jinja2
        from jinja2 import nodes
    except ImportError as exc:
        raise PluginError(
            "templates are rendered with jinja2, which is not installed",
            source=source,
            hint="pip install 'soops[templates]'",
        ) from exc

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(base),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    path = base / name
    try:
        text = path.read_text(encoding="utf-8")
        tree = environment.parse(text, name=name, filename=str(path))
        compiled = environment.from_string(tree)
    except OSError as exc:
        error = StudyError(
            f"the template {name!r} cannot be read: {exc.strerror}",
            source=source,
            hint="paths are relative to the study file",
        )
        error.only_to_run = True
        raise error from exc
    except UnicodeDecodeError:
        raise StudyError(f"the template {name!r} is not UTF-8 text", source=source) from None
    except jinja2.TemplateSyntaxError as exc:
        where = Source(path=str(path), line=exc.lineno)
        raise StudyError(f"this is no template: {exc.message}", source=where) from exc
    from jinja2.meta import find_undeclared_variables

    free = find_undeclared_variables(tree)
    lines: dict[str, int] = {}
    for node in tree.find_all(nodes.Name):
        if node.name in free:
            lines.setdefault(node.name, node.lineno)
    target = to
    if target is None:
        target = Path(name).name
        for suffix in _SUFFIXES:
            target = target.removesuffix(suffix)
    return Template(compiled=compiled, to=target, variables=lines, path=str(path))


def _check_targets(study: Table, inputs: Sequence[Input], templates: Sequence[Template]) -> None:
    seen: set[str] = set()
    named = [("inputs", item.to) for item in inputs] + [("templates", t.to) for t in templates]
    for key, name in named:
        to = os.path.normpath(name) if name else ""
        hint = "say another name: { file = ..., to = ... }"
        if to.startswith("/") or to.split("/")[0] == "..":
            study.wrong(f"{name!r} leads out of the run directory", key, hint=hint)
        elif to in RESERVED:
            study.wrong(f"{to!r} is a file of soops", key, hint=hint)
        elif to in seen and to:
            study.wrong(f"two files become {to!r}", key, hint=hint)
        seen.add(to)


def _render(template: Template, context: Mapping[str, Any]) -> str:
    try:
        text: str = template.compiled.render(context)
    except Exception as exc:  # a user's template: filters and tests may raise anything
        raise StudyError(
            f"the template cannot be rendered: {type(exc).__name__}: {exc}",
            source=Source(path=template.path),
            hint="an undefined parameter is not defined in a template, either",
        ) from exc
    return text


def _place(where: Path, name: str, source: Source) -> Path:
    """Return the path of a file that is to be made; what is there is removed.

    Names may come from parameters, and lead through links that were made just before.
    """
    target = where / name
    if name in RESERVED or not target.parent.resolve().is_relative_to(where.resolve()):
        raise StudyError(
            f"{name!r} is no place for a file in the run directory {str(where)!r}",
            source=source,
            hint="say another name: { file = ..., to = ... }",
        )
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
