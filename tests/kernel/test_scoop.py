"""Run directories -> rows, with the kernel alone: no builtin plugin takes part."""

from __future__ import annotations

import copy
import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from soops.api import (
    App,
    RunRecord,
    ScoopInfo,
    ScoopItem,
    ScraperSpec,
    State,
    StudyError,
    hookimpl,
)
from soops.kernel.plugging.usermodule import import_script
from soops.kernel.records.record import write_record
from soops.kernel.table import rows as reading
from soops.kernel.table import workers
from soops.kernel.table.directories import find_run_directories
from soops.kernel.table.rows import scoop_rows
from soops.kernel.table.scoop import scoop_directory


def read_text(path: str, rdata: Any = None) -> dict[str, Any]:
    return {"text": Path(path).read_text()}


class FakeScrapers:
    @hookimpl
    def soops_scrapers(self) -> list[ScraperSpec]:
        return [ScraperSpec(name="fake", target=read_text)]


@pytest.fixture(autouse=True)
def home_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def app() -> App:
    app = App.create(found=())
    app.add(FakeScrapers(), "fakes")
    return app


def info_of(*items: Any) -> ScoopInfo:
    return ScoopInfo(
        items=tuple(
            item if isinstance(item, ScoopItem) else ScoopItem(pattern=item[0], scraper=item[1])
            for item in items
        )
    )


LOG = info_of(("log.txt", read_text))


def make_runs(root: Path, names: list[str], file: str = "log.txt") -> None:
    for name in names:
        path = root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def scoop_one(directory: Path, *items: Any, **kwargs: Any) -> Any:
    return scoop_directory(str(directory), info_of(*items), _no_scraper, **kwargs)


def _no_scraper(name: str) -> Any:
    raise LookupError(name)


# --- finding the directories --------------------------------------------------------------


def found(root: Path, *arguments: str, info: ScoopInfo = LOG) -> list[str]:
    given = find_run_directories([root / argument for argument in arguments or ("",)], info)
    return [os.path.relpath(path, root) for path in given]


def test_directories_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    make_runs(tmp_path, ["1000-a", "101-b", "999-c", "002-d", "10-e"])
    assert found(tmp_path) == ["002-d", "10-e", "101-b", "999-c", "1000-a"]


def test_numbers_behind_a_prefix_count_as_numbers(tmp_path: Path) -> None:
    make_runs(tmp_path, ["run-10-x/sub", "run-9-x/sub"])
    assert found(tmp_path) == ["run-9-x/sub", "run-10-x/sub"]


def test_overlapping_arguments_give_each_directory_once(tmp_path: Path) -> None:
    make_runs(tmp_path / "study", ["000-a", "001-b"])
    (tmp_path / "link").symlink_to(tmp_path / "study")
    assert found(tmp_path, "study", "study/000-*", "study/./001-b", "link") == [
        "study/000-a",
        "study/001-b",
    ]


def test_a_pattern_sorts_its_matches_by_number(tmp_path: Path) -> None:
    make_runs(tmp_path, ["s/10-a", "s/9-b"])
    assert found(tmp_path, "s/*") == ["s/9-b", "s/10-a"]


def test_a_run_that_wrote_nothing_is_not_left_out(tmp_path: Path) -> None:
    make_runs(tmp_path, ["000-a"])
    make_runs(tmp_path, ["001-b"], "soops-parameters.csv")
    make_runs(tmp_path, ["002-c"], "other.txt")
    assert found(tmp_path) == ["000-a", "001-b"]


def test_the_files_of_the_runs_root_are_no_run(tmp_path: Path) -> None:
    make_runs(tmp_path, ["000-a", ".soops/000-z"])
    assert found(tmp_path) == ["000-a"]


@pytest.mark.parametrize("pattern", ["*.log", "logs/l.txt", "logs/*.txt", "[1].txt"])
def test_the_first_item_may_be_any_kind_of_name(tmp_path: Path, pattern: str) -> None:
    for name in ("a.log", "logs/l.txt", "[1].txt"):
        make_runs(tmp_path, ["000-a"], name)
    make_runs(tmp_path, ["001-b"], ".hidden.log")
    assert found(tmp_path, info=info_of((pattern, read_text))) == ["000-a"]


