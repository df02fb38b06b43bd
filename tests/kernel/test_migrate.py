"""Migrations of run directories: names, files, conflicts, kills at every step, undo."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soops.kernel.errors import LockedError, SoopsError, StudyError, UsageError
from soops.kernel.records import machine
from soops.kernel.records.directories import read_directories
from soops.kernel.records.index import Index
from soops.kernel.records.journal import Entry, Journal, read_under_way
from soops.kernel.records.lock import Lock
from soops.kernel.records.migrations import newest_log, require_settled
from soops.kernel.records.record import read_record, set_aside, write_record
from soops.kernel.records.roots import StudyFile, read_study_file, write_study_file
from soops.kernel.records.rundir import (
    RunDirWriter,
    RunTemplate,
    mark_finished,
    read_parameters_csv,
)
from soops.kernel.runs.migrate import Changes, migrate, undo
from soops.kernel.study.identity import identity, pkey
from soops.kernel.values import RunRecord, State

TOL = {"--tol": 1e-6}


def in_order(values, computed=()):
    first = sorted(key for key in values if key not in computed)
    return {key: values[key] for key in (*first, *computed)}


def hashed(values, unhashed=()):
    return {key: value for key, value in values.items() if key not in unhashed}


def make_run(root, number, values, *, unhashed=(), state=State.DONE, template="%s", attempts=1):
    """Make a run as the driver does; return its directory, relative to the root."""
    named = RunTemplate(f"{root}/{template}")
    key = pkey(hashed(values, unhashed))
    directory = named.directory(number, key)
    name = os.path.relpath(directory, root)
    command = f'echo "{values.get("--a")}" > {directory}/value.txt'
    writer = RunDirWriter(str(root), {}, shell=True)
    everything = {**values, "output_dir": directory, "script_dir": "."}
    for attempt in range(1, attempts + 1):
        set_aside(directory, attempt - 1)
        writer.prepare(directory, pkey=key, number=number, values=everything, command=command)
        if state is None:
            continue
        record = RunRecord(
            identity=identity(hashed(values, unhashed)),
            pkey=key,
            number=number,
            directory=name,
            parameters=values,
            command=command,
            state=state if attempt == attempts else State.FAILED,
            cause="exit",
            returncode=0,
            started=machine.iso_time(),
            elapsed=1.5,
            attempts=attempt,
            runner="local",
            output_key="output_dir",
        )
        write_record(directory, record)
    if state is State.DONE:
        mark_finished(directory, True)
    return name


def describe(root, key_order, unhashed=(), template="%s"):
    study = StudyFile(
        template=f"{root}/{template}",
        name="s",
        output_key="output_dir",
        key_order=tuple(key_order),
        unhashed=tuple(unhashed),
        started=machine.iso_time(),
        host="here",
        pid=1,
        cwd=str(root),
        output_dir=str(root),
    )
    write_study_file(root, study)


def as_old(root, name):
    """Leave in a run directory what soops 2026.2 leaves."""
    (root / name / "soops-run.json").unlink()


def tree(root):
    """Return every file and directory but those of ``.soops``: bytes and mode."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if name.parts[0] != ".soops":
            mode = stat.S_IMODE(path.stat().st_mode)
            found[str(name)] = (mode, path.read_bytes() if path.is_file() else None)
    return found


def everything(root):
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def names(root):
    return sorted(path.name for path in root.iterdir() if path.name != ".soops")


@pytest.fixture
def root(tmp_path):
    """Return a root with two runs and its study file."""
    path = tmp_path / "runs"
    path.mkdir()
    for number in range(2):
        values = {"--a": number, "--b": "@undefined", "--text": 'it\'s, "x"'}
        make_run(path, number, values, attempts=1 + number)
    describe(path, ["--a", "--b", "--text"])
    return path


# --- names and files ---------------------------------------------------------------------

