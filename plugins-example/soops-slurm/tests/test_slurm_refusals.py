"""Slurm answers late, not at all, or no: its programs with something of ours in front."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from soops.testing import wait_until

FIXTURES = Path(__file__).parent / "fixtures" / "slurm"


@pytest.fixture
def before(slurm, tmp_path, monkeypatch):
    """Return ``before(program, lines)``: lines of sh that come before the real program.

    ``$real`` is that program, ``$here`` a directory.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{programs}:{path}")

    def put(program, lines):
        real = shutil.which(program, path=path)
        text = f"#!/bin/bash\nreal={real} here={shlex.quote(str(tmp_path))}\n{lines}\n"
        (programs / f"{program}.new").write_text(f'{text}exec $real "$@"\n')
        (programs / f"{program}.new").chmod(0o755)
        (programs / f"{program}.new").rename(programs / program)

    return put


def done_once(study, sets: int) -> None:
    assert list(study.notes().values()) == [["start", "end"]] * sets
    assert {record["state"] for record in study.records()} == {"done"}


@pytest.mark.parametrize("words", ["sbatch-maxjobcount.err", "sbatch-down.err"])
def test_what_is_refused_for_now_is_submitted_later(study, before, words):
    before(
        "sbatch",
        'echo x >> $here/tried; [ "$(wc -l < $here/tried)" -gt 3 ] || [ ! -e $here/full ] || '
        f"{{ cat {shlex.quote(str(FIXTURES / words))} >&2; exit 1; }}",
    )
    gate = study.path / "gate"
    study.write(6, str(gate))
    driver = study.start(n=2)
    wait_until(lambda: study.begun() == 2)
    (study.path / "full").touch()  # in the middle of the study
    gate.touch()
    _, err = driver.communicate(timeout=100)

    assert driver.returncode == 0, err
    assert err.count("Slurm takes no jobs now") == 1
    done_once(study, 6)
    assert {record["attempts"] for record in study.records()} == {1}


def test_a_submission_that_arrives_though_it_seems_refused_is_not_made_again(study, before):
    before(
        "sbatch",
        '[ -e $here/once ] || { touch $here/once; $real "$@" > $here/id; '
        f"cat {shlex.quote(str(FIXTURES / 'sbatch-down.err'))} >&2; exit 1; }}",
    )
    study.write(4)
    study.run()
    done_once(study, 4)
    notes = [(path / "notes").read_text().split() for path in study.directories()]
    assert {words[1] for words in notes} == {(study.path / "id").read_text().strip()}


def test_a_failed_question_is_no_lost_job(study, before):
    fails = f"cat {shlex.quote(str(FIXTURES / 'squeue-down.err'))} >&2; exit 1"
    before("squeue", f"[ ! -e $here/down ] || {{ echo x >> $here/asked; {fails}; }}")
    gate = study.path / "gate"
    study.write(4, str(gate))
    driver = study.start()
    wait_until(lambda: study.begun() == 4)
    (study.path / "down").touch()
    asked = study.path / "asked"
    wait_until(lambda: asked.exists() and len(asked.read_text().split()) >= 5)
    gate.touch()
    wait_until(lambda: list(study.notes().values()) == [["start", "end"]] * 4)
    (study.path / "down").unlink()
    _, err = driver.communicate(timeout=100)

    assert driver.returncode == 0, err
    assert err.count("Slurm does not answer") == 1
    done_once(study, 4)
    assert {record["attempts"] for record in study.records()} == {1}


def test_a_driver_killed_before_sbatch(study, before):
    """The jobs are written down, and were never submitted."""
    before("sbatch", "touch $here/called; until [ -e $here/go ]; do sleep 0.05; done; exit 1")
    study.write(4)
    driver = study.start()
    wait_until((study.path / "called").exists)
    driver.kill()
    driver.communicate()
    (study.path / "go").touch()
    before("sbatch", "")

    study.run()

    done_once(study, 4)
    assert list((study.path / "runs/.soops/slurm").iterdir()) == []


def test_a_driver_killed_between_sbatch_and_its_answer(study, before):
    """Its successor finds the job by its name."""
    before(
        "sbatch",
        'id=$($real "$@"); echo $id >> $here/ids; until [ -e $here/go ]; do sleep 0.05; done; '
        "echo $id; exit 0",
    )
    study.write(4)
    driver = study.start()
    wait_until(lambda: study.path.joinpath("ids").exists() and study.begun() == 4)
    driver.kill()
    driver.communicate()
    assert not study.jobs(), "it did not learn the number"

    study.run()

    (study.path / "go").touch()
    done_once(study, 4)
    assert {record["attempts"] for record in study.records()} == {1}
    assert len((study.path / "ids").read_text().split()) == 1


def test_memory_that_is_too_much(study, before):
    """This Slurm does not watch memory: its answer says OUT_OF_MEMORY in the place of CANCELLED."""
    before("squeue", "$real \"$@\" | sed 's/|CANCELLED|/|OUT_OF_MEMORY|/'; exit ${PIPESTATUS[0]}")
    study.write(1, str(study.path / "never"))
    driver = study.start("--runner-opt", "patience=0.5")
    wait_until(lambda: study.begun() == 1)
    (job,) = study.jobs()
    os.spawnlp(os.P_WAIT, "scancel", "scancel", job)
    driver.communicate(timeout=100)

    assert driver.returncode == 1
    (record,) = study.records()
    assert (record["state"], record["cause"]) == ("failed", "oom")
    assert "OUT_OF_MEMORY" in record["message"]


def test_jobs_that_were_not_submitted_lose_no_attempt(study, before):
    """The runner keeps nothing back that its queue does not have."""
    gate = study.path / "gate"
    study.write(20, str(gate))
    study.kill(n=4)
    before("sbatch", "")
    gate.touch()
    study.run()
    done_once(study, 20)
    assert {record["attempts"] for record in study.records()} == {1}
