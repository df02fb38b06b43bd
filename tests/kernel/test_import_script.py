"""A user's script is imported by its path, once, under a name that hides nothing."""

from __future__ import annotations

import calendar
import sys
from pathlib import Path

import pytest

from soops.api import StudyError
from soops.kernel.plugging.usermodule import import_script, module_name


@pytest.fixture(autouse=True)
def clean_interpreter(monkeypatch: pytest.MonkeyPatch):
    """Give back ``sys.path`` and ``sys.modules`` as they were; bytecode is written as usual."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - set(before):
        file = getattr(sys.modules[name], "__file__", None)
        if name.startswith("soops_script_") or (file and "pytest" in file):
            del sys.modules[name]
    sys.modules.update(before)


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "calendar.py",
        "numpy.py",
        "my.v2.py",
        "with blank.py",
        "1st.py",
        "class.py",
        "sys.py",
        "soops.py",
        "žluť.py",
        "conftest.py",
    ],
)
def test_any_file_name_will_do(tmp_path, name):
    path = script(tmp_path, name, "def get_run_info():\n    return 'mine'\n")

    module = import_script(path)

    assert module.get_run_info() == "mine"
    assert Path(module.__file__) == path.resolve()
    assert sys.modules[module.__name__] is module


def test_a_script_hides_no_other_module(tmp_path):
    module = import_script(script(tmp_path, "calendar.py", "x = 1\n"))

    assert module.__name__ != "calendar"
    assert sys.modules["calendar"] is calendar
    import calendar as again

    assert again.isleap(2028)


def test_a_plain_name_is_kept(tmp_path):
    path = script(tmp_path, "oscillator_of_mine.py", "")

    assert import_script(path).__name__ == "oscillator_of_mine"


def test_two_scripts_of_one_name_are_two_modules(tmp_path):
    one = import_script(script(tmp_path, "a/same_name_here.py", "who = 'a'\n"))
    two = import_script(script(tmp_path, "b/same_name_here.py", "who = 'b'\n"))

    assert (one.who, two.who) == ("a", "b")
    assert one.__name__ != two.__name__


def test_the_name_of_a_script_is_the_same_every_time(tmp_path):
    path = script(tmp_path, "my.v2.py", "")

    assert module_name(path) == module_name(path)
    assert module_name(path).isidentifier()
    assert module_name(path) != module_name(tmp_path / "other" / "my.v2.py")


@pytest.mark.parametrize("name", ["ran_once.py", "ran.once.py"])
def test_the_body_runs_once(tmp_path, name):
    path = script(
        tmp_path,
        name,
        "from pathlib import Path\n"
        "with Path(__file__).with_suffix('.log').open('a') as log:\n    log.write('x')\n",
    )

    first = import_script(path)
    second = import_script(path)
    elsewhere = import_script(path.parent / "." / path.name)

    assert first is second is elsewhere
    assert path.with_suffix(".log").read_text() == "x"


def test_nothing_is_written_beside_the_script(tmp_path):
    script(tmp_path, "neighbour_of_it.py", "y = 2\n")
    path = script(tmp_path, "leaves_no_trace.py", "import neighbour_of_it\nx = 1\n")
    before = sys.dont_write_bytecode

    import_script(path)

    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "leaves_no_trace.py",
        "neighbour_of_it.py",
    ]
    assert sys.dont_write_bytecode is before


def test_neighbours_can_be_imported_and_come_last(tmp_path):
    script(tmp_path, "my_own_neighbour.py", "y = 2\n")
    script(tmp_path, "json.py", "raise AssertionError('hides the library')\n")
    path = script(tmp_path, "has_neighbours.py", "import json\nimport my_own_neighbour as n\n")

    module = import_script(path)

    assert module.n.y == 2
    assert module.json.loads("1") == 1


def test_dataclasses_with_late_annotations_work(tmp_path):
    path = script(
        tmp_path,
        "late.annotations.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass P:\n    x: int = 1\n",
    )

    assert import_script(path).P().x == 1


def test_the_suffix_may_be_left_out(tmp_path):
    path = script(tmp_path, "shortened_name.py", "x = 1\n")

    assert import_script(path.with_suffix("")).x == 1


def test_a_relative_path_is_taken_from_the_working_directory(tmp_path, monkeypatch):
    script(tmp_path, "relative_script.py", "x = 1\n")
    monkeypatch.chdir(tmp_path)

    module = import_script(Path("relative_script.py"))

    assert Path(module.__file__).is_absolute()


def test_a_missing_file_gets_its_near_misses(tmp_path):
    script(tmp_path, "monty_hall.py", "")

    with pytest.raises(StudyError) as caught:
        import_script(tmp_path / "monty_hal.py")

    assert "monty_hal.py' does not exist" in caught.value.message
    assert caught.value.hint == "did you mean 'monty_hall.py'?"
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [(".", "is a directory"), ("no/such/folder/x.py", "does not exist")],
)
def test_what_is_no_file_is_refused(tmp_path, name, words):
    with pytest.raises(StudyError, match=words):
        import_script(tmp_path / name)


def test_what_is_no_python_script_is_refused(tmp_path):
    with pytest.raises(StudyError, match="is not a Python script"):
        import_script(script(tmp_path, "program.awk", "BEGIN {}"))


def test_a_syntax_error_has_its_line_and_column(tmp_path):
    path = script(tmp_path, "wrong_syntax.py", "x = 1\ny = = 2\n")

    with pytest.raises(StudyError) as caught:
        import_script(path)

    source = caught.value.source
    assert "syntax error" in caught.value.message
    assert (Path(source.path), source.line, source.column) == (path.resolve(), 2, 5)
    assert len(caught.value.lines()) <= 3


def test_an_error_in_the_body_has_the_line_in_the_script(tmp_path):
    path = script(tmp_path, "raises_late.py", "import json\n\nx = 1\njson.loads('{')\n")

    with pytest.raises(StudyError) as caught:
        import_script(path)

    assert "JSONDecodeError" in caught.value.message
    assert caught.value.source.line == 4
    assert "raises_late" not in sys.modules


def test_a_missing_library_says_where_to_install_it(tmp_path):
    path = script(tmp_path, "needs_more.py", "import no_such_library_at_all\n")

    with pytest.raises(StudyError) as caught:
        import_script(path)

    assert "'no_such_library_at_all'" in caught.value.hint
    assert sys.executable in caught.value.hint


@pytest.mark.parametrize("code", ["import sys\nsys.exit(0)\n", "raise SystemExit('bye')\n"])
def test_a_script_that_exits_is_told_how_not_to(tmp_path, code):
    path = script(tmp_path, "exits_at_once.py", code)

    with pytest.raises(StudyError) as caught:
        import_script(path)

    assert "SystemExit" in caught.value.message
    assert "__name__ == '__main__'" in caught.value.hint


def test_a_main_part_is_not_run(tmp_path):
    path = script(tmp_path, "has_main.py", "x = 1\nif __name__ == '__main__':\n    1 / 0\n")

    assert import_script(path).x == 1


def test_ctrl_c_during_the_import_is_no_mistake_of_the_module(tmp_path):
    path = script(tmp_path, "slow_import.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        import_script(path)

    assert "slow_import" not in sys.modules


def test_a_script_mended_after_an_error_is_imported_anew(tmp_path):
    path = script(tmp_path, "mended.py", "1 / 0\n")
    with pytest.raises(StudyError):
        import_script(path)

    path.write_text("x = 1\n", encoding="utf-8")

    assert import_script(path).x == 1


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path):
    path = tmp_path / "binary_junk.py"
    path.write_bytes(b"x = 1\n\xff\xfe\x00\x01")

    with pytest.raises(StudyError) as caught:
        import_script(path)

    assert str(path) in str(caught.value) or str(path.resolve()) in str(caught.value)
