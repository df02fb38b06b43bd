"""soops.ioutils: paths, options, logs, stores."""

from __future__ import annotations

import io
import math
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soops.ioutils as io_
from soops.api import StudyError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


# --- paths -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made"),
    [("a/b/c.txt", ["a", "a/b"]), ("a/b/", ["a", "a/b"]), ("plain", []), ("", [])],
)
def test_ensure_path_makes_the_directory_of_a_file(here, name, made):
    for _ in range(2):
        assert io_.ensure_path(name) is None
        io_.ensure_path(Path("p/q")) if made else None
        assert [item for item in files(here) if item != "p"] == made


def test_ensure_path_does_not_hide_an_error(here):
    touch("file")
    with pytest.raises(OSError):
        io_.ensure_path("file/x/y")


def test_fix_path(here, monkeypatch):
    monkeypatch.setenv("HOME", "/home of/one")

    assert io_.fix_path("a//b/../c") == str(here / "a/c")
    assert io_.fix_path("~/x") == "/home of/one/x"
    assert io_.fix_path(Path()) == str(here)


@pytest.mark.parametrize(
    ("name", "parts", "edited"),
    [
        ("/x/y/file.txt", {}, "/x/y/file.txt"),
        ("/x/y/file.txt", {"prefix": "p-", "suffix": "-s"}, "/x/y/p-file-s.txt"),
        ("file.txt", {"new_ext": ".png"}, "file.png"),
        ("file.txt", {"new_ext": "png"}, "filepng"),
        ("x/file.txt", {"new_ext": ""}, "x/file"),
        ("/x/file", {"suffix": "_s", "new_ext": ".a"}, "/x/file_s.a"),
        ("a/b.tar.gz", {"suffix": "_s"}, "a/b.tar_s.gz"),
        ("x/file.txt", {"new_dir": "q/r", "prefix": "a"}, "q/r/afile.txt"),
        ("x/file.txt", {"new_dir": ""}, "file.txt"),
        (Path("a/b.txt"), {"new_dir": Path("c")}, "c/b.txt"),
    ],
)
def test_edit_filename(name, parts, edited):
    assert io_.edit_filename(name, **parts) == edited


def test_locate_files(here):
    touch("t/a.txt", "t/s/b.txt", "t/s/u/c.txt", "t/s/u/d.dat")

    def located(*args, **kwargs):
        return [os.path.relpath(path, here) for path in io_.locate_files(*args, **kwargs)]

    assert located("*.txt", "t") == ["t/a.txt", "t/s/b.txt", "t/s/u/c.txt"]
    assert located("*.dat") == ["t/s/u/d.dat"]
    assert located("s/*.txt", Path("t")) == ["t/s/b.txt", "t/s/u/c.txt"]
    assert located(str(here / "t/s/*.txt")) == ["t/s/b.txt", "t/s/u/c.txt"]
    assert located("[a-b].txt", "t", topdown=False) == ["t/s/b.txt", "t/a.txt"]
    assert located("s", "t") == []  # no file
    assert located("*", "missing") == []
    assert all(Path(path).is_absolute() for path in io_.locate_files("*", "t"))


def test_remove_files_empties_a_directory_and_follows_no_link(here):
    touch("r/a.txt", "r/s/u/b.txt", "kept/c.txt")
    (here / "r/link").symlink_to(here / "kept")

    io_.remove_files("r", topdown=False)

    assert files(here) == ["kept", "kept/c.txt", "r"]
    assert io_.remove_files("missing") is None


@pytest.mark.parametrize(
    ("patterns", "ignores", "left"),
    [
        (["*.txt", "*.dat"], None, ["c.log", "s", "s/d.txt"]),
        (["*"], ["*.dat"], ["b.dat", "s", "s/d.txt"]),
        ("*", "*.dat", ["b.dat", "s", "s/d.txt"]),
        (["s/*"], None, ["a.txt", "b.dat", "c.log", "s"]),
        (["*.dat"], ["r/*"], ["a.txt", "c.log", "s", "s/d.txt"]),
    ],
)
def test_remove_files_patterns(here, patterns, ignores, left, capsys):
    touch("r/a.txt", "r/b.dat", "r/c.log", "r/s/d.txt")

    io_.remove_files_patterns("r", patterns, ignores=ignores)

    assert files(here / "r") == left
    assert capsys.readouterr().out == ""


def test_remove_files_patterns_says_what_it_removes(here, capsys):
    touch("r/a.txt", "r/b.txt")
    io_.remove_files_patterns("r", ["*.txt"], verbose=True)

    assert capsys.readouterr().out == 'soops: removing "r/a.txt"\nsoops: removing "r/b.txt"\n'


