"""Each hook has a page, and the example of the page does what the page says.

The ``python`` blocks of a page are one plugin; the ``pycon`` blocks are tried as doctests
with that plugin in an ``app`` and with the values of one made-up run at hand.
"""

from __future__ import annotations

import doctest
import logging
import re
import sys
import types
from pathlib import Path

import pytest

from soops.api import (
    App,
    Decision,
    ParameterSet,
    PlannedRun,
    RunRecord,
    Scooped,
    Source,
    State,
    Study,
    StudyRun,
    Summary,
    UserModule,
)
from soops.kernel.plugging import hookspecs

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "hooks"
HOOKS = [name for name in vars(hookspecs) if name.startswith("soops_")]
KINDS = {hook: kind for kind, hook in hookspecs.REGISTRIES.items()}


@pytest.fixture
def made_up(tmp_path: Path) -> dict[str, object]:
    """Return one run of one study, as the events would tell of it."""
    root = tmp_path / "runs"
    directory = root / "000-e4fba8de3d256f4eccd0cca78771e80b"
    directory.mkdir(parents=True)
    parameters = ParameterSet(
        index=0, values={"--aa": 1}, pkey="e4fba8de3d256f4eccd0cca78771e80b", identity="0" * 32
    )
    record = RunRecord(
        identity=parameters.identity,
        pkey=parameters.pkey,
        number=0,
        directory=directory.name,
        parameters=parameters.values,
        command=("true",),
        state=State.DONE,
        cause="exit",
        returncode=0,
        elapsed=0.5,
    )
    return {
        "tmp": tmp_path,
        "record": record,
        "study_run": StudyRun(
            study=Study(name="study", source=Source(), values={"--aa": 1}),
            module=UserModule(name="script", path=Path("script.py")),
            root=root,
            template=f"{root}/%s",
            output_dir=tmp_path,
            key_order=("--aa",),
            runner="local",
            run_function="subprocess.run",
            n_workers=2,
        ),
        "planned_run": PlannedRun(
            parameters=parameters,
            number=0,
            directory=str(directory),
            command=("true",),
            decision=Decision.RUN,
            reason="new",
        ),
        "summary": Summary(
            total=48, skipped=0, counts={State.DONE: 47, State.FAILED: 1}, elapsed=1.0, root=root
        ),
    }


@pytest.fixture
def page(request, blocks, made_up, monkeypatch):
    """Run the ``python`` blocks of a page; return its module, its app and its blocks."""
    path = FOLDER / f"{request.param}.md"
    found = blocks(path)
    module = types.ModuleType(f"page_{request.param}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in found:
        if block.word == "python":
            lines = "\n" * (block.line - 1) + block.body
            exec(compile(lines, str(path), "exec"), vars(module))
    app = App.create(found=())
    app.add(module, "page")
    names = {**vars(module), **made_up, "app": app}
    return types.SimpleNamespace(
        hook=request.param, path=path, module=module, app=app, blocks=found, names=names
    )


every_page = pytest.mark.parametrize("page", HOOKS, indirect=True, ids=HOOKS)


def test_the_hooks_are_those_of_the_specification():
    assert len(HOOKS) == len(hookspecs.REGISTRIES) + len(hookspecs.EVENTS) + 1
    assert set(HOOKS) == {*hookspecs.REGISTRIES.values(), *hookspecs.EVENTS, "soops_adapt_module"}


def test_each_hook_has_one_page_and_each_page_a_hook():
    assert {path.stem for path in FOLDER.glob("*.md")} == {*HOOKS, "README"}


def test_the_table_of_hooks_links_to_each_page():
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\)", (FOLDER / "README.md").read_text(), re.M)

    assert rows == [(hook, hook) for hook in sorted(HOOKS, key=[h for h, _ in rows].index)]
    assert {hook for hook, _ in rows} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_tested(hook):
    tests = [
        path
        for folder in ("tests", "plugins-example")
        for path in (ROOT / folder).rglob("test_*.py")
        if path != Path(__file__) and re.search(rf"\b{hook}\b", path.read_text(encoding="utf-8"))
    ]

    assert tests, f"no test mentions {hook}"


@every_page
def test_a_page_begins_with_its_hook(page):
    title = page.path.read_text(encoding="utf-8").splitlines()[0]

    assert title.startswith(f"# {page.hook}") or title.startswith(f"# `{page.hook}`")


@every_page
def test_the_example_implements_the_hook(page):
    assert hasattr(getattr(page.module, page.hook), "soops_impl")


@pytest.mark.parametrize("page", KINDS, indirect=True, ids=KINDS)
def test_the_example_gives_names_that_can_be_used(page, caplog):
    with caplog.at_level(logging.WARNING, "soops"):
        registry = page.app.registry(KINDS[page.hook])

    specs = list(registry)
    assert specs and not caplog.records
    for spec in specs:
        assert spec.provider == "page"
        assert spec.summary, "what `soops plugins` shows of it"
        assert spec.name in page.path.read_text(encoding="utf-8")
        assert callable(registry.resolve(spec.name)) or hasattr(registry.resolve(spec.name), "read")


@pytest.mark.parametrize("page", hookspecs.EVENTS, indirect=True, ids=hookspecs.EVENTS)
def test_the_example_listens_without_trouble(page, caplog):
    import pandas as pd

    given = {
        "study": page.names["study_run"],
        "run": page.names["planned_run"],
        "record": page.names["record"],
        "summary": page.names["summary"],
        "attempt": 1,
        "total": 48,
        "scooped": Scooped(
            frame=pd.DataFrame({"aa": [1, 2], "rdir": ["a", "b"]}),
            meta=pd.DataFrame(),
            parameter_keys=("aa",),
            output_dir=page.names["tmp"],
            path=page.names["tmp"] / "results.h5",
        ),
    }

    with caplog.at_level(logging.WARNING, "soops"):
        page.app.emit(page.hook, **given)

    assert not caplog.records


@every_page
def test_what_the_page_shows_is_what_happens(page):
    parser, runner = (
        doctest.DocTestParser(),
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE),
    )
    shown = [block for block in page.blocks if block.word == "pycon"]
    for block in shown:
        test = parser.get_doctest(
            block.body, page.names, page.path.name, str(page.path), block.line
        )
        out: list[str] = []
        runner.run(test, out=out.append, clear_globs=False)
        assert not runner.failures, "".join(out)
        page.names.update(test.globs)

    assert shown, "a page shows what its example gives"
    assert runner.tries
