"""The steps of a study one by one: its text, the command of a set, a run.

Their names are those of :mod:`soops.run_parametric`, which alone imports this module. A study
itself does not need them.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soops.cliargs import normalize_opt_args

if TYPE_CHECKING:
    import subprocess
    from configparser import ConfigParser

__all__ = ["gen_run_script", "get_study_conf", "make_cmd", "run_with_psutil"]

#: Seconds between asking the processes of a command to end and killing them.
GRACE = 5.0


def get_study_conf(
    conf: str, study: str | None = None, extra_conf: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], ConfigParser | None, list[str]]:
    """Return the values of a study as its text has them.

    Parameters
    ----------
    conf : str
        The name of a study file, or the text of a study.
    study : str, optional
        Which study of a file; None: the first.
    extra_conf : dict, optional
        Values that replace those of the study, or are added.

    Returns
    -------
    values : dict
        Key to value; directives are texts (``"@arange(3)"``).
    parser : ConfigParser or None
        The sections of the file.
    names : list of str
        Those of the sections.

    Raises
    ------
    StudyError
        When the study cannot be read.
    """
    from soops.kernel.study.conf import read_study
    from soops.kernel.study.rendering import as_texts
    from soops.study import create_app

    found = read_study(create_app(), conf, section=study)
    values = {key: as_texts(value) for key, value in found.values.items()}
    parser = _sections(Path(conf)) if found.source.path == conf else None
    names = [] if parser is None else parser.sections()
    return {**values, **(extra_conf or {})}, parser, names


def _sections(path: Path) -> ConfigParser | None:
    """Return the sections of a file, the case of keys kept; None when it has other ones."""
    import configparser

    parser = configparser.ConfigParser(
        interpolation=configparser.ExtendedInterpolation(), inline_comment_prefixes=(";",)
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(path, encoding="utf-8-sig")
    except configparser.Error:
        return None
    return parser


def make_cmd(
    run_cmd: str | Sequence[str],
    opt_args: Any,
    all_pars: Mapping[str, Any],
    output_dir_key: str = "output_dir",
) -> str | tuple[str, ...]:
    """Return the command of one parameter set.

    Parameters
    ----------
    run_cmd : str or list of str
        The template of the command: shell text, or words.
    opt_args : dict, list or tuple
        The templates of the options, as of ``get_run_info()``.
    all_pars : mapping
        Key to value, output directory and ``script_dir`` included. An option without a
        value, or with ``'@undefined'``, is left out.
    output_dir_key : str
        The key of the output directory.

    Raises
    ------
    StudyError
        When a template is wrong or a key of ``run_cmd`` has no value.
    """
    from soops.kernel.errors import StudyError
    from soops.kernel.runs.command import CommandTemplate
    from soops.kernel.values import RunInfo

    templates = normalize_opt_args(opt_args)[0]
    info = RunInfo(
        command=run_cmd if isinstance(run_cmd, str) else tuple(run_cmd),
        options={key: text for key, text in templates.items() if key in all_pars},
        output_key=output_dir_key,
        finished="",
    )
    try:
        return CommandTemplate(info).build(all_pars)
    except KeyError as exc:
        raise StudyError(f"the command needs a value of {exc.args[0]!r}") from None


def gen_run_script(output_dir: str, cmd: str | tuple[str, ...]) -> None:
    """Write ``run.py`` into a run directory: it runs the command again, from anywhere."""
    from soops.kernel.records.rundir import write_run_script

    write_run_script(str(output_dir), cmd, str(Path.cwd()), {}, isinstance(cmd, str))


def run_with_psutil(cmd: str, options: Namespace) -> subprocess.CompletedProcess[str] | Exception:
    """Run a command through the shell; end all its processes when it takes too long.

    Parameters
    ----------
    cmd : str
        Shell text.
    options : Namespace
        ``options.timeout`` in seconds, or None.

    Returns
    -------
    CompletedProcess or psutil.TimeoutExpired
        The latter is returned, not raised.
    """
    import subprocess

    import psutil

    words = ["/bin/sh", "-c", cmd]
    process = psutil.Popen(words) if sys.platform != "win32" else psutil.Popen(cmd)
    try:
        code = process.wait(timeout=options.timeout)
    except psutil.TimeoutExpired:
        everyone = [*process.children(recursive=True), process]
        for how in ("terminate", "kill"):
            for member in everyone:
                try:
                    getattr(member, how)()
                except psutil.NoSuchProcess:
                    continue
            everyone = psutil.wait_procs(everyone, timeout=GRACE)[1]
        late: Exception = psutil.TimeoutExpired(options.timeout, pid=process.pid)
        return late
    return subprocess.CompletedProcess(cmd, code)
