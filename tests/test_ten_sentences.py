"""The ten sentences of docs/architecture.md, each held by at least one test of its number."""

from __future__ import annotations

import ast
import collections
import dataclasses
import inspect
import itertools
import json
import re
import shutil
import subprocess
import sys
import textwrap
import tracemalloc
import types
import typing
from collections.abc import Sequence
from pathlib import Path

import pytest

import soops.study
from soops.api import (
    App,
    Decision,
    PlannedRun,
    RunRecord,
    Scooped,
    SoopsError,
    State,
    UserModule,
    hookimpl,
)
from soops.kernel.plugging import discovery, hookspecs
from soops.kernel.plugging.discovery import Found
from soops.kernel.plugging.installed import Entry

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
KERNEL = SRC / "soops" / "kernel"

SCRIPT = """
    import sys

    def get_run_info():
        code = (
            "import sys; out, n = sys.argv[1:]; open(out + '/n.txt', 'w').write(n); "
            "sys.exit(int(n) < 0)"
        )
        command = [sys.executable, "-c", code, "{output_dir}", "{n}"]
        return command, {}, "output_dir", "n.txt"
"""
STUDY = "output_dir='runs/%s', n=[1, 2, 3]"


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return a script in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / f"{tmp_path.name}-state"))
    path = tmp_path / "ten_sentences_script.py"
    path.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    yield path
    sys.modules.pop("ten_sentences_script", None)


def snapshot() -> dict[str, tuple[int, int]]:
    """Return every file and directory below the working directory with size and time."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in Path().rglob("*")}


def constants(path: Path) -> set[str]:
    """Return the string constants of a module, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words
    }


def test_the_sentences_are_ten_and_each_has_a_test():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    part = text.split("## Ten sentences")[1].split("\n## ")[0]

    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", part, re.MULTILINE)]
    tests = {
        int(match[1]) for name in globals() if (match := re.match(r"test_sentence_(\d+)_", name))
    }

    assert numbers == list(range(1, 11))
    assert tests == set(numbers)


# --- 1


def test_sentence_1_the_kernel_never_says_which():
    """The kernel knows *that* there are runners, run functions, checks, scrapers, stores
    and steps; never *which*.
    """
    app = App.create()
    kinds = ("runner", "run function", "check", "scraper", "store", "step", "reader")
    names = {name for kind in kinds for name in app.registry(kind).names()}
    #: Words of the language, not only names of specs.
    names -= {"function", "file", "exit", "text", "json", "csv", "regex", "parameters"}
    assert {"local", "dask", "subprocess.run", "hdf5"} <= names

    said = {
        (path.relative_to(KERNEL).as_posix(), word)
        for path in KERNEL.rglob("*.py")
        for word in constants(path) & names
    }

    #: What is taken when a person names none.
    assert said <= {("runs/options.py", "local"), ("runs/options.py", "subprocess.run")}


# --- 2


def test_sentence_2_the_builtin_is_a_plugin_like_any_other():
    """`soops_builtin` imports from `soops` only `soops.api`, `soops.study` and the script
    library, as any stranger would. It has no privilege.

    (What it imports is read in test_layers.py; the kernel runs without it in
    kernel/test_kernel_alone.py.)
    """
    usual = App.create()
    (builtin,) = [item for item in usual.loaded.found if item.name == "builtin"]
    stranger = Found(
        name="stranger", value=builtin.value, distribution="somebody-elses", version="0.1"
    )
    other = App.create(found=[stranger])

    for kind in hookspecs.REGISTRIES:
        given = other.registry(kind)
        assert given.names() == usual.registry(kind).names()
        assert {spec.provider for spec in given} <= {"stranger"}


# --- 3


def test_sentence_3_no_hook_hands_out_the_loop_or_takes_an_edited_value():
    """A plugin gives values, answers a question, or watches an event. It never owns the
    loop and never edits what it is handed.
    """
    words = {"Sequence": Sequence, "Path": Path, "ModuleType": types.ModuleType}
    words |= {name: getattr(soops.api, name) for name in soops.api.__all__}
    for name in (name for name in vars(hookspecs) if name.startswith("soops_")):
        spec = getattr(hookspecs, name)
        hints = typing.get_type_hints(spec, localns=words)
        answer = hints.pop("return")
        if name in hookspecs.REGISTRIES.values():
            assert not hints, f"{name}: asked without arguments"
            (given,) = typing.get_args(answer)
            assert dataclasses.is_dataclass(given)
        elif name in hookspecs.EVENTS:
            assert answer is type(None)
            for hint in hints.values():
                parts = [
                    part for part in typing.get_args(hint) or (hint,) if part is not type(None)
                ]
                assert all(part is int or part.__dataclass_params__.frozen for part in parts), (
                    f"{name}: what is handed over is frozen"
                )
        else:
            assert answer == UserModule | None


