"""``soops-run`` for scripts, and what generating functions and computing classes use.

Part of the script library::

    import soops.run_parametric as rp

    options = rp.parse_args(args=["-n", "4", "output_dir='out/%s', --num=[1, 2]", "mod.py"])
    summary = rp.run_parametric(options)
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soops.base import Struct, import_file, output, product
from soops.cliargs import normalize_opt_args
from soops.ioutils import ensure_path, locate_files, save_options
from soops.parsing import parse_as_dict
from soops.print_info import collect_keys
from soops.run_steps import gen_run_script, get_study_conf, make_cmd, run_with_psutil
from soops.runners import Runner
from soops.timing import get_timestamp

if TYPE_CHECKING:
    from soops.kernel.values import Summary

__all__ = [
    "Runner",
    "Struct",
    "collect_keys",
    "ensure_path",
    "gen_run_script",
    "get_contracts",
    "get_study_conf",
    "get_timestamp",
    "import_file",
    "locate_files",
    "main",
    "make_cmd",
    "make_key_list",
    "normalize_opt_args",
    "output",
    "parse_args",
    "parse_as_dict",
    "product",
    "run_parametric",
    "run_with_psutil",
    "save_options",
]

ParameterSequence = Sequence[tuple[int, str, Any]]


def parse_args(args: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line of ``soops-run``.

    Parameters
    ----------
    args : sequence of str, optional
        The words; None: those of this process.

    Returns
    -------
    Namespace
        ``conf``, ``run_mod``; ``contract``, a list of lists of keys or None; the dicts
        ``extra_conf`` and ``cluster_kwargs``; ``compute_pars``, a dict or None;
        ``generate_pars``, a dict, the name of a section, or None; ``verbose``, False with
        ``--silent``; and the other options under their names.

    Raises
    ------
    SystemExit
        When the line is wrong: 2, as argparse does it.
    GrammarError
        When the text of an option is wrong.
    """
    from soops.faces import parse

    values = parse("soops-run", args)
    take = values.pop
    compute, generate = take("compute"), take("generate")
    if generate is not None and any(mark in generate for mark in "=:"):
        generate = parse_as_dict(generate, free_word=True)
    return Namespace(
        contract=_groups(take("contracts")),
        extra_conf=parse_as_dict(take("overrides"), free_word=True),
        cluster_kwargs=parse_as_dict(take("cluster_kwargs")),
        generate_pars=generate,
        compute_pars=None if compute is None else parse_as_dict(compute, free_word=True),
        study=take("section"),
        verbose=not take("silent"),
        runner_options=dict(take("runner_options")),
        **values,
    )


def run_parametric(options: Namespace) -> Summary | None:
    """Run a study.

    Parameters
    ----------
    options : Namespace
        What :func:`parse_args` returns, or an object with some of its fields: ``conf`` and
        ``run_mod``, the others when they are not to have their defaults.

    Returns
    -------
    Summary or None
        ``summary.ok`` says whether all runs are done; None after a dry run.

    Raises
    ------
    SoopsError
        When the study, the module or an option is wrong.
    KeyboardInterrupt
        When it was stopped; what ended until then is recorded.
    """
    from soops.cli.run import drive, show_plan
    from soops.faces import create_app, fields_of

    app = create_app(options)
    given = _run_options(options)
    for_plan = fields_of(options, ("explain", "as_json"))
    if getattr(options, "dry_run", False) or for_plan.get("explain"):
        show_plan(app, options.conf, options.run_mod, **for_plan, **given)
        return None
    for_plan.pop("explain", None)
    summary = drive(app, options.conf, options.run_mod, **for_plan, **given)
    if summary.interrupted:
        raise KeyboardInterrupt
    return summary


def main() -> int:
    """Run ``soops-run`` with the words of this process; return its exit code."""
    from soops.cli import run_main

    return run_main()


def _groups(text: str | None) -> list[list[str]] | None:
    from soops.kernel.study.space import parse_contracts

    return [list(keys) for keys in parse_contracts(text)] or None if text is not None else None


def _run_options(options: Namespace) -> dict[str, Any]:
    """Return the fields of a namespace as options of ``soops.run``."""
    from dataclasses import fields

    from soops.faces import fields_of
    from soops.kernel.runs.options import RunOptions

    names = {item.name for item in fields(RunOptions)} - {"dry_run", "silent", "progress", "argv"}
    given = fields_of(options, sorted(names))
    named = fields_of(options, ("study", "contract", "generate_pars", "compute_pars", "extra_conf"))
    given.update(
        section=named.get("study"),
        contracts=_joined(named.get("contract")),
        generate=named.get("generate_pars") or None,
        compute=named.get("compute_pars"),
        overrides=_text(named.get("extra_conf")),
        silent=not getattr(options, "verbose", True) or getattr(options, "silent", False),
        argv=tuple(sys.argv),
    )
    return given


def _joined(groups: Sequence[Sequence[str]] | None) -> str | None:
    return ", ".join(" + ".join(keys) for keys in groups) if groups else None


def _text(values: Mapping[str, Any] | str | None) -> str | None:
    """Return the text that gives a study these values; ``"@name"`` is a directive there."""
    from soops.parsing import render

    if not values:
        return None
    if isinstance(values, str):
        return values
    return ", ".join(f"{render(key)}={render(_with_directives(v))}" for key, v in values.items())


def _with_directives(value: Any) -> Any:
    from soops.parsing import parse_text

    if isinstance(value, str):
        return parse_text(value)
    if isinstance(value, list | tuple):
        return type(value)(_with_directives(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_directives(item) for key, item in value.items()}
    return value


def make_key_list(key: str, obj: Any) -> list[tuple[int, str, Any]]:
    """Return the values of a parameter, each with its place and the key.

    Only a list has several values; anything else is one value.

    >>> make_key_list("--num", [10, 100])
    [(0, '--num', 10), (1, '--num', 100)]
    """
    values = obj if isinstance(obj, list) else [obj]
    return [(place, key, value) for place, value in enumerate(values)]


def get_contracts(
    contract_seqs: Sequence[Sequence[str]] | None,
    par_seqs: Sequence[ParameterSequence],
    key_order: Sequence[str],
) -> list[list[int]] | None:
    """Return groups of keys in lockstep as groups of places, for :func:`soops.base.product`.

    Parameters
    ----------
    contract_seqs : sequence of sequences of str, or None
        ``options.contract``.
    par_seqs : sequence
        For each key what :func:`make_key_list` returns.
    key_order : sequence of str
        The keys.

    Raises
    ------
    ValueError
        When a key is unknown, or the keys of a group have different numbers of values.
    """
    if contract_seqs is None:
        return None
    order = list(key_order)
    contracts = []
    for keys in contract_seqs:
        unknown = [key for key in keys if key not in order]
        if unknown:
            raise ValueError(
                f"a contract names {unknown[0]!r}, but the parameters are {', '.join(order)}"
            )
        group = [order.index(key) for key in keys]
        lengths = {len(par_seqs[place]) for place in group}
        if len(lengths) > 1:
            raise ValueError(
                f"contracted parameter sequences {list(keys)} "
                f"have {len(lengths)} different lengths!"
            )
        contracts.append(group)
    return contracts


def __getattr__(name: str) -> Any:
    """Give the modules that were once names of this module."""
    if name in _MODULES:
        from importlib import import_module

        return import_module(_MODULES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_MODULES = {
    "hashlib": "hashlib",
    "np": "numpy",
    "op": "os.path",
    "os": "os",
    "pd": "pandas",
    "subprocess": "subprocess",
}


if __name__ == "__main__":
    sys.exit(main())
