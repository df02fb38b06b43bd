"""Run directories: their names, their ``soops-parameters.csv``, their ``run.py``."""

from __future__ import annotations

import csv
import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soops.kernel.errors import StudyError
from soops.kernel.records import parameters_csv
from soops.kernel.records.disk import DamagedFileError, DiskError
from soops.kernel.records.rundir import (
    RunDirWriter,
    RunTemplate,
    mark_finished,
    read_parameters_csv,
    write_parameters_csv,
    write_run_script,
)
from soops.kernel.values import Source

KEY = "a96da9ba9ee27be055166a3f64f641d2"
FILE = "soops-parameters.csv"

# --- names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "root", "directory", "name"),
    [
        ("output/study/%s", "output/study", "output/study/000-K", "000-K"),
        ("%s", ".", "000-K", "000-K"),
        ("/%s", "/", "/000-K", "000-K"),
        ("/a/b/%s", "/a/b", "/a/b/000-K", "000-K"),
        ("out/run-%s", "out", "out/run-000-K", "run-000-K"),
        ("run-%s", ".", "run-000-K", "run-000-K"),
        ("out/%s/sub", "out", "out/000-K/sub", "000-K/sub"),
        ("out/%s.d/a/b", "out", "out/000-K.d/a/b", "000-K.d/a/b"),
        ("out/%s/", "out", "out/000-K/", "000-K"),
        ("50%/%s", "50%", "50%/000-K", "000-K"),
        ("50%%/%s", "50%", "50%/000-K", "000-K"),
        ("%d-%%s-%s", ".", "%d-%s-000-K", "%d-%s-000-K"),
        ("out//parametric//%s", "out/parametric", "out//parametric//000-K", "000-K"),
        (" a b/%s c", " a b", " a b/000-K c", "000-K c"),
    ],
)
def test_a_template_and_its_names(text, root, directory, name):
    template = RunTemplate(text)

    assert template.text == text
    assert str(template.root) == root
    assert template.directory(0, KEY) == directory.replace("K", KEY)
    assert template.parse(name.replace("K", KEY)) == (0, KEY)


@pytest.mark.parametrize("number", [0, 7, 99, 100, 999, 1000, 123456])
def test_numbers_have_three_digits_or_more(number):
    template = RunTemplate("out/%s")
    name = template.directory(number, KEY).removeprefix("out/")

    assert name == f"{number:03d}-{KEY}"
    assert template.parse(name) == (number, KEY)


@pytest.mark.parametrize(
    "name",
    [
        "",
        KEY,
        f"-{KEY}",
        f"00-{KEY}",
        f"0000-{KEY}",
        f"0100-{KEY}",
        f"000-{KEY}.bak",
        f"000-{KEY}/sub",
        f"x000-{KEY}",
        f"000-{KEY[:-1]}",
        f"000-{KEY.upper()}",
        f"٠٠٠-{KEY}",
        f"000-{KEY}\n",
        f"{'9' * 30}-{KEY}",
        "001-bak",
    ],
)
def test_what_is_no_name_of_the_template(name):
    assert RunTemplate("out/%s").parse(name) is None


def test_prefix_and_suffix_must_both_be_there():
    template = RunTemplate("out/run-%s.d/x")

    assert template.parse(f"run-000-{KEY}.d/x") == (0, KEY)
    for name in (f"000-{KEY}", f"run-000-{KEY}", f"run-000-{KEY}.d", f"000-{KEY}.d/x", "run-.d/x"):
        assert template.parse(name) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output", "has 0 places"),
        ("", "has 0 places"),
        ("out/%%s", "has 0 places"),
        ("%s/%s", "has 2 places"),
        ("%s/../x", "leads out"),
        ("%s/./x", "leads out"),
        ("a\0b/%s", "zero byte"),
    ],
)
def test_templates_that_cannot_be(text, message):
    with pytest.raises(StudyError, match=message) as caught:
        RunTemplate(text, source=Source(path="study.cfg", section="s"))

    assert "study.cfg" in str(caught.value)


# --- soops-parameters.csv ----------------------------------------------------------------


