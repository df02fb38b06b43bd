"""What the documents say is true: links lead somewhere, commands do what they should."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "plugins-example").glob("*/README.md"),
        *(ROOT / "examples").glob("*/README.md"),
    ]
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")

every_page = pytest.mark.parametrize(
    "path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES]
)


def outside_fences(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```[ ]*$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of a file, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", outside_fences(path), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).replace(" ", "-")
        for title in titles
    }


@every_page
def test_links_lead_to_files_and_headings_that_exist(path):
    dead = []
    for match in LINK.finditer(outside_fences(path)):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            dead.append(match["target"])

    assert not dead


def test_every_document_can_be_reached_from_the_readme():
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in seen or path.suffix != ".md" or not path.is_file():
            continue
        seen.add(path)
        for match in LINK.finditer(outside_fences(path)):
            if not re.match(r"[a-z]+:", match["target"]):
                todo.append((path.parent / match["target"].partition("#")[0]).resolve())

    documents = {path for path in PAGES if path.is_relative_to(ROOT / "docs")}
    assert not documents - seen


@every_page
def test_no_path_of_a_machine_and_no_mark_of_unfinished_work(path):
    text = path.read_text(encoding="utf-8")

    found = re.findall(r"/(?:work|root|home)/\S*|\b(?:TODO|FIXME|TBD|XXX)\b", text)
    assert not found


@every_page
def test_a_page_has_one_title_and_no_line_that_must_be_scrolled(path):
    text = outside_fences(path)

    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert text.startswith("# ")


@every_page
def test_python_and_toml_blocks_are_python_and_toml(path, blocks):
    import tomllib

    for block in blocks(path):
        if block.word == "python":
            compile(block.body, f"{path.name}:{block.line}", "exec")
        elif block.word == "toml":
            tomllib.loads(block.body)


def parse(words: list[str]) -> None:
    """Parse a command line of soops as soops does, and do nothing with it."""
    import click

    from soops.cli.common import Session, words_for
    from soops.cli.group import command, soops

    program, args = Path(words[0]).name, words[1:]
    root = click.Context(soops, info_name="soops", obj=Session())
    if program == "soops":
        assert args, "soops alone shows its help"
        name, target, args = soops.resolve_command(root, args)
        assert target is not None
    else:
        name = program.removeprefix("soops-")
        target = command(root, name)
        args = words_for(target, args)
    if isinstance(target, click.Group) and args:
        name, target, args = target.resolve_command(root, args)
    target.make_context(name, args, parent=root)


@every_page
def test_command_lines_of_soops_can_be_parsed(path, blocks):
    from soops.api import SoopsError

    #: Commands of example plugins, which need not be installed here.
    foreign = ("soops tree",)
    wrong = []
    for block in blocks(path):
        if block.word not in ("sh", "console") or block.file_name:
            continue
        for text in block.commands():
            for part in text.split("&&"):
                words = shlex.split(part, comments=True)
                if not re.fullmatch(r"soops(-\w+)?", Path(words[0]).name):
                    continue
                if part.strip().startswith(foreign) or words[1:] == ["demo"]:
                    continue
                try:
                    parse(words)
                except (Exception, SystemExit) as exc:
                    text = exc.message if isinstance(exc, SoopsError) else exc
                    wrong.append(f"line {block.line}: {part.strip()}: {text}")

    assert not wrong


# --- documents that are followed to the letter -----------------------------------------


def test_the_tutorial(blocks, follow):
    printed = follow(blocks(ROOT / "docs" / "tutorial.md"))

    names = printed["ls runs"].split()
    assert len(names) == 10 and names[0].startswith("000-")
    assert set(printed["ls results"].split()) >= {"results.h5", "results.csv", "paths.png"}
    assert Path("results/again.png").stat().st_size > 1000
    (line,) = printed['soops-find runs -q "damping > 0.3 & frequency == 2" -k output_dir'].split()[
        ::2
    ] or [""]
    assert line.startswith("runs/")


def test_the_study_in_one_file_of_the_readme(blocks, follow):
    printed = follow(blocks(ROOT / "README.md"))

    assert list(printed) == [
        "soops check spring.toml",
        "soops run spring.toml",
        "soops find runs -q \"mass == 2 and state == 'done'\"",
        "soops scoop spring.toml",
    ]
    assert next(iter(printed.values())).startswith("spring: 6 parameter sets\n")
    assert list(printed.values())[2].count("result ") == 3
    assert Path("runs/period-over-stiffness.png").stat().st_size > 5000
    import pandas as pd

    frame = pd.read_hdf("runs/results.h5", "df")
    assert sorted(round(value, 2) for value in frame["period"]) == [
        2.09,
        2.96,
        3.14,
        4.44,
        6.28,
        8.89,
    ]


def test_the_two_commands_of_the_readme_are_there_as_typed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert (
        text.count("python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/soops demo") == 1
    )
    tests = "python3 -m venv .venv && .venv/bin/pip install '.[test]' && "
    assert text.count(tests + ".venv/bin/python -m pytest -n 2") == 1
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    first, second = script.index('"pytest -n 2"'), script.index('"soops demo"')
    assert first < second, "the tests come first"


def test_the_directories_that_the_readme_lists_are_those_of_its_study(blocks, tmp_path):
    """The 48 names are computed by soops from the study text that stands above them."""
    from importlib import resources

    import soops.study

    found = blocks(ROOT / "README.md")
    (listed,) = [block.body.split() for block in found if block.word == "text"]
    (words,) = [
        shlex.split(text)
        for block in found
        if block.word == "sh"
        for text in block.commands()
        if text.startswith("soops-run") and "--num=" in text
    ]
    study = words[words.index("-o") + 2]
    contracts = next(word for word in words if word.startswith("-c=")).removeprefix("-c=")
    script = resources.files("soops_builtin") / "examples" / "monty_hall" / "monty_hall.py"

    with resources.as_file(script) as path:
        planned = soops.study.plan(
            study.replace("output/study", str(tmp_path)), path, contracts=contracts
        )
        names = [Path(run.directory).name for run in planned]

    assert len(names) == 48
    assert names == listed


def test_the_how_to_of_adaptive_studies(blocks, follow, shell):
    page = blocks(ROOT / "docs" / "howto" / "adaptive-studies.md")
    (console,) = [block for block in page if block.word == "console"]
    follow([block for block in page if block.file_name])

    said = "".join(f"$ {command}\n{shell(command)}" for command in console.commands())

    assert said == console.body


@pytest.mark.timeout(300)
def test_the_how_to_of_runners(blocks, install, tmp_path):
    """Its distribution is installed, its tests are run, and a study goes through it."""
    for block in blocks(ROOT / "docs" / "howto" / "write-a-runner.md"):
        if block.file_name:
            path = tmp_path / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
    install(tmp_path / "soops-via" / "pyproject.toml", tmp_path / "soops-via" / "src")
    install(tmp_path / "soops-small" / "pyproject.toml", tmp_path / "soops-small")
    (tmp_path / "study.toml").write_text(
        """
        [study]
        command = ["sh", "-c", "exit $0", "{code}", "{output_dir}"]
        output_dir = "runs/%s"
        finished = "exit:0"

        [parameters]
        code = [0, 3]
        """,
        encoding="utf-8",
    )
    run = ["-m", "soops", "run", "--runner", "via", "--runner-opt", "via=nice -n 1", "study.toml"]
    small = ["-m", "soops", "run", "--runner", "small", "-r", "2", "study.toml"]
    for words, code in (
        (["-m", "soops", "plugins", "check"], 0),
        (["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "soops-via/tests"], 0),
        (["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "soops-small"], 0),
        (run, 1),
        (small, 1),
    ):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, text=True, capture_output=True, timeout=200
        )
        assert done.returncode == code, done.stdout + done.stderr
    assert "1 done" in done.stderr and "1 failed" in done.stderr


def test_the_how_to_of_plugins(blocks, install, tmp_path):
    """Its two distributions are installed and used; their tests are run."""
    for block in blocks(ROOT / "docs" / "howto" / "write-a-plugin.md"):
        if block.file_name:
            path = tmp_path / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
    install(tmp_path / "soops-wc" / "pyproject.toml", tmp_path / "soops-wc")
    install(tmp_path / "soops-lab" / "pyproject.toml", tmp_path / "soops-lab" / "src")
    code = "\n".join(
        [
            "from pathlib import Path",
            "from soops.api import App",
            "app = App.create()",
            "assert app.resolve('directive', 'decades')(-3, 0) == [0.001, 0.01, 0.1, 1.0]",
            "Path('x.txt').write_text('a b c')",
            "assert app.resolve('scraper', 'wc')('x.txt', column='n') == {'n': 3}",
        ]
    )

    for words in (
        ["-c", code],
        ["-m", "soops", "plugins", "show", "decades"],
        ["-m", "soops", "plugins", "show", "lab"],
        ["-m", "soops", "plugins", "check"],
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "soops-lab/tests"],
    ):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"


def follow_example(name: str, install, follow, blocks) -> dict[str, str]:
    folder = ROOT / "plugins-example" / name
    install(folder / "pyproject.toml", folder / "src")
    return follow(blocks(folder / "README.md"))


def test_the_readme_of_the_scraper(install, follow, blocks):
    printed = follow_example("soops-xvg", install, follow, blocks)

    assert len(printed) == 2
    with Path("results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["kinetic_en_mean"]) for row in rows] == [420.0, 450.0, 480.0]
    assert [float(row["potential_mean"]) for row in rows] == [-972.0, -970.0, -968.0]
    assert {float(row["potential_std"]) for row in rows} == {0.0}


def test_the_readme_of_the_runner(install, follow, blocks):
    printed = follow_example("soops-nice", install, follow, blocks)

    assert len(printed) == 2
    runs = sorted(Path("runs").glob("0*"))
    assert len(runs) == 4
    for run in runs:
        assert int((run / "niceness.txt").read_text()) >= 15
        assert (run / "cpu.txt").stat().st_size


def test_the_readme_of_the_study_tools(install, follow, blocks):
    printed = follow_example("soops-study-tools", install, follow, blocks)

    tree = printed["soops tree --by x runs"].splitlines()
    assert tree[0] == "runs: 12 runs, 12 done"
    assert len(tree) == 5
    lines = printed["cat groups.md"].splitlines()
    assert re.split(r" *\| *", lines[0]) == ["", "x", "runs", "mean y", ""]
    assert len(lines) == 6


def test_the_dependencies_are_those_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)

    extras = project["optional-dependencies"]
    names = ("parquet", "yaml", "shell", "templates", "sampling")
    wanted = [*project["dependencies"], *(item for name in names for item in extras[name])]
    assert sorted(rows) == sorted(re.match(r"[\w-]+", item).group() for item in wanted)


def test_the_changelog_begins_with_the_version():
    from soops import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.findall(r"^## (\S+)$", text, re.MULTILINE)[0] == __version__


def test_the_index_of_the_documentation_names_every_folder():
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    tops = {
        path.relative_to(ROOT / "docs").parts[0]
        for path in PAGES
        if path.is_relative_to(ROOT / "docs") and path.name != "README.md"
    }

    assert not {name for name in tops if f"({name}" not in text}


def test_the_tests_that_the_page_of_promises_names_exist():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)

    assert len(named) > 20
    for path, function in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in source, f"{path}::{function}"
