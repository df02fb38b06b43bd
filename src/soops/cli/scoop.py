"""``soops scoop``: the outputs of runs to one table.

Imported by ``soops.cli`` and, inside functions, by ``soops.scoop_outputs``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soops.cli.common import JsonLines, Section, SectionedCommand, current_app
from soops.kernel.errors import ExitCode, SoopsError, UsageError

if TYPE_CHECKING:
    from soops.kernel.app import App
    from soops.kernel.values import Scooped

__all__ = ["arguments", "gather", "names", "refuse_contradictions", "scoop"]

rows = Section("Rows")
results = Section("Results")
steps = Section("Post-processing")

EPILOG = """\b
Examples:
  soops-scoop -s rdir -o output/study mod.py output/study
  soops-scoop -r -o output/study mod.py output/study
  soops-scoop --json --no-plugins study.toml output/study

\b
Exit codes: 0 done, 1 a step failed or --strict found errors, 2 usage, 3 module or
directory wrong, 4 plugin, 130 interrupted.
"""


@click.command(cls=SectionedCommand, epilog=EPILOG)
@click.argument("scoop_mod", metavar="SCOOP_MOD")
@click.argument("directories", metavar="[DIRECTORY]...", nargs=-1)
@rows(
    "-s",
    "--sort",
    metavar="COLUMN,...",
    help="Sort the rows by these columns.  [default: as found]",
)
@rows(
    "--filter",
    metavar="FILE,...",
    help="Keep the rows in which at least one of these files was read.",
)
@rows(
    "-n",
    "--n-workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes that read.  [default: as many as are worth it]",
)
@rows("--strict", is_flag=True, help="Exit with 1 when a file could not be read.")
@results(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Directory for the results.  [default: . or what a study file says]",
)
@results(
    "--results",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File of the table.  [default: DIR/results.h5]",
)
@results("--no-csv", is_flag=True, help="Write no results.csv.")
@results("-r", "--reuse", is_flag=True, help="Use the stored table; read no run directories.")
@results(
    "-u", "--update", is_flag=True, help="Use the stored table and read what is new or changed."
)
@results("--write", is_flag=True, help="Write the table also when it was loaded with -r.")
@results("--json", "as_json", is_flag=True, help="Print one JSON object for each row.")
@results("--shell", is_flag=True, help="Open a Python shell afterwards, with the table as df.")
@steps("--no-plugins", is_flag=True, help="Run no post-processing steps.")
@steps("--use-plugins", metavar="NAME,...", help="Run only these steps, in this order.")
@steps("--omit-plugins", metavar="NAME,...", help="Run all steps but these.")
@steps("-p", "--plugin-mod", metavar="MODULE", help="Take the steps from this module.")
@steps(
    "--plugin-args",
    metavar="NAME={KEY=VALUE,...},...",
    help="Arguments of steps.",
)
@steps("--write-after-plugins", is_flag=True, help="Write the table again after the steps.")
@steps("--debug", is_flag=True, help="Let the first error of a scraper or step open a debugger.")
@click.pass_context
def scoop(
    ctx: click.Context,
    /,
    scoop_mod: str,
    directories: tuple[str, ...],
    sort: str | None,
    filter: str | None,
    no_plugins: bool,
    use_plugins: str | None,
    omit_plugins: str | None,
    plugin_mod: str | None,
    plugin_args: str | None,
    no_csv: bool,
    output_dir: Path | None,
    strict: bool,
    as_json: bool,
    shell: bool,
    **options: Any,
) -> int:
    """Gather the files of run directories into one table and post-process it.

    SCOOP_MOD is the script with get_scoop_info(), or a study file. DIRECTORY is a run
    directory, one that holds run directories, or a pattern of these; a study file knows its own.
    """
    refuse_contradictions(options["reuse"], options["update"], use_plugins, omit_plugins)
    if sort is not None:
        options["sort"] = names(sort, "--sort")
    if output_dir is not None:
        options["output_dir"] = output_dir
    if options["results"] is None:
        del options["results"]
    options["filter"] = names(filter, "--filter") or None
    options["use_plugins"] = names(use_plugins, "--use-plugins")
    options["omit_plugins"] = names(omit_plugins, "--omit-plugins")
    scooped = gather(
        current_app(ctx),
        scoop_mod,
        directories,
        as_json=as_json,
        shell=shell,
        plugin_module=plugin_mod,
        call_plugins=not no_plugins,
        plugin_args=arguments(plugin_args),
        save_csv=not no_csv,
        **options,
    )
    failed = bool(scooped.failed_steps) or (strict and bool(scooped.errors))
    return int(ExitCode.RUNS_FAILED if failed else ExitCode.OK)


def gather(
    app: App,
    scoop_mod: str,
    directories: Sequence[str],
    *,
    as_json: bool = False,
    shell: bool = False,
    debug: bool = False,
    **options: Any,
) -> Scooped:
    """Scoop as the command does; ``options`` are those of ``soops.scoop``."""
    from soops import study

    with _debugger(debug), _stdout_for_json(as_json):
        scooped = study.scoop(
            scoop_mod,
            directories,
            app=app,
            say=lambda text: click.echo(text, err=True),
            debug=debug,
            **options,
        )
    if as_json:
        lines = JsonLines()
        for row in json_rows(scooped.frame):
            lines(row)
    if shell:
        _shell(scooped)
    return scooped


def refuse_contradictions(
    reuse: bool, update: bool, use_plugins: str | None, omit_plugins: str | None
) -> None:
    """Raise a UsageError for options that cannot be given together."""
    if reuse and update:
        raise UsageError("-r and -u exclude each other", hint="-u reuses the stored rows, too")
    if use_plugins is not None and omit_plugins is not None:
        raise UsageError("--use-plugins and --omit-plugins exclude each other")


def arguments(text: str | None) -> dict[str, Any]:
    """Return the arguments of steps that ``--plugin-args`` gives."""
    from soops.kernel.study.grammar import parse_dict
    from soops.kernel.values import Source

    source = Source(path="--plugin-args")
    return parse_dict(text or "", free_word=False, source=source, directives=False)


def names(text: str | None, option: str) -> tuple[str, ...]:
    """Return the words of a comma-separated option, quoted or not."""
    if text is None:
        return ()
    from soops.kernel.study.grammar import parse_list
    from soops.kernel.values import Source

    items = parse_list(text, free_word=True, source=Source(path=option), directives=False)
    return tuple(str(item) for item in items)


def json_rows(frame: Any) -> Iterator[dict[str, Any]]:
    """Return each row of a table as plain JSON values; NaN and missing become null."""
    columns = [str(name) for name in frame.columns]
    for row in frame.itertuples(index=False, name=None):
        yield {name: _plain(value) for name, value in zip(columns, row, strict=True)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return None if text == "NaT" else text
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if type(value).__name__ == "NAType" else str(value)


@contextlib.contextmanager
def _stdout_for_json(as_json: bool) -> Iterator[None]:
    """Keep what steps print away from standard output when that carries JSON."""
    if not as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _debugger(wanted: bool) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        if wanted and not isinstance(exc, SoopsError):
            import pdb
            import traceback

            traceback.print_exception(exc)
            pdb.post_mortem(exc.__traceback__)
        raise


def _shell(scooped: Scooped) -> None:
    from soops.base import shell

    df, mdf, par_keys = scooped.frame, scooped.meta, scooped.parameter_keys  # noqa: F841
    shell()