def test_sentence_3_a_plugin_that_edits_changes_nothing(script):
    """... and never edits what it is handed."""

    class Vandal:
        @hookimpl
        def soops_run_started(self, run):
            run.parameters.values["n"] = -1

        @hookimpl
        def soops_run_ended(self, record):
            record.state = State.FAILED

    app = App.create()
    app.add(Vandal(), "vandal")

    summary = soops.study.run(STUDY, script, app=app)

    assert summary.ok
    records = [json.loads(path.read_text()) for path in Path().glob("runs/*/soops-run.json")]
    assert sorted(record["parameters"]["n"] for record in records) == [1, 2, 3]
    assert {record["state"] for record in records} == {"done"}


# --- 4


def test_sentence_4_a_plugin_module_is_cheap_to_import():
    """A plugin module is cheap to import: it holds names and import strings."""
    code = """
        import sys
        import soops.api
        for name in soops.api.__all__:
            getattr(soops.api, name)
        before = set(sys.modules)
        import soops_builtin.plugin as plugin
        for name in dir(plugin):
            hook = getattr(plugin, name)
            if hasattr(hook, "soops_impl") and not hook.__code__.co_argcount:
                for spec in hook():
                    assert isinstance(spec.target, str), spec
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )

    assert set(done.stdout.split()) <= {"soops_builtin", "soops_builtin.plugin"}


def test_sentence_4_the_registry_is_the_only_importer_of_targets():
    """The registry is the only importer of targets."""
    importers = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        if "examples" not in path.parts
        and re.search(r"\b(import_module|__import__)\(", path.read_text(encoding="utf-8"))
    }

    assert importers <= {
        "soops/kernel/plugging/discovery.py",  # the plugin modules themselves
        "soops/kernel/plugging/registry.py",
        "soops/cli/group.py",  # its own three commands
        "soops/__init__.py",  # lazy names
        "soops/kernel/lazy.py",
        "soops/run_parametric.py",
        "soops/importing.py",  # files of users, for scripts
        "soops/testing/__init__.py",
        "soops/testing/light.py",
        # In an interpreter of the user's program: what that program will import.
        "soops_builtin/run_functions/preload/hook/soops_preload_checks.py",
    }


# --- 5


def test_sentence_5_each_stage_has_one_type_in_and_one_type_out():
    """Data moves one way; each stage has one type in and one type out."""
    from soops.kernel.runs.jobs import JobMaker
    from soops.kernel.runs.plan import parameter_sets, plan_runs
    from soops.kernel.runs.prepare import prepare
    from soops.kernel.study.conf import read_study
    from soops.kernel.study.space import build_axes
    from soops.kernel.table.frame import build
    from soops.kernel.table.rows import scoop_rows

    def out(function) -> str:
        return str(inspect.signature(function).return_annotation)

    assert out(read_study) == "Study"
    assert out(build_axes) == "list[Axis]"
    assert out(prepare) == "Prepared"
    assert out(parameter_sets) == "Iterator[ParameterSet]"
    assert out(plan_runs) == "Iterator[PlannedRun]"
    assert out(JobMaker.make) == "Job"
    assert out(scoop_rows) == "Iterator[ScoopedRow]"
    assert out(build) == "Scooped"
    assert out(soops.study.run) == "Summary"
    assert out(soops.study.scoop) == "Scooped"


# --- 6

BIG = ", ".join(f"p{i}=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(7))


@pytest.fixture
def big_script(script):
    command = ", ".join(f"'{{p{i}}}'" for i in range(7))
    script.write_text(
        "def get_run_info():\n"
        f"    return ['true', '{{output_dir}}', {command}], {{}}, 'output_dir', 'exit:0'\n"
    )
    return script


def test_sentence_6_ten_million_sets_are_planned_in_the_memory_of_a_few(big_script):
    """Parameter sets are generated, never listed: memory is the window of runs in flight,
    for ten sets or ten million.
    """
    planned = soops.study.plan(f"output_dir='runs/%s', {BIG}", big_script)
    first = list(itertools.islice(planned, 600))
    tracemalloc.start()
    try:
        collections.deque(itertools.islice(planned, 600), maxlen=1)
        after_600, _ = tracemalloc.get_traced_memory()
        (last,) = collections.deque(itertools.islice(planned, 1800), maxlen=1)
        after_2400, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [run.number for run in first] == list(range(600))
    assert last.number == 2999
    assert last.parameters.values == {f"p{i}": int(digit) for i, digit in enumerate("0002999")}
    assert after_2400 - after_600 < 1800 * 60, "a set needs more than 60 bytes for ever"


# --- 7


def found() -> list[tuple]:
    return [
        (run.number, run.state, run.returncode, dict(run.named()))
        for run in soops.study.find(["runs"])
    ]


def test_sentence_6_a_source_is_told_what_came_out(script):
    class Doubling:
        """Each set is the double of what the one before came to."""

        last, asked, told = 1, 0, 0

        def __iter__(self):
            for self.asked in (1, 2, 3):
                yield {"n": self.last}

        def waits(self):
            return self.told < self.asked

        def tell(self, values, record):
            self.told += record.state is State.DONE
            self.last = 2 * int(Path("runs", record.directory, "n.txt").read_text())

    source = Doubling()
    soops.study.run("output_dir='runs/%s', n=0", script, sets=source, progress=False)
    assert (source.told, source.last) == (3, 8)


def test_sentence_7_the_index_may_be_deleted_at_any_time(script):
    """What is true of an ended run lives in the run's directory ...; the index is a cache
    that may be deleted and rebuilt from the two.
    """
    soops.study.run("output_dir='runs/%s', n=[1, 2, -1]", script)
    before = found()
    assert [row[:3] for row in before] == [(0, "done", 0), (1, "done", 0), (2, "failed", 1)]

    for path in Path("runs/.soops").glob("index*"):
        path.unlink()
    assert found() == before

    assert soops.study.rebuild_index("runs") == []
    assert soops.study.check_index("runs") == []
    assert found() == before


def test_sentence_7_the_directories_alone_are_enough_to_go_on(script):
    """What is true of an ended run lives in the run's directory."""
    soops.study.run(STUDY, script)
    shutil.rmtree("runs/.soops")

    again = soops.study.run(STUDY, script)

    assert (again.total, again.skipped, again.counts) == (3, 3, {})


