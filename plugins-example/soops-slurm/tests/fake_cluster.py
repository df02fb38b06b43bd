"""A cluster of one machine that speaks PBS or LSF: ``python fake_cluster.py PROGRAM WORD...``.

It is no model of either: it starts each task at once, as a process group of this machine, as long
as there is one of its CPUs, and answers in the formats of ``fixtures``. Its state is a directory,
``$FAKE_CLUSTER``: a file for each task, under one lock. There is no daemon: whoever asks, does
what has become due. A file ``full`` there says how many jobs it takes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

HOME = Path(os.environ.get("FAKE_CLUSTER", "."))
CPUS = 4
KEEPER = """
import json, os, pathlib, signal, subprocess, sys
path, argv, env = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
child = subprocess.Popen(argv, env={**os.environ, **env}, start_new_session=True)
path.with_suffix(".pid").write_text(str(child.pid))
code = child.wait()
path.with_suffix(".new").write_text(str(code))
path.with_suffix(".new").rename(path.with_suffix(".code"))
"""


def tasks() -> list[Path]:
    found = HOME.glob("task-*.json")
    return sorted(found, key=lambda path: [int(part) for part in path.stem.split("-")[1:]])


def phase(path: Path) -> str:
    if path.with_suffix(".code").exists():
        return "over"
    if path.with_suffix(".started").exists():
        return "runs"
    return "deleted" if path.with_suffix(".deleted").exists() else "waits"


def start_due() -> None:
    everything = {path: json.loads(path.read_text()) for path in tasks()}
    phases = {path: phase(path) for path in everything}
    running = [everything[path]["job"] for path in everything if phases[path] == "runs"]
    open_jobs = {
        everything[path]["job"] for path in everything if phases[path] in ("waits", "runs")
    }
    for path, task in everything.items():
        if len(running) >= CPUS:
            return
        if phases[path] != "waits" or task["after"] in open_jobs:
            continue
        if 0 < task["limit"] <= running.count(task["job"]):
            continue
        path.with_suffix(".started").touch()
        argv = json.dumps(["/bin/bash", str(HOME / f"script-{task['job']}")])
        subprocess.Popen(
            [sys.executable, "-S", "-c", KEEPER, str(path), argv, json.dumps(task["env"])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running.append(task["job"])


def is_full() -> bool:
    limit = HOME / "full"
    return limit.exists() and len(list(HOME.glob("script-*"))) >= int(limit.read_text())


def submit(
    name: str, array: bool, indices: list[int], variable: str, limit: str | None, after: str
) -> int:
    job = 1 + max((int(path.name.split("-")[1]) for path in HOME.glob("script-*")), default=100)
    (HOME / f"script-{job}").write_text(sys.stdin.read())
    for index in indices:
        env = {variable: str(index)} if array else {}
        env["FAKE_JOB"] = str(job)
        task = {"job": job, "name": name, "index": index, "array": array, "env": env}
        task |= {"limit": int(limit or 0), "after": int((re.findall(r"\d+", after) or [0])[0])}
        (HOME / f"task-{job}-{index}.json").write_text(json.dumps(task))
    return job


def delete(job: str, index: str) -> bool:
    path = HOME / f"task-{job}-{index or 0}.json"
    if not path.exists():
        return False
    if phase(path) == "waits":
        path.with_suffix(".deleted").touch()
    elif phase(path) == "runs":
        path.with_suffix(".killed").touch()
        while not (pid := path.with_suffix(".pid")).exists() or not pid.read_text():
            time.sleep(0.01)
        try:
            os.killpg(int(pid.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            pass
    return True


def code_of(path: Path) -> int:
    return int(path.with_suffix(".code").read_text())


def say(text: str, end: str = "\n", file: TextIO | None = None) -> None:
    (file or sys.stdout).write(text + end)


# --- PBS


def pbs_name(task: dict) -> str:
    return f"{task['job']}[{task['index']}].fake" if task["array"] else f"{task['job']}.fake"


def pbs_attributes(path: Path) -> dict:
    now = phase(path)
    shown = {"Job_Name": json.loads(path.read_text())["name"], "queue": "workq"}
    if now == "waits":
        return {**shown, "job_state": "Q", "substate": 10}
    if now == "deleted":
        return {**shown, "job_state": "F", "substate": 91}
    shown["exec_host"] = f"{os.uname().nodename}/0"
    if now == "runs":
        return {**shown, "job_state": "R", "substate": 42}
    code = code_of(path)
    killed = path.with_suffix(".killed").exists()
    ended = {"job_state": "F", "substate": 91 if killed else 93 if code else 92}
    return {**shown, **ended, "Exit_status": 256 - code if code < 0 else code}


def qsub(words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=True))
    if options.get("-q") == "nowhere":
        say("qsub: Unknown queue", file=sys.stderr)
        return 170
    assert len(options["-N"]) <= 15, options
    if is_full():
        say("qsub: would exceed queue generic's per-user limit of jobs", file=sys.stderr)
        return 38
    array = "-J" in options
    spread, _, limit = options.get("-J", "0-0").partition("%")
    first, last = map(int, spread.split("-"))
    after = options.get("-W", "")
    assert not after or re.fullmatch(r"depend=afterany:\d+(\[\])?\.fake", after), options
    assert not array or first < last, "an array has two tasks at least"
    indices = list(range(first, last + 1))
    job = submit(options["-N"], array, indices, "PBS_ARRAY_INDEX", limit, after)
    say(f"{job}[].fake" if array else f"{job}.fake")
    return 0


def qstat(words: list[str]) -> int:
    if words == ["-B", "-f"]:
        say("Server: fake\n    server_state = Active\n    max_array_size = 10000\n")
        return 0
    assert words[:5] == ["-x", "-t", "-f", "-F", "json"], words
    jobs, code = {}, 0
    for name in words[5:]:
        number = re.match(r"\d+", name)[0]
        found = [path for path in tasks() if path.name.startswith(f"task-{number}-")]
        if not found:
            say(f"qstat: Unknown Job Id {name}", file=sys.stderr)
            code = 153
        if "[]" in name:
            jobs[name] = {"job_state": "B", "array": "True"}
        jobs |= {pbs_name(json.loads(path.read_text())): pbs_attributes(path) for path in found}
    say(json.dumps({"timestamp": int(time.time()), "pbs_server": "fake", "Jobs": jobs}, indent=4))
    return code


def qselect(words: list[str]) -> int:
    assert words[:2] == ["-x", "-N"], words
    all_of_them = [json.loads(path.read_text()) for path in tasks()]
    found = {pbs_name({**task, "index": ""}) for task in all_of_them if task["name"] == words[2]}
    say("".join(f"{name}\n" for name in sorted(found)), end="")
    return 0


def qdel(words: list[str]) -> int:
    code = 0
    for name in words:
        job, index = re.match(r"(\d+)(?:\[(\d+)\])?", name).groups()
        if not delete(job, index):
            say(f"qdel: Unknown Job Id {name}", file=sys.stderr)
            code = 153
    return code


# --- LSF


def bsub(words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=True))
    if options.get("-q") == "nowhere":
        say("nowhere: No such queue. Job not submitted.", file=sys.stderr)
        return 255
    if is_full():
        say("User <me>: Pending job threshold reached. Retrying in 60 seconds...", file=sys.stderr)
        return 255
    words_of_array = re.fullmatch(r"(.+)\[(\d+)-(\d+)\](?:%(\d+))?", options["-J"])
    name, first, last, limit = words_of_array.groups()
    after = options.get("-w", "")
    assert not after or re.fullmatch(r"ended\(\d+\)", after), options
    assert int(first) >= 1, "arrays begin at 1"
    indices = list(range(int(first), int(last) + 1))
    job = submit(name, True, indices, "LSB_JOBINDEX", limit, after)
    say(f"Job <{job}> is submitted to default queue <normal>.")
    return 0


def lsf_line(path: Path) -> str:
    task, now, host = json.loads(path.read_text()), phase(path), os.uname().nodename
    what = {"waits": "PEND|-|-|-", "runs": f"RUN|-|-|{host}"}.get(now)
    killed = "TERM_OWNER: job killed by owner"
    if now == "deleted":
        what = f"EXIT|-|{killed}|-"
    elif now == "over":
        code = code_of(path)
        reason = killed if path.with_suffix(".killed").exists() else "-"
        shown = 128 - code if code < 0 else code
        what = f"EXIT|{shown}|{reason}|{host}" if code else f"DONE|-|-|{host}"
    return f"{task['job']}|{task['index']}|{what}"


def bjobs(words: list[str]) -> int:
    assert words[:3] == ["-a", "-noheader", "-o"] and "delimiter='|'" in words[3], words
    wanted, code = words[4:], 0
    known = {path: json.loads(path.read_text()) for path in tasks()}
    if wanted[0] == "-J":
        found = [path for path, task in known.items() if task["name"] == wanted[1]]
        missing = [] if found else wanted[1:]
    else:
        found = [path for path, task in known.items() if str(task["job"]) in wanted]
        missing = [name for name in wanted if not (HOME / f"script-{name}").exists()]
    for name in missing:
        say(f"Job <{name}> is not found", file=sys.stderr)
        code = 255
    say("".join(f"{lsf_line(path)}\n" for path in found), end="")
    return code


def bkill(words: list[str]) -> int:
    code = 0
    for name in words:
        job, index = re.fullmatch(r"(\d+)\[(\d+)\]", name).groups()
        say(f"Job <{name}> is being terminated")
        if not delete(job, index):
            say(f"Job <{name}> is not found", file=sys.stderr)
            code = 255
    return code


def bparams(words: list[str]) -> int:
    say("MAX_JOB_ARRAY_SIZE = 1000")
    return 0


if __name__ == "__main__":
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start_due()
        status = globals()[sys.argv[1]](sys.argv[2:])
        start_due()
    sys.exit(status)
