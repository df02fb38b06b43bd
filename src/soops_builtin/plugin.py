"""The builtin plugin: specs only. Nothing of what they name is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soops.api import (
    CheckSpec,
    CommandSpec,
    DirectiveSpec,
    ReaderSpec,
    RunFunctionSpec,
    RunnerSpec,
    ScraperSpec,
    StepSpec,
    StoreSpec,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from soops.api import PlannedRun, RunRecord, StudyRun, Summary, UserModule


@hookimpl
def soops_conf_readers() -> Sequence[ReaderSpec]:
    """Give the forms of a study."""
    home = "soops_builtin.readers"
    return [
        ReaderSpec(
            name="text",
            target=f"{home}:read_text",
            summary="key=value text of the command line",
        ),
        ReaderSpec(
            name="ini",
            target=f"{home}:read_ini",
            suffixes=(".cfg", ".ini"),
            summary="sections of key = value lines, one for each study",
        ),
        ReaderSpec(
            name="toml",
            target=f"{home}:read_toml",
            suffixes=(".toml",),
            summary="the whole study with its program, scrapers and steps",
        ),
        ReaderSpec(
            name="yaml",
            target=f"{home}:read_yaml",
            suffixes=(".yaml", ".yml"),
            summary="the same as YAML (needs soops[yaml])",
        ),
        ReaderSpec(
            name="json",
            target=f"{home}:read_json",
            suffixes=(".json",),
            summary="the same as JSON",
        ),
    ]


@hookimpl
def soops_directives() -> Sequence[DirectiveSpec]:
    """Give the directives of the value language."""
    home = "soops_builtin.directives"
    words = {
        "defined": "the option is given without a value",
        "undefined": "the option is left out",
        "arange": "numpy.arange(start, stop, step, dtype)",
        "linspace": "numpy.linspace(start, stop, num, ...)",
        "logspace": "numpy.logspace(start, stop, num, base, ...)",
        "geomspace": "numpy.geomspace(start, stop, num, ...)",
        "range": "integers as of Python's range",
        "generate": "values of a function of the user's module",
    }
    return [
        DirectiveSpec(name=name, target=f"{home}:{name}_", summary=summary)
        for name, summary in words.items()
    ]


@hookimpl
def soops_run_functions() -> Sequence[RunFunctionSpec]:
    """Give three names of one supervised launch."""
    home = "soops_builtin.run_functions"
    supervised = f"{home}.supervised"
    return [
        RunFunctionSpec(
            name="subprocess.run",
            target=f"{supervised}:subprocess_run",
            launch="",
            summary="output to files in the run directory",
        ),
        RunFunctionSpec(
            name="psutil.Popen",
            target=f"{supervised}:psutil_popen",
            launch="",
            summary="also samples memory and CPU of the whole process tree",
        ),
        RunFunctionSpec(
            name="os.system",
            target=f"{supervised}:os_system",
            launch="",
            summary="leaves the terminal to the program",
        ),
        RunFunctionSpec(
            name="preload",
            target=f"{home}.preload:preload",
            launch=f"{home}.preload.slot:main",
            summary="Python runs as forks of an interpreter that has its imports loaded",
        ),
    ]


@hookimpl
def soops_runners() -> Sequence[RunnerSpec]:
    """Give the places where runs happen."""
    home = "soops_builtin.runners"
    return [
        RunnerSpec(
            name="local",
            target=f"{home}.local:LocalRunner",
            options=f"{home}.local_options:LocalOptions",
            aliases=("threadpool",),
            detachable=True,
            resources=True,
            summary="processes of this machine",
        ),
        RunnerSpec(
            name="inline",
            target=f"{home}.inline:InlineRunner",
            options=f"{home}.local_options:LocalOptions",
            detachable=True,
            resources=True,
            summary="one run after the other, for debugging",
        ),
        RunnerSpec(
            name="dask",
            target=f"{home}.dask.runner:DaskRunner",
            options=f"{home}.dask.options:DaskOptions",
            resources=True,
            summary="a dask cluster: started here, or one that runs already",
        ),
    ]


@hookimpl
def soops_checks() -> Sequence[CheckSpec]:
    """Give the ways to tell that a run is finished."""
    home = "soops_builtin.checks"
    return [
        CheckSpec(
            name="function",
            target=f"{home}:function",
            summary="is_finished(pars, options) of the module",
        ),
        CheckSpec(
            name="exit",
            target=f"{home}:exit_code",
            summary="'exit:0': the exit code of the last attempt",
        ),
        CheckSpec(
            name="file",
            target=f"{home}:file_exists",
            summary="a file exists in the run directory",
        ),
        CheckSpec(
            name="text",
            target=f"{home}:text_in_file",
            summary="a file of the run directory holds a text",
        ),
    ]


@hookimpl
def soops_commands() -> Sequence[CommandSpec]:
    """Give the commands that look at studies, and the demonstration."""
    home = "soops_builtin.commands"
    words = {
        "find": "find runs by their parameters and states",
        "info": "show the parameters of a module and of run directories",
        "jobs": "show studies, running and ended",
        "index": "check or rebuild the index of a study",
        "migrate": "add, rename or drop a parameter of runs that are done",
        "new": "write a study file from the help of a program",
        "check": "say what is wrong with a study file, and what it comes to",
        "preview": "show the sets of a study and what would be run",
        "demo": "run an example study from end to end",
    }
    return [
        CommandSpec(name=name, target=f"{home}.{name}:{name}", summary=summary)
        for name, summary in words.items()
    ]


@hookimpl
def soops_adapt_module(module: ModuleType, path: Path) -> UserModule | None:
    """Understand get_run_info, get_scoop_info and get_plugin_info."""
    from soops_builtin.usermodule import adapt

    return adapt(module, path)


@hookimpl
def soops_study_started(study: StudyRun, total: int | None) -> None:
    """Begin the live line and the files of the study."""
    from soops_builtin import listeners

    listeners.study_started(study, total)


@hookimpl
def soops_run_started(study: StudyRun, run: PlannedRun, attempt: int) -> None:
    """Count it."""
    from soops_builtin import listeners

    listeners.run_started(study, run, attempt)


@hookimpl
def soops_run_ended(study: StudyRun, record: RunRecord) -> None:
    """Log it, show it."""
    from soops_builtin import listeners

    listeners.run_ended(study, record)


@hookimpl
def soops_study_ended(study: StudyRun, summary: Summary) -> None:
    """Write the table of all sets, show the summary."""
    from soops_builtin import listeners

    listeners.study_ended(study, summary)


@hookimpl
def soops_scrapers() -> Sequence[ScraperSpec]:
    """Give the scrapers."""
    home = "soops_builtin.scrapers"
    return [
        ScraperSpec(
            name="options",
            target=f"{home}.options_txt:options_txt",
            check=f"{home}.options_txt:check_options",
            patterns=("options.txt",),
            summary="the options that a script saved with save_options",
        ),
        ScraperSpec(
            name="csv",
            target=f"{home}.csv_table:csv_table",
            check=f"{home}.csv_table:check_csv",
            patterns=("*.csv",),
            summary="the columns of a table, as lists",
        ),
        ScraperSpec(
            name="json",
            target=f"{home}.json_toml:json_file",
            check=f"{home}.json_toml:check_json",
            patterns=("*.json",),
            summary="the members of a JSON object",
        ),
        ScraperSpec(
            name="toml",
            target=f"{home}.json_toml:toml_file",
            check=f"{home}.json_toml:check_toml",
            patterns=("*.toml",),
            summary="the keys of a TOML file",
        ),
        ScraperSpec(
            name="yaml",
            target=f"{home}.json_toml:yaml_file",
            check=f"{home}.json_toml:check_yaml",
            patterns=("*.yaml", "*.yml"),
            summary="the keys of a YAML file (needs soops[yaml])",
        ),
        ScraperSpec(
            name="array",
            target=f"{home}.arrays:array",
            check=f"{home}.arrays:check_array",
            patterns=("*.npy", "*.npz", "*.h5", "*.hdf5", "*.dat"),
            summary="arrays of numpy's files, of HDF5 or of columns of numbers",
        ),
        ScraperSpec(
            name="regex",
            target=f"{home}.regex:regex",
            check=f"{home}.regex:check_regex",
            patterns=("*.txt", "*.log"),
            summary="values that the named groups of a pattern find in a text",
        ),
        ScraperSpec(
            name="soops-parameters",
            target=f"{home}.parameters:parameters",
            check=f"{home}.parameters:check_parameters",
            patterns=("soops-parameters.csv", "soops-run.json"),
            summary="the parameters of the run with their types",
        ),
    ]


@hookimpl
def soops_stores() -> Sequence[StoreSpec]:
    """Give the table formats."""
    home = "soops_builtin.stores"
    return [
        StoreSpec(
            name="hdf5",
            target=f"{home}.hdf5",
            suffixes=(".h5", ".hdf5", ".hdf"),
            summary="pandas' HDF5 with the keys df, mdf and par_keys",
        ),
        StoreSpec(
            name="csv",
            target=f"{home}.csv_store",
            suffixes=(".csv",),
            summary="text, with a second file for the metadata",
        ),
        StoreSpec(
            name="parquet",
            target=f"{home}.parquet",
            suffixes=(".parquet",),
            summary="compact and typed (needs soops[parquet])",
        ),
    ]


@hookimpl
def soops_steps() -> Sequence[StepSpec]:
    """Give the post-processing steps."""
    home = "soops_builtin.steps"
    return [
        StepSpec(
            name="pivot",
            target=f"{home}.pivot:pivot",
            check=f"{home}.pivot:check",
            summary="a table of one parameter down, another across",
        ),
        StepSpec(
            name="plot",
            target=f"{home}.plot.step:plot",
            check=f"{home}.plot.arguments:check",
            summary="lines, points, heat maps, parallel coordinates",
        ),
        StepSpec(
            name="show_figures",
            target=f"{home}.show_figures:show_figures",
            summary="show the figures that other steps made",
        ),
        StepSpec(
            name="statistics",
            target=f"{home}.statistics:statistics",
            check=f"{home}.statistics:check",
            summary="mean, spread and count over replicates",
        ),
    ]