KEYS = ["--a", "--b", "-c", "alpha", "zeta"]
VALUES = st.one_of(
    st.integers(-5, 10**18),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.sampled_from(["@defined", "@undefined", "1", "1.0", "True", "a b", "it's", 'ž,\n"', ""]),
    st.lists(st.integers(0, 3), max_size=2),
    st.tuples(st.integers(0, 3), st.text(max_size=2)),
)
SETS = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1)


@st.composite
def changes_of(draw):
    values = draw(SETS)
    dropped = draw(st.lists(st.sampled_from(sorted(values)), unique=True, max_size=1))
    left = sorted(set(values) - set(dropped))
    renamed = {}
    if left and draw(st.booleans()):
        renamed[draw(st.sampled_from(left))] = draw(st.sampled_from(["--new", "0", "zz"]))
    added = draw(st.dictionaries(st.sampled_from(["--tol", "beta", "~"]), VALUES, max_size=2))
    return values, dropped, renamed, added


@settings(deadline=None, max_examples=80)
@given(changes_of(), st.booleans())
def test_the_name_is_the_key_of_the_changed_parameters(given_changes, is_described):
    values, dropped, renamed, added = given_changes
    if not (dropped or renamed or added):
        added = dict(TOL)
    expected = {renamed.get(key, key): values[key] for key in values if key not in dropped}
    expected = in_order({**expected, **added})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_run(root, 7, in_order(values))
        if is_described:
            describe(root, sorted(values))

        changes = Changes.create(added, renamed, dropped)
        migrate(root, changes, apply=True)

        (row,) = read_directories(root)
        record = read_record(root / row["directory"])
        columns = read_parameters_csv(root / row["directory"] / "soops-parameters.csv")
        assert row["directory"] == f"007-{pkey(expected)}"
        assert (list(record.parameters.items()), record.pkey) == (
            list(expected.items()),
            pkey(expected),
        )
        assert (record.identity, record.directory) == (identity(expected), row["directory"])
        assert list(columns.values) == [*expected, "output_dir", "script_dir"]
        assert columns.values["output_dir"] == str(root / row["directory"])
        assert (columns.pkey, columns.finished, columns.number) == (record.pkey, True, 7)


@pytest.mark.parametrize("value", [1, 2.5, "x", "@undefined", (1, 2), True, 1e300])
def test_runs_of_which_only_the_csv_remembers_anything(tmp_path, value):
    values = {"--a": value, "--b": "@defined"}
    name = make_run(tmp_path, 3, values)
    as_old(tmp_path, name)

    migrate(tmp_path, Changes.create({"--aa": None, **TOL}), apply=True)

    (row,) = read_directories(tmp_path)
    expected = {"--a": value, "--aa": None, "--b": "@defined", "--tol": 1e-6}
    assert row["directory"] == f"003-{pkey(expected)}"
    assert row["parameters"] | {"--aa": None} == expected
    assert (row["state"], row["finished"]) == ("unknown", True)


def test_the_texts_of_an_old_table_stay_as_they_are(tmp_path):
    key = pkey({"--a": 100000.0, "--n": 7})
    path = tmp_path / f"000-{key}"
    path.mkdir()
    text = f"pkey,finished,--a,--n,out,script_dir\n{key},True,1e5,7.0,o/000-{key},s\n"
    (path / "soops-parameters.csv").write_text(text)

    migrate(tmp_path, Changes.create(["--tol=1e-6"]), apply=True)

    new = pkey({"--a": 100000.0, "--n": 7, **TOL})
    assert (tmp_path / f"000-{new}" / "soops-parameters.csv").read_text() == (
        f"pkey,finished,--a,--n,--tol,out,script_dir\n{new},True,1e5,7.0,1e-06,o/000-{new},s\n"
    )


def test_what_a_class_computed_stays_behind_the_others(tmp_path):
    values = {"--a": 1, "--b": 2, "zeta": 3, "extra": 4}
    make_run(tmp_path, 0, values)
    describe(tmp_path, ["--a", "--b"])

    migrate(tmp_path, Changes.create({"~": 5}, {"--a": "x", "extra": "-e"}), apply=True)

    assert names(tmp_path) == [f"000-{pkey({'--b': 2, 'x': 1, '~': 5, 'zeta': 3, '-e': 4})}"]
    assert read_study_file(tmp_path).key_order == ("--b", "x", "~")


