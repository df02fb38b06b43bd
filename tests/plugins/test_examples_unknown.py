"""The example plugins: known while they are installed, unknown with a helpful error after.

They are installed here as pip leaves them, a ``dist-info`` folder made from their
``pyproject.toml``; ``.ci/run`` does the same with pip.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "plugins-example"
STUDY = """
[study]
command = ["sh", "-c", "echo 0 {x} > {output_dir}/energy.xvg"]
output_dir = "runs/%s"
finished = "energy.xvg"

[parameters]
x = VALUES

[[scoop]]
file = "energy.xvg"
scraper = "xvg"
"""


@pytest.fixture
def install(site):
    """Return a function that installs one example."""

    def install(name: str) -> Path:
        folder = EXAMPLES / name
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        for path in (folder / "src").glob("soops_*[!o]"):  # no soops_*.egg-info
            (site.folder / path.name).symlink_to(path)
        return site.install(name, project["entry-points"], version=project["version"])

    return install


def write_study(values: str = "[1, 2]") -> str:
    Path("study.toml").write_text(STUDY.replace("VALUES", values), encoding="utf-8")
    return "study.toml"


def test_there_are_small_ones_and_a_larger_one():
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))

    small = ["soops-netcdf", "soops-nice", "soops-study-tools", "soops-xvg"]
    assert names == sorted([*small, "soops-slurm"])
    for name in names:
        folder = EXAMPLES / name
        assert (folder / "README.md").is_file()
        assert list(folder.glob("tests/test_*.py"))
        most = 400 if name == "soops-slurm" else 250
        for path in folder.glob("src/*/*.py"):
            assert len(path.read_text().splitlines()) < most


@pytest.mark.parametrize("name", ["soops-xvg", "soops-netcdf"])
def test_a_scraper_has_no_hook_code(name):
    for path in (EXAMPLES / name / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import soops" not in text and "from soops" not in text
        assert "hookimpl" not in text


def test_plugins_shows_them_beside_the_builtin(install, soops_command):
    for name in ("soops-nice", "soops-study-tools", "soops-xvg"):
        install(name)

    done = soops_command("plugins")

    assert done.code == 0
    for words in ("nice", "chebyshev", "group_table", "tree", "xvg", "builtin"):
        assert words in done.out
    assert soops_command("plugins", "check").code == 0


def test_the_scraper(install, site, soops_command):
    study = write_study()
    info = install("soops-xvg")
    assert soops_command("run", study).code == 0
    assert soops_command("scoop", "--strict", study, "runs").code == 0

    site.uninstall(info)
    done = soops_command("scoop", study, "runs", "-o", "again")

    assert done.code in (3, 4)
    assert "unknown scraper 'xvg'" in done.err
    assert "hint: " in done.err
    assert len(done.err.strip().splitlines()) <= 3
    assert not Path("again").exists()


def test_the_runner(install, site, soops_command):
    study = write_study()
    install("soops-xvg")  # whose scraper the study names
    info = install("soops-nice")
    assert soops_command("run", "--runner", "nice", study).code == 0

    site.uninstall(info)
    done = soops_command("run", "--runner", "nice", "-r", "2", study)

    assert done.code in (2, 3, 4)
    assert "unknown runner 'nice'" in done.err and "local" in done.err


def test_the_directive(install, site, soops_command):
    study = write_study('"@chebyshev(2, 0, 1)"')
    install("soops-xvg")  # whose scraper the study names
    info = install("soops-study-tools")
    assert soops_command("run", study).code == 0

    site.uninstall(info)
    done = soops_command("run", study)

    assert done.code == 3
    assert "unknown directive 'chebyshev'" in done.err
    assert soops_command("find", "runs").out.count("done") == 2, "what was run stays readable"


def test_the_step(install, site, soops_command):
    study = write_study()
    xvg, tools = install("soops-xvg"), install("soops-study-tools")
    assert soops_command("run", study).code == 0
    step = ("--use-plugins", "group_table", "--plugin-args", "group_table={by=[rdir]}")
    done = soops_command("scoop", study, "runs", *step)
    assert done.code == 0, done.err
    assert Path("groups.md").read_text().startswith("| rdir")

    site.uninstall(tools)
    done = soops_command("scoop", study, "runs", *step)

    assert xvg.exists()
    assert done.code in (2, 4)
    assert "unknown step 'group_table'" in done.err


def test_the_command(install, site, soops_command):
    study = write_study()
    install("soops-xvg")  # whose scraper the study names
    info = install("soops-study-tools")
    assert soops_command("run", study).code == 0
    done = soops_command("tree", "runs")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "runs: 2 runs, 2 done"

    site.uninstall(info)
    done = soops_command("tree", "runs")

    assert done.code == 2
    assert "unknown command 'tree'" in done.err
    assert len(done.err.strip().splitlines()) <= 3