# --- 8


def test_sentence_8_only_the_driver_writes_records_journal_and_index():
    """The driver is the only writer of records, journal and index. A launch on a far
    worker may leave an exit file; only the driver makes a record of it.
    """
    writers = ("write_record", "Journal(", "open_journal")
    using = {
        path.relative_to(SRC / "soops").as_posix()
        for path in (SRC / "soops").rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in writers)
    }
    assert using <= {
        "kernel/records/record.py",
        "kernel/records/journal.py",
        "kernel/runs/ledger.py",
        "kernel/runs/recovery.py",  # for the ledger: what a killed driver had under way
        "kernel/runs/upkeep.py",  # an index made anew: under the lock, too
        "kernel/runs/carry_out.py",  # a migration: it holds the lock of the driver
    }
    for path in (KERNEL / "runs" / "launch").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name == "attempt.py":  # a late copy looks whether there is one
            text = text.replace('RECORD_NAME = "soops-run.json"', "")
            assert [line.strip() for line in text.splitlines() if "RECORD_NAME" in line] == [
                'if os.path.lexists(f"{directory}/{RECORD_NAME}"):'
            ]
        assert "soops-run.json" not in text
    for path in (SRC / "soops_builtin").rglob("*.py"):
        if "examples" not in path.parts:
            assert not any(word in path.read_text(encoding="utf-8") for word in writers), path