def test_keys_of_a_study_that_ran_with_its_new_script_already(tmp_path):
    make_run(tmp_path, 0, {"--a": 1, "zz": 2})
    describe(tmp_path, ["--a", "--b", "--tol"])

    migrate(tmp_path, Changes.create(TOL, {"zz": "--b"}), apply=True)

    assert names(tmp_path) == [f"000-{pkey({'--a': 1, '--b': 2, '--tol': 1e-6})}"]


@pytest.mark.parametrize("is_described", [True, False])
@pytest.mark.parametrize("is_old", [True, False])
def test_parameters_that_do_not_count(tmp_path, is_described, is_old):
    for number in range(2):
        values = {"--a": number, "--name": f"n{number}", "--x": 0.5}
        name = make_run(tmp_path, number, values, unhashed=["--name"])
        if is_old:
            as_old(tmp_path, name)
    if is_described:
        describe(tmp_path, ["--a", "--name", "--x"], ["--name"])

    migrate(tmp_path, Changes.create({"--b": 1}, {"--name": "--label"}), apply=True)

    keys = [pkey({"--a": number, "--b": 1, "--x": 0.5}) for number in range(2)]
    assert names(tmp_path) == [f"{number:03d}-{key}" for number, key in enumerate(keys)]
    rows = list(read_directories(tmp_path))
    assert [row["parameters"]["--label"] for row in rows] == ["n0", "n1"]
    if is_described:
        assert read_study_file(tmp_path).unhashed == ("--label",)


