"""The scrapers of JSON, TOML and YAML files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from soops.api import PluginError
from soops_builtin.scrapers.arguments import all_options, chosen, expect
from soops_builtin.scrapers.files import Paths, each_file, read_text

__all__ = ["check_json", "check_toml", "check_yaml", "json_file", "toml_file", "yaml_file"]

#: Values that a YAML file may stand for, aliases followed.
MAX_NODES = 1_000_000


def json_file(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    keys: Iterable[str] | Mapping[str, str] | None = None,
    flatten: bool = False,
    sep: str = "__",
    key: str = "json",
) -> dict[str, Any]:
    """Return the values of a JSON file.

    Parameters
    ----------
    path : str or list of str
        A file with one JSON value.
    keys : iterable of str or mapping, optional
        Only these; ``a.b.0`` goes into dicts and lists. A mapping gives them new names.
    flatten : bool
        Values in nested dicts become values of their own, named ``outer__inner``.
    sep : str
        Between the names of a flattened value.
    key : str
        The name of a value that is no object (``{...}``).
    """
    names = chosen("keys", keys)
    return each_file(path, lambda one: _pick(json.loads(read_text(one)), names, flatten, sep, key))


def toml_file(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    keys: Iterable[str] | Mapping[str, str] | None = None,
    flatten: bool = False,
    sep: str = "__",
) -> dict[str, Any]:
    """Return the values of a TOML file; arguments as of :func:`json_file`."""
    names = chosen("keys", keys)
    return each_file(
        path, lambda one: _pick(tomllib.loads(read_text(one)), names, flatten, sep, "toml")
    )


def yaml_file(
    path: Paths,
    rdata: Mapping[str, Any] | None = None,
    *,
    keys: Iterable[str] | Mapping[str, str] | None = None,
    flatten: bool = False,
    sep: str = "__",
    key: str = "yaml",
) -> dict[str, Any]:
    """Return the values of a YAML file; arguments as of :func:`json_file`.

    Only plain values are made; a file whose aliases stand for more than a million values
    is refused.

    Raises
    ------
    PluginError
        When PyYAML is not installed.
    """
    names = chosen("keys", keys)
    load = _yaml_loader()

    def read(one: str) -> dict[str, Any]:
        value = load(read_text(one))
        _count(value, MAX_NODES)
        return _pick(value, names, flatten, sep, key)

    return each_file(path, read)


def check_json(**options: Any) -> None:
    """Raise ValueError for options of :func:`json_file` that cannot be right."""
    _check(json_file, options)


def check_toml(**options: Any) -> None:
    """Raise ValueError for options of :func:`toml_file` that cannot be right."""
    _check(toml_file, options)


def check_yaml(**options: Any) -> None:
    """Raise ValueError for options of :func:`yaml_file` that cannot be right."""
    _check(yaml_file, options)


def _check(scraper: Callable[..., Any], options: Mapping[str, Any]) -> None:
    given = all_options(scraper, options)
    chosen("keys", given["keys"])
    expect("true or false", flatten=given["flatten"])
    expect("a text", **{name: given[name] for name in ("sep", "key") if name in given})


def _yaml_loader() -> Callable[[str], Any]:
    try:
        import yaml
    except ImportError as exc:
        raise PluginError(
            "YAML files are read with PyYAML, which is not installed",
            hint="pip install 'soops[yaml]'",
        ) from exc
    # Both make plain values only. The one in C is ten times as quick, and says at once that a
    # text is nested too deeply.
    make = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def load(text: str) -> Any:
        try:
            loader = make(text)
        except UnicodeEncodeError:  # bytes that are no UTF-8: the other one says where
            return yaml.safe_load(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()

    return load


def _count(value: Any, left: int) -> int:
    """Return how many of ``left`` values remain after counting those in ``value``."""
    if left <= 0:
        raise ValueError(f"the file stands for more than {MAX_NODES} values")
    left -= 1
    if isinstance(value, dict):
        for item in value.values():
            left = _count(item, left)
    elif isinstance(value, list):
        for item in value:
            left = _count(item, left)
    return left


def _pick(
    value: Any,
    names: Mapping[str, str] | None,
    flatten: bool,
    sep: str,
    key: str,
) -> dict[str, Any]:
    if names is not None:
        return {new: _look_up(value, name) for name, new in names.items()}
    if not isinstance(value, dict):
        return {key: value}
    return _flat(value, sep) if flatten else value


def _look_up(value: Any, name: str) -> Any:
    """Return the value at a dotted name; a key that has dots itself comes first."""
    if isinstance(value, dict) and name in value:
        return value[name]
    head, _, rest = name.partition(".")
    try:
        inner = value[int(head)] if isinstance(value, list) else value[head]
    except (KeyError, IndexError, ValueError, TypeError):
        raise KeyError(f"there is no {name!r} in the file") from None
    return _look_up(inner, rest) if rest else inner


def _flat(value: dict[str, Any], sep: str, prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict) and item:
            out.update(_flat(item, sep, f"{prefix}{name}{sep}"))
        else:
            out[f"{prefix}{name}"] = item
    return out
