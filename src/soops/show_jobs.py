"""``soops-jobs`` for scripts: the studies that run now.

Part of the script library. A job is the process that drives a study, as ``psutil.Process``.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from soops.base import Struct, import_file
from soops.run_parametric import get_study_conf

if TYPE_CHECKING:
    from soops.study import StudyStatus

__all__ = [
    "Struct",
    "find_jobs",
    "get_job_info",
    "get_study_conf",
    "import_file",
    "job_lines",
    "main",
    "parse_args",
    "print_jobs_info",
    "show_jobs",
]


#: States of runs that a queue has.
_IN_QUEUE = ("queued", "running")


def parse_args(args: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line of ``soops-jobs``.

    Parameters
    ----------
    args : sequence of str, optional
        The words; None: those of this process.

    Returns
    -------
    Namespace
        ``verbose``, a number; ``shell``; ``roots``, a list; and the other options under
        their names.

    Raises
    ------
    SystemExit
        When the line is wrong: 2, as argparse does it.
    """
    from soops.faces import parse

    values = parse("soops-jobs", args)
    return Namespace(roots=list(values.pop("roots")), **values)


def show_jobs(options: Namespace) -> tuple[list[Any], list[Struct]]:
    """Print how the studies stand that run now, and return them.

    Parameters
    ----------
    options : Namespace
        What :func:`parse_args` returns, or an object with some of its fields.

    Returns
    -------
    jobs : list of psutil.Process
        The processes of this machine that drive a study; empty when nothing runs.
    infos : list of Struct
        For each what :func:`get_job_info` returns.
    """
    from soops.faces import call, fields_of

    found = _running()
    values = fields_of(options, ("verbose", "everything", "as_json", "shell"))
    call("soops-jobs", options, {**values, "roots": tuple(getattr(options, "roots", ()))})
    return [job for job, _ in found], [_info(status) for _, status in found]


def find_jobs() -> list[Any]:
    """Return the processes of this machine that drive a study now."""
    return [job for job, _ in _running()]


def get_job_info(job: Any) -> Struct:
    """Return how the study of a job stands.

    Parameters
    ----------
    job : psutil.Process
        As :func:`find_jobs` returns it.

    Returns
    -------
    Struct
        ``job_working_dir`` and ``job_output_dir``; ``num`` and ``n_finished``, numbers of
        parameter sets (``num`` is None where it is not known); ``apdf``, the parameter sets
        as a DataFrame; ``last_dir`` and ``log_file``, the run directory and log written to
        last (``''``: none); ``job_options``, the options of its command line as a Struct, or
        None; ``status``, all that is known.

    Raises
    ------
    StudyError
        When the process drives no study, or does so no more.
    """
    from soops.kernel.errors import StudyError

    for found, status in _running():
        if found.pid == job.pid:
            return _info(status)
    raise StudyError(f"the process {job.pid} drives no study", hint="perhaps it ended just now")


def print_jobs_info(jobs: Sequence[Any], infos: Sequence[Struct], options: Namespace) -> None:
    """Print how studies stand.

    Parameters
    ----------
    jobs : sequence of psutil.Process
        As of :func:`find_jobs`.
    infos : sequence of Struct
        For each what :func:`get_job_info` returns.
    options : Namespace
        ``verbose``: how much is printed, 0 to 3.
    """
    for _, info in zip(jobs, infos, strict=True):
        for line in job_lines(info.status, options.verbose):
            sys.stdout.write(f"{line}\n")


def job_lines(status: StudyStatus, verbose: int) -> Iterator[str]:
    """Yield lines that tell how a study stands, the more the larger ``verbose`` is."""
    number = f"{status.finished}/{'?' if status.total is None else status.total}"
    pid = "-" if status.pid is None else status.pid
    if not verbose:
        waiting = [f"{status.counts[name]} {name}" for name in _IN_QUEUE if name in status.counts]
        more = f" ({', '.join(waiting)})" if status.keeps_jobs and waiting else ""
        yield f"{pid} {status.state} {number} {status.root}{more}"
        return
    host = f" on {status.host}" if status.host else ""
    yield f"job: {pid} ({status.state}){host}"
    if status.cwd:
        yield f"working directory: {status.cwd}"
    yield f"output in: {status.root}"
    yield f"finished: {number}"
    others = {state: count for state, count in status.counts.items() if state != "done" and count}
    if others:
        yield "others: " + ", ".join(f"{count} {state}" for state, count in others.items())
    if status.started:
        yield f"started: {status.started}"
    if status.active:
        yield f"last activity: {status.active}"
    if verbose > 1:
        yield f"command line: {status.command_line or 'unknown'}"
    if verbose > 2:
        yield f"last log: {status.newest_log() or ''}"


def main() -> int:
    """Run ``soops-jobs`` with the words of this process; return its exit code."""
    from soops.cli import jobs_main

    return jobs_main()


def _running() -> list[tuple[Any, StudyStatus]]:
    """Return the drivers at work on this machine, each with its study."""
    import psutil

    from soops import study

    found = []
    for status in study.jobs(running=True):
        if status.alive and status.pid is not None:
            try:
                found.append((psutil.Process(status.pid), status))
            except psutil.NoSuchProcess:  # it ended just now
                continue
    return found


def _info(status: StudyStatus) -> Struct:
    from soops.study import find, to_frame

    log = status.newest_log()
    return Struct(
        job_working_dir=status.cwd,
        job_output_dir=status.root,
        num=status.total,
        n_finished=status.finished,
        apdf=to_frame(find([status.path])),
        last_dir=status.newest or "",
        log_file=log or "",
        job_options=_options(status.argv),
        status=status,
    )


def _options(argv: Sequence[str]) -> Struct | None:
    """Return the options of the command line of a driver; None when it is none of soops-run."""
    from contextlib import redirect_stderr, suppress
    from io import StringIO

    from soops.kernel.errors import SoopsError
    from soops.run_parametric import parse_args as parse_run_args

    words = list(argv[1:])
    if words[:1] == ["run"]:  # soops run ...
        words = words[1:]
    with suppress(SystemExit, SoopsError), redirect_stderr(StringIO()):
        return Struct(vars(parse_run_args(words)))
    return None


if __name__ == "__main__":
    sys.exit(main())
