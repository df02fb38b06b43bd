"""Run directories seen by a second process: what this one would have seen, or its errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soops.kernel.errors import StudyError
from soops.kernel.table import lookout
from soops.kernel.table.directories import find_roots, find_run_directories
from soops.kernel.table.lookout import Lookout
from soops.kernel.table.stamps import stamps_now
from soops.kernel.values import ScoopInfo, ScoopItem


def read(filename, rdata=None):
    names = [filename] if isinstance(filename, str) else filename
    return {f"value {len(names)}": "".join(Path(name).read_text() for name in names)}


INFO = ScoopInfo(
    items=(
        ScoopItem(pattern="log.txt", scraper=read, digest="d1"),
        ScoopItem(pattern="part-*.txt", scraper=read, default={"n": 0}, digest="d2"),
    )
)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A dozen run directories below a path with blanks and bytes that are no text."""
    monkeypatch.setattr(lookout, "MANY", 2)
    monkeypatch.setattr(lookout, "available_cpus", lambda: 2)
    monkeypatch.chdir(tmp_path)
    root = tmp_path / os.fsdecode(b"a root \xff")
    for number in range(12):
        folder = root / ("deep/er" if number == 3 else "") / f"{number}"
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text(f"{number}")
        for part in range(number % 3):
            (folder / f"part-{part}.txt").write_text("é")
        if number % 4 == 0:
            (folder / "soops-run.json").write_text("{}")
    (root / "none").mkdir()
    return root


@pytest.fixture
def never_here(monkeypatch):
    """Let nothing be found by this process."""

    def found(*args):
        raise AssertionError("this process has looked")

    def forbid():
        monkeypatch.setattr(lookout, "find_run_directories", found)

    return forbid


@pytest.fixture
def looked_here(monkeypatch):
    """Say how often this process has looked."""
    looked = []

    def find(*args):
        looked.append(1)
        return find_run_directories(*args)

    monkeypatch.setattr(lookout, "find_run_directories", find)
    return looked


@pytest.mark.parametrize("given", [["a root*"], ["a root*/1*", "a root*"], [None], []], ids=repr)
def test_the_second_process_sees_what_this_one_would(runs, never_here, given):
    given = [runs if name is None else name for name in given]
    truth = find_run_directories(given, INFO)
    if given:
        never_here()
    with Lookout(given, INFO) as out:
        seen = out.seen(INFO)
    assert list(seen.directories) == truth
    assert list(seen.roots) == find_roots(given)
    assert seen.stamps == {name: stamps_now(name, INFO) for name in (truth if given else [])}
    if given:
        assert len(truth) == 12
        assert {stamps[0].split()[0] for stamps in seen.stamps.values()} == {"d1"}


def test_of_few_directories_no_process_is_started(runs, monkeypatch):
    def start(*args, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setattr(lookout, "MANY", 1000)
    with Lookout([runs], INFO) as out:
        assert len(out.seen(INFO).directories) == 12
    monkeypatch.setattr(lookout, "MANY", 1)
    with Lookout([runs], INFO, alone=True) as out:
        assert len(out.seen(INFO).directories) == 12
    monkeypatch.setattr(lookout, "available_cpus", lambda: 1)
    with Lookout([runs], INFO) as out:
        assert len(out.seen(INFO).directories) == 12


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(1)",
        "print('{')",
        "import os; os.kill(os.getpid(), 9)",
        "import no_such_module",
        "import json, sys; question = json.load(sys.stdin); sys.path[:] = question.pop(); "
        "from soops.kernel.table.lookout import main; main(*question[:2], 'latin-1')",
    ],
)
def test_a_process_that_is_not_up_to_it_is_done_without(
    runs, monkeypatch, looked_here, code, capfd
):
    monkeypatch.setattr(lookout, "_CODE", code)
    with Lookout([runs], INFO) as out:
        assert len(out.seen(INFO).directories) == 12
    assert looked_here == [1]
    assert capfd.readouterr() == ("", "")


def test_a_process_that_would_warn_leaves_it_to_this_one(runs, monkeypatch, looked_here):
    trouble = (
        "import os\n"
        "def scandir(path, real=os.scandir):\n"
        "    if str(path).endswith('none'):\n"
        "        raise PermissionError(13, 'Permission denied')\n"
        "    return real(path)\n"
        "os.scandir = scandir\n"
    )
    begin, rest = lookout._CODE.split("from soops", 1)
    monkeypatch.setattr(lookout, "_CODE", f"{begin}\n{trouble}from soops{rest}")
    with Lookout([runs], INFO) as out:
        assert len(out.seen(INFO).directories) == 12
    assert looked_here == [1]


def test_no_process_more_is_no_error(runs, monkeypatch):
    def start(*args, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", start)
    with Lookout([runs], INFO) as out:
        assert len(out.seen(INFO).directories) == 12


def test_a_directory_that_is_not_there_is_told_by_this_process(runs):
    with (
        Lookout([runs, runs / "nine"], INFO) as out,
        pytest.raises(StudyError, match="does not exist"),
    ):
        out.seen(INFO)


def test_who_leaves_early_ends_the_process(runs, monkeypatch):
    monkeypatch.setattr(lookout, "_CODE", "import time; time.sleep(600)")
    with Lookout([runs], INFO) as out:
        process = out._process
        assert process.poll() is None
    assert process.returncode == -9
