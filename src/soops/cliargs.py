"""One table of options, for the command line of a script and for its ``get_run_info()``.

Part of the script library. The table maps option names to ``(value, help)`` or
``(value, help, extra)``; what the value is says what the option does:

=====================  ==================================================================
``None``               a positional argument
``False``              a flag ``--name`` that sets True
``True``               a flag ``--no-name`` that sets False
``('a', 'b')``         a choice, the first one is the default
``[default, typed]``   an option of the type of ``typed``
anything else          an option of its type with this default
=====================  ==================================================================

``extra`` holds arguments of ``argparse.ArgumentParser.add_argument``, which take
precedence.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

__all__ = ["build_arg_parser", "build_opt_args", "normalize_opt_args"]

UNDEFINED = "@undefined"
_STRAY_PERCENT = re.compile(r"%(?![%(])")


def build_arg_parser(
    parser: ArgumentParser,
    arg_conf: Mapping[str, tuple[Any, ...]],
    aliases: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Add the options of a table to a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        What to add to.
    arg_conf : mapping
        The table, see :mod:`soops.cliargs`. The values are found in the attributes of
        these names.
    aliases : mapping, optional
        Option name to a further option string, as ``-n``, or several.

    Raises
    ------
    ValueError
        When an entry of the table is wrong; its name is in the text.
    """
    for key, value, words, extra in _entries(arg_conf):
        if value is None:
            parser.add_argument(key, **{"help": words, **extra})
            continue
        names = [*_aliases(aliases, key), _option_name(key, value)]
        parser.add_argument(*names, **_arguments(key, value, words, extra))


def build_opt_args(
    arg_conf: Mapping[str, tuple[Any, ...]],
    omit: Iterable[str] = (
        "--output-dir",
        "--plot-rc-params",
        "--show",
        "--silent",
        "--shell",
        "--debug",
    ),
    add_to_omit: Iterable[str] | str | None = None,
    return_defaults: bool = False,
) -> Any:
    """Return the options of a table as ``get_run_info()`` gives them.

    Parameters
    ----------
    arg_conf : mapping
        The table, see :mod:`soops.cliargs`.
    omit : iterable of str
        Options that are no parameters of a study, as ``--name``.
    add_to_omit : iterable of str or str, optional
        Further ones.
    return_defaults : bool
        Return the defaults as well.

    Returns
    -------
    list of str, or (list of str, dict)
        Templates in the order of the table; option to default, ``'@undefined'`` for None.
        Flags have no default: a flag that is not given is left out.
    """
    more = [add_to_omit] if isinstance(add_to_omit, str) else list(add_to_omit or ())
    left_out = {*omit, *more}
    templates, defaults = [], {}
    for key, value, _, _ in _entries(arg_conf):
        if value is None:
            continue
        name = _option_name(key, value)
        is_flag = isinstance(value, bool)
        if name not in left_out and _dashed(key) not in left_out:
            templates.append(name if is_flag else f"{name}={{{name}}}")
        if not is_flag:
            default = value[0] if isinstance(value, (list, tuple)) else value
            defaults[name] = UNDEFINED if default is None else default
    return (templates, defaults) if return_defaults else templates


def normalize_opt_args(opt_args: Any) -> tuple[dict[str, str], dict[str, Any], list[str]]:
    """Return options, defaults and unhashed keys of any form that ``get_run_info()`` gives.

    Parameters
    ----------
    opt_args : dict, list or tuple
        Key to template; a list of templates, whose keys are what stands before the first
        ``=``; or ``(options, defaults)`` or ``(options, defaults, unhashed keys)``.

    Raises
    ------
    ValueError
        When it is something else.
    """
    given = opt_args if isinstance(opt_args, tuple) else (opt_args,)
    if not 1 <= len(given) <= 3:
        raise ValueError(f"opt_args has {len(given)} items, not 1 to 3")
    options, defaults, unhashed = [*given, None, None][:3]
    if isinstance(options, list):
        options = {text.split("=", 1)[0].strip(): text for text in options}
    if not hasattr(options, "keys"):
        raise ValueError(f"opt_args is neither a dict nor a list of templates: {options!r}")
    return options, defaults or {}, unhashed or []


def _entries(
    arg_conf: Mapping[str, tuple[Any, ...]],
) -> Iterator[tuple[str, Any, str, dict[str, Any]]]:
    """Yield name, value, help and further arguments of each option."""
    for key, entry in arg_conf.items():
        if not isinstance(entry, (tuple, list)) or len(entry) not in (2, 3):
            raise ValueError(f"the option {key!r} is not (value, help[, extra]): {entry!r}")
        value = entry[0]
        if isinstance(value, list) and len(value) < 2:
            raise ValueError(f"the option {key!r} is not [default, typed value]: {value!r}")
        if isinstance(value, tuple) and not value:
            raise ValueError(f"the option {key!r} has no choices")
        # argparse formats help texts with '%'.
        words = _STRAY_PERCENT.sub("%%", entry[1] or "")
        yield key, value, words, dict(entry[2]) if len(entry) == 3 else {}


def _arguments(key: str, value: Any, words: str, extra: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` for one option."""
    dest = key.lstrip("-").replace("-", "_") if key.startswith("-") else key
    if isinstance(value, bool):
        action = "store_false" if value else "store_true"
        return {"action": action, "dest": dest, "default": value, "help": words, **extra}
    default, kind = _default_and_type(value)
    shown = str(default).replace("%", "%%")
    arguments = {"dest": dest, "default": default, "help": f"{words} [default: {shown}]"}
    if "action" not in extra:
        arguments["type"] = kind
        if isinstance(value, tuple):
            arguments["choices"] = list(value)
        else:
            arguments["metavar"] = kind.__name__.upper()
    return {**arguments, **extra}


def _default_and_type(value: Any) -> tuple[Any, type]:
    if isinstance(value, tuple):
        typed = next((item for item in value if item is not None), "")
        return value[0], type(typed)
    if isinstance(value, list):
        typed = value[1]
        return value[0], typed if isinstance(typed, type) else type(typed)
    return value, type(value)


def _dashed(key: str) -> str:
    return "--" + key.lstrip("-").replace("_", "-")


def _option_name(key: str, value: Any) -> str:
    return _dashed("no-" + key.lstrip("-") if value is True else key)


def _aliases(aliases: Mapping[str, str | Sequence[str]] | None, key: str) -> list[str]:
    given = (aliases or {}).get(key, ())
    return [given] if isinstance(given, str) else list(given)
