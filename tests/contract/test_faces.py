"""The commands as functions: ``parse_args`` and what takes its namespace."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import soops.find_studies as fs
import soops.print_info as pi
import soops.run_parametric as rp
import soops.scoop_outputs as sc
import soops.show_jobs as sj
from soops.api import SoopsError, StudyError
from soops.testing import HEAVY

MODULE = """
import soops.scoop_outputs as sc

def get_run_info():
    options = {"--aa": "--aa={--aa}", "--bb": "--bb={--bb}"}
    return "sh prog.sh {output_dir}", options, "output_dir", "words.txt"

def load(filename, rdata=None):
    with open(filename) as file:
        return {"words": file.read().strip()}

def get_scoop_info():
    return [("soops-parameters.csv", sc.load_soops_parameters, True), ("words.txt", load)]

def shout(df, data=None, fail=False):
    if fail:
        raise ValueError("no plot")
    data.shouted = len(df)
    return data

def get_plugin_info():
    return [shout]
"""
PROGRAM = """
case "$*" in *--aa=13*) exit 3 ;; esac
dir=$1; shift; echo "$@" > "$dir/words.txt"
"""
STUDY = "output_dir='out/%s', --aa=[1, 2]"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a module and its program, and be in it."""
    (tmp_path / "mod.py").write_text(MODULE)
    (tmp_path / "prog.sh").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def run(*words: str) -> Any:
    return rp.run_parametric(rp.parse_args(args=[*words, "-o", "log", STUDY, "mod.py"]))


def words_of(place: Path) -> dict[str, str]:
    return {p.parent.name[:3]: p.read_text().strip() for p in (place / "out").glob("*/words.txt")}


# --- the fields --------------------------------------------------------------------------

RUN_DEFAULTS = {
    "cluster_kwargs": {},
    "compute_pars": None,
    "conf": "a=1",
    "contract": None,
    "dry_run": False,
    "extra_conf": {},
    "generate_pars": None,
    "n_workers": 2,
    "output_dir": "output",
    "recompute": 1,
    "run_function": "subprocess.run",
    "run_mod": "mod.py",
    "runner": "local",
    "shell": False,
    "study": None,
    "timeout": None,
    "verbose": True,
}
SCOOP_DEFAULTS = {
    "sort": [],
    "filter": None,
    "call_plugins": True,
    "use_plugins": None,
    "omit_plugins": None,
    "plugin_mod": None,
    "plugin_args": None,
    "results": "./results.h5",
    "save_csv": True,
    "reuse": False,
    "update": False,
    "write": False,
    "write_after_plugins": False,
    "shell": False,
    "debug": False,
    "output_dir": ".",
    "scoop_mod": "mod.py",
}


