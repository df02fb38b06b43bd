"""Directories of older times and of other places: which run they are, and what is done."""

from __future__ import annotations

import json
import os
import shutil
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soops
from soops.api import Decision
from soops.kernel.study import grammar
from soops.kernel.study.grammar import parse_dict, parse_older
from soops.kernel.study.identity import pkey

# --- readings of older times -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "older"),
    [
        ("a=[1, 5 , 15]", {"a": [1, "5", 15]}),
        ("a=1 ", {"a": "1"}),
        ("a=1 ,b=2", {"a": "1"}),
        ("a=[ 1, 2 ]", {"a": [1, "2"]}),
        ("a=[\n1,\n2\n]", {"a": [1, "2"]}),
        ("a=True ,b=1,c=nOnE\t", {"a": "True", "c": "nOnE"}),
        ("a=007 ,b=007", {"a": "007"}),
        ("a={x=1 , 2 : 3, y=4}", {"a": {"x": "1", "2": 3, "y": 4}}),
        ("a=((1 ,),)", {"a": (("1",),)}),
        ("a=.5,b=-.5e3,c=0.5", {"a": ".5", "b": "-.5e3"}),
        ("a=1j,b=1+2j,c=1.5+2j", {"a": "1j", "b": "1+2j", "c": "1.5+2j"}),
        # It ran the program with 1.5 and -2000: those runs are not of these values.
        ("a=1.5j,b=-2e3j,c=1.5j ,d=1.j", {"c": "1.5j"}),
        ("a=[@linspace(0 , 1 , 3), 2 ]", None),
    ],
)
def test_what_was_read_otherwise(text, older):
    values = parse_dict(text)
    found = parse_older(text, values)
    if older is None:  # directives without quotation marks are new: their arguments stay
        assert found["a"] == [values["a"][0], "2"]
    else:
        assert repr(found) == repr(older)


PLAIN = st.sampled_from(
    ["1", "-1", "1.5", "5.", "1e3", "None", "true", "x", "a.b", "jj", "2020-01-01", "@undefined"]
)
QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="'\\\n\r\0"), max_size=8).filter(
    lambda text: not text.startswith("@") and text.isprintable()
)
ITEM = st.one_of(PLAIN, QUOTED.map(lambda text: f"'{text}'"))
BEFORE = st.sampled_from(["", " ", "\n", "\t "])


@settings(deadline=None, max_examples=100)
@given(lists=st.lists(st.lists(st.tuples(BEFORE, ITEM).map("".join), max_size=5), max_size=4))
def test_a_text_without_blanks_after_its_words_was_read_as_now(lists):
    text = ",".join(f"k{place}=[{','.join(items)}]" for place, items in enumerate(lists))
    assert parse_older(text, parse_dict(text)) == {}


def test_a_text_that_nobody_read_otherwise_is_parsed_once(monkeypatch):
    text = f"--aa={list(range(1000))}, --bb=[x, 'it is 5', 2.5], output_dir='out/%s'"
    values = parse_dict(text)
    monkeypatch.setattr(grammar, "Parser", None)
    assert parse_older(text, values) == {}


# --- planning ----------------------------------------------------------------------------

