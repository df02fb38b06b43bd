"""Text or file to a study, and a study to the values of its parameters.

Used by ``runs.prepare``. The formats of study files and the directives come from plugins;
this module knows that there are some, never which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from soops.kernel.app import App
from soops.kernel.errors import PluginError, SoopsError, StudyError, all_mistakes, near_misses
from soops.kernel.plugging.specs import ReaderSpec
from soops.kernel.study.calls import check_calls
from soops.kernel.study.grammar import parse_dict, parse_older
from soops.kernel.values import Directive, Generated, Source, Study

__all__ = ["expand", "pending_keys", "read_study"]

#: Files whose suffix nobody reads, and which begin with ``[``, are read as one of these.
SECTIONED = ".cfg"
#: A file may have no end: ``/dev/zero``.
MAX_BYTES = 64 * 1024 * 1024
#: Characters that a text of the command line has and a file name rarely.
_TEXT_MARKS = frozenset("=,'\"[](){}\n")


def read_study(
    app: App,
    text_or_path: str,
    *,
    section: str | None = None,
    overrides: str | None = None,
) -> Study:
    """Return the study of a file, or of a text of the command line.

    Parameters
    ----------
    app : App
        Its readers are chosen by the suffix of the file.
    text_or_path : str
        If a file of this name exists it is read, otherwise this is the text.
    section : str, optional
        Which study of a file that holds several; None: the first.
    overrides : str, optional
        ``key=value`` text that goes before the study's own; it may add keys.

    Raises
    ------
    StudyError
        When the text is wrong; when it looks like the name of a file that is not there.
    """
    path = _existing(text_or_path)
    if path is not None:
        source = Source(path=text_or_path, section=section)
        text = _decode(path, source)
        reader = _file_reader(app, path, text)
    else:
        _refuse_file_name(app, text_or_path)
        source, text, reader = Source(), text_or_path, _text_reader(app)
    study = _read(app, reader, text, source, section)
    if overrides:
        source = Source(path="--conf")
        values = parse_dict(overrides, source=source)
        kept = {key: value for key, value in study.older.items() if key not in values}
        older = parse_older(overrides, values, source=source)
        study = replace(study, values={**study.values, **values}, older={**kept, **older})
    return study


def pending_keys(app: App, study: Study) -> list[str]:
    """Return the keys whose values a function of the user's module makes, in order.

    A directive that means this takes no arguments.
    """
    return [
        key
        for key, value in study.values.items()
        if isinstance(value, Directive)
        and not (value.args or value.kwargs)
        and isinstance(_call(app, value), Generated)
    ]


def expand(app: App, study: Study, *, generated: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the values of a study with its directives resolved: a list is an axis.

    Parameters
    ----------
    app : App
        The directives.
    study : Study
        Its values may be or hold directives. In a list or tuple, a list that a directive
        gives is spliced in.
    generated : mapping, optional
        The values of the pending keys.

    Raises
    ------
    StudyError
        When a directive is unknown or fails; when ``generated`` lacks a key.
    """
    values: dict[str, Any] = {}
    mistakes: list[SoopsError] = []
    for key, value in study.values.items():
        try:
            found = _resolve(app, value)
        except SoopsError as exc:
            mistakes.append(exc)
            continue
        if isinstance(found, Generated):
            if generated is None or key not in generated:
                raise StudyError(
                    f"there are no generated values of {key!r}", source=_source_of(value, study)
                )
            found = generated[key]
        values[key] = found
    if mistakes:
        raise all_mistakes(mistakes) or mistakes[0]
    return values


# --- reading -----------------------------------------------------------------------------


def _existing(text: str) -> Path | None:
    if not text.strip():
        return None
    try:
        path = Path(text)
        if path.is_dir():
            raise StudyError(
                f"{text!r} is a directory",
                hint="give a study file, or text such as output_dir='output/%s', --num=[1, 2]",
            )
        return path if path.exists() else None
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return None


