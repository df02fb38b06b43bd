"""Dask workers, and schedulers, of environments that have dask and no soops, or another version.

The environment is that of the test, but a ``sitecustomize`` hides what it has of soops.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import soops

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

HIDE = """\
import sys
from importlib.machinery import PathFinder

HIDDEN = {hidden!r}


class Hide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in ("soops", "soops_builtin", "pluggy"):
            return None
        spec = PathFinder.find_spec(name, [entry for entry in sys.path if entry not in HIDDEN])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return spec


sys.meta_path.insert(0, Hide)
"""

OTHER = """\
import soops

soops.__version__ = "2001.1"
"""


@pytest.fixture
def environment(tmp_path):
    """Return ``environment(text) -> dict`` with a ``sitecustomize`` of that text."""

    def make(text):
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(text)
        return {"PYTHONPATH": str(folder)}

    return make


@pytest.fixture
def bare(environment):
    import pluggy

    homes = {str(Path(module.__file__).parent.parent) for module in (soops, pluggy)}
    return environment(HIDE.format(hidden=sorted({*homes, *map(os.path.realpath, homes)})))


@pytest.mark.parametrize("nanny", ["--no-nanny", "--nanny"])
@pytest.mark.parametrize("function", ["subprocess.run", "psutil.Popen"])
def test_workers_and_a_scheduler_without_soops(mini, start_cluster, bare, nanny, function):
    cluster = start_cluster(env=bare)
    cluster.add(2, nanny)
    cluster.wait_for_workers(2)
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        for run in (client.run, client.run_on_scheduler):
            with pytest.raises(ModuleNotFoundError):
                run(eval, "__import__('soops')")

    driver = mini.start(
        "--aa=[1, 2, 3, 4]", "-n", "2", "--run-function", function, *cluster.options()
    )

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert mini.states() == ["done"] * 4
    assert mini.logs() == [["start", "end"]] * 4
    assert not re.search("version|Traceback", err), err


SCRIPT = """\
import sys
from pathlib import Path

Path(sys.argv[1], "done.txt").write_text(" ".join(sorted(sys.modules)))
"""

PRELOADED = """\
import shlex
import sys


def get_run_info():
    run_cmd = shlex.quote(sys.executable) + " {script_dir}/script.py {output_dir}"
    return run_cmd, {"--aa": "--aa={--aa}"}, "output_dir", "done.txt"
"""


def test_preloading_works_there_too(mini, start_cluster, bare):
    mini.write("script.py", SCRIPT)
    mini.write("preloaded.py", PRELOADED)
    cluster = start_cluster(1, env=bare)
    words = ("--run-function", "preload", "-n", "1", *cluster.options())

    driver = mini.start("--aa=[1, 2]", *words, module="preloaded.py")

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert mini.states() == ["done"] * 2


def test_one_that_joins_later_gets_it_too(mini, start_cluster, bare):
    cluster = start_cluster(env=bare)
    driver = mini.start("--aa=[1, 2], --hold=gate", "-n", "2", *cluster.options())
    assert driver.stderr is not None
    mini.wait_until(lambda: "no workers" in driver.stderr.readline())

    cluster.add(2)

    mini.wait_for_runs(2)
    mini.gate.touch()
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    assert mini.logs() == [["start", "end"]] * 2


def test_another_version_is_said_once_with_both(mini, start_cluster, environment):
    cluster = start_cluster(2, env=environment(OTHER))

    driver = mini.start("--aa=[1, 2, 3, 4, 5, 6]", "-n", "2", *cluster.options())

    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 0, out + err
    (line,) = [line for line in err.splitlines() if "2001.1" in line]
    assert os.uname().nodename in line and soops.__version__ in line


def test_what_a_worker_is_brought_is_enough_and_not_all():
    from soops_builtin.runners.dask import courier as dask_courier

    names = {name for name, _ in dask_courier._files()}
    assert {"soops/api.py", "soops_builtin/runners/dask/worker.py"} <= names
    assert not [name for name in names if "/cli/" in name or "tests" in name]
    assert len(dask_courier._package()) < 1_000_000