def test_a_name_stays_when_only_what_does_not_count_changes(tmp_path):
    name = make_run(tmp_path, 0, {"--a": 1, "--name": "n"}, unhashed=["--name"])
    describe(tmp_path, ["--a", "--name"], ["--name"])
    before = tree(tmp_path)

    found = migrate(tmp_path, Changes.create(drop=["--name"]), apply=True)

    assert [(move.directory, move.new_directory) for move in found.changed] == [(name, name)]
    assert read_record(tmp_path / name).parameters == {"--a": 1}
    with Index(tmp_path, write=False) as index:
        assert index.check() == []
    undo(tmp_path, apply=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("as_numpy_2", [True, False])
def test_values_of_numpy(tmp_path, as_numpy_2):
    np = pytest.importorskip("numpy")
    values = {"--a": np.int64(3), "--b": np.float64(0.5), "--c": np.bool_(True)}
    text = {key: str(value) for key, value in values.items()}
    if as_numpy_2:
        text = {"--a": "np.int64(3)", "--b": "np.float64(0.5)", "--c": "np.True_"}

    class Printed:
        def __init__(self, text):
            self.text = text

        def __repr__(self):
            return self.text

    printed = {key: Printed(value) for key, value in text.items()}
    key = pkey(printed)
    directory = tmp_path / f"000-{key}"
    directory.mkdir()
    record = RunRecord(
        identity=identity(values),
        pkey=key,
        number=0,
        directory=directory.name,
        parameters=values,
        command="",
        state=State.DONE,
    )
    write_record(directory, record)

    migrate(tmp_path, Changes.create(TOL), apply=True)

    (name,) = names(tmp_path)
    assert name == f"000-{pkey({**printed, **TOL})}"
    after = read_record(tmp_path / name)
    assert after.identity == identity({**values, **TOL})
    assert after.parameters == {"--a": 3, "--b": 0.5, "--c": True, **TOL}


@pytest.mark.parametrize("template", ["run-%s", "%s.x", "run-%s/data/deep"])
def test_templates(tmp_path, template):
    name = make_run(tmp_path, 12, {"--a": 1}, template=template)
    describe(tmp_path, ["--a"], template=template)
    (tmp_path / name / "data.bin").write_bytes(b"\0" * 10)

    migrate(tmp_path, Changes.create(TOL), apply=True)

    new = name.replace(pkey({"--a": 1}), pkey({"--a": 1, **TOL}))
    assert read_record(tmp_path / new).directory == new
    assert (tmp_path / new / "data.bin").read_bytes() == b"\0" * 10
    assert len(names(tmp_path)) == 1


def test_the_history_of_a_run_stays(root):
    (old,) = [name for name in names(root) if name.startswith("001")]
    before = read_record(root / old)
    first = json.loads((root / old / "soops-run.json.attempt-1").read_text())

    migrate(root, Changes.create(TOL), apply=True)

    (new,) = [name for name in names(root) if name.startswith("001")]
    after = read_record(root / new)
    for field in ("command", "state", "started", "elapsed", "attempts", "number", "runner"):
        assert getattr(after, field) == getattr(before, field)
    assert before.attempts == 2
    earlier = json.loads((root / new / "soops-run.json.attempt-1").read_text())
    assert (earlier["state"], earlier["command"]) == ("failed", first["command"])
    assert earlier["parameters"]["--tol"] == 1e-6
    assert earlier["pkey"] == after.pkey


def test_members_that_a_newer_soops_added_to_a_record_stay(root):
    name = names(root)[0]
    from soops.kernel.records.record import render_dict

    given = json.loads((root / name / "soops-run.json").read_text())
    (root / name / "soops-run.json").write_bytes(render_dict({**given, "colour": "red"}))

    migrate(root, Changes.create(TOL), apply=True)

    after = json.loads((root / names(root)[0] / "soops-run.json").read_text())
    assert (after["colour"], after["parameters"]["--tol"]) == ("red", 1e-6)
    assert list(after)[-1] == "checksum"


def test_run_py_writes_where_the_run_is_now(root):
    migrate(root, Changes.create(TOL), apply=True)

    name = names(root)[1]
    subprocess.run([sys.executable, root / name / "run.py"], check=True, timeout=60)

    assert (root / name / "value.txt").read_text() == "1\n"
    assert len(names(root)) == 2


def test_the_index_is_right_afterwards(root):
    with Index(root, write=True) as index:
        index.sync()

    migrate(root, Changes.create(TOL), apply=True)

    with Index(root, write=False) as index:
        assert index.check() == []
        assert [row["parameters"]["--tol"] for row in index.rows()] == [1e-6, 1e-6]


def test_what_a_killed_driver_had_under_way_keeps_its_entry(root):
    name = make_run(root, 2, {"--a": 5}, state=None)
    (tmp := root / name / "stdout.txt").write_text("so far")
    with Journal(root) as journal:
        entry = Entry(directory=name, attempt=1, number=2, pkey=name[4:], time="2027-01-01")
        journal.submitted([entry])
        journal.running(name, token="t", pid=2**22 + 5, host="elsewhere")

    migrate(root, Changes.create(TOL), apply=True)

    (after,) = read_under_way(root)
    key = pkey({"--a": 5, **TOL})
    assert (after.directory, after.pkey, after.token) == (f"002-{key}", key, "t")
    assert not tmp.exists()
    undo(root, apply=True)
    (after,) = read_under_way(root)
    assert (after.directory, after.pkey) == (name, entry.pkey)


# --- what is in the way ------------------------------------------------------------------


def test_without_apply_nothing_is_written(root):
    before, files = tree(root), everything(root)

    found = migrate(root, Changes.create(TOL))

    assert (tree(root), everything(root)) == (before, files)
    assert (found.applied, len(found.changed), found.conflicts) == (False, 2, [])
    applied = migrate(root, Changes.create(TOL), apply=True)
    assert applied.moves == found.moves


def refused(root, *changes):
    """Return the conflicts of changes, once it is sure that they leave everything alone."""
    before, files = tree(root), everything(root)
    given_changes = Changes.create(*changes)
    found = migrate(root, given_changes)
    with pytest.raises(StudyError, match="nothing was changed"):
        migrate(root, given_changes, apply=True)
    assert tree(root) == before
    assert {name for name in everything(root) - files if "jsonl" in name} == set()
    require_settled(root)
    return found.conflicts


def test_runs_that_would_become_one(root):
    conflicts = refused(root, {}, {}, ["--a"])

    assert [move.directory for move in conflicts] == names(root)[1:]
    assert names(root)[0] in conflicts[0].reason


def test_a_run_that_is_there_with_the_new_parameters(root):
    other = make_run(root, 9, {"--a": 1, "--b": "@undefined", "--text": 'it\'s, "x"', **TOL})

    (conflict,) = refused(root, TOL)

    assert conflict.directory.startswith("001-")
    assert other in conflict.reason


def test_a_name_that_is_taken_by_something_else(root):
    move = migrate(root, Changes.create(TOL)).moves[0]
    (root / move.new_directory).write_text("a file")

    (conflict,) = refused(root, TOL)

    assert "is there already" in conflict.reason


def test_a_key_that_would_get_the_name_of_another(root):
    conflicts = refused(root, {}, {"--a": "--b"})

    assert len(conflicts) == 2
    assert "it has --a and --b" in conflicts[0].reason


def test_a_key_that_is_the_output_directory(root):
    assert "output directory" in refused(root, {"output_dir": 1})[0].reason


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        (({}, {}, ["--txt"]), "unknown parameter '--txt'", "'--text'"),
        (({}, {"--bb": "--c"}), "unknown parameter '--bb'", "'--b'"),
        (({}, {"--b": "--c"}, ["--b"]), "unknown parameter '--b'", "'--a'"),
        (({"--a": 1},), "all runs have a parameter '--a'", "--drop=--a"),
        (({"--c": 1}, {"--a": "--c"}), "all runs have a parameter '--c'", "--drop"),
    ],
)
def test_keys_that_are_not_right(root, changes, message, hint):
    files = everything(root)
    for apply in (False, True):
        with pytest.raises(StudyError, match=message) as caught:
            migrate(root, Changes.create(*changes), apply=apply)
        assert hint in caught.value.hint
    assert {name for name in everything(root) - files if "jsonl" in name} == set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((["--a=[1, 2]"],), "is a list"),
        ((["--a=@linspace(0, 1, 3)"],), "generated"),
        ((["--a=[[@range(3)]]"],), "generated"),
        ((["--a"],), "no value"),
        (((), ["--a"]), "not understood"),
        (((), ["--a:--a"]), "not understood"),
        (((), (), ["pkey"]), "is no parameter"),
        (({}, {"--a": "script_dir"}), "is no parameter"),
    ],
)
def test_texts_that_are_not_understood(changes, message):
    with pytest.raises(SoopsError, match=message):
        Changes.create(*changes)