def test_the_file_is_as_older_tools_read_it(tmp_path):
    """A line of a README: the columns, their order, their quoting."""
    values = {
        "--host": "random",
        "--no-show": "@defined",
        "--num": 100,
        "--repeat": 10,
        "--seed": "@undefined",
        "--silent": "@defined",
        "--switch": "@undefined",
        "python": "python3",
        "output_dir": f"output/study/000-{KEY}",
        "script_dir": "soops/examples",
    }

    write_parameters_csv(str(tmp_path), KEY, True, 0, values)

    assert (tmp_path / FILE).read_bytes() == (
        b"pkey,finished,iset,--host,--no-show,--num,--repeat,--seed,--silent,--switch,python,"
        b"output_dir,script_dir\n"
        b"a96da9ba9ee27be055166a3f64f641d2,True,000,random,@defined,100,10,@undefined,@defined,"
        b"@undefined,python3,output/study/000-a96da9ba9ee27be055166a3f64f641d2,soops/examples\n"
    )


def test_values_are_quoted_only_where_they_have_to_be(tmp_path):
    values = {
        "a": "x,y",
        "b": 'say "hi"',
        "c": "two\nlines",
        "d": None,
        "e": "",
        "f": 1e-05,
        "g": float("nan"),
        "h": True,
        "i": " blank ",
        "j": "žluť",
        "k": (1, 2),
    }

    write_parameters_csv(str(tmp_path), KEY, False, 12, values)

    row = (tmp_path / FILE).read_bytes().split(b"\n", 1)[1]
    assert (
        row
        == (
            f'{KEY},False,012,"x,y","say ""hi""","two\nlines",,,1e-05,,True, blank ,žluť,"(1, 2)"\n'
        ).encode()
    )


def test_pandas_reads_every_cell(tmp_path):
    import pandas as pd

    values = {"a": "x,y", "b": 'q"q', "c": "two\nlines", "d": "tab\tand\rreturn", "e": "'"}
    write_parameters_csv(str(tmp_path), KEY, False, 3, values)

    frame = pd.read_csv(tmp_path / FILE, dtype=str, keep_default_na=False)

    assert list(frame) == ["pkey", "finished", "iset", *values]
    assert dict(frame.iloc[0])["iset"] == "003"
    assert {key: frame.iloc[0][key] for key in values} == values


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    values=st.dictionaries(
        texts.filter(lambda key: key not in ("pkey", "finished", "iset")), texts, min_size=1
    ),
    number=st.integers(0, 10**6),
    finished=st.booleans(),
)
@example(values={"a\nb": "c"}, number=0, finished=True)
@example(values={"a": "\r"}, number=0, finished=True)
@example(values={'"': '""'}, number=0, finished=True)
@settings(deadline=None, max_examples=100)
def test_every_text_comes_back(values, number, finished):
    data = parameters_csv.header_line(values) + parameters_csv.parameters_line(
        KEY, finished, number, values
    )

    row = parameters_csv.parse_row(data)

    assert dict(row.values) == values
    assert list(row.values) == list(values)
    assert (row.pkey, row.finished, row.number) == (KEY, finished, number)


def test_a_cell_larger_than_the_csv_module_takes_comes_back(tmp_path):
    value = '"' + "x," * 200_000
    write_parameters_csv(str(tmp_path), KEY, False, 3, {"a": value})

    assert read_parameters_csv(tmp_path / FILE).values == {"a": value}


def test_bytes_of_a_path_come_back(tmp_path):
    write_parameters_csv(str(tmp_path), KEY, False, 3, {"output_dir": "out/\udcff,"})

    assert b"\xff" in (tmp_path / FILE).read_bytes()
    assert read_parameters_csv(tmp_path / FILE).values == {"output_dir": "out/\udcff,"}


def read(tmp_path, data: bytes):
    (tmp_path / FILE).write_bytes(data)
    return read_parameters_csv(tmp_path / FILE)


def test_files_of_older_soops_have_no_number(tmp_path):
    row = read(tmp_path, f"pkey,finished,a\n{KEY},True,1\n".encode())

    assert row.number is None
    assert row.values == {"a": "1"}


@pytest.mark.parametrize(
    ("text", "number"), [("000", 0), ("7", 7), ("12.0", 12), ("", None), ("1000", 1000)]
)
def test_numbers_as_older_soops_wrote_them(tmp_path, text, number):
    assert read(tmp_path, f"pkey,finished,iset\n{KEY},False,{text}\n".encode()).number == number


