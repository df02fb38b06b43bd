"""Study texts that soops 2026.2 read otherwise (``[1, 5 , 15]``) lead to its directories."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soops.kernel.study.grammar import parse_dict, parse_older

# --- what 2026.2 read --------------------------------------------------------------------

READER = """\
import json, sys
from soops.parsing import parse_as_dict
for line in sys.stdin:
    print(json.dumps(repr(parse_as_dict(json.loads(line), free_word=True))), flush=True)
"""


@pytest.fixture(scope="module")
def reads(old_package):
    """Return what tells the ``repr`` of what 2026.2 makes of a text."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER],
        env={**os.environ, "PYTHONPATH": str(old_package)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def read(text):
        process.stdin.write(json.dumps(text) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield read
    process.communicate()


NUMBERS = ["1", "-1", "+1", "007", "1.5", "5.", "1e3", "1E-3", "1.e5", "-0", "1e400"]
POINTS = [".5", "-.5", "+.5e3", ".5j"]
#: Not ``1.0j``: there the unit was lost, and no run of then was one of this value.
UNITS = ["1j", "-2j", "1+2j", "1.0+2.0j", "-1e3-2.5j"]
WORDS = ["True", "none", "FALSE", "x", "a-b", "nan", "'q q'", "'5'", "1.2.3", "2020-01-01", "0x1"]
ATOMS = st.sampled_from(NUMBERS + POINTS + UNITS + WORDS)
BLANK = st.sampled_from(["", "", " ", "\n", "\t", "  "])


def spaced(items):
    return st.tuples(BLANK, items, BLANK).map("".join)


def bracketed(items):
    lists = st.lists(spaced(items), max_size=3).map(",".join)
    one = spaced(items)
    return st.one_of(
        lists.map(lambda text: f"[{text}]"),
        one.map(lambda text: f"({text},)"),
        one.map(lambda text: f"{{k={text}}}"),
    )


VALUES = st.one_of(ATOMS, bracketed(ATOMS), bracketed(bracketed(ATOMS)))
SHARED = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SHARED
@given(values=st.lists(spaced(VALUES), min_size=1, max_size=3))
def test_the_older_reading_is_that_of_2026_2(reads, values):
    text = ",".join(f"k{place}={value}" for place, value in enumerate(values))
    now = parse_dict(text)
    assert repr({**now, **parse_older(text, now)}) == reads(text)


# --- whole studies -----------------------------------------------------------------------


@pytest.fixture
def go_on(new, mini):
    def run(summary, *words):
        done = new("run", "-n", "1", "-o", "out", *words, mini.name)
        said = re.findall(r"^\d+ parameter sets?: (.*) in [0-9.]+ s$", done.stderr, re.MULTILINE)
        assert said == [summary], done.stderr

    return run


def runs(root):
    return sorted(path.name for path in root.glob("[0-9]*-*"))


CFG = """\
[one]
--aa = [
    1,
    2
    ]
--bb = .5
--name = [x , None
    ]
output_dir = 'out/%s'
[two]
--aa = 3
output_dir = 'out/%s'
"""
OUT = ", output_dir='out/%s'"
STUDIES = {
    "in a list": ["--aa=[1, 5 , 15]" + OUT],
    "at the end": ["output_dir='out/%s', --aa=[1, 2], --bb=3 "],
    "before a comma": ["--aa=[1, 2], --bb=True ,--name=none " + OUT],
    "points": ["--aa=[.5, -.5, 1], --bb=.25" + OUT],
    "units": ["--aa=[3.5j , 1j, 1+2j]" + OUT],
    "nested": ["--aa=['[1, 2]', x], --bb='y' , --name=[ 1, 2 ]" + OUT],
    "overrides": ["--conf=--aa=[4 , 5]", "--aa=[1 ,2], --bb=7 " + OUT],
    "lockstep": ["-c=--aa + --bb", "--aa=[1, 2 ], --bb=[3 , 4], --name=[5 ]" + OUT],
    "file": ["studies.cfg"],
}


@pytest.mark.parametrize("words", STUDIES.values(), ids=STUDIES)
def test_studies_whose_values_were_texts_go_on(old, mini, tmp_path, go_on, new, starts, words):
    (tmp_path / "studies.cfg").write_text(CFG)
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    root = tmp_path / "out"
    names = runs(root)
    assert len(names) >= 2
    go_on(f"{len(names)} finished before", *words)
    assert runs(root) == names and set(starts(root).values()) == {1}

    # One is run again, in its directory, and found there ever after; also by 2026.2.
    again = root / names[-1]
    (again / "done.txt").unlink()
    go_on(f"{len(names) - 1} finished before, 1 done", *words)
    assert new("index", "--rebuild", "out").stdout == ""
    go_on(f"{len(names)} finished before", *words)
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    assert runs(root) == names
    assert starts(root) == {name: 2 if name == again.name else 1 for name in names}
    record = json.loads((again / "soops-run.json").read_text())
    assert record["pkey"] == again.name[4:] and record["number"] == int(again.name[:3])


def test_what_is_run_again_is_recorded_with_the_values_of_now(old, mini, tmp_path, go_on, new):
    words = ["--aa=[1 , 2.5 , True ], --bb=[7]" + OUT]
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    for path in (tmp_path / "out").glob("*/done.txt"):
        path.unlink()
    go_on("3 done", *words)
    records = [
        json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*/soops-run.json"))
    ]
    assert [record["parameters"]["--aa"] for record in records] == [1, 2.5, True]
    assert new("find", "-q", "aa == 2.5", "-k", "iset", "out").stdout == "1\n"


def test_a_value_that_is_written_as_a_text_keeps_its_directory(old, mini, tmp_path, go_on, starts):
    """``[5 , '5']`` was one directory; now 5 and '5' are two sets, and it is that of '5'."""
    words = ["--aa=[5 , 6]" + OUT]
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    names = runs(tmp_path / "out")
    go_on("2 finished before, 1 done", "--aa=[5 , '5', 6 ]" + OUT)
    assert runs(tmp_path / "out")[:2] == names
    assert list(starts(tmp_path / "out").values()) == [1, 1, 1]


def test_a_lost_imaginary_unit_leads_to_no_directory(old, mini, tmp_path, go_on, starts):
    """2026.2 ran ``--aa=(1+0j)``: what came out is not the result of 1j."""
    words = ["--aa=[1.0j, 2]" + OUT]
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    assert "--aa=(1+0j)" in next((tmp_path / "out").glob("000-*/words.txt")).read_text()
    go_on("1 finished before, 1 done", *words)
    assert "--aa=1j" in next((tmp_path / "out").glob("002-*/words.txt")).read_text()
    assert list(starts(tmp_path / "out").values()) == [1, 1, 1]


COMPUTED = """

class Compute:
    def __init__(self, args, par_seqs, key_order, options):
        pass

    def __call__(self, pars):
        return {"--bb": pars["--aa"] * 2}
"""


def test_computed_values_are_those_computed_then(old, mini, tmp_path, go_on, starts):
    mini.write_text(mini.read_text() + COMPUTED)
    words = ["--compute-pars=class=Compute", "--aa=[1, 2 , 3], --bb=0" + OUT]
    old("run", "-n", "1", "-o", "out", *words, mini.name)
    names = runs(tmp_path / "out")
    go_on("3 finished before", *words)
    assert runs(tmp_path / "out") == names and list(starts(tmp_path / "out").values()) == [1] * 3