def test_texts_are_read_as_those_of_a_study():
    texts = ["--tol=1e-6, -n='1'", "--flag=@defined", "x=@undefined", "l=[[1, 2]]", "m=[3]"]

    changes = Changes.create(texts, ["--a:--b", "b : c"], "--c")

    assert changes.add == {
        "--tol": 1e-6,
        "-n": "1",
        "--flag": "@defined",
        "x": "@undefined",
        "l": [1, 2],
        "m": 3,
    }
    assert changes.rename == (("--a", "--b"), ("b", "c"))
    assert changes.drop == ("--c",)


def test_names_are_exchanged_one_after_the_other(root):
    migrate(root, Changes.create({}, {"--a": "t", "--b": "--a", "t": "--b"}), apply=True)

    assert read_record(root / names(root)[1]).parameters["--b"] == 1


def test_a_value_is_changed_by_drop_and_add(root):
    migrate(root, Changes.create({"--b": 3}, {}, ["--b"]), apply=True)

    assert [read_record(root / name).parameters["--b"] for name in names(root)] == [3, 3]


def test_runs_that_have_the_parameter_keep_their_value(root):
    other = make_run(root, 5, {"--a": 9, "--tol": 0.1})

    found = migrate(root, Changes.create(TOL), apply=True)

    assert [move.directory for move in found.of("same")] == [other]
    assert len(found.changed) == 2
    assert read_record(root / other).parameters["--tol"] == 0.1


