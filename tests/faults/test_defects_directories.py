"""Defects of soops 2026.2, by their number in docs/differences.md: run directories."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import soops
import soops.cli
from soops.testing import wait_until


def starts(folder: Path) -> dict[str, int]:
    """Return how often the program was started in each directory below a folder."""
    return {
        path.parent.relative_to(folder).as_posix(): path.read_text().split().count("start")
        for path in sorted(folder.rglob("log.txt"))
    }


def tree(path: Path) -> dict[str, bytes | None]:
    return {
        str(name.relative_to(path)): name.read_bytes() if name.is_file() else None
        for name in path.rglob("*")
        if "__pycache__" not in name.parts
    }


def numbers(folder: Path) -> list[str]:
    return [path.split("-")[0] for path in starts(folder)]


def run_in(mini, template: str, study: str, *options: str):
    """Run a study whose directories are elsewhere than in ``out``."""
    words = [*options, f"output_dir='{template}', {study}", "mini.py"]
    return mini.call(soops.cli.run_main, *words)


def as_2026_2_left_it(root: Path) -> None:
    """Remove what 2026.2 did not write."""
    shutil.rmtree(root / ".soops")
    for path in root.glob("*/soops-run.json"):
        path.unlink()


# --- D27: templates ----------------------------------------------------------------------


@pytest.mark.parametrize("template", ["50%/run-%s", "x/%s/sub", "%s.d", "%s"])
def test_d27_a_template_may_have_text_around_its_place(mini, template):
    assert run_in(mini, template, "--aa=[1, 2]").code == 0
    assert run_in(mini, template, "--aa=[1, 2, 3]").code == 0

    found = starts(mini.folder)
    assert set(found.values()) == {1}, "what was finished is found again"
    before, after = template.split("%s")
    keys = [name.removeprefix(before).removesuffix(after) for name in found]
    assert [key.split("-")[0] for key in keys] == ["000", "001", "002"]


@pytest.mark.parametrize(("template", "count"), [("out", 0), ("out/%s/%s", 2), ("out/%d", 0)])
def test_d27_a_template_without_one_place_is_told(mini, template, count):
    before = tree(mini.folder)

    done = run_in(mini, template, "--aa=1")

    assert (done.code, done.err.splitlines()) == (
        3,
        [
            f"error: the output directory '{template}' has {count} places for the name of a run",
            "  in command line",
            "  hint: write %s once, where the number and key of the run go: output/%s",
        ],
    )
    assert tree(mini.folder) == before


# --- D28: studies inside of studies ------------------------------------------------------


def test_d28_a_study_uses_no_directories_of_one_below_it(mini):
    run_in(mini, "ne/a/%s", "--aa=[1, 2]")
    run_in(mini, "ne/%s", "--aa=[1, 2]")
    run_in(mini, "%s", "--aa=[1, 2]")

    keys = [path.name for path in sorted((mini.folder / "ne" / "a").glob("0*"))]
    assert len(keys) == 2
    everywhere = [f"{place}{key}" for place in ("", "ne/", "ne/a/") for key in keys]
    assert starts(mini.folder) == dict.fromkeys(everywhere, 1)


# --- D29: moved, renamed, copied ---------------------------------------------------------


def test_d29_a_moved_study_goes_on_where_it_is(mini):
    run_in(mini, "mv1/%s", "--aa=[1, 2]")
    (mini.folder / "mv1").rename(mini.folder / "mv2")

    assert run_in(mini, "mv2/%s", "--aa=[1, 2, 3]").code == 0

    assert not (mini.folder / "mv1").exists()
    assert list(starts(mini.folder / "mv2").values()) == [1, 1, 1]
    assert numbers(mini.folder / "mv2") == ["000", "001", "002"]


def test_d29_a_study_of_2026_2_that_was_moved_goes_on_where_it_is(mini):
    run_in(mini, "mv1/%s", "--aa=[1, 2]")
    as_2026_2_left_it(mini.folder / "mv1")
    (mini.folder / "mv1").rename(mini.folder / "mv2")

    assert run_in(mini, "mv2/%s", "--aa=[1, 2, 3]").code == 0

    assert not (mini.folder / "mv1").exists()
    assert list(starts(mini.folder / "mv2").values()) == [1, 1, 1]


def test_d29_a_study_goes_on_from_another_working_directory(mini, monkeypatch):
    run_in(mini, "runs/%s", "--aa=[1, 2]")
    other = mini.folder / "other"
    other.mkdir()
    monkeypatch.chdir(other)

    words = ["-o", "../output", "output_dir='../runs/%s', --aa=[1, 2, 3]", "../mini.py"]
    assert mini.call(soops.cli.run_main, *words).code == 0

    assert list(other.iterdir()) == []
    assert list(starts(mini.folder / "runs").values()) == [1, 1, 1]


def test_d29_a_renamed_run_directory_is_the_run_still(mini):
    mini.run("--aa=[1, 2]")
    second = mini.directories()[1]
    second.rename(mini.root / "the good one")

    assert mini.run("--aa=[1, 2]").code == 0

    assert starts(mini.root) == {mini.directories()[0].name: 1, "the good one": 1}


@pytest.mark.parametrize("name", ["001-bak", "{}-bak"])
def test_d29_a_backup_copy_is_named_and_does_no_harm(mini, name):
    mini.run("--aa=[1, 2]")
    run = mini.directories()[1]
    copy = mini.root / name.format(run.name)
    shutil.copytree(run, copy)
    before = tree(copy)

    done = mini.run("--aa=[1, 2, 3]")

    assert (done.code, tree(copy)) == (0, before)
    assert (
        f"warning: '{copy.name}': it has the parameters of '{run.name}', which counts" in done.err
    )
    assert [found.number for found in mini.found()] == [0, 1, 2]
    assert set(starts(mini.root).values()) == {1}


# --- D30: damaged files ------------------------------------------------------------------

DAMAGES = [
    (lambda data: b"", "it is empty"),
    (lambda data: data.splitlines(True)[0], "it has 1 lines, not 2"),
    (lambda data: data[:10], "it is cut"),
    (lambda data: data[:-20], "it is cut"),
    (lambda data: b"\xff\xfe\x00\x01\n\xfe\n", "it"),
]


@pytest.mark.parametrize("record", [True, False], ids=["with records", "as 2026.2 left them"])
def test_d30_damaged_files_of_parameters_block_nothing(mini, record):
    mini.run("--aa=[1, 2, 3, 4, 5, 6]")
    if not record:
        as_2026_2_left_it(mini.root)
    paths = [path / "soops-parameters.csv" for path in mini.directories()]
    for path, (damage, _) in zip(paths, DAMAGES, strict=False):
        path.write_bytes(damage(path.read_bytes()))

    done = mini.run("--aa=[1, 2, 3, 4, 5, 6, 7]")

    seven = [f"{number:03}" for number in range(7)]
    assert (done.code, numbers(mini.root)) == (0, seven), "no new number for an old set"
    assert list(starts(mini.root).values()) == [1] * 7
    assert "Traceback" not in done.err
    found = mini.call(soops.cli.find_main, "out")
    assert found.code == 0
    assert [line.split()[0] for line in found.out.splitlines()[1:8]] == seven
    if not record:
        *said, more = [line for line in done.err.splitlines() if "warning" in line]
        assert more == "warning: ... and 2 more like these"
        for line, path, (_, reason) in zip(said, paths, DAMAGES, strict=False):
            begin = f"warning: '{path.parent.name}': '{path}' is damaged: {reason}"
            assert line.startswith(begin)
        rows = [mini.csv_row(path)["--aa"] for path in mini.directories()]
        assert rows == list("1234567"), "they are made anew"


def test_d30_a_study_made_before_2025_02_goes_on(mini):
    """Its files had no column ``iset``."""
    mini.run("--aa=[1, 2]")
    as_2026_2_left_it(mini.root)
    for folder in mini.directories():
        path = folder / "soops-parameters.csv"
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        place = rows[0].index("iset")
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([row[:place] + row[place + 1 :] for row in rows])

    assert mini.run("--aa=[1, 2, 3]").code == 0

    assert list(starts(mini.root).values()) == [1, 1, 1]
    assert numbers(mini.root) == ["000", "001", "002"]


# --- D31: two at once --------------------------------------------------------------------


@pytest.mark.parametrize("other", ["--aa=[1, 2, 3]", "--aa=[4, 5, 6]"], ids=["same", "other sets"])
def test_d31_of_two_drivers_at_once_one_works_and_the_other_is_refused(mini, other):
    one = mini.start("--aa=[1, 2, 3], --hold=gate")
    two = mini.start(f"{other}, --hold=gate")

    # No run ends before the gate is there, so only a refused driver can end.
    wait_until(lambda: one.poll() is not None or two.poll() is not None)
    refused, works = (one, two) if one.poll() is not None else (two, one)
    _, said = refused.communicate()
    wait_until(lambda: len(mini.pids()) >= 1)
    mini.gate.touch()
    works.communicate()

    assert (refused.returncode, works.returncode) == (6, 0)
    first, hint = said.splitlines()
    assert first.startswith(f"error: another driver works on the study in '{mini.root}': pid ")
    assert f"pid {works.pid} of " in first
    assert hint == "  hint: wait for it, or end it"
    assert mini.logs() == [["start", "end"]] * 3
    assert numbers(mini.root) == ["000", "001", "002"]
    with (mini.root / "all_parameters.csv").open() as file:
        assert [int(row["iset"]) for row in csv.DictReader(file)] == [0, 1, 2]


# --- D32: disks --------------------------------------------------------------------------

#: Runs $2 on a disk of 600 kB or on a read-only one, in a mount namespace of its own.
FULL = """
mount -t tmpfs -o size=600k none disk || exit 99
"$@"
code=$?
mount -o remount,size=50m disk
echo "--- more room" >&2
"$@"
echo "$code $?"
cp -r disk kept
"""
READ_ONLY = 'mount --bind "$DISK" "$DISK" && mount -o remount,ro,bind "$DISK" || exit 99\n"$@"\n'
#: A program that ignores that the disk is full, and makes its marker file all the same.
GREEDY = """
echo start >> "$1/log.txt"
head -c 200000 /dev/zero > "$1/big.bin"
code=$?
touch "$1/done.txt"
exit $code
"""


def with_disk(mini, script: str, *words: str, disk: str = "disk") -> subprocess.CompletedProcess:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("there is no unshare to make a small disk with")
    (mini.folder / disk).mkdir(exist_ok=True)
    enter = ["unshare", "--mount", "--map-root-user", "env", f"DISK={disk}", "sh", "-c", script]
    soops_run = [sys.executable, "-m", "soops", "run"]
    done = subprocess.run(
        [*enter, "sh", *soops_run, *words], capture_output=True, text=True, timeout=100
    )
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    return done


@pytest.mark.parametrize("output", ["output", "disk/output"])
def test_d32_on_a_full_disk_nothing_counts_as_finished_that_is_not(mini, output):
    mini.write("program.sh", GREEDY)
    study = "output_dir='disk/runs/%s', --aa=[1, 2, 3, 4, 5, 6]"

    done = with_disk(mini, FULL, "-n", "1", "-o", output, study, "mini.py")

    before, _, after = done.stderr.partition("--- more room\n")
    assert done.stdout.split() == ["3", "0"], done.stderr
    assert "Traceback" not in before
    *_, error, hint = before.splitlines()
    assert error.startswith("error: ") and error.endswith("No space left on device")
    assert hint == (
        "  hint: the disk is full: make room, then start the same command again: "
        "it goes on where it stopped"
    )
    assert "6 parameter sets: " in after
    sizes = [path.stat().st_size for path in sorted(mini.folder.glob("kept/runs/*/big.bin"))]
    assert sizes == [200000] * 6, "each unfinished one was run again"
    assert {found.state for found in mini.found("kept/runs")} == {"done"}


def test_d32_a_read_only_disk_is_told_and_nothing_is_run(mini):
    done = with_disk(mini, READ_ONLY, "output_dir='disk/runs/%s', --aa=[1, 2]", "mini.py")

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"error: '{mini.folder}/disk/runs/.soops' cannot be made: Read-only file system",
        "  hint: the disk is read-only: choose another output directory",
    ]
    assert list((mini.folder / "disk").iterdir()) == [] and starts(mini.folder) == {}


def test_d32_a_study_on_a_read_only_disk_can_be_looked_at(mini):
    mini.run("--aa=[1, 2]")
    words = ["--dry-run", "output_dir='out/%s', --aa=[1, 2, 3]", "mini.py"]

    done = with_disk(mini, READ_ONLY, *words, disk="out")

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr
    assert "3 parameter sets: 1 to run, 2 to skip; nothing was run or written" in done.stderr


@pytest.mark.parametrize(
    ("options", "template", "said"),
    [
        (["-o", "file"], "runs/%s", "'file' cannot be written: File exists"),
        ([], "file/%s", "cannot be made: Not a directory"),
    ],
)
def test_d32_a_file_in_place_of_a_directory_is_told(mini, options, template, said):
    mini.write("file", "precious")

    done = run_in(mini, template, "--aa=1", *options)

    first, hint = done.err.splitlines()
    assert done.code == 3
    assert first.startswith("error: ") and first.endswith(said)
    assert hint.endswith("is in the way: move it")
    assert (mini.folder / "file").read_text() == "precious"
    assert not mini.root.exists() and starts(mini.folder) == {}


# --- D33: many runs ----------------------------------------------------------------------


def test_d33_more_than_999_runs_are_in_the_order_of_their_numbers(mini):
    mini.run("--aa=[1, 2]")
    as_2026_2_left_it(mini.root)
    for folder, number in zip(mini.directories(), (101, 999), strict=True):
        path = folder / "soops-parameters.csv"
        path.write_text(
            path.read_text().replace(",00", f",{number}-").replace("-0,", ",").replace("-1,", ",")
        )
        folder.rename(mini.root / f"{number}-{folder.name.split('-')[1]}")

    assert mini.run("--aa=[1, 2, 3, 4]").code == 0

    found = mini.call(soops.cli.find_main, "out", "-q", "aa > 0", "-m", "single", "-k", "iset")
    assert found.out.split() == ["101", "999", "1000", "1001"]
    table = mini.call(soops.cli.find_main, "out").out.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ["101", "1"],
        ["999", "2"],
        ["1000", "3"],
        ["1001", "4"],
    ]
    with (mini.root / "all_parameters.csv").open() as file:
        assert [int(row["iset"]) for row in csv.DictReader(file)] == [101, 999, 1000, 1001]


def written() -> int:
    """Return how many bytes this process and its children that ended have written."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        pytest.skip("the system does not count what a process writes")
    return int(dict(line.split(": ") for line in text.splitlines())["wchar"])


