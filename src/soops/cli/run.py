"""``soops run``: a program over a parameter space.

Imported by ``soops.cli`` and, inside functions, by ``soops.run_parametric``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from soops.cli.common import (
    FreeWords,
    Integers,
    JsonLines,
    KeyValue,
    Section,
    SectionedCommand,
    Words,
    command_line,
    current_app,
)
from soops.kernel.errors import ExitCode, printable
from soops.kernel.values import Decision

if TYPE_CHECKING:
    from soops.kernel.app import App
    from soops.kernel.values import Summary

__all__ = ["drive", "run", "show_plan"]

what = Section("What is run")
which = Section("Which sets")
how = Section("How they are run")
shown = Section("What is written and shown")

EPILOG = """\b
Examples:
  soops-run -c='--switch + --seed' "--seed=[1,2], output_dir='out/%s'" mod.py
  soops-run -n 8 --study=short studies.cfg mod.py
  soops-run --explain study.toml
  soops-run --rerun failed,timeout -t 60 study.toml

\b
Exit codes: 0 all done, 1 some runs failed, 2 usage, 3 study or module wrong,
4 plugin, 5 the runner broke, 6 another driver holds the study, 130 interrupted.
"""


@click.command(cls=SectionedCommand, epilog=EPILOG)
@click.argument("conf", metavar="CONF")
@click.argument("run_mod", metavar="[RUN_MOD]", required=False)
@what("-s", "--study", "section", metavar="NAME", help="Study of a file that holds several.")
@what("--conf", "overrides", metavar="KEY=VALUE,...", help="Values that replace those of CONF.")
@what(
    "-c",
    "--contract",
    "contracts",
    metavar="KEY+KEY,...",
    help="Keys whose values change in lockstep.",
)
@what(
    "--generate-pars",
    "generate",
    metavar="function=NAME,...",
    help="Function of RUN_MOD that makes the values of @generate keys, with its arguments; or "
    "the section of CONF that says so.",
)
@what(
    "--compute-pars",
    "compute",
    metavar="class=NAME,...",
    help="Class of RUN_MOD that computes further parameters of each set.",
)
@what("--where", metavar="EXPR", help="Only the sets for which this holds: 'num > 10 & seed == 1'.")
@which(
    "-r",
    "--recompute",
    type=click.IntRange(0, 2),
    metavar="[0|1|2]",
    default=1,
    show_default=True,
    help="What to run: 0 nothing, 1 what is not finished, 2 everything.",
)
@which(
    "--rerun",
    type=Words(),
    default="",
    metavar="STATE,...",
    help="Of the sets run before, run again exactly those in these states: failed, timeout, "
    "lost, cancelled, done, unknown, unfinished, all.",
)
@which("--dry-run", is_flag=True, help="Print the commands that would be run; write nothing.")
@which(
    "--explain",
    is_flag=True,
    help="Print what would be done with each set and why; write nothing.",
)
@how(
    "-n",
    "--n-workers",
    type=click.IntRange(1),
    metavar="N",
    default=2,
    show_default=True,
    help="Runs at once.",
)
@how("--runner", metavar="NAME", default="local", show_default=True, help="Where runs happen.")
@how(
    "--runner-opt",
    "runner_options",
    type=KeyValue(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Option of the runner; may be repeated.",
)
@how(
    "--stage-out",
    is_flag=True,
    help="Run in scratch directories of the workers, which share no file system, and bring the "
    "files back; for --runner dask.",
)
@how("--cluster-kwargs", metavar="KEY=VALUE,...", help="Arguments of dask's LocalCluster.")
@how(
    "--resources",
    metavar="KEY=AMOUNT,...",
    help="What each run needs of its worker: cpus=2,gpus=1,memory=4e9.",
)
@how(
    "--run-function",
    metavar="NAME",
    default="subprocess.run",
    show_default=True,
    help="How a command becomes a process: subprocess.run, psutil.Popen (samples memory), "
    "os.system (leaves the terminal to it), preload (forks a Python that has its imports).",
)
@how("-t", "--timeout", type=float, metavar="SECONDS", help="Stop a run after this time.")
@how(
    "--grace",
    type=float,
    metavar="SECONDS",
    default=5.0,
    show_default=True,
    help="Time between asking a run to end and killing it.",
)
@how(
    "--retries",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Try a run that failed or timed out again so often.",
)
@how(
    "--retry-on",
    type=FreeWords(),
    default="",
    metavar="STATE,...",
    help="After what: failed, timeout, lost, exit:N, signal:NAME.  [default: failed,timeout]",
)
@how(
    "--retry-delay",
    type=float,
    metavar="SECONDS",
    default=0.0,
    show_default=True,
    help="Time before a run is tried again.",
)
@how(
    "--max-failures",
    type=click.IntRange(1),
    metavar="N",
    help="Start no more runs after so many failures.",
)
@how(
    "--accept-exit",
    type=Integers(),
    metavar="CODE,...",
    help="Exit codes that mean success.  [default: those of the study, or 0]",
)
@how(
    "--detach",
    is_flag=True,
    help="Hand the runs to the queue of the runner and leave; the same command, later, takes "
    "them on.",
)
@how("--break-lock", is_flag=True, help="Take over the lock of a driver that is surely gone.")
@shown(
    "-o",
    "--output-dir",
    metavar="DIR",
    default="output",
    show_default=True,
    help="Directory for the files of the study as a whole.",
)
@shown(
    "--capture/--no-capture",
    default=True,
    show_default=True,
    help="Keep the output of each run in its directory, or leave it to the terminal.",
)
@shown(
    "--max-output",
    type=click.IntRange(0),
    metavar="BYTES",
    help="Keep at most so much of each output stream of a run.",
)
@shown("--durable", is_flag=True, help="Force records to the disk before going on (fsync).")
@shown(
    "--survive",
    is_flag=True,
    help="Let runs go on when this command is killed; the next one takes them on.",
)
@shown("--silent", is_flag=True, help="Show no progress and no summary.")
@shown("--json", "as_json", is_flag=True, help="Print one JSON object for each run that ended.")
@shown("--shell", is_flag=True, help="Open a Python shell afterwards.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    conf: str,
    run_mod: str | None,
    dry_run: bool,
    explain: bool,
    as_json: bool,
    runner_options: tuple[tuple[str, str], ...],
    stage_out: bool,
    **options: Any,
) -> int:
    """Run a program over a parameter space, in parallel.

    CONF is the study: key=value text, or a file (.cfg, .ini, .toml, .yaml, .json). RUN_MOD is
    the script that says how the program is run, with get_run_info(); a study file may do
    without. What is finished is not run again, and an interrupted study goes on where it stopped.
    """
    # What the person did not say, the study may.
    default = click.core.ParameterSource.DEFAULT
    options = {
        name: value
        for name, value in options.items()
        if ctx.get_parameter_source(name) is not default
    }
    if runner_options or stage_out:
        staging = {"stage_out": "yes"} if stage_out else {}
        options["runner_options"] = {**dict(runner_options), **staging}
    options["argv"] = command_line(ctx)
    app = current_app(ctx)
    if dry_run or explain:
        show_plan(app, conf, run_mod, explain=explain, as_json=as_json, **options)
        return int(ExitCode.OK)
    from soops.kernel.runs.orphans import subreaper

    # This process is a driver and nothing else: what a killed slot leaves comes to it.
    with subreaper():
        return _code(drive(app, conf, run_mod, as_json=as_json, **options))


def drive(
    app: App,
    conf: str,
    run_mod: str | None,
    *,
    as_json: bool = False,
    shell: bool = False,
    silent: bool = False,
    **options: Any,
) -> Summary:
    """Run a study as the command does; ``options`` are those of ``soops.run``."""
    from soops import study

    if as_json:
        from soops.cli.records import RecordPrinter

        app.add(RecordPrinter(), "soops run --json")
    summary = study.run(
        conf, run_mod, app=app, progress=not silent, silent=silent, shell=shell, **options
    )
    if shell:
        from soops.base import shell as open_shell

        open_shell()
    return summary


def _code(summary: Summary) -> int:
    if summary.interrupted:
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.OK if summary.ok else ExitCode.RUNS_FAILED)


def show_plan(
    app: App,
    conf: str,
    run_mod: str | None,
    *,
    explain: bool = False,
    as_json: bool = False,
    silent: bool = False,
    **options: Any,
) -> None:
    """Print set by set what would be done; the plan is never held as a whole."""
    from soops import study
    from soops.kernel.records.found import json_planned

    planned = study.plan(conf, run_mod, app=app, dry_run=True, silent=silent, **options)
    lines = JsonLines()
    total = to_run = 0
    for item in planned:
        total += 1
        to_run += item.decision is not Decision.SKIP
        if as_json:
            lines(json_planned(item))
        elif explain:
            _print(f"{item.number:03d} {item.decision}: {item.reason}")
            _print(f"    {item.directory}")
            _print(f"    {command_text(item.command)}")
        elif item.decision is not Decision.SKIP:
            _print(command_text(item.command), exact=True)
    if not silent:
        click.echo(
            f"{total} parameter set{'s' * (total != 1)}: {to_run} to run, {total - to_run} to "
            "skip; nothing was run or written",
            err=True,
        )


def command_text(command: str | tuple[str, ...]) -> str:
    """Return a command as it would be typed."""
    import shlex

    return command if isinstance(command, str) else shlex.join(command)


def _print(text: str, *, exact: bool = False) -> None:
    """Print a line; without terminal escapes unless a program reads the exact text."""
    click.echo(text if exact and not sys.stdout.isatty() else printable(text))