def test_what_cannot_be_read_is_left_alone(root):
    empty = root / f"005-{'0' * 32}"
    empty.mkdir()
    cut = root / make_run(root, 6, {"--a": 7})
    (cut / "soops-run.json").write_bytes(b'{"schema": 1')
    wrong = root / make_run(root, 7, {"--a": 8})
    wrong_key = root / f"007-{'1' * 32}"
    wrong.rename(wrong_key)
    link = root / make_run(root, 8, {"--a": 9})
    (link / "run.py").unlink()
    (link / "run.py").symlink_to(cut / "run.py")
    (root / "notes").mkdir()
    before = {path: tree(path) for path in (empty, cut, wrong_key, link)}

    found = migrate(root, Changes.create(TOL), apply=True)

    left = {move.directory: move.reason for move in found.unreadable}
    assert sorted(left) == sorted(path.name for path in before)
    assert all(left.values())
    assert len(found.changed) == 2
    assert {path: tree(path) for path in before} == before


def test_a_backup_goes_along_with_its_run(root):
    name = names(root)[0]
    shutil.copytree(root / name, root / f"{name}.bak")

    migrate(root, Changes.create(TOL), apply=True)

    new = names(root)[0]
    assert names(root)[1] == f"{new}.bak"
    backup = read_record(root / f"{new}.bak")
    assert backup.pkey == read_record(root / new).pkey
    with Index(root, write=False) as index:
        index.sync()
        assert len(list(index.rows())) == 2


@pytest.mark.parametrize("apply", [False, True])
def test_there_have_to_be_runs(tmp_path, apply):
    with pytest.raises(StudyError, match="no runs"):
        migrate(tmp_path, Changes.create(TOL), apply=apply)
    with pytest.raises(StudyError, match="not a directory"):
        migrate(tmp_path / "gone", Changes.create(TOL), apply=apply)
    with pytest.raises(UsageError, match="nothing to be changed"):
        migrate(tmp_path, Changes.create(), apply=apply)


def test_a_driver_at_work_keeps_migrations_out(root):
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from soops.kernel.records.lock import Lock\n"
            "with Lock(sys.argv[1]): print('held', flush=True); sys.stdin.read()",
            str(root),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout.readline() == "held\n"
    before = tree(root)

    with pytest.raises(LockedError, match=str(held.pid)):
        migrate(root, Changes.create(TOL), apply=True)
    assert len(migrate(root, Changes.create(TOL)).changed) == 2

    held.communicate()
    assert tree(root) == before


# --- undo --------------------------------------------------------------------------------


def test_undo_restores_every_byte(root):
    as_old(root, names(root)[0])
    before = tree(root)
    study = read_study_file(root)
    migrate(root, Changes.create(TOL, {"--b": "0"}, ["--text"]), apply=True)
    assert not tree(root).keys() & {name for name in before if "/" not in name}

    seen = undo(root)
    assert (seen.applied, len(seen.changed)) == (False, 2)
    done = undo(root, apply=True)

    assert done.moves == seen.moves
    assert tree(root) == before
    assert read_study_file(root) == study
    with pytest.raises(StudyError, match="no migration"):
        undo(root, apply=True)


def test_hard_linked_backups_and_write_protected_files(root, tmp_path):
    name = names(root)[0]
    os.link(root / name / "soops-run.json", tmp_path / "backup.json")
    kept = (tmp_path / "backup.json").read_bytes()
    (root / name / "run.py").chmod(0o555)
    before = tree(root)

    migrate(root, Changes.create(TOL), apply=True)

    assert (tmp_path / "backup.json").read_bytes() == kept
    assert read_record(root / names(root)[0]).parameters["--tol"] == 1e-6
    undo(root, apply=True)
    assert tree(root) == before


def test_migrations_are_taken_back_one_by_one(root):
    states = [tree(root)]
    for text in ("x=1", "y=2", "z=3"):
        migrate(root, Changes.create([text]), apply=True)
        states.append(tree(root))
    for before in reversed(states[:-1]):
        undo(root, apply=True)
        assert tree(root) == before