def test_a_key_that_looks_like_a_number_stays_a_key(tmp_path):
    key = "8212504846384249376297e297010660"

    assert read(tmp_path, f"pkey,finished\n{key},True\n".encode()).pkey == key


def test_line_ends_of_windows_are_understood(tmp_path):
    row = read(tmp_path, f"pkey,finished,a\r\n{KEY},True,1\r\n".encode())

    assert row.values == {"a": "1"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"pkey,finished,iset,a\n", "1 lines"),
        (b"pkey,fini", "cut"),
        (b"pkey,finished,iset,a\nKEY,True,000,1", "cut"),
        (b"pkey,finished,iset,a\nKEY,True\n", "2 values for 4"),
        (b"pkey,finished,iset,a\nKEY,True,000,1,2\n", "5 values for 4"),
        (b"pkey,finished,iset,a\nKEY,True,000,1\nKEY,True,000,1\n", "3 lines"),
        (b"a,b\n1,2\n", "no column pkey"),
        (b"pkey,finished\nabc,True\n", "the key is 'abc'"),
        (b"pkey,finished\nKEY,maybe\n", "finished is 'maybe'"),
        (b"pkey,finished,iset\nKEY,True,x\n", "iset is 'x'"),
        (b"pkey,finished,iset\nKEY,True,-1\n", "iset is '-1'"),
        (b'pkey,finished,a\nKEY,True,"x\n', "no table"),
        (b'pkey,finished,a\nKEY,True,x"y\n', "no table"),
        (b"pkey,finished,a,a\nKEY,True,1,2\n", "twice"),
        (b"\x00\x93\xff\xfe" * 100, "cut"),
        (b"\x00\x93\xff\xfe\n" * 100, "lines"),
    ],
)
def test_what_is_no_such_file_is_named_with_the_reason(tmp_path, data, reason):
    with pytest.raises(DamagedFileError) as caught:
        read(tmp_path, data.replace(b"KEY", KEY.encode()))

    assert reason in caught.value.reason
    assert str(tmp_path / FILE) in caught.value.message


def test_an_absent_file_is_no_damaged_one(tmp_path):
    with pytest.raises(DiskError) as caught:
        read_parameters_csv(tmp_path / FILE)

    assert caught.value.errno == errno.ENOENT


# --- finished ----------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_finished_is_set_in_place(tmp_path, before, after):
    write_parameters_csv(str(tmp_path), KEY, before, 5, {"a": 'x,"y"', "b": "last"})
    inode = (tmp_path / FILE).stat().st_ino

    assert mark_finished(str(tmp_path), after) is True

    assert (tmp_path / FILE).stat().st_ino == inode
    write_parameters_csv(str(tmp_path / "."), KEY, after, 5, {"a": 'x,"y"', "b": "last"})
    assert (tmp_path / FILE).stat().st_ino == inode, "it was the same to the byte"


def test_finished_is_set_below_a_header_of_several_lines(tmp_path):
    write_parameters_csv(str(tmp_path), KEY, False, 5, {"a\nb": "x", f"c\n{KEY[:5]}": "False"})

    assert mark_finished(str(tmp_path), True)

    row = read_parameters_csv(tmp_path / FILE)
    assert row.finished
    assert row.values == {"a\nb": "x", f"c\n{KEY[:5]}": "False"}


def test_finished_is_set_in_files_of_older_soops(tmp_path):
    (tmp_path / FILE).write_text(f"pkey,finished,a\n{KEY},False,1\n")

    assert mark_finished(str(tmp_path), True)
    assert (tmp_path / FILE).read_text() == f"pkey,finished,a\n{KEY},True,1\n"


@pytest.mark.parametrize(
    "content", [b"", b"pkey,finished,iset\n", b"garbage\n", b"pkey,finished,a\nKEY,False"]
)
def test_what_has_no_row_is_left_as_it_is(tmp_path, content):
    (tmp_path / FILE).write_bytes(content.replace(b"KEY", KEY.encode()))

    assert mark_finished(str(tmp_path), True) is False
    assert (tmp_path / FILE).read_bytes() == content.replace(b"KEY", KEY.encode())


