"""A query is never a program: what would be given to pandas is looked at before."""

from __future__ import annotations

from pathlib import Path

import pytest

from soops.cli import find_main, run_main

MODULE = """\
def get_run_info():
    return "echo {n} > {output_dir}/out", {}, "output_dir", "out"
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a study of three runs, and be in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("mod.py").write_text(MODULE)
    assert run_main(["--silent", "n=[1, 2, 3], output_dir='out/%s'", "mod.py"]) == 0
    return tmp_path


@pytest.mark.parametrize("engine", ["python", "numexpr"])
@pytest.mark.parametrize(
    "query",
    [
        "@os.system('touch pwned')",
        "@__import__('os').system('touch pwned')",
        "@pd.io.common.os.system('touch pwned')",
        "@runs.__class__",
        "n.to_pickle('pwned')",
        "n.to_csv('pwned')",
        "n.map(@print)",
        "n.__class__.__mro__[1].__subclasses__()",
        "n.isin([1]).to_csv('pwned')",
        "[n.to_csv('pwned') for x in [1]]",
        "(lambda: n.to_csv('pwned'))()",
        "n == 1\nn.to_csv('pwned')",
        "`n`.to_csv('pwned')",
        "9**9**9 > n.max()",
        "state.str.lower() == '%999999999d' % 1",
        "state.str.lower() == '%.999999999f' % 1.5",
        "state.str.lower() == b'%999999999d' % 1",
        "n.isin(['%999999999d' % n])",
        "n.isin([1]) and state % 1 == 1",
        "state.max() * 999999999 == 'x'",
        "n.fillna('%999999999d') % 1 == 1",
        "(n.abs() + '%999999999d') % 1 == 1",
        "n.isin([1] * 999999999)",
        "n.isin(" + "(" * 300 + "1" + ")" * 300 + ")",
        "n.isin([" + "-" * 3000 + "1])",
    ],
)
def test_a_query_runs_no_code(study, capfd, query, engine):
    code = find_main(["--engine", engine, "-q", query, "out"])

    err = capfd.readouterr().err
    assert code in (2, 3)
    assert "Traceback" not in err and "internal" not in err
    assert not (study / "pwned").exists()


@pytest.mark.parametrize(
    "query, numbers",
    [
        ("n.isin([1, 3])", "0 2"),
        ("n.between(2, 3)", "1 2"),
        ("`n`.isin([2])", "1"),
        ("n.abs() > 2 and state.str.contains('on')", "2"),
        ("n.abs() % 2 == 1", "0 2"),
        ("state.str.len() * 2 == 8 and -n % n.max() == 2", "0"),
        ("(n.abs() > 1) * 2 == 2", "1 2"),
        ("n.isin([1]) and state.str.contains('(on)')", "0"),
    ],
)
def test_what_only_computes_still_works(study, capfd, query, numbers):
    assert find_main(["-q", query, "-k", "iset", "out"]) == 0
    assert capfd.readouterr() == ("".join(f"{number}\n" for number in numbers.split()), "")