def test_d33_a_set_of_a_large_study_costs_no_more_than_one_of_a_small_study(mini):
    mini.write(
        "mini.py",
        "def get_run_info():\n"
        "    return 'true {output_dir}', {'--aa': '--aa={--aa}'}, 'output_dir', 'exit:0'\n",
    )
    cost, again = {}, {}
    for count in (20, 160):
        study = f"output_dir='r{count}/%s', --aa=@range({count})"
        for costs in (cost, again):
            before = written()
            summary = soops.run(study, "mini.py", output_dir=f"o{count}", silent=True)
            costs[count] = written() - before
            assert summary.ok and summary.total == count

    assert cost[160] / 160 < 1.2 * cost[20] / 20, "bytes for each set"
    assert again[160] < 1.2 * again[20] + 1000, "a pass with nothing to do writes nothing of sets"


# --- D34: all_parameters.csv -------------------------------------------------------------


def test_d34_all_parameters_csv_holds_runs_of_unlike_columns(mini):
    script = """\
keys = {keys}

def get_run_info():
    return "true {{output_dir}}", {{key: "{{" + key + "}}" for key in keys}}, "output_dir", "exit:0"
"""
    text = "a\rb"
    study, where = "output_dir='out/%s', --aa=0", {"output_dir": "out", "silent": True}
    mini.write("mini.py", script.format(keys=["--aa"]))
    assert soops.run(study, "mini.py", sets=iter([{"--aa": text}]), **where).ok
    mini.write("mini.py", script.format(keys=["--aa", "--bb"]))
    assert soops.run(f"{study}, --bb=5", "mini.py", sets=iter([{"--aa": "x"}]), **where).ok

    with (mini.root / "all_parameters.csv").open(newline="") as file:
        rows = [(row["--aa"], row["--bb"]) for row in csv.DictReader(file)]
    assert rows == [(text, ""), ("x", "5")]


def test_d34_all_parameters_csv_is_in_the_order_of_the_numbers(mini):
    mini.run("--aa=[7, 3, 9, 1, 5]")
    path = mini.root / "all_parameters.csv"
    first = path.read_bytes()
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["iset"]), row["--aa"]) for row in rows] == list(enumerate("73915"))

    mini.run("--aa=[7, 3, 9, 1, 5]")
    assert path.read_bytes() == first
    mini.run("--aa=[1, 2, 3, 5, 7, 9]")
    with path.open() as file:
        assert [row["--aa"] for row in csv.DictReader(file)] == list("739152")