def test_sentence_8_a_run_cannot_forge_its_record(script):
    """... only the driver makes a record of it: what a run leaves under that name is not
    taken for one.
    """
    script.write_text(
        script.read_text().replace(
            "sys.exit(int(n) < 0)",
            "open(out + '/soops-run.json', 'w').write('{{}}'); sys.exit(3)",
        )
    )

    summary = soops.study.run("output_dir='runs/%s', n=[1]", script)

    (path,) = Path().glob("runs/*/soops-run.json")
    assert summary.counts == {State.FAILED: 1}
    assert json.loads(path.read_text())["returncode"] == 3


# --- 9

WRONG = [
    "output_dir='runs/%s', m=[1]",
    "output_dir='runs/%s'",
    "n=[1]",
    "output_dir='runs', n=[1]",
    "output_dir='runs/%s', n=[1",
    "output_dir='runs/%s', n=@nonsense(1)",
    "output_dir='runs/%s', n=@linspace('a')",
    "output_dir='runs/%s', n=@generate",
    "no_such_file.cfg",
]


@pytest.mark.parametrize("study", WRONG)
def test_sentence_9_nothing_is_written_before_the_whole_study_is_valid(script, study):
    """Nothing is written before the whole study is validated."""
    before = snapshot()

    with pytest.raises(SoopsError):
        soops.study.run(study, script)

    assert snapshot() == before


@pytest.mark.parametrize(
    "options",
    [
        {"runner": "nowhere"},
        {"run_function": "nohow"},
        {"contracts": "n + m"},
        {"where": "k > 1"},
        {"where": "n >"},
        {"n_workers": 0},
        {"rerun": ("faild",)},
        {"generate": "function=none"},
        {"compute": "class=None1"},
        {"runner_options": {"x": "1"}},
    ],
    ids=lambda options: str(options),
)
def test_sentence_9_a_wrong_option_is_found_before_anything_is_written(script, options):
    """Nothing is written before the whole study is validated."""
    study = STUDY.replace("[1, 2, 3]", "@generate") if "generate" in options else STUDY
    before = snapshot()

    with pytest.raises(SoopsError):
        soops.study.run(study, script, **options)

    assert snapshot() == before


def test_sentence_9_a_dry_run_writes_nothing_at_all(script, monkeypatch):
    """... a dry run writes nothing at all."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = snapshot()
    summary = soops.study.run(STUDY, script, dry_run=True)
    assert (summary.total, summary.remaining) == (3, 3)
    assert snapshot() == before

    soops.study.run(STUDY, script)
    before = snapshot()
    soops.study.run(STUDY.replace("3]", "3, 4]"), script, dry_run=True)
    decisions = [run.decision for run in soops.study.plan(STUDY, script)]

    assert decisions == [Decision.SKIP] * 3
    assert snapshot() == before


# --- 10


def test_sentence_10_nearest_wins(monkeypatch, tmp_path):
    """Nearest wins: the user's module, then installed plugins (sorted by name), then the
    builtin.
    """
    told = []

    def make(name: str, answers: bool) -> types.ModuleType:
        module = types.ModuleType(f"nearest_{name}")

        def soops_study_ended(summary):
            told.append(name)

        def soops_adapt_module(path):
            return UserModule(name=f"by {name}", path=path) if answers else None

        module.soops_study_ended = hookimpl(soops_study_ended)
        module.soops_adapt_module = hookimpl(soops_adapt_module)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    entries = []
    for name, distribution in (("builtin", "soops"), ("b", "soops-b"), ("a", "soops-a")):
        module = make(name, answers=name != "a")
        entries.append(Found(name=name, value=module.__name__, distribution=distribution))

    monkeypatch.setattr(
        discovery,
        "read_entries",
        lambda groups: [
            Entry("soops", item.name, item.value, item.distribution, "1") for item in entries
        ],
    )
    app = App.create()

    app.emit("soops_study_ended", study=None, summary=None)
    assert told == ["a", "b", "builtin"]
    assert app.adapt(types.ModuleType("m"), tmp_path).name == "by b"

    told.clear()
    app.add(make("mine", answers=True), "module:mine")
    app.emit("soops_study_ended", study=None, summary=None)
    assert told == ["mine", "a", "b", "builtin"]
    assert app.adapt(types.ModuleType("m"), tmp_path).name == "by mine"


def test_the_values_of_the_sentences_are_those_of_the_api():
    assert all(
        value.__dataclass_params__.frozen for value in (PlannedRun, RunRecord, Scooped, UserModule)
    )
