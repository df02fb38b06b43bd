"""The builtin checks, asked as the kernel asks them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from soops.api import RunRecord, State, StudyError
from soops_builtin.checks import exit_code, file_exists, function


def record(code: int | None) -> RunRecord:
    return RunRecord(
        identity="",
        pkey="",
        number=0,
        directory="d",
        parameters={},
        command="",
        state=State.DONE,
        returncode=code,
    )


def test_a_file_name_means_that_the_file_exists(tmp_path):
    check = file_exists("done.txt")
    assert not check(tmp_path, {}, None, None)
    (tmp_path / "done.txt").touch()
    assert check(tmp_path, {}, None, None)


def test_several_files_must_all_exist(tmp_path):
    check = file_exists(["a", "b"])
    (tmp_path / "a").touch()
    assert not check(tmp_path, {}, None, None)
    (tmp_path / "b").touch()
    assert check(tmp_path, {}, None, None)


def test_an_empty_name_is_the_directory_itself(tmp_path):
    assert file_exists("")(tmp_path, {}, None, None)
    assert not file_exists("")(tmp_path / "absent", {}, None, None)


def test_a_function_gets_parameters_and_options(tmp_path):
    seen = {}

    def is_finished(pars, options):
        seen.update(pars, timeout=options.timeout)
        return pars["--num"] > 1

    check = function(is_finished)
    assert check(tmp_path, {"--num": 2}, SimpleNamespace(timeout=3.0), None)
    assert seen == {"--num": 2, "timeout": 3.0}
    assert not check(tmp_path, {"--num": 1}, SimpleNamespace(timeout=3.0), None)


def test_a_function_cannot_change_what_is_planned(tmp_path):
    parameters = {"--num": 1}
    function(lambda pars, options: pars.clear())(tmp_path, parameters, None, None)
    assert parameters == {"--num": 1}


def test_exit_codes(tmp_path):
    check = exit_code("exit:0,3")
    assert check(tmp_path, {}, None, record(3))
    assert not check(tmp_path, {}, None, record(1))
    assert not check(tmp_path, {}, None, None)
    with pytest.raises(StudyError, match="does not name exit codes"):
        exit_code("exit:zero")


@pytest.mark.parametrize("finished", [None, 5, [], [1], {"a": 1}])
def test_what_no_check_understands(finished):
    assert file_exists(finished) is None
    assert function(finished) is None
    assert exit_code(finished) is None


def test_each_understands_its_own_only():
    assert exit_code("done.txt") is None
    assert file_exists("exit:0") is None
    assert function("done.txt") is None


def test_files_are_looked_for_by_the_path_of_the_directory_alone(tmp_path):
    inner, outer = tmp_path / "run" / "done.txt", tmp_path / "outside"
    inner.parent.mkdir()
    check = file_exists(["done.txt", str(outer)])
    inner.touch()
    assert not check.glance(str(inner.parent))
    outer.touch()
    assert check.glance(str(inner.parent))
    assert not check.glance(str(tmp_path))
    assert not file_exists("a\0b").glance(str(tmp_path))