def test_nothing_is_made_where_nothing_is(tmp_path):
    assert mark_finished(str(tmp_path), True) is False
    assert mark_finished(str(tmp_path / "absent"), True) is False
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path):
    """A run may put one there; nothing outside is written through it."""
    outside = tmp_path / "outside.csv"
    outside.write_text(f"pkey,finished,a\n{KEY},False,1\n")
    run = tmp_path / "run"
    run.mkdir()
    (run / FILE).symlink_to(outside)

    with pytest.raises(DiskError, match=re.escape(str(run / FILE))):
        mark_finished(str(run), True)
    assert "False" in outside.read_text()


def test_the_driver_killed_between_the_two_calls_leaves_a_readable_file(tmp_path, monkeypatch):
    write_parameters_csv(str(tmp_path), KEY, False, 5, {"a": "x"})

    class Killed(BaseException):
        pass

    def killed(*args):
        raise Killed

    monkeypatch.setattr(os, "ftruncate", killed)
    with pytest.raises(Killed):
        mark_finished(str(tmp_path), True)

    row = read_parameters_csv(tmp_path / FILE)
    assert (row.finished, row.values) == (True, {"a": "x"})
    with (tmp_path / FILE).open(newline="") as file:
        assert [row["finished"] for row in csv.DictReader(file)] == ["True"]


# --- run.py ------------------------------------------------------------------------------


def run_script(directory: Path, cwd: Path, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [directory / "run.py"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **env},
    )


def test_it_runs_the_command_from_any_directory(tmp_path):
    study, elsewhere = tmp_path / "my study", tmp_path / "elsewhere"
    run = study / "out" / "000"
    run.mkdir(parents=True)
    elsewhere.mkdir()
    command = 'echo "$WORD $(pwd)" > out/000/seen.txt; exit 3'

    write_run_script(str(run), command, str(study), {"WORD": "it's"}, True)
    done = run_script(run, elsewhere)

    assert done.returncode == 3
    assert (run / "seen.txt").read_text() == f"it's {study}\n"
    mode = stat.S_IMODE((run / "run.py").stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    assert mode == 0o755 & ~umask


def test_an_argument_list_meets_no_shell(tmp_path):
    words = ("printf", "%s|", "$HOME", "a b", "it's", '"', "$(touch pwned)", "; touch pwned", "")

    write_run_script(str(tmp_path), words, str(tmp_path), {}, False)
    done = run_script(tmp_path, tmp_path)

    assert done.stdout == "".join(f"{word}|" for word in words[2:])
    assert not (tmp_path / "pwned").exists()


def test_a_signal_is_told_as_a_shell_tells_it(tmp_path):
    write_run_script(str(tmp_path), ("sh", "-c", "kill -TERM $$"), str(tmp_path), {}, False)

    assert run_script(tmp_path, tmp_path).returncode == 128 + 15


def test_a_study_that_was_moved_is_said(tmp_path):
    write_run_script(str(tmp_path), "true", str(tmp_path / "gone"), {}, True)

    done = run_script(tmp_path, tmp_path)

    assert done.returncode == 1
    assert "gone" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        'python3 prog.py out "--host=random" "--name=it\'s"',
        'echo "a\\b"',
        "cd x\necho 'two lines' \"and both quotes\"",
        "echo '''three''' \"quotes\"",
        "echo žluť",
    ],
)
def test_a_person_finds_the_command_in_it(tmp_path, command):
    write_run_script(str(tmp_path), command, str(tmp_path), {}, True)

    text = (tmp_path / "run.py").read_text(encoding="utf-8")
    assert command in text or "'''" in command


@given(command=st.text() | st.lists(st.text(), min_size=1).map(tuple))
@example(command="ends in a quote '\"'")
@example(command="ends in a backslash \\")
@example(command="''' and \"\"\" and \\")
@example(command="carriage\rreturn 'and' \"quotes\"")
@example(command="\udcff 'x' \"y\"")
@settings(deadline=None, max_examples=100)
def test_the_command_in_it_is_the_command(tmp_path_factory, command):
    directory = tmp_path_factory.mktemp("script", numbered=True)
    write_run_script(str(directory), command, "/tmp", {"a": "b\n'"}, isinstance(command, str))

    source = (directory / "run.py").read_bytes().split(b"\nif not ")[0]
    names: dict = {}
    exec(compile(source, "run.py", "exec"), names)

    assert names["cmd"] == (command if isinstance(command, str) else list(command))
    assert names["env"] == {"a": "b\n'"}
    assert names["shell"] is isinstance(command, str)