def test_a_missing_directory_is_an_error_with_near_misses(tmp_path: Path) -> None:
    make_runs(tmp_path, ["study/000-a"])
    with pytest.raises(StudyError, match="does not exist") as caught:
        found(tmp_path, "study", "stuyd")
    assert caught.value.hint == "did you mean 'study'?"
    with pytest.raises(StudyError, match="matches"):
        found(tmp_path, "nothing*")


def test_plain_files_among_the_arguments_are_passed_over(tmp_path: Path) -> None:
    make_runs(tmp_path, ["000-a"])
    (tmp_path / "all_parameters.csv").write_text("x")
    assert found(tmp_path, "000-a", "all_parameters.csv", "all*") == ["000-a"]


def test_an_unreadable_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_runs(tmp_path, ["000-a", "001-b"])
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("000-a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert found(tmp_path) == ["001-b"]
    assert "000-a" in caplog.text


# --- one directory ------------------------------------------------------------------------


def test_a_scraper_gets_what_was_gathered_before_it(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"], "a.txt")
    seen = []

    def first(path: str, rdata: Any = None) -> dict[str, Any]:
        return {"repeat": 10}

    def second(path: str, rdata: Any = None) -> dict[str, Any]:
        seen.append(copy.deepcopy(rdata))
        rdata["rfiles"].append("not mine")
        rdata["other"] = 1
        return {"double": rdata["repeat"] * 2}

    row = scoop_one(tmp_path / "r", ("a.txt", first), ("a.txt", second))
    assert seen == [{"rdir": str(tmp_path / "r"), "rfiles": ["a.txt"], "repeat": 10}]
    assert dict(row.values) == {
        "rdir": str(tmp_path / "r"),
        "rfiles": ["a.txt", "a.txt"],
        "repeat": 10,
        "double": 20,
    }
    assert row.errors == {}


def test_a_literal_name_gives_a_path_and_a_pattern_a_list(tmp_path: Path) -> None:
    for name in ("x-2.txt", "x-1.txt", "x-[1].txt"):
        make_runs(tmp_path, ["r"], name)
    got = []

    def keep(path: Any, rdata: Any = None) -> None:
        got.append(path)

    row = scoop_one(
        tmp_path / "r", ("x-1.txt", keep), ("x-?.txt", keep), ("x-[1].txt", keep), ("no.txt", keep)
    )
    here = str(tmp_path / "r")
    assert got == [
        f"{here}/x-1.txt",
        [f"{here}/x-1.txt", f"{here}/x-2.txt"],
        f"{here}/x-[1].txt",
        f"{here}/no.txt",
    ]
    # A function that returns nothing has read its file.
    assert row.values["rfiles"] == ["x-1.txt", "x-?.txt", "x-[1].txt", "no.txt"]


def test_an_unmatched_pattern_never_reaches_the_function(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def never(path: Any, rdata: Any = None) -> None:
        raise AssertionError("called")

    row = scoop_one(
        tmp_path / "r",
        ("*.dat", never),
        ScoopItem(pattern="*.opt", scraper=never, optional=True),
        ScoopItem(pattern="opt.txt", scraper=never, optional=True),
    )
    assert row.errors == {"*.dat": "FileNotFoundError: no file matches '*.dat'"}
    assert row.values["rfiles"] == []
    assert [file.filenames for file in row.files] == [
        (str(tmp_path / "r" / name),) for name in ("*.dat", "*.opt", "opt.txt")
    ]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (KeyError("repeat"), "KeyError: 'repeat' (test_scoop.py:"),
        (SystemExit(3), "SystemExit: 3 (test_scoop.py:"),
        (RecursionError("deep"), "RecursionError: deep (test_scoop.py:"),
        (Unspeakable(), "Unspeakable (test_scoop.py:"),
        (StudyError("broken", hint="mend it"), "StudyError: broken"),
        ([1, 2], "TypeError: the scraper returned a list, not a dict"),
        (5, "TypeError: the scraper returned a int, not a dict"),
    ],
)
def test_whatever_goes_wrong_is_data(tmp_path: Path, result: Any, text: str) -> None:
    make_runs(tmp_path, ["r"])

    def wrong(path: str, rdata: Any = None) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    def right(path: str, rdata: Any = None) -> dict[str, Any]:
        return {"a": 1}

    row = scoop_one(tmp_path / "r", ("log.txt", wrong), ("*.txt", right))
    assert list(row.errors) == ["log.txt"]
    assert row.errors["log.txt"].startswith(text)
    assert row.values["rfiles"] == ["*.txt"]
    assert row.values["a"] == 1
    assert [file.columns for file in row.files] == [(), ("a",)]


def test_two_errors_of_one_file_are_both_told(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def bad(path: str, rdata: Any = None) -> None:
        raise ValueError("one")

    row = scoop_one(tmp_path / "r", ("log.txt", bad), ("log.txt", bad))
    assert row.errors["log.txt"].count("ValueError: one") == 2


def test_ctrl_c_is_no_data(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def interrupted(path: str, rdata: Any = None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoop_one(tmp_path / "r", ("log.txt", interrupted))


def test_debug_lets_exceptions_pass(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def bad(path: str, rdata: Any = None) -> None:
        raise ValueError("seen")

    with pytest.raises(ValueError, match="seen"):
        scoop_one(tmp_path / "r", ("log.txt", bad), debug=True)


def test_a_function_cannot_take_our_names(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def greedy(path: str, rdata: Any = None) -> dict[str, Any]:
        return {"rdir": "mine", "rfiles": rdata["rfiles"], "time": 3.5, 7: "seven"}

    row = scoop_one(tmp_path / "r", ("log.txt", greedy))
    assert dict(row.values) == {
        "rdir": str(tmp_path / "r"),
        "rfiles": ["log.txt"],
        "scooped_rdir": "mine",
        "time": 3.5,
        7: "seven",
    }
    assert row.own["time"].tzinfo is None


def test_parameters_are_the_keys_of_the_items_marked(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def pair(path: str, rdata: Any = None) -> dict[str, Any]:
        return {"a": 1, "b": 2}

    marked = ScoopItem(pattern="log.txt", scraper=pair, is_parameters=True)
    row = scoop_one(tmp_path / "r", ("log.txt", lambda path, rdata=None: {"c": 3}), marked)
    assert row.parameter_keys == ("a", "b")


def test_options_of_an_item_are_arguments(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])

    def scale(path: str, rdata: Any = None, factor: int = 1) -> dict[str, Any]:
        return {"x": 2 * factor}

    item = ScoopItem(pattern="log.txt", scraper=scale, options={"factor": 5})
    assert scoop_one(tmp_path / "r", item).values["x"] == 10


@pytest.mark.parametrize(
    ("home", "directory", "shown"),
    [
        ("h", "h/study/r", "~/study/r"),
        ("h", "h", "~"),
        ("h", "x/h/study/r", None),
        ("h", "h2/r", None),
        ("/", "h/r", None),
    ],
)
def test_the_home_directory_is_abbreviated_only_where_it_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, directory: str, shown: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / home))
    make_runs(tmp_path, [directory])
    row = scoop_one(tmp_path / directory, ("log.txt", read_text))
    assert row.values["rdir"] == (shown or str(tmp_path / directory))
    assert row.directory == str(tmp_path / directory)


# --- many directories ---------------------------------------------------------------------


SCRIPT = """
import os
import functools
import pathlib

def slurp(path):
    return pathlib.Path(path).read_text()

def log(path, rdata=None):
    number = int(slurp(path))
    if number == 7:
        raise ValueError("seven")
    return {"number": number, "pid": os.getpid(), "cwd": os.getcwd()}

def crash(path, rdata=None):
    if slurp(path) in ("3", "11"):
        os._exit(9)
    return {"ok": True}

def unpicklable(path, rdata=None):
    return {"f": lambda: 1} if slurp(path) == "5" else {"f": None}

def scaled(path, rdata=None, factor=1):
    return {"x": factor * int(slurp(path))}

triple = functools.partial(scaled, factor=3)

def outer():
    def inner(path, rdata=None):
        return {"pid": os.getpid()}
    return inner

closure = outer()
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Return a script and twenty directories; processes are started for fewer than that."""
    monkeypatch.setattr(reading, "MIN_PARALLEL", 2)
    monkeypatch.setattr(reading, "WORTH_PROCESSES", -1.0)
    script = tmp_path / "my study.py"
    script.write_text(SCRIPT)
    for number in range(20):
        directory = tmp_path / "runs" / f"{number:03d}"
        directory.mkdir(parents=True)
        (directory / "n.txt").write_text(str(number))
    module = import_script(script)
    return module, find_run_directories([tmp_path / "runs"], info_of(("n.txt", module.log)))


def test_processes_give_the_same_rows_in_the_same_order(
    study: tuple[Any, list[str]], app: App
) -> None:
    module, directories = study
    info = info_of(("n.txt", module.log), ("n.txt", "fake"), ("n.txt", module.triple))
    # The registered scraper of this test module cannot be imported elsewhere by name.
    sendable = info_of(("n.txt", module.log), ("n.txt", module.triple))
    progress: list[tuple[int, int]] = []
    parallel = list(
        scoop_rows(directories, sendable, app, 2, lambda *given: progress.append(given))
    )
    serial = list(scoop_rows(directories, info, app, 1))
    assert [row.values.get("number") for row in parallel] == [
        None if number == 7 else number for number in range(20)
    ]
    assert [row.values["x"] for row in parallel] == [3 * number for number in range(20)]
    assert [row.values["text"] for row in serial] == [str(number) for number in range(20)]
    assert [row.directory for row in parallel] == [row.directory for row in serial] == directories
    pids = {row.values["pid"] for row in parallel if "pid" in row.values}
    assert os.getpid() in pids
    assert len(pids) > 1
    assert {row.values["pid"] for row in serial if "pid" in row.values} == {os.getpid()}
    assert parallel[7].errors == serial[7].errors
    assert parallel[7].errors["n.txt"].startswith("ValueError: seven (my study.py:")
    assert progress == [(done, 20) for done in range(1, 21)]


def test_a_scraper_that_ends_its_process_costs_its_own_row_only(
    study: tuple[Any, list[str]], app: App
) -> None:
    module, directories = study
    rows = list(scoop_rows(directories, info_of(("n.txt", module.crash)), app, 2))
    assert [row.directory for row in rows] == directories
    died = [row for row in rows if row.errors]
    assert [Path(row.directory).name for row in died] == ["003", "011"]
    assert all(row.errors["n.txt"].startswith("ProcessDied") for row in died)
    assert all(row.values["ok"] is True for row in rows if not row.errors)


def test_a_scraper_that_ends_every_process_is_an_error(
    study: tuple[Any, list[str]], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, directories = study
    monkeypatch.setattr(workers, "MAX_DEATHS", 0)
    with pytest.raises(StudyError, match="ended 1 processes"):
        list(scoop_rows(directories, info_of(("n.txt", module.crash)), app, 2))


def test_what_cannot_be_sent_back_is_read_here(study: tuple[Any, list[str]], app: App) -> None:
    module, directories = study
    rows = list(scoop_rows(directories, info_of(("n.txt", module.unpicklable)), app, 2))
    assert rows[5].values["f"]() == 1
    assert [row.values["f"] for row in rows if row is not rows[5]] == [None] * 19


def test_a_function_that_cannot_be_sent_is_called_here(
    study: tuple[Any, list[str]], app: App
) -> None:
    module, directories = study
    rows = list(scoop_rows(directories, info_of(("n.txt", module.closure)), app, 2))
    assert {row.values["pid"] for row in rows} == {os.getpid()}


def test_without_a_process_more_all_is_read_here(
    study: tuple[Any, list[str]], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(workers._MainlessProcess, "_Popen", staticmethod(refuse))
    module, directories = study
    rows = list(scoop_rows(directories, info_of(("n.txt", module.log)), app, 2))
    assert [row.directory for row in rows] == directories
    assert {row.values["pid"] for row in rows if not row.errors} == {os.getpid()}


def test_few_or_quick_directories_start_no_process(
    study: tuple[Any, list[str]], app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, directories = study
    monkeypatch.setattr(workers, "map_chunks", None)  # calling it would raise
    for name, value in (("MIN_PARALLEL", 20), ("WORTH_PROCESSES", 1000.0)):
        with monkeypatch.context() as patch:
            patch.setattr(reading, name, value)
            rows = list(scoop_rows(directories, info_of(("n.txt", module.log)), app, 2))
            assert {row.values["pid"] for row in rows if not row.errors} == {os.getpid()}


def test_an_unknown_scraper_is_an_error_before_anything_is_read(tmp_path: Path, app: App) -> None:
    make_runs(tmp_path, ["000-a"])
    with pytest.raises(StudyError, match="unknown scraper 'fakee'"):
        list(scoop_rows([str(tmp_path / "000-a")], info_of(("log.txt", "fakee")), app))


def test_an_unguarded_script_is_not_run_again_by_the_processes(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text(
        "import os\ndef log(path, rdata=None):\n    return {'pid': os.getpid()}\n"
    )
    for number in range(12):
        make_runs(tmp_path / "runs", [f"{number:03d}"])
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import helpers, os
            print("main runs")
            from soops.api import App, ScoopInfo, ScoopItem
            from soops.kernel.table import directories, rows
            rows.MIN_PARALLEL, rows.WORTH_PROCESSES = 2, -1.0
            info = ScoopInfo(items=(ScoopItem(pattern="log.txt", scraper=helpers.log),))
            found = directories.find_run_directories(["runs"], info)
            made = list(rows.scoop_rows(found, info, App.create(found=()), 2))
            pids = {row.values["pid"] for row in made}
            print(len(made), len(pids) > 1, os.getpid() in pids)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["main runs", "12 True True"], done.stderr
    assert done.stderr == ""


def test_ctrl_c_does_not_end_a_process_that_has_not_begun(tmp_path: Path) -> None:
    """The driver ends its processes itself; they would only leave their tracebacks."""
    (tmp_path / "helpers.py").write_text("def log(path, rdata=None):\n    return {'n': 1}\n")
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if '--multiprocessing-fork' in sys.orig_argv:\n"
        "    open('interrupted', 'a').close()\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    for number in range(12):
        make_runs(tmp_path / "runs", [f"{number:03d}"])
    code = """
        import helpers
        from soops.api import App, ScoopInfo, ScoopItem
        from soops.kernel.table import directories, rows
        rows.MIN_PARALLEL, rows.WORTH_PROCESSES = 2, -1.0
        info = ScoopInfo(items=(ScoopItem(pattern="log.txt", scraper=helpers.log),))
        found = directories.find_run_directories(["runs"], info)
        made = list(rows.scoop_rows(found, info, App.create(found=()), 2))
        print(len(made), sum(row.values["n"] for row in made))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("12 12\n", "")
    assert (tmp_path / "interrupted").exists()


# --- what the record of a run adds --------------------------------------------------------


def record(**given: Any) -> RunRecord:
    return RunRecord(
        **{
            "identity": "i" * 32,
            "pkey": "p" * 32,
            "number": 12,
            "directory": "r",
            "parameters": {"--num": 1},
            "command": "true",
            "state": State.FAILED,
            "returncode": 3,
            **given,
        }
    )


def test_the_record_gives_columns_of_soops_itself(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r", "s"])
    write_record(tmp_path / "r", record())
    row = scoop_one(tmp_path / "r", ("log.txt", read_text))
    assert {name: row.own[name] for name in ("state", "returncode", "number")} == {
        "state": "failed",
        "returncode": 3,
        "number": 12,
    }
    assert row.files[-1].item == "soops-run.json"
    assert row.files[-1].mtimes == ((tmp_path / "r" / "soops-run.json").stat().st_mtime,)
    assert set(scoop_one(tmp_path / "s", ("log.txt", read_text)).own) == {"time"}


def test_a_damaged_record_is_an_error_of_its_own_row(tmp_path: Path) -> None:
    make_runs(tmp_path, ["r"])
    (tmp_path / "r" / "soops-run.json").write_text('{"schema": 1')
    row = scoop_one(tmp_path / "r", ("log.txt", read_text))
    assert row.values["text"] == "r"
    assert list(row.errors) == ["soops-run.json"]
    assert set(row.own) == {"time"}


def test_a_run_without_its_first_file_is_a_row_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "000-a").mkdir()
    write_record(tmp_path / "000-a", record(number=0, state=State.TIMEOUT, returncode=None))
    make_runs(tmp_path, ["001-b"])
    directories = find_run_directories([tmp_path], LOG)
    rows = list(scoop_rows(directories, LOG, App.create(found=())))
    assert [Path(row.directory).name for row in rows] == ["000-a", "001-b"]
    assert rows[0].errors["log.txt"].startswith("FileNotFoundError:")
    assert rows[0].own["state"] == "timeout"
    assert rows[0].own["returncode"] is None
    assert rows[1].errors == {}