def _decode(path: Path, source: Source) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise StudyError(f"the study cannot be read: {exc.strerror}", source=source) from exc
    if len(data) > MAX_BYTES:
        raise StudyError(f"a file of more than {MAX_BYTES} bytes is no study", source=source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        where = replace(source, line=data.count(b"\n", 0, exc.start) + 1)
        raise StudyError(
            "the study is not UTF-8 text", source=where, hint="save it as UTF-8"
        ) from exc
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _file_reader(app: App, path: Path, text: str) -> ReaderSpec:
    readers: list[ReaderSpec] = list(app.registry("reader"))
    suffix = path.suffix.lower()
    wanted = [suffix]
    if suffix not in _suffixes(readers):
        if suffix == ".py":
            raise StudyError(
                f"{str(path)!r} is a Python script, not a study",
                hint="the study comes first, the module after it",
            )
        wanted.append(SECTIONED if _has_sections(text) else "")
    for name in wanted:
        for spec in readers:
            if name in spec.suffixes:
                return spec
    return _text_reader(app, f"studies like {str(path)!r}")


def _text_reader(app: App, what: str = "studies from the command line") -> ReaderSpec:
    for spec in app.registry("reader"):
        if not spec.suffixes:
            found: ReaderSpec = spec
            return found
    raise PluginError(f"no plugin reads {what}", hint="soops plugins shows what there is")


def _read(app: App, reader: ReaderSpec, text: str, source: Source, section: str | None) -> Study:
    function = app.resolve("reader", reader.name)
    try:
        study = function(text, source, section)
    except StudyError as exc:
        if not isinstance(exc.partial, Study):
            raise
        whole = all_mistakes([exc, *_further_mistakes(app, exc.partial)])
        assert isinstance(whole, StudyError)  # one of them is exc
        whole.partial = exc.partial
        raise whole from exc
    except SoopsError:
        raise
    except Exception as exc:  # a stranger's code: anything may come
        trouble = f"raised {type(exc).__name__}: {exc}"
        raise _reader_error(reader, trouble, source) from exc
    if not isinstance(study, Study):
        raise _reader_error(reader, f"gave {type(study).__name__}, not Study", source)
    if study.module is not None:
        wrong = all_mistakes(check_calls(app, study.module))
        if wrong is not None:
            raise wrong
    return study


def _further_mistakes(app: App, partial: Study) -> Iterator[SoopsError]:
    """Yield what else is wrong with a study that its reader refuses."""
    if partial.module is not None:
        yield from check_calls(app, partial.module)
    for values in (partial.values, *(block.values for block in partial.blocks)):
        for value in values.values():
            try:
                _resolve(app, value)
            except SoopsError as exc:
                yield exc


def _reader_error(reader: ReaderSpec, trouble: str, source: Source) -> PluginError:
    return PluginError(
        f"the reader {reader.name!r} of plugin {reader.provider!r} {trouble}",
        source=source,
        hint=f"pass --disable-plugin {reader.provider}",
    )


def _suffixes(readers: list[ReaderSpec]) -> set[str]:
    return {suffix for spec in readers for suffix in spec.suffixes}


def _has_sections(text: str) -> bool:
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#;":
            return line.startswith("[")
    return False


def _refuse_file_name(app: App, text: str) -> None:
    """Raise when the text is rather the name of a file that is not there."""
    suffixes = _suffixes(list(app.registry("reader")))
    name = text.strip()
    is_name = not _TEXT_MARKS & set(name) and " " not in name
    ends_as_name = not {"=", "\n"} & set(name) and Path(name).suffix.lower() in suffixes
    if not name or len(name) > 255 or not (is_name or ends_as_name):
        return
    path = Path(name)
    try:
        others = [str(path.parent / item.name) for item in path.parent.iterdir() if item.is_file()]
    except (OSError, ValueError):
        others = []
    hint = near_misses(name, others)
    if not hint and path.parent != path and not path.parent.is_dir():
        hint = f"there is no directory {str(path.parent)!r}"
    raise StudyError(
        f"there is no study file {name!r}",
        hint=hint or "give a file, or text such as output_dir='output/%s', --num=[1, 2]",
    )


# --- directives --------------------------------------------------------------------------


def _resolve(app: App, value: Any) -> Any:
    """Return a value with the directives in it replaced by what they give."""
    if isinstance(value, Directive):
        return _call(app, value)
    if isinstance(value, (list, tuple)):
        items = list(_spliced(app, value))
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: _alone(app, item) for key, item in value.items()}
    return value


def _spliced(app: App, items: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    for item in items:
        found = _alone(app, item)
        if isinstance(item, Directive) and isinstance(found, list):
            yield from found
        else:
            yield found


def _alone(app: App, value: Any) -> Any:
    """Resolve what stands inside of another value, where generated values cannot."""
    found = _resolve(app, value)
    if isinstance(found, Generated):
        raise StudyError(
            f"{value.text} must be the whole value of a parameter",
            source=value.source,
            hint="let the generating function return the whole list",
        )
    return found


def _call(app: App, directive: Directive) -> Any:
    """Look a directive up and call it."""
    try:
        function = app.resolve("directive", directive.name, source=directive.source)
    except StudyError as exc:
        hint = f"write @{directive.text} for the text itself"
        exc.hint = f"{exc.hint}; {hint}" if exc.hint else hint
        raise
    args = [_alone(app, item) for item in directive.args]
    kwargs = {key: _alone(app, item) for key, item in directive.kwargs.items()}
    try:
        result = function(*args, **kwargs)
    except SoopsError as exc:
        if exc.source is None:
            exc.source = directive.source
        raise
    except Exception as exc:  # a stranger's code: anything may come
        raise StudyError(
            f"{directive.text[:60]} failed: {type(exc).__name__}: {exc}", source=directive.source
        ) from exc
    if isinstance(result, range):
        return list(result)
    return result.tolist() if hasattr(result, "tolist") else result


def _source_of(value: Any, study: Study) -> Source:
    source = value.source if isinstance(value, Directive) else None
    return source or study.source