SCRIPT = """
def get_run_info():
    options = {'--a': '--a={--a}', '--b': '--b={--b}', MORE}
    command = 'echo x >> {output_dir}/started; touch {output_dir}/done; true'
    return command, options, 'output_dir', 'done'
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a directory with a module, in which one is; ``more`` adds an option to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write_module(tmp_path)
    return tmp_path


def write_module(path, more=""):
    (path / "old_study.py").write_text(textwrap.dedent(SCRIPT.replace("MORE", more)))


def make_old(root, number, values, finished=True):
    """Make a run directory as 2026.2 left them."""
    name = f"{number:03d}-{pkey(values)}"
    folder = root / name
    folder.mkdir(parents=True)
    header = ",".join(["pkey,finished,iset", *values, "output_dir,script_dir"])
    row = ",".join(map(str, values.values()))
    text = f"{header}\n{pkey(values)},{finished},{number:03d},{row},{root.name}/{name},.\n"
    (folder / "soops-parameters.csv").write_text(text)
    (folder / "started").write_text("x\n")
    if finished:
        (folder / "done").touch()
    return folder


def plan(text):
    return list(soops.plan(f"{text}, output_dir='out/%s'", "old_study.py"))


def run(text, **options):
    return soops.run(
        f"{text}, output_dir='out/%s'", "old_study.py", output_dir="out", silent=True, **options
    )


def starts(root):
    return [len(path.read_text().split()) for path in sorted(root.glob("*/started"))]


def names(root):
    return sorted(path.name for path in root.glob("[0-9]*-*"))


def test_the_key_of_the_older_reading_finds_the_directory(project):
    folder = make_old(project / "out", 4, {"--a": "5", "--b": "True"})
    first, second = plan("--a=[5 , 6], --b=True ")
    assert (first.decision, first.number) == (Decision.SKIP, 4)
    assert first.directory == f"out/{folder.name}"
    assert first.parameters.values == {"--a": 5, "--b": True}
    assert first.parameters.pkey == folder.name[4:]
    assert (second.decision, second.number) == (Decision.RUN, 5)
    assert second.parameters.pkey == pkey({"--a": 6, "--b": True})
    # Written without blanks these are other values, in 2026.2 too.
    assert [item.number for item in plan("--a=[5, 6], --b=True")] == [5, 6]


def test_a_directory_of_the_value_itself_goes_before_that_of_the_older_reading(project):
    make_old(project / "out", 0, {"--a": "5", "--b": 1})
    make_old(project / "out", 1, {"--a": 5, "--b": 1})
    assert [item.number for item in plan("--a=5 , --b=1")] == [1]


def test_two_sets_never_share_a_directory(project):
    make_old(project / "out", 0, {"--a": "5", "--b": 1})
    items = plan("--a=[5 , '5', 5 ], --b=1")
    assert [(item.number, item.parameters.values["--a"]) for item in items] == [(1, 5), (0, "5")]


def test_values_that_do_not_count_are_no_readings(project):
    text = (project / "old_study.py").read_text()
    changed = text.replace("command, options,", "command, (options, {}, ['--b']),")
    (project / "old_study.py").write_text(changed)
    values = {"--a": "5"}
    make_old(project / "out", 0, values)
    assert [item.number for item in plan("--a=[5 , 6], --b=7 ")] == [0, 1]


def test_overrides_take_the_older_readings_with_them(project):
    make_old(project / "out", 0, {"--a": "5", "--b": 1})
    make_old(project / "out", 1, {"--a": 5, "--b": "2"})

    def numbers(text, overrides):
        items = soops.plan(f"{text}, output_dir='out/%s'", "old_study.py", overrides=overrides)
        return [(item.number, item.decision) for item in items]

    assert numbers("--a=5 , --b=3", "--b=1") == [(0, Decision.SKIP)]
    assert numbers("--a=5 , --b=1", "--a=5") == [(2, Decision.RUN)]
    assert numbers("--a=5, --b=1", "--b=2 ") == [(1, Decision.SKIP)]


def test_blanks_at_the_end_of_a_value_never_counted_in_files(project):
    make_old(project / "out", 0, {"--a": 5, "--b": "1"})
    (project / "s.cfg").write_text(
        "[x]\n--a = 5   \n--b = [\n  1\n  ]\noutput_dir = out/%s\n[y]\n--a = [3 , 4]\n"
    )
    items = list(soops.plan("s.cfg", "old_study.py"))
    assert [(item.number, item.decision) for item in items] == [(0, Decision.SKIP)]


@pytest.mark.parametrize("way", ["the older reading", "the identity"])
def test_a_run_done_again_keeps_the_key_of_its_directory(project, way):
    root = project / "out"
    if way == "the identity":  # an optional argument was added since
        folder, text = make_old(root, 0, {"--a": 5, "--b": 1}, finished=False), "--a=5, --b=1"
        write_module(project, "'--c': '--c={--c}'")
    else:
        folder, text = make_old(root, 0, {"--a": "5", "--b": 1}, finished=False), "--a=5 , --b=1"
    assert run(text).counts["done"] == 1
    assert names(root) == [folder.name] and starts(root) == [2]
    record = json.loads((folder / "soops-run.json").read_text())
    assert (record["pkey"], record["parameters"]["--a"]) == (folder.name[4:], 5)
    assert (folder / "soops-parameters.csv").read_text().split("\n")[1][:32] == folder.name[4:]
    shutil.rmtree(root / ".soops")
    (item,) = plan(text)
    assert (item.decision, item.number) == (Decision.SKIP, 0)
    assert soops.study.rebuild_index(root) == []


def test_to_run_nothing_says_of_nothing_that_it_is_finished(project):
    folder = make_old(project / "out", 0, {"--a": 1, "--b": 1}, finished=False)
    before = (folder / "soops-parameters.csv").read_bytes()
    for options in ({"recompute": 0}, {"rerun": ("failed",)}):
        run("--a=1, --b=1", **options)
        assert (folder / "soops-parameters.csv").read_bytes() == before


def test_an_old_run_that_the_check_finds_finished_is_called_so_from_then_on(project):
    folder = make_old(project / "out", 0, {"--a": 1, "--b": 1}, finished=False)
    (folder / "done").touch()
    run("--a=1, --b=1")
    assert starts(project / "out") == [1]
    assert ",True,000," in (folder / "soops-parameters.csv").read_text()
    (found,) = soops.study.find(["out"])
    assert (found.finished, found.state) == (True, "unknown")


# --- damaged -----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"pkey,fin", b"\x00\xff" * 40, None])
def test_a_damaged_parameters_file_leaves_the_run_known_by_its_name(project, damage):
    root = project / "out"
    folder = make_old(root, 3, {"--a": 1, "--b": 1})
    path = folder / "soops-parameters.csv"
    whole = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage)
    (problem,) = soops.study.rebuild_index(root)
    assert problem.startswith(f"{folder.name}: ") and "soops-parameters.csv" in problem
    assert problem.endswith("soops-run makes the file anew for that run")
    (item,) = plan("--a=1, --b=1")
    assert (item.number, item.decision) == (3, Decision.SKIP)
    run("--a=1, --b=1")
    assert path.read_bytes() == whole
    assert names(root) == [folder.name] and starts(root) == [1]
    assert soops.study.rebuild_index(root) == []


def test_an_empty_directory_is_no_problem(project):
    folder = make_old(project / "out", 3, {"--a": 1, "--b": 1})
    shutil.rmtree(folder)
    folder.mkdir()
    assert soops.study.rebuild_index(project / "out") == []
    assert [(item.number, item.decision) for item in plan("--a=1, --b=1")] == [(3, Decision.RERUN)]


# --- moved -------------------------------------------------------------------------------


def test_a_study_of_ours_that_was_moved_goes_on_in_its_new_place(project, monkeypatch):
    text = "--a=[1, 2], --b=1"
    assert run(text).counts["done"] == 2
    before = names(project / "out")
    there = project / "else where" / "deep"
    there.mkdir(parents=True)
    for name in ("out", "old_study.py"):
        os.rename(project / name, there / name)
    monkeypatch.chdir(there)
    assert [item.decision for item in plan(text)] == [Decision.SKIP] * 2
    # The index came along and is believed: no directory was read.
    with soops.kernel.records.index.Index("out", write=False) as index:
        synced = index.sync()
        assert (synced.read, synced.dropped) == (0, 0)
    summary = run("--a=[1, 2, 3], --b=1")
    assert (summary.skipped, summary.counts["done"]) == (2, 1)
    assert names(there / "out")[:2] == before and starts(there / "out") == [1, 1, 1]
    assert not (project / "out").exists()
    found = soops.study.find(["out"])
    assert [run.directory for run in found] == [f"out/{name}" for name in names(there / "out")]
    assert [run.number for run in found] == [0, 1, 2]