# --- many of them ------------------------------------------------------------------------


@pytest.fixture
def writer(tmp_path):
    return RunDirWriter(str(tmp_path), {}, True)


def prepare(writer, directory, number=4, command="true", **values):
    return writer.prepare(
        str(directory),
        pkey=KEY,
        number=number,
        values={**values, "output_dir": str(directory), "script_dir": "."},
        command=command,
    )


def test_a_new_directory_gets_its_two_files(tmp_path, writer):
    directory = tmp_path / "deep" / "er" / "004"

    assert prepare(writer, directory, a=1) is True

    assert sorted(path.name for path in directory.iterdir()) == ["run.py", FILE]
    row = read_parameters_csv(directory / FILE)
    assert (row.pkey, row.number, row.finished) == (KEY, 4, False)
    assert row.values == {"a": "1", "output_dir": str(directory), "script_dir": "."}
    assert os.access(directory / "run.py", os.X_OK)


def test_columns_may_differ_from_run_to_run(tmp_path, writer):
    """A computing class may add other keys to each set."""
    prepare(writer, tmp_path / "1", a=1)
    prepare(writer, tmp_path / "2", a=1, b=2)
    prepare(writer, tmp_path / "3", a=3)

    columns = [list(read_parameters_csv(tmp_path / name / FILE).values)[:-2] for name in "123"]
    assert columns == [["a"], ["a", "b"], ["a"]]


def test_a_directory_that_is_there_is_only_marked(tmp_path, writer):
    directory = tmp_path / "004"
    prepare(writer, directory, a=1)
    mark_finished(str(directory), True)
    inodes = {path.name: path.stat().st_ino for path in directory.iterdir()}

    assert prepare(writer, directory, a=1) is False

    assert {path.name: path.stat().st_ino for path in directory.iterdir()} == inodes
    assert not read_parameters_csv(directory / FILE).finished


def test_what_changed_is_written_anew(tmp_path, writer):
    directory = tmp_path / "004"
    prepare(writer, directory, a=1)

    prepare(writer, directory, a="other", command="false")

    assert read_parameters_csv(directory / FILE).values["a"] == "other"
    assert "false" in (directory / "run.py").read_text()
    assert sorted(path.name for path in directory.iterdir()) == ["run.py", FILE]


@pytest.mark.parametrize("content", [b"", b"pkey,fin", b"\0\xff" * 30])
def test_a_damaged_file_is_mended(tmp_path, writer, content):
    directory = tmp_path / "004"
    directory.mkdir()
    (directory / FILE).write_bytes(content)

    prepare(writer, directory, a=1)

    assert read_parameters_csv(directory / FILE).values["a"] == "1"


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path, writer):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    directory = tmp_path / "004"
    directory.mkdir()
    (directory / FILE).symlink_to(outside)
    (directory / "run.py").symlink_to(outside)

    prepare(writer, directory, a=1)

    assert outside.read_text() == "precious"
    assert not (directory / FILE).is_symlink()


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path, writer):
    (tmp_path / "004").write_text("")

    with pytest.raises(DiskError) as caught:
        prepare(writer, tmp_path / "004", a=1)

    assert str(tmp_path / "004") in caught.value.message
    assert caught.value.hint


def test_a_directory_in_the_place_of_a_file_is_named(tmp_path, writer):
    (tmp_path / "004" / FILE).mkdir(parents=True)

    with pytest.raises(DiskError, match=re.escape(FILE)):
        prepare(writer, tmp_path / "004", a=1)


@pytest.mark.parametrize("call", ["mkdir", "open", "write"])
def test_a_full_disk_leaves_no_half_file(tmp_path, writer, monkeypatch, call):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(DiskError, match="No space left") as caught:
            prepare(writer, tmp_path / "004", a=1)

    assert "make room" in caught.value.hint
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    prepare(writer, tmp_path / "004", a=1)
    assert read_parameters_csv(tmp_path / "004" / FILE).values["a"] == "1"