@pytest.mark.parametrize(
    ("face", "words", "fields"),
    [
        (rp, ["a=1", "mod.py"], RUN_DEFAULTS),
        (rp, ["-c=--a + --b, --c+--d"], {"contract": [["--a", "--b"], ["--c", "--d"]]}),
        (rp, ["-c", "--aa+--bb"], {"contract": [["--aa", "--bb"]]}),
        (rp, ["--conf=x=1, --y='@arange(3)'"], {"extra_conf": {"x": 1, "--y": "@arange(3)"}}),
        (rp, ["--compute-pars=class=C, a=1"], {"compute_pars": {"class": "C", "a": 1}}),
        (rp, ["--gen=function=f, a=[1, 2]"], {"generate_pars": {"function": "f", "a": [1, 2]}}),
        (rp, ["--gen", "study-g.@generate"], {"generate_pars": "study-g.@generate"}),
        (rp, ["--clu", "processes=False"], {"cluster_kwargs": {"processes": False}}),
        (rp, ["-odir", "-n1", "-r2"], {"output_dir": "dir", "n_workers": 1, "recompute": 2}),
        (rp, ["-o=dir", "-n=1", "-s=st"], {"output_dir": "dir", "n_workers": 1, "study": "st"}),
        (rp, ["--recomp", "0", "--sil", "--dry"], {"recompute": 0, "verbose": False}),
        (rp, ["--dry-run", "--shell"], {"dry_run": True, "shell": True}),
        (rp, ["-t", "3", "--run-function=psutil.Popen"], {"timeout": 3.0}),
        (rp, ["--runner", "threadpool"], {"runner": "threadpool"}),
        (sc, ["mod.py", "d1"], {**SCOOP_DEFAULTS, "directories": ["d1/"]}),
        (sc, ["mod.py", "d1/", "d*", "no"], {"directories": ["d1/", "d1/", "d2/", "no"]}),
        (sc, ["-s", "a,'b c'", "--filter=x.txt,y", "mod.py", "d1"], {"sort": ["a", "b c"]}),
        (sc, ["--filter=x.txt,y", "mod.py", "d1"], {"filter": {"x.txt", "y"}}),
        (sc, ["--use-pl=a,b", "mod.py", "d1"], {"use_plugins": ["a", "b"]}),
        (sc, ["--omit-plugins", "a", "--no-csv", "mod.py", "d1"], {"omit_plugins": ["a"]}),
        (sc, ["--plugin-args=f={a=1}", "mod.py", "d1"], {"plugin_args": {"f": {"a": 1}}}),
        (sc, ["-o=res", "--no-p", "mod.py", "d1"], {"results": "res/results.h5"}),
        (sc, ["--results", "x.h5", "mod.py", "d1", "-u"], {"results": "x.h5", "update": True}),
        (pi, ["mod.py"], {"run_mod": "mod.py", "explain": None, "shell": False}),
        (pi, ["mod.py", "-e", "d1", "d*"], {"explain": ["d1", "d*"]}),
        (pi, ["-e", "d1", "d2", "--shell", "mod.py"], {"explain": ["d1", "d2"], "shell": True}),
        (fs, ["d1", "d*"], {"directories": ["d1", "d*"], "mode": "truncated", "query": None}),
        (fs, ["-q", "a > 1", "-k", "b", "d1"], {"query": "a > 1", "mode": "single", "key": "b"}),
        (fs, ["-m=full", "--eng", "numexpr", "d1"], {"mode": "full", "engine": "numexpr"}),
        (sj, [], {"verbose": 0, "shell": False}),
        (sj, ["-vv", "--shell"], {"verbose": 2, "shell": True}),
    ],
)
def test_a_command_line_gives_the_fields_of_2026_2(face, words, fields, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("d1", "d2"):
        (tmp_path / name).mkdir()
    lines = [words]
    if face is rp and "mod.py" not in words:
        lines = [[*words, "a=1", "mod.py"], ["a=1", *words, "mod.py"], ["a=1", "mod.py", *words]]

    for line in lines:
        options = face.parse_args(args=line)
        assert isinstance(options, Namespace)
        found = vars(options)
        assert {name: found[name] for name in fields} == fields


def test_a_study_may_begin_with_dashes():
    study = "--aa=1, output_dir='x/%s'"
    options = rp.parse_args(["-n", "3", study, "mod.py", "-o=out"])

    assert (options.conf, options.run_mod, options.n_workers) == (study, "mod.py", 3)


def test_the_words_of_the_process_are_the_default(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py", "-n", "7", "a=1", "mod.py"])
    assert rp.parse_args().n_workers == 7


@pytest.mark.parametrize(
    ("face", "words", "said"),
    [
        (rp, ["--recompte", "1", "a=1", "mod.py"], "no such option: --recompte"),
        (rp, [], "CONF"),
        (rp, ["-n", "0", "a=1", "mod.py"], "0 is not in the range"),
        (sc, ["-r", "-u", "mod.py", "d"], "-r and -u exclude each other"),
        (sc, ["--use-plugins=a", "--omit-plugins=b", "mod.py", "d"], "exclude each other"),
        (sc, ["mod.py"], "DIRECTORY"),
        (pi, [], "RUN_MOD"),
        (fs, ["-m", "nothing", "d"], "nothing"),
        (sj, ["--no-such"], "no such option"),
    ],
)
def test_a_wrong_line_is_told_as_argparse_does(face, words, said, capsys):
    with pytest.raises(SystemExit) as caught:
        face.parse_args(args=words)

    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert said in err
    assert 1 <= len(err.splitlines()) <= 3


@pytest.mark.parametrize("face", [rp, sc, pi, fs, sj])
def test_help_is_shown(face, capsys):
    with pytest.raises(SystemExit) as caught:
        face.parse_args(args=["--help"])

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("Usage: soops-")


def test_a_wrong_text_of_an_option_is_an_error_of_its_own():
    with pytest.raises(ValueError, match="--sort"):
        sc.parse_args(["-s", "[", "mod.py", "d"])
    with pytest.raises(SoopsError, match="does not join keys"):
        rp.parse_args(["-c", "--a", "a=1", "mod.py"])


# --- run_parametric --------------------------------------------------------------------------


def test_a_study_is_run(place, capfd):
    summary = run("-n", "1")

    assert summary.ok
    assert summary.total == 2
    assert words_of(place) == {"000": "--aa=1", "001": "--aa=2"}
    out, err = capfd.readouterr()
    assert out == ""
    assert "2 parameter sets: 2 done" in err
    assert run("-n", "1").skipped == 2


def test_a_silent_study_says_nothing(place, capfd):
    assert run("--silent").ok
    assert capfd.readouterr() == ("", "")


def test_options_have_their_effect(place):
    run("-c=--aa + --bb", "--conf=--bb=['@undefined', \"it's\"]")
    assert words_of(place) == {"000": "--aa=1", "001": "--aa=2 --bb=it's"}


def test_directives_in_further_values_are_directives(place):
    summary = run("--dry-run", "--conf=--aa='@arange(4)', --bb=['@@x', '@undefined']")
    assert summary is None

    options = rp.parse_args(["--silent", STUDY, "mod.py", "-r2"])
    options.extra_conf = {"--aa": "@range(3)", "--bb": ["@@x", "@undefined"]}
    assert rp.run_parametric(options).total == 6
    assert "--aa=2 --bb=@x" in words_of(place).values()


def test_a_dry_run_prints_commands_and_writes_nothing(place, capfd):
    assert run("--dry-run") is None

    out, err = capfd.readouterr()
    assert [line.split('"')[1] for line in out.splitlines()] == ["--aa=1", "--aa=2"]
    assert "nothing was run or written" in err
    assert sorted(path.name for path in place.iterdir()) == ["mod.py", "prog.sh"]


def test_a_namespace_of_a_script_is_enough(place):
    """With the fields of 2026.2 only, and with those alone that are needed."""
    fields = {**RUN_DEFAULTS, "conf": STUDY, "verbose": False, "runner": "threadpool"}
    fields["contract"] = [["--aa", "--bb"]]
    fields["extra_conf"] = {"--bb": [3, 4]}
    assert rp.run_parametric(Namespace(**fields)).total == 2
    assert words_of(place) == {"000": "--aa=1 --bb=3", "001": "--aa=2 --bb=4"}

    assert rp.run_parametric(Namespace(conf=STUDY, run_mod="mod.py", mine=1)).total == 2


def test_runs_that_fail_are_in_the_summary(place, capfd):
    summary = rp.run_parametric(rp.parse_args(["output_dir='out/%s', --aa=13", "mod.py"]))

    assert not summary.ok
    assert "failed (exit 3)" in capfd.readouterr().err


def test_a_mistake_is_an_exception_and_writes_nothing(place):
    options = rp.parse_args(["output_dir='out/%s', --ab=1", "mod.py"])
    with pytest.raises(SoopsError, match="--ab"):
        rp.run_parametric(options)
    with pytest.raises(SoopsError, match="runner 'locl'"):
        run("--runner=locl")
    with pytest.raises(SoopsError, match="nobody"):
        run("--disable-plugin=nobody")
    assert sorted(path.name for path in place.iterdir()) == ["mod.py", "prog.sh"]


def test_an_interrupted_study_interrupts_the_script(place, monkeypatch):
    from soops import study
    from soops.api import Summary

    stopped = Summary(total=2, skipped=0, counts={}, elapsed=0.0, root=place, interrupted=True)
    monkeypatch.setattr(study, "run", lambda *args, **options: stopped)
    with pytest.raises(KeyboardInterrupt):
        run()


def test_as_json_is_printed(place, capfd):
    run("--json", "--silent")
    states = [json.loads(line)["state"] for line in capfd.readouterr().out.splitlines()]
    assert states == ["done", "done"]


# --- the others -------------------------------------------------------------------------------


@pytest.fixture
def study(place: Path) -> Path:
    """Two runs that ended."""
    run("--silent")
    return place


def test_outputs_are_scooped(study):
    options = sc.parse_args(["-o", "res", "-s", "--aa", "mod.py", "out"])
    scooped = sc.scoop_outputs(options)

    assert list(scooped.frame["words"]) == ["--aa=1", "--aa=2"]
    assert sorted(path.name for path in (study / "res").iterdir()) == [
        "results-meta.csv",
        "results.csv",
        "results.h5",
    ]
    fields = {**SCOOP_DEFAULTS, "directories": ["out/"], "output_dir": "res", "reuse": True}
    again = sc.scoop_outputs(Namespace(**{**fields, "results": "res/results.h5"}))
    assert list(again.frame["words"]) == ["--aa=1", "--aa=2"]


def test_what_fails_in_a_scoop_is_an_exception(study):
    with pytest.raises(StudyError, match=r"the step 'shout' failed: ValueError: no plot"):
        sc.scoop_outputs(sc.parse_args(["--plugin-args=shout={fail=True}", "mod.py", "out"]))
    assert (study / "results.h5").exists()
    with pytest.raises(StudyError, match="nowhere"):
        sc.scoop_outputs(sc.parse_args(["mod.py", "nowhere"]))


def test_keys_and_directories_are_shown(study, capsys):
    pi.print_info(pi.parse_args(["mod.py"]))
    assert capsys.readouterr().out == "info:   0: --aa\ninfo:   1: --bb\n"

    pi.print_info(Namespace(run_mod="mod.py", explain=["out/000*"], shell=False))
    shown = capsys.readouterr().out.splitlines()
    assert shown[3] == "info: *       --aa: 1"

    (directory,) = (study / "out").glob("000*")
    pi.explain_dir(str(directory), ["--aa"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shown) - 1
    assert [line for line in lines if "*" in line] == ["info: *       --aa: 1"]
    with pytest.raises(FileNotFoundError):
        pi.explain_dir("nowhere", [])


def test_all_sets_are_returned_and_those_found_are_shown(study, capsys):
    table = fs.find_studies(fs.parse_args(["-q", "aa == 2", "-k", "bb", "out"]))

    assert capsys.readouterr().out == "@undefined\n"
    assert list(table.columns[:6]) == ["finished", "iset", "aa", "bb", "output_dir", "script_dir"]
    assert list(table["aa"]) == [1, 2]
    assert list(table.index) == [0, 1]

    fields = {"query": None, "engine": "numexpr", "mode": "truncated", "key": None, "shell": False}
    fs.find_studies(Namespace(**fields, directories=["out"]))
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "number",
        "aa",
        "state",
        "elapsed",
        "directory",
    ]
    with pytest.raises(StudyError, match="nowhere"):
        fs.find_studies(fs.parse_args(["-q", "aa == 2", "nowhere"]))


def test_nothing_runs(place, capsys):
    assert sj.show_jobs(sj.parse_args([])) == ([], [])
    assert capsys.readouterr().out == ""
    assert sj.find_jobs() == []
    sj.print_jobs_info([], [], Namespace(verbose=3))
    with pytest.raises(StudyError, match="drives no study"):
        sj.get_job_info(Namespace(pid=1))


def test_a_study_that_runs_is_a_job(place, capsys):
    """The run waits for a file, so that the study runs for as long as it is looked at."""
    program = 'while [ ! -e go ]; do sleep 0.05; done; echo > "$1/words.txt"'
    (place / "prog.sh").write_text(program)
    words = [sys.executable, "-m", "soops", "run", "-n", "1", "-o", "log", "--json"]
    driver = subprocess.Popen(
        [*words, "--conf=--aa=[1]", STUDY, "mod.py"], cwd=place, stdout=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 60
        jobs = sj.find_jobs()
        while not (jobs and sj.get_job_info(jobs[0]).last_dir):
            assert time.monotonic() < until
            assert driver.poll() is None
            time.sleep(0.02)
            jobs = sj.find_jobs()
        found, infos = sj.show_jobs(Namespace(verbose=0, shell=False))
        printed = capsys.readouterr().out
    finally:
        (place / "go").touch()
        assert driver.communicate(timeout=60)[0].count(b"\n") == 1

    assert [job.pid for job in found] == [job.pid for job in jobs] == [driver.pid]
    assert printed == f"{driver.pid} running 0/1 {infos[0].job_output_dir}\n"
    assert (infos[0].num, infos[0].n_finished) == (1, 0)
    assert infos[0].job_working_dir == str(place)
    assert infos[0].job_options.extra_conf == {"--aa": [1]}
    assert Path(infos[0].last_dir).parent == place / "out"
    sj.print_jobs_info(found, infos, Namespace(verbose=1))
    assert "finished: 0/1\n" in capsys.readouterr().out


# --- weight -----------------------------------------------------------------------------------


@pytest.mark.parametrize("face", [rp, sc, pi, fs, sj])
def test_a_line_is_read_without_anything_heavy(face):
    words = {
        rp: ["a=1", "mod.py"],
        sc: ["mod.py", "d"],
        pi: ["mod.py"],
        fs: ["d"],
        sj: [],
    }[face]
    code = (
        "import sys, importlib; face = importlib.import_module(sys.argv[1]);"
        "early = set(sys.modules); face.parse_args(args=sys.argv[2:]);"
        "print(*({'click', 'pluggy'} & early)); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, face.__name__, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    early, loaded = done.stdout.splitlines()
    assert early == ""
    assert not set(HEAVY) & {name.split(".")[0] for name in loaded.split()}


@pytest.mark.parametrize("face", [rp, sc, pi, fs, sj])
def test_a_module_can_be_run(face, tmp_path):
    words = [sys.executable, "-m", face.__name__]
    done = subprocess.run(
        [*words, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("soops")
    wrong = subprocess.run([*words, "--no-such"], cwd=tmp_path, capture_output=True, timeout=100)
    assert wrong.returncode == 2
