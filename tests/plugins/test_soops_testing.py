"""What ``soops.testing`` offers works, and its contracts catch those who break them."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from soops.api import App
from soops.testing import assert_light, installed_plugin, soops_project  # noqa: F401


def try_out(folder: Path, source: str) -> dict[tuple[str, str], str]:
    """Run a test module as a stranger would; class and test name to the worst outcome."""
    (folder / "conftest.py").write_text('pytest_plugins = ["soops.testing"]\n')
    (folder / "test_mine.py").write_text(textwrap.dedent(source))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-q", "--tb=line", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S*?::(?:(\w+)::)?(\w+)", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    outcomes: dict[tuple[str, str], str] = {}
    for outcome, group, name in found:
        if outcomes.get((group, name)) != "FAILED":
            outcomes[group, name] = outcome
    return outcomes


# --- fixtures --------------------------------------------------------------------------------


def test_the_fixtures_are_there_for_strangers(tmp_path):
    outcomes = try_out(
        tmp_path,
        """
        from soops.api import App

        def test_project(soops_project):
            path = soops_project.write("deep/file.txt", "    a\\n      b\\n")
            assert path.read_text() == "a\\n  b\\n"
            assert soops_project.run("soops", "--version").out
            assert soops_project.run("soops-run", "--no-such-option", code=2).err
            assert soops_project.run("soops", "no-such-command", code=None).code == 2

        def test_plugin(installed_plugin, soops_project):
            installed_plugin("mine", '''
                from soops.api import DirectiveSpec, hookimpl

                @hookimpl
                def soops_directives():
                    return [DirectiveSpec(name="two", target="mine:two", summary="two")]

                def two():
                    return 2
            ''')
            assert App.create().resolve("directive", "two")() == 2
            soops_project.env.update(installed_plugin.env)
            assert "mine" in soops_project.run("soops", "plugins").out

        def test_plugin_is_gone():
            assert "two" not in App.create().registry("directive")
        """,
    )

    assert {name for _, name in outcomes} == {"test_project", "test_plugin", "test_plugin_is_gone"}
    assert set(outcomes.values()) == {"PASSED"}


def test_a_lone_scraper_is_installed_by_its_entry_point(installed_plugin):  # noqa: F811
    installed_plugin(
        "lone_scraper",
        "def load(path, rdata=None):\n    return {'a': 1}\n",
        entry_points={"soops.scrapers": {"lone": "lone_scraper:load"}},
        version="3.1",
    )

    assert App.create().resolve("scraper", "lone")("x") == {"a": 1}


def test_a_command_that_fails_shows_what_it_said(soops_project):  # noqa: F811
    with pytest.raises(AssertionError, match="no-such-command"):
        soops_project.run("soops", "no-such-command")


def test_light_is_light_and_heavy_is_not():
    assert_light("soops.api", "soops_builtin.plugin")
    with pytest.raises(AssertionError, match=r"importing soops_builtin\.plugin loads pluggy"):
        assert_light("soops_builtin.plugin", heavy=("pluggy",))
    with pytest.raises(AssertionError, match="cannot be imported"):
        assert_light("no.such.module")


# --- the contract of scrapers ----------------------------------------------------------------

SCRAPERS = """
    import os, sys
    import pytest
    from soops.testing import ScraperContract

    def good(path, rdata=None):
        with open(path, encoding="utf-8") as file:
            return dict(line.split() for line in file)

    class Mine(ScraperContract):
        @pytest.fixture
        def sample(self, tmp_path):
            path = tmp_path / "sample.txt"
            path.write_text("a 1\\nb 2\\n")
            return path

    class TestGood(Mine):
        @pytest.fixture
        def scraper(self):
            return good
"""
BAD_SCRAPER = """
    class TestBad{number}(Mine):
        @pytest.fixture
        def scraper(self):
            return {body}