# --- options ---------------------------------------------------------------------------


def test_the_form_of_options_txt(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog.py", "a b", '--q="z"'])
    options = {"b": 1, "a": "x", "c": [1, "2"], "d": None, "e": ""}
    rest = "options\n-------\n\na: x\nb: 1\nc: [1, '2']\nd: None\ne: \n"
    head = "command line\n------------\n\n"

    io_.save_options("o.txt", [("options", options)])
    assert Path("o.txt").read_text() == f'{head}prog.py a b --q="z"\n\n{rest}'
    io_.save_options("o.txt", [("options", options)], quote_command_line=True)
    assert Path("o.txt").read_text() == f'{head}"prog.py" "a b" "--q="z""\n\n{rest}'
    io_.save_options("o.txt", [("options", options)], save_command_line=False)
    assert Path("o.txt").read_text() == f"\n{rest}"
    io_.save_options("o.txt", [("options", options), ("app", {2: 1, "a": 3})])
    assert Path("o.txt").read_text().endswith(f"{rest}\napp\n---\n\n2: 1\na: 3\n")


@pytest.mark.parametrize(
    "value",
    [
        1,
        -3,
        10**30,
        1.5,
        1e-10,
        1e22,
        math.inf,
        -math.inf,
        1j,
        None,
        True,
        "abc",
        "",
        "max",
        "id",
        "os",
        "data",
        "options",
        "__import__('os').system('touch pwned')",
        "2020-10-12",
        "3/4",
        "0x10",
        "1.10",
        "007",
        "1e5",
        "1_000",
        "true",
        "a : b",
        "a: b",
        "a=1, b=2",
        "'abc'",
        " leading and trailing ",
        "[1, 2",
        "[a, b]",
        "f(x)",
        "(max)",
        "[__import__('os')]",
        "two\nlines",
        "two\n\nparagraphs",
        "a\n---\nb",
        "žluť 日本",
        "C:\\new\\x",
        "~/x",
        [1, 2.5, "x", None, True],
        [],
        (1, 2),
        (1,),
        {"a": 1, "b": {"c": [2]}},
        {},
        {1, 2},
        [math.inf, -1],
        ["it's", 'a "b"'],
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(here, value):
    """D35: texts were evaluated or taken for something else."""
    before = {"alpha": 1, "value": value, "zeta": "end"}
    io_.save_options("o.txt", [("options", before)])
    after = io_.load_options("o.txt")

    assert after == before
    assert type(after["value"]) is type(value)
    assert files(here) == ["o.txt"]


def test_nan_comes_back(here):
    io_.save_options("o.txt", [("options", {"value": math.nan})])

    assert math.isnan(io_.load_options("o.txt")["value"])


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("abc'\"\\", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(plain, max_size=3) | st.tuples(plain) | st.integers() | st.floats(allow_nan=False))
@settings(deadline=None, max_examples=100)
def test_what_is_no_text_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("options") / "o.txt"
    io_.save_options(path, [("options", {"value": value})])

    assert io_.load_options(path) == {"value": value}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(deadline=None, max_examples=100)
def test_a_text_is_itself_or_the_value_that_is_written_like_it(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("options") / "o.txt"
    io_.save_options(path, [("options", {"value": text})])
    value = io_.load_options(path)["value"]

    assert value == text or str(value) == text


def test_groups_are_merged_and_the_command_line_is_passed_over(here, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog.py", "key: 1", "options"])
    io_.save_options("o.txt", [("options", {"a": 1}), ("app options", {"b": 2, "a": 3})])

    assert io_.load_options("o.txt") == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("options\n-------\n\n", {}),
        ("a: 1\nb: x\n", {"a": 1, "b": "x"}),
        ("options\n-------\n\na: 1\n\nb : 2\n", {"a": 1, "b": 2}),
        ("options\r\n-------\r\n\r\na: 1\r\nb: x\r\n", {"a": 1, "b": "x"}),
        ("options\n-------\n\na: 1\nmore options", {"a": "1\nmore options"}),
    ],
)
def test_files_by_other_hands(here, text, options):
    Path("o.txt").write_bytes(text.encode())

    assert io_.load_options("o.txt") == options


def test_namespaces_and_mappings_are_options_too(here):
    from argparse import Namespace

    io_.save_options("o.txt", {"options": Namespace(a=1)})

    assert io_.load_options("o.txt") == {"a": 1}


def test_a_command_line_that_is_not_utf_8(here, monkeypatch):
    """D46."""
    monkeypatch.setattr(sys, "argv", ["prog.py", os.fsdecode(b"\xff")])
    io_.save_options("o.txt", [("options", {"name": os.fsdecode(b"\xfe")})])

    assert b"prog.py \xff" in Path("o.txt").read_bytes()
    assert os.fsencode(io_.load_options("o.txt")["name"]) == b"\xfe"


# --- logs ------------------------------------------------------------------------------


def test_reading_a_log():
    fd = io.StringIO("a\nb\nkey: 1\nc\n  the key again\n")

    assert io_.skip_lines(fd, 2) == "b\n"
    assert io_.skip_lines_to(fd, "key") == "key: 1\n"
    assert fd.readline() == "c\n"
    assert io_.skip_lines_to(fd, "key") == "  the key again\n"
    assert io_.skip_lines_to(fd, "key") == ""
    assert io_.skip_lines(fd, 3) == ""


@pytest.mark.parametrize("key", ["key", b"key"])
def test_reading_a_log_of_bytes(key):
    assert io_.skip_lines_to(io.BytesIO(b"\xff\n\nthe key\n"), key) == b"the key\n"


def test_dec():
    assert [io_.dec(item) for item in (b"\xc5\xbe", "x", None, 3)] == ["ž", "x", None, 3]
    assert os.fsencode(io_.dec(b"a\xff")) == b"a\xff"


# --- stores ----------------------------------------------------------------------------


@pytest.fixture
def store(here):
    import pandas as pd

    io_.put_to_store("a store.h5", "df", pd.DataFrame({"a": [1, 2]}))
    io_.put_to_store("a store.h5", "ser", pd.Series([1.5]))
    return Path("a store.h5")


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        ("df", True),
        (["df"], True),
        (("df", "ser"), True),
        (["df", "no"], False),
        ("d", False),
        ("/df", True),
        ([], True),
    ],
)
def test_is_in_store(store, keys, known):
    """A single key was taken for a sequence of letters."""
    assert io_.is_in_store(store, keys) is known


def test_stores_are_written_and_read(store):
    assert io_.get_from_store(store, "df")["a"].tolist() == [1, 2]
    io_.put_to_store(store, "df", io_.get_from_store(store, "df").iloc[:1])
    assert len(io_.get_from_store(str(store), "df")) == 1
    assert io_.get_from_store(store, "no", default=5) == 5
    assert io_.get_from_store(store, "no") is None
    assert io_.get_from_store("no.h5", "df", default=3) == 3


def test_tables_are_deleted(store):
    io_.delete_from_store(store, "df")

    assert not io_.is_in_store(store, "df")
    assert io_.is_in_store(store, "ser")
    with pytest.raises(KeyError, match="df"):
        io_.delete_from_store(store, "df")


@pytest.mark.parametrize("function", ["is_in_store", "delete_from_store"])
def test_a_store_that_is_not_there(here, function):
    with pytest.raises(FileNotFoundError):
        getattr(io_, function)("no.h5", "df")
    with pytest.raises(FileNotFoundError):
        io_.repack_store("no.h5")


def test_repacking_gives_back_the_room(store):
    import numpy as np
    import pandas as pd

    io_.put_to_store(store, "big", pd.DataFrame(np.random.default_rng(0).random((20000, 5))))
    io_.put_to_store(store, "last", pd.Series([2.5]))
    io_.delete_from_store(store, "big")
    store.chmod(0o640)
    before = store.stat().st_size

    io_.repack_store(store)

    assert store.stat().st_size < before / 2
    assert store.stat().st_mode & 0o777 == 0o640
    assert io_.get_from_store(store, "ser").tolist() == [1.5]
    assert files(Path()) == [str(store)]


def test_a_store_that_cannot_be_repacked_stays(here):
    Path("bad.h5").write_bytes(b"no store")
    with pytest.raises(Exception, match="HDF5"):
        io_.repack_store("bad.h5")

    assert files(here) == ["bad.h5"]
    assert Path("bad.h5").read_bytes() == b"no store"


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("planted"),))


def test_a_store_runs_no_code(here):
    pd = pytest.importorskip("pandas")
    with pytest.warns(pd.errors.PerformanceWarning):
        pd.DataFrame({"a": [Bomb()]}).to_hdf("bad.h5", key="df")
    with pytest.raises(StudyError, match="more than plain values"):
        io_.get_from_store("bad.h5", "df")
    assert not Path("planted").exists()