def test_runs_made_since_stay(root):
    migrate(root, Changes.create(TOL), apply=True)
    new = make_run(root, 2, {"--a": 5, "--tol": 1e-3})
    before = tree(root / new)

    undo(root, apply=True)

    assert tree(root / new) == before
    assert len(names(root)) == 3


def test_a_run_that_was_run_again_since_is_in_the_way(root):
    migrate(root, Changes.create(TOL), apply=True)
    values = dict(read_record(root / names(root)[0]).parameters)
    make_run(root, 0, values, attempts=2)
    before = tree(root)

    (conflict,) = undo(root).conflicts
    with pytest.raises(StudyError, match="changed since"):
        undo(root, apply=True)

    assert "soops-run.json was changed since" in conflict.reason
    assert tree(root) == before
    assert newest_log(root).state == "done"


def test_a_run_that_is_back_under_its_old_name_is_in_the_way(root):
    old = names(root)[0]
    migrate(root, Changes.create(TOL), apply=True)
    (root / old).mkdir()

    with pytest.raises(StudyError, match="is there as well"):
        undo(root, apply=True)


def test_a_run_that_was_found_finished_since_stays_finished(root):
    name = make_run(root, 2, {"--a": 5}, state=None)
    as_before = tree(root / name)
    migrate(root, Changes.create(TOL), apply=True)
    mark_finished(str(root / names(root)[2]), True)

    undo(root, apply=True)

    assert read_parameters_csv(root / name / "soops-parameters.csv").finished
    mark_finished(str(root / name), False)
    after = {key: (mode, data and data.rstrip()) for key, (mode, data) in tree(root / name).items()}
    assert after == {key: (mode, data and data.rstrip()) for key, (mode, data) in as_before.items()}


def test_a_run_that_was_removed_since_is_no_trouble(root):
    before = tree(root)
    gone = names(root)[1]
    migrate(root, Changes.create(TOL), apply=True)
    shutil.rmtree(root / names(root)[1])

    found = undo(root, apply=True)

    assert [move.reason for move in found.of("same")] == ["it is gone"]
    assert tree(root) == {name: state for name, state in before.items() if gone not in name}


def test_a_damaged_log_is_named_and_nothing_done(root):
    migrate(root, Changes.create(TOL), apply=True)
    path = Path(newest_log(root).path)
    data = path.read_bytes()
    path.write_bytes(data[:-20] + b"#" + data[-19:])
    before = tree(root)

    with pytest.raises(StudyError, match="damaged"):
        undo(root, apply=True)

    assert tree(root) == before


# --- kills -------------------------------------------------------------------------------

CALLS = ("open", "write", "rename", "replace", "unlink", "fsync", "ftruncate", "mkdir")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def killed_at(count, function):
    """Call a function in a process that dies before its n-th change to the disk.

    Return whether it came to its end.
    """
    pid = os.fork()
    if pid == 0:
        left, real_open = [count], os.open

        def counted(call):
            def wrapped(*args, **kwargs):
                if call is not real_open or args[1] & os.O_CREAT:
                    left[0] -= 1
                    if left[0] < 0:
                        os._exit(77)
                return call(*args, **kwargs)

            return wrapped

        try:
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            function()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 77)
    return code == 0


@pytest.fixture
def states(root):
    """Return the tree before and after the migration that the tests kill."""
    as_old(root, names(root)[0])
    changes = Changes.create(TOL, {}, ["--b"])
    before = tree(root)
    migrate(root, changes, apply=True)
    after = tree(root)
    undo(root, apply=True)
    assert tree(root) == before
    return changes, before, after