"""

BAD_SCRAPERS = {
    "lambda path, rdata=None: [1, 2]": "test_it_gives_a_mapping_with_words_as_keys",
    "lambda path, rdata=None: {1: 2}": "test_it_gives_a_mapping_with_words_as_keys",
    "lambda path, rdata=None: {'path': path}": "test_it_takes_any_kind_of_path",
    "lambda path, rdata=None, n=iter(range(99)): {'n': next(n)}": "test_it_gives_the_same_again",
    "lambda path, rdata=None: {'f': lambda: 1}": "test_its_values_can_go_to_another_process",
    "lambda path, rdata=None: (rdata or {}).update(x=1) or good(path)": (
        "test_it_does_not_change_what_it_is_handed"
    ),
    "lambda path, rdata=None: (os.utime(path), good(path))[1]": (
        "test_it_leaves_the_file_as_it_is"
    ),
    "lambda path, rdata=None: good(path) if os.path.exists(path) else sys.exit('no')": (
        "test_a_missing_file_is_an_exception"
    ),
    "lambda path, rdata=None: good(path) if os.path.exists(path) else {}": (
        "test_a_missing_file_is_an_exception"
    ),
    "lambda path, rdata=None: good(path) if os.path.getsize(path) else sys.exit('empty')": (
        "test_a_damaged_file_is_a_mapping_or_an_exception"
    ),
}


@pytest.fixture(scope="module")
def scrapers(tmp_path_factory) -> dict[tuple[str, str], str]:
    """Return what became of all tests of the contract with a good and many bad scrapers."""
    parts = [BAD_SCRAPER.format(number=n, body=body) for n, body in enumerate(BAD_SCRAPERS)]
    return try_out(tmp_path_factory.mktemp("scrapers"), SCRAPERS + "".join(parts))


def test_a_good_scraper_keeps_its_contract(scrapers):
    outcomes = [outcome for (group, _), outcome in scrapers.items() if group == "TestGood"]

    assert set(outcomes) == {"PASSED"}
    assert len(outcomes) >= 9


@pytest.mark.parametrize("body", BAD_SCRAPERS)
def test_a_bad_scraper_is_caught(scrapers, body):
    group = f"TestBad{[*BAD_SCRAPERS].index(body)}"

    assert scrapers[group, BAD_SCRAPERS[body]] == "FAILED"


# --- the contract of runners -----------------------------------------------------------------

RUNNERS = """
    import dataclasses
    import time
    import pytest
    from soops.api import App, RunnerSetup
    from soops.testing import RunnerContract

    Local = App.create().resolve("runner", "local")
"""
BAD_RUNNER = """
    class TestBad{number}(RunnerContract):
        patience = 2.0

        @pytest.fixture
        def runner(self, runner_class=Mine):
            runner = runner_class(RunnerSetup(n_workers=2))
            yield runner
            runner.close()

    for name in dir(TestBad{number}):
        if name.startswith("test_") and name != "{name}":
            setattr(TestBad{number}, name, None)
"""

BAD_RUNNERS = {
    "tells twice": (
        """
    class Mine(Local):
        def poll(self, timeout):
            updates = super().poll(timeout)
            return [*updates, *(item for item in updates if item.outcome)]
        """,
        "test_a_job_is_run_and_told_of_once",
    ),
    "repeats tokens": (
        """
    class Mine(Local):
        def submit(self, jobs):
            return ["x" for _ in super().submit(jobs)]
        """,
        "test_tokens_are_never_used_again",
    ),
    "waits for the work": (
        """
    class Mine(Local):
        def submit(self, jobs):
            tokens = super().submit(jobs)
            ended, kept = 0, []
            limit = time.monotonic() + 5
            while ended < len(jobs) and time.monotonic() < limit:
                updates = super().poll(0.1)
                kept += updates
                ended += sum(item.outcome is not None for item in updates)
            assert ended == len(jobs)
            self._updates += kept
            return tokens
        """,
        "test_submitting_does_not_wait_for_the_work",
    ),
    "one at a time": (
        """
    class Mine(Local):
        def __init__(self, setup):
            super().__init__(dataclasses.replace(setup, n_workers=1))
        """,
        "test_jobs_run_side_by_side",
    ),
    "forgets the timeout": (
        """
    class Mine(Local):
        def submit(self, jobs):
            return super().submit([dataclasses.replace(job, timeout=None) for job in jobs])
        """,
        "test_a_timeout_ends_the_job",
    ),
    "a shell for everything": (
        """
    class Mine(Local):
        def submit(self, jobs):
            return super().submit([dataclasses.replace(job, command=" ".join(job.command))
                                   if not isinstance(job.command, str) else job for job in jobs])
        """,
        "test_every_byte_arrives",
    ),
    "cannot cancel": (
        """
    class Mine(Local):
        def cancel(self, tokens):
            pass
        """,
        "test_a_running_job_can_be_cancelled",
    ),
    "leaves its jobs": (
        """
    class Mine(Local):
        def close(self):
            pass
        """,
        "test_closing_ends_everything",
    ),
}


@pytest.fixture(scope="module")
def runners(tmp_path_factory) -> dict[tuple[str, str], str]:
    """Return what became of the test that is to catch each bad runner."""
    parts = [
        textwrap.dedent(body) + textwrap.dedent(BAD_RUNNER.format(number=number, name=name))
        for number, (body, name) in enumerate(BAD_RUNNERS.values())
    ]
    source = textwrap.dedent(RUNNERS) + "".join(parts)
    return try_out(tmp_path_factory.mktemp("runners"), source)


@pytest.mark.parametrize("fault", BAD_RUNNERS)
def test_a_bad_runner_is_caught(runners, fault):
    group = f"TestBad{[*BAD_RUNNERS].index(fault)}"

    assert {outcome for (name, _), outcome in runners.items() if name == group} == {"FAILED"}
    assert (group, BAD_RUNNERS[fault][1]) in runners
