"""What a study comes to before anything runs: ``soops.plan`` on scripts."""

from __future__ import annotations

import sys
import textwrap

import pytest

import soops
from soops.api import Decision, PluginError, StudyError, UsageError

SCRIPT = """
import os

def get_run_info():
    opt_args = {'--a': '--a={--a}', '--b': '--b={--b}', '--v': '--v={--v}', '--f': '--f'}
    return 'touch {output_dir}/done; echo', (
        opt_args, {'--b': 7}, ['--v']), 'output_dir', is_finished

def is_finished(pars, options):
    assert pars['script_dir'] == '.' and options.recompute in (0, 1, 2)
    return os.path.exists(os.path.join(pars['output_dir'], 'done'))

def make(args, keys, conf, options):
    assert sorted(keys) == ['--a', '--b'] and conf['--v'] == 'x'
    return {'--a': args.values, '--b': [v * 10 for v in args.values]}

def wrong_keys(args, keys, conf, options):
    return {'--a': [1]}

class Compute:
    def __init__(self, args, par_seqs, key_order, options):
        self.factor = args['--b']
        assert par_seqs[0] == [(0, '--a', 1), (1, '--a', 2)]
        assert key_order == ['--a', '--b', '--f', '--v']

    def __call__(self, pars):
        return {'--b': pars['--a'] * self.factor, 'extra': 1}

class Broken(Compute):
    def __call__(self, pars):
        return {'--b': 1 / (pars['--a'] - 1)}
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in sys.modules if name == "planned_script"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "planned_script.py").write_text(textwrap.dedent(SCRIPT))

    def build(study, **options):
        return list(soops.plan(f"output_dir='o/%s', {study}", "planned_script.py", **options))

    return build


def run(study, **options):
    return soops.run(f"output_dir='o/%s', {study}", "planned_script.py", **options)


def test_defaults_and_undefined_fill_what_the_study_leaves_out(plan):
    (item,) = plan("--a=1")
    assert dict(item.parameters.values) == {
        "--a": 1,
        "--b": 7,
        "--f": "@undefined",
        "--v": "@undefined",
    }
    assert item.directory == f"o/000-{item.parameters.pkey}"
    assert item.command.endswith('"--a=1" "--b=7"')


def test_unhashed_parameters_do_not_make_runs(plan, caplog):
    items = plan("--a=[1, 2], --v=[x, y]")
    assert [item.parameters.values["--v"] for item in items] == ["x", "x"]
    assert "will not be run twice" in caplog.text


def test_repeated_values_are_planned_once(plan, caplog):
    assert len(plan("--a=[1, 1, 1]")) == 1
    assert "2 repeated values of --a" in caplog.text


def test_values_that_differ_in_type_only_are_two_runs_and_a_warning(plan, caplog):
    assert len(plan("--a=[1, '1']")) == 2
    assert "differ in type only" in caplog.text


def test_an_empty_list_is_told(plan, caplog):
    assert plan("--a=[]") == []
    assert "--a has no values" in caplog.text


def test_lockstep_numbers_runs_as_its_first_key_says(plan):
    study = "--a=[1, 2], --b=[3, 4], --f=[@defined, @undefined]"
    by_a = [
        (p.parameters.values["--a"], p.parameters.values["--f"])
        for p in plan(study, contracts="--a + --b")
    ]
    assert [a for a, _ in by_a] == [1, 1, 2, 2]
    by_f = plan(study, contracts="--f + --a")
    assert [p.parameters.values["--b"] for p in by_f] == [3, 3, 4, 4]


@pytest.mark.parametrize(
    ("contracts", "said"),
    [
        ("--a + --c", "did you mean"),
        ("--a + --b", "different numbers of values"),
        ("--a", "does not join keys"),
        ("--a + --v, --v + --f", "twice"),
    ],
)
def test_wrong_contracts_are_explained(plan, contracts, said):
    with pytest.raises(StudyError) as caught:
        plan("--a=[1, 2], --b=[1, 2, 3], --v=[1, 2], --f=[1, 2]", contracts=contracts)
    assert said in "\n".join(caught.value.lines())


def test_generated_values(plan):
    items = plan("--a=@generate, --b=@generate, --v=x", generate="function=make, values=[1, 2]")
    assert [(p.parameters.values["--a"], p.parameters.values["--b"]) for p in items] == [
        (1, 10),
        (1, 20),
        (2, 10),
        (2, 20),
    ]


@pytest.mark.parametrize(
    ("generate", "said"),
    [
        (None, "nothing says how"),
        ("values=[1]", "does not name a function"),
        ("function=mak", "did you mean 'make'"),
        ("function=wrong_keys", "gave values for"),
        ("nosection", "unknown section"),
    ],
)
def test_wrong_generators_are_explained(plan, generate, said):
    with pytest.raises(StudyError) as caught:
        plan("--a=@generate, --b=@generate", generate=generate)
    assert said in "\n".join(caught.value.lines())


def test_computed_parameters_count_for_the_name(plan):
    items = plan("--a=[1, 2]", compute="class=Compute, --b=5")
    assert [dict(item.parameters.values) for item in items] == [
        {"--a": a, "--b": 5 * a, "--f": "@undefined", "--v": "@undefined", "extra": 1}
        for a in (1, 2)
    ]
    assert len({item.parameters.pkey for item in items}) == 2


def test_a_computing_class_that_raises_is_named_before_anything_runs(plan):
    with pytest.raises(StudyError, match="Broken\\(\\) raised ZeroDivisionError"):
        plan("--a=[1, 2]", compute="class=Broken, --b=5")


def test_where_filters_by_parameters(plan):
    items = plan("--a=[1, 2, 3], --b=[1, 2, 3]", where="a < b and b != 2")
    assert [(p.parameters.values["--a"], p.parameters.values["--b"]) for p in items] == [
        (1, 3),
        (2, 3),
    ]


def test_decisions_follow_what_happened(plan, tmp_path):
    assert [p.decision for p in plan("--a=[1, 2]")] == [Decision.RUN, Decision.RUN]
    assert run("--a=[1, 2]").ok
    assert [(p.decision, p.reason) for p in plan("--a=[1, 2, 3]")] == [
        (Decision.SKIP, "finished"),
        (Decision.SKIP, "finished"),
        (Decision.RUN, "new"),
    ]
    (tmp_path / plan("--a=2")[0].directory / "done").unlink()
    item = plan("--a=2")[0]
    assert item.decision is Decision.RERUN
    assert "check" in item.reason
    assert plan("--a=2", recompute=0)[0].decision is Decision.SKIP
    assert plan("--a=1", recompute=2)[0].decision is Decision.RERUN
    assert plan("--a=1", rerun=("done",))[0].decision is Decision.RERUN
    assert plan("--a=1", rerun=("failed",))[0].decision is Decision.SKIP
    assert plan("--a=2", rerun=("unfinished",))[0].decision is Decision.RERUN


def test_numbers_go_on_and_known_sets_keep_theirs(plan):
    run("--a=[1, 2]")
    assert [p.number for p in plan("--a=[3, 2, 4]")] == [2, 1, 3]


def test_an_added_optional_argument_does_not_orphan_finished_runs(plan, tmp_path):
    run("--a=[1, 2]")
    script = tmp_path / "planned_script.py"
    script.write_text(
        script.read_text().replace("'--f': '--f'}", "'--f': '--f', '--g': '--g={--g}'}")
    )
    items = plan("--a=[1, 2]")
    assert [item.decision for item in items] == [Decision.SKIP, Decision.SKIP]
    assert [item.number for item in items] == [0, 1]


def test_unknown_options_are_refused(plan):
    with pytest.raises(UsageError, match="n_workrs"):
        plan("--a=1", n_workrs=3)
    with pytest.raises(UsageError, match="fialed"):
        plan("--a=1", rerun=("fialed",))


def test_a_million_sets_are_planned_one_by_one(plan, tmp_path):
    study = "output_dir='o/%s', --a=@range(1000), --b=@range(1000)"
    plans = soops.plan(study, "planned_script.py")
    assert [next(plans).number for _ in range(3)] == [0, 1, 2]
    plans.close()


def test_a_module_may_bring_its_own_run_function(plan, tmp_path):
    script = tmp_path / "planned_script.py"
    script.write_text(
        script.read_text()
        + """
from soops.api import RunFunctionSpec, hookimpl

def gently(job):
    return job

@hookimpl
def soops_run_functions():
    return [RunFunctionSpec(name="gently", target=gently)]
"""
    )
    assert [item.number for item in plan("--a=1", run_function="gently")] == [0]
    with pytest.raises(PluginError, match="unknown run function 'gentle'"):
        plan("--a=1", run_function="gentle")
