"""Studies whose sets come from Python, one by one, and may depend on what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import soops
from soops.api import Decision, RunRecord, StudyError, UsageError

#: Writes (x - 3)**2, and fails where it is told to.
MODULE = """\
import json
import sys

CODE = '''
import json, sys
out, x, mode = sys.argv[1:]
if mode == "fail": sys.exit(3)
with open(out + "/y.json", "w") as file: json.dump((float(x) - 3) ** 2, file)
'''

def get_run_info():
    return [sys.executable, "-c", CODE, "{output_dir}", "{x}", "{mode}"], {}, "output_dir", "y.json"
"""
STUDY = "output_dir='out/%s', x=0.0, mode=go"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("source_module.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("source_module", None)


def run(sets, **options):
    return soops.run(STUDY, "source_module.py", sets=sets, progress=False, **options)


class Ternary:
    """Narrows an interval around the least value: two sets at a time, then it has to be told."""

    def __init__(self, rounds: int) -> None:
        self.low, self.high, self.rounds = 0.0, 9.0, rounds
        self.values: dict[float, float] = {}
        self.told: list[tuple[float, str | None]] = []
        self.asked: list[float] = []

    def waits(self) -> bool:
        return len(self.values) < len(self.asked)

    def __iter__(self):
        for _ in range(self.rounds):
            third = (self.high - self.low) / 3
            pair = [self.low + third, self.high - third]
            for x in pair:
                self.asked.append(x)
                yield {"x": x}
            left, right = (self.values[x] for x in pair)
            if left < right:
                self.high = pair[1]
            else:
                self.low = pair[0]

    def tell(self, values, record: RunRecord | None) -> None:
        assert record is not None
        self.told.append((values["x"], str(record.state)))
        self.values[values["x"]] = json.loads(Path("out", record.directory, "y.json").read_text())


def test_a_search_goes_where_what_came_out_leads_it():
    search = Ternary(rounds=6)
    summary = run(search, n_workers=2)
    assert summary.ok
    assert summary.total == len(search.asked) == 12
    assert 2.5 < search.low < 3 < search.high < 3.5
    assert search.told == [(x, "done") for x in search.asked]
    assert sorted(run.parameters["x"] for run in soops.find(["out"])) == sorted(search.asked)


def test_a_search_that_was_done_before_is_told_the_same_and_runs_nothing():
    first, second = Ternary(rounds=4), Ternary(rounds=6)
    run(first)
    summary = run(second, n_workers=2)
    assert second.asked[:8] == first.asked
    assert second.told[:8] == first.told
    assert (summary.total, summary.skipped, summary.counts) == (12, 8, {"done": 4})


def test_sets_without_ears_are_asked_for_as_there_is_room():
    asked = []

    def sets():
        for x in range(50):
            asked.append(x)
            yield {"x": x}

    seen = []
    summary = run(sets(), n_workers=2, on_record=lambda record: seen.append(len(asked)))
    assert summary.counts == {"done": 50}
    assert seen[0] < 10  # not all at once


def test_values_that_a_set_does_not_have_are_those_of_the_study():
    assert run([{"x": 1}, {}, {"mode": "go"}]).total == 2
    found = sorted((run.parameters["x"], run.parameters["mode"]) for run in soops.find(["out"]))
    assert found == [(0.0, "go"), (1, "go")]


def test_sets_that_listen_are_not_asked_far_ahead_however_short_the_runs_are(monkeypatch):
    monkeypatch.setattr("soops_builtin.runners.pace.Pace.STOCK", 1000.0)
    ahead = []

    class Listening:
        told = 0

        def __iter__(self):
            for x in range(30):
                ahead.append(x - self.told)
                yield {"x": x}

        def tell(self, values, record):
            self.told += 1

    assert run(Listening(), n_workers=2).counts == {"done": 30}
    assert max(ahead) <= 2 * 2


def test_a_repeated_set_is_run_once():
    summary = run([{"x": 1}, {"x": 2}, {"x": 1}], n_workers=2)
    assert (summary.total, summary.counts) == (2, {"done": 2})


def test_a_failed_run_is_told_too():
    told = []

    class Sets(list):
        def tell(self, values, record):
            told.append((str(record.state), record.returncode))

    assert not run(Sets([{"mode": "fail"}])).ok
    assert told == [("failed", 3)]


def test_one_that_waits_for_ever_ends_when_nothing_is_under_way():
    class Sets(list):
        def waits(self):
            return True

    assert run(Sets([{"x": 1}])).total == 0


def test_a_plan_ends_where_its_sets_wait_to_be_told():
    search = Ternary(rounds=3)
    planned = list(soops.plan(STUDY, "source_module.py", sets=search))
    assert [run.decision for run in planned] == [Decision.RUN]
    assert search.told == []
    assert run(Ternary(rounds=3), dry_run=True).remaining == 1
    assert not Path("out").exists()


def raising():
    yield {"x": 1}
    raise ValueError("no more ideas")


class Deaf(list):
    def tell(self, values, record):
        raise KeyError("what?")


@pytest.mark.parametrize(
    "sets, words",
    [
        (raising(), "ValueError: no more ideas"),
        ([{"x": 1}, {"y": 2}], "unknown parameter 'y'"),
        ([{"x": 1}, 7], "gave a int, not a dict"),
        (Deaf([{"x": 1}]), "KeyError: 'what?'"),
    ],
)
def test_a_broken_source_loses_nothing_that_ran(sets, words):
    with pytest.raises(StudyError, match=words.replace("?", r"\?")):
        run(sets)
    assert [str(run.state) for run in soops.find(["out"])] == ["done"]


def test_one_that_is_no_source_at_all():
    with pytest.raises(StudyError, match="'int' object is not iterable"):
        run(7)


def test_lists_in_the_study_and_sets_from_elsewhere_exclude_each_other():
    with pytest.raises(StudyError, match="lists of values"):
        soops.run("output_dir='out/%s', x=[1, 2], mode=go", "source_module.py", sets=[{"x": 1}])
    assert not Path("out").exists()


def test_an_unknown_option_is_named():
    with pytest.raises(UsageError, match="set"):
        soops.run(STUDY, "source_module.py", set=[{"x": 1}])