@forks
@pytest.mark.parametrize("then", ["on", "back"])
def test_a_migration_killed_anywhere_is_completed_or_taken_back(root, states, then):
    changes, before, after = states
    count, cut_off = 0, 0
    while not killed_at(count, lambda: migrate(root, changes, apply=True)):
        count += 1
        log = newest_log(root)
        is_cut_off = log is not None and log.state == "pending"
        cut_off += is_cut_off
        if not is_cut_off:
            assert tree(root) in (before, after)
        else:
            with pytest.raises(StudyError, match="was cut off"):
                require_settled(root)
        if is_cut_off and then == "on":
            assert migrate(root, changes).resumed
            migrate(root, changes if count % 2 else Changes.create(), apply=True)
            assert tree(root) == after
        if newest_log(root) is not None:
            undo(root, apply=True)
        assert tree(root) == before
        assert not [name for name in everything(root) if "migrating" in name]
    assert cut_off > 10
    assert tree(root) == after
    with Index(root, write=False) as index:
        assert index.check() == []


@forks
def test_an_undo_killed_anywhere_is_completed(root, states):
    changes, before, after = states
    migrate(root, changes, apply=True)
    count, cut_off = 0, 0
    while not killed_at(count, lambda: undo(root, apply=True)):
        count += 1
        log = newest_log(root)
        if log is not None and log.state == "undoing":
            cut_off += 1
            with pytest.raises(StudyError, match="was cut off"):
                migrate(root, changes, apply=True)
            assert undo(root).resumed
        elif log is not None:
            assert tree(root) == after
        if log is not None:
            undo(root, apply=True)
        assert tree(root) == before
        migrate(root, changes, apply=True)
        assert tree(root) == after
    assert cut_off > 10
    assert tree(root) == before


@forks
@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), min_size=1, max_size=5))
def test_however_often_it_is_killed_all_is_old_or_all_is_new(kills):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_run(root, 0, {"--a": 1})
        make_run(root, 1, {"--a": 2}, attempts=2)
        changes = Changes.create(TOL)
        before = tree(root)

        def go(is_back):
            try:
                if is_back:
                    undo(root, apply=True)
                else:
                    migrate(root, changes, apply=True)
            except StudyError:
                pass  # it is so already, or the other way has to be completed first

        for is_back, count in kills:
            killed_at(count, lambda is_back=is_back: go(is_back))
        if newest_log(root) is not None:
            undo(root, apply=True)
        assert tree(root) == before


@pytest.mark.parametrize("other", [["--tol=2"], ["--more=1"]])
def test_another_migration_does_not_begin_before_the_first_is_settled(root, states, other):
    changes, before, _ = states
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    count = 0
    while (log := newest_log(root)) is None or log.state != "pending":
        killed_at(count, lambda: migrate(root, changes, apply=True))
        count += 1
    for apply in (False, True):
        with pytest.raises(StudyError, match="was cut off") as caught:
            migrate(root, Changes.create(other), apply=apply)
        assert "--undo --apply" in caught.value.hint
    undo(root, apply=True)
    assert tree(root) == before


@forks
def test_a_file_that_was_changed_meanwhile_is_not_overwritten(root, states):
    changes, _, _ = states
    count = 0
    while (log := newest_log(root)) is None or log.state != "pending":
        killed_at(count, lambda: migrate(root, changes, apply=True))
        count += 1
    path = root / names(root)[1] / "run.py"
    path.write_text("mine")

    (conflict,) = migrate(root, changes).conflicts
    with pytest.raises(StudyError, match="changed since"):
        migrate(root, changes, apply=True)

    assert "run.py was changed since" in conflict.reason
    assert path.read_text() == "mine"


@forks
def test_files_that_were_cut_when_the_power_went_are_written_again(root, states):
    changes, _, after = states
    count = 0
    while (log := newest_log(root)) is None or log.state != "pending":
        killed_at(count, lambda: migrate(root, changes, apply=True))
        count += 1
    (root / names(root)[1] / "run.py").write_bytes(b"")
    (root / names(root)[1] / "soops-run.json").write_bytes(b'{"schema": 1,\n')

    migrate(root, changes, apply=True)

    assert tree(root) == after


def test_the_log_is_released_with_the_lock(root):
    migrate(root, Changes.create(TOL), apply=True)

    with Lock(root):
        require_settled(root)
    assert sorted(path.name for path in (root / ".soops" / "migrations").iterdir()) == [
        "0001.done.jsonl"
    ]
