"""soops.base: the names that scripts use, as of 2026.2 unless it was wrong there."""

from __future__ import annotations

import copy
import io
import itertools
import os
import pickle
import subprocess
import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soops.base as base
from soops.base import AttrDict, Output, Struct


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a module and returns its path; it leaves no module."""
    before, path_before = set(sys.modules), list(sys.path)

    def write(name: str, text: str = ""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.path[:] = path_before


# --- AttrDict and Struct ---------------------------------------------------------------


def test_items_are_attributes():
    options = Struct({"a": 1}, b=2)
    options.c = 3
    del options.a

    assert dict(options) == {"b": 2, "c": 3}
    assert (options.b, options["c"]) == (2, 3)
    assert getattr(options, "a", "none") == "none"
    assert not hasattr(options, "a")
    with pytest.raises(AttributeError, match="a"):
        del options.a
    assert dir(options) == ["b", "c"]


def test_str_lists_the_sorted_items():
    text = str(AttrDict(bb="x", a=None, c=AttrDict(z=1)))

    assert text == "AttrDict:\n  a: None\n bb: x\n  c: AttrDict:\n z: 1"
    assert repr(AttrDict(a=1)) == "AttrDict"
    assert str(AttrDict()) == "AttrDict"
    assert AttrDict(a=1, b=[1]).format_items() == [" a: 1", " b: [1]"]


def test_a_struct_shows_the_names_of_the_structs_in_it():
    assert str(Struct(a=1, e=Struct(z=1))) == "Struct:\n a: 1\n e: Struct"
    assert str(Struct(e=AttrDict(z=1))) == "Struct:\n e: AttrDict:\n z: 1"


def test_any_keys_can_be_shown():
    assert str(Struct({1: 2, "a": 3})) == "Struct:\n 1: 2\n a: 3"


class Options(Struct):
    limit = 3

    @property
    def double(self):
        return 2 * self.num


def test_subclasses_have_attributes_of_their_own():
    options = Options(num=2, limit=4)

    assert (options.double, options.limit) == (4, 3)
    assert str(options) == "Options:\n limit: 4\n   num: 2"
    for other in (options.copy(), copy.copy(options), copy.deepcopy(options)):
        assert type(other) is Options
        assert other == options


def test_copies_are_shallow():
    first = Struct(items_=[1])
    first.copy().items_.append(2)

    assert first.items_ == [1, 2]


@pytest.mark.parametrize("name", ["keys", "items", "values", "update", "copy", "get", "pop"])
def test_an_item_is_not_hidden_by_a_method_of_dict(name):
    options = Struct()
    setattr(options, name, 3)

    assert getattr(options, name) == 3
    assert options == {name: 3}
    assert str(options) == f"Struct:\n {name}: 3"
    assert pickle.loads(pickle.dumps(options)) == options
    assert dict(options) == {name: 3}
    assert {**options} == {name: 3}
    delattr(options, name)
    assert callable(getattr(options, name))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_structs_can_be_pickled(protocol):
    options = Struct(a=[1], b=Options(num=1))
    again = pickle.loads(pickle.dumps(options, protocol))

    assert type(again) is Struct
    assert type(again.b) is Options
    assert again == options


# --- Output ----------------------------------------------------------------------------


def test_messages_have_a_prefix_and_are_indented(capsys):
    say = Output("px:")
    say("a", 1, [2])
    say("begin...")
    say("in")
    say("more...")
    say("in it")
    say("...done")
    say("...done")
    say("...both...")
    say("x")

    assert capsys.readouterr().out.splitlines() == [
        "px: a 1 [2]",
        "px: begin...",
        "px:   in",
        "px:   more...",
        "px:     in it",
        "px:   ...done",
        "px: ...done",
        "px: ...both...",
        "px: x",
    ]
    assert say.level == 0


def test_the_prefix_can_be_set(capsys):
    say = Output("")
    say("x")
    say.prefix = "new:"
    say("y...")

    assert capsys.readouterr().out == "x\nnew: y...\n"
    assert say.get_prefix() == "new:   "


def test_a_message_may_be_empty(capsys):
    Output("px:")()

    assert capsys.readouterr().out == "px: \n"


def test_verbose_is_for_one_message(capsys):
    say = Output("p:")
    say("a...", verbose=False)
    say("b", verbose=True)

    assert capsys.readouterr().out == "p: b\n"


@pytest.mark.parametrize(
    ("options", "screen"),
    [
        ({}, ""),
        ({"quiet": True}, ""),
        ({"combined": True}, "p: one...\np:   two\n"),
        ({"combined": True, "quiet": True}, ""),
    ],
)
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_messages_go_to_a_file(tmp_path, capsys, options, screen, kind):
    path = tmp_path / "new" / "log.txt"
    say = Output("p:", filename=kind(path), **options)
    say("one...")
    say("two")

    assert path.read_text() == "p: one...\np:   two\n"
    assert capsys.readouterr().out == screen


def test_a_file_is_begun_anew_unless_appended_to(tmp_path):
    path = tmp_path / "log.txt"
    for append in (False, True, False):
        Output("p:", filename=path, append=append)("x")
        assert path.read_text().count("x") == (2 if append else 1)


def test_where_messages_go_can_change(tmp_path, capsys):
    path = tmp_path / "log.txt"
    say = Output("p:")
    say.set_output(filename=path, combined=True)
    say("both")
    say.set_output(filename=path, quiet=True, append=True)
    say("file")
    say.set_output()
    say("screen")
    say.set_output(quiet=True)
    say("nowhere...")

    assert path.read_text() == "p: both\np: file\n"
    assert capsys.readouterr().out == "p: both\np: screen\n"
    assert say.level == 0


def test_a_file_object_and_raw_output(capsys):
    stream = io.StringIO()
    Output("p:", filename=stream)("a")
    Output("p:").get_output_function()("raw...", "b")

    assert stream.getvalue() == "p: a\n"
    assert capsys.readouterr().out == "p: raw... b\n"


def test_a_screen_without_the_letters_ends_no_run():
    """D46: a locale or a pipe that is not UTF-8."""
    code = "import soops; soops.output('žluť', 1)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "soops: \\u017elu\\u0165 1\n"


def test_a_log_is_utf_8_in_any_locale(tmp_path):
    code = r"import soops; soops.Output('', filename='log.txt')('\u017elu\u0165 \udcff')"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        cwd=tmp_path,
        check=True,
    )

    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "žluť \\udcff\n"


def test_further_attributes_and_copies_of_an_output(capsys):
    say = Output("p:", lang="cs")
    other = say.copy()
    other.prefix = "q:"
    say("x")
    other("y")

    assert (say.lang, type(other)) == ("cs", Output)
    assert capsys.readouterr().out == "p: x\nq: y\n"
    assert pickle.loads(pickle.dumps(say)).prefix == "p:"


# --- functions -------------------------------------------------------------------------


def test_product_with_lockstep():
    seqs = [1, 2], [3, 4], [5, 6]

    assert list(base.product(*seqs, contracts=[[0, 2]])) == [
        [1, 3, 5],
        [1, 4, 5],
        [2, 3, 6],
        [2, 4, 6],
    ]
    assert list(base.product(*seqs, contracts=[[2, 0]])) == [
        [1, 3, 5],
        [2, 3, 6],
        [1, 4, 5],
        [2, 4, 6],
    ]
    assert list(base.product([1, 2], iter([3, 4]), contracts=[[0, 1]])) == [[1, 3], [2, 4]]
    assert isinstance(base.product(), types.GeneratorType)


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=4))
@settings(deadline=None, max_examples=50)
def test_product_without_lockstep_is_that_of_itertools(seqs):
    expected = list(itertools.product(*seqs))

    assert list(base.product(*seqs)) == expected
    assert list(base.product(*seqs, contracts=[])) == [list(item) for item in expected]


@pytest.mark.parametrize(
    ("contracts", "error", "words"),
    [
        ([[0, 1]], ValueError, r"\[0, 1\] in lockstep have the lengths \[1, 2\]"),
        ([[0, 2], [2, 1]], ValueError, "2 twice"),
        ([[0, 5]], IndexError, "the sequence 5; there are 3"),
        ([[-1, 0]], IndexError, "the sequence -1; there are 3"),
    ],
)
def test_product_refuses_wrong_contracts(contracts, error, words):
    with pytest.raises(error, match=words):
        base.product([1, 2], [3], [5, 6], contracts=contracts)


def test_get_default():
    assert [base.get_default(None, 1), base.get_default(0, 1), base.get_default(2, None)] == [
        1,
        0,
        2,
    ]
    assert base.get_default(None, None) is None
    assert base.get_default(None, 3, "no!") == 3
    with pytest.raises(ValueError, match="no!"):
        base.get_default(None, None, "no!")


def test_ordered_iteritems():
    assert list(base.ordered_iteritems({"b": 1, "a": 2})) == [("a", 2), ("b", 1)]
    assert list(base.ordered_iteritems({"b": 1, 3: 2})) == [(3, 2), ("b", 1)]


NESTED = {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": {}}}, "g": {}}


def test_flatten_dict():
    assert base.flatten_dict(NESTED) == {"a": 1, "b__c": 2, "b__d__e": 3, "b__d__f": {}, "g": {}}
    assert base.flatten_dict(NESTED, prefix="p_", sep="-") == {
        "p_a": 1,
        "p_b-c": 2,
        "p_b-d-e": 3,
        "p_b-d-f": {},
        "p_g": {},
    }
    assert base.flatten_dict(Struct(a=Struct(b=1))) == {"a__b": 1}


def test_unflatten_dict():
    assert base.unflatten_dict({"a__b__c": 1, "a__d": 2, "e": 3}) == {
        "a": {"b": {"c": 1}, "d": 2},
        "e": 3,
    }
    # A prefix is a text, not a set of letters.
    assert base.unflatten_dict({"x-xx__b": 1, "y": 2}, prefix="x-") == {"xx": {"b": 1}, "y": 2}


@pytest.mark.parametrize("flat", [{"a": 1, "a__b": 2}, {"a__b": 2, "a": 1}, {"a": {}, "a__b": 1}])
def test_unflatten_dict_loses_no_value(flat):
    with pytest.raises(ValueError, match="'a"):
        base.unflatten_dict(flat)


@given(
    st.recursive(
        st.dictionaries(st.text("ab-", min_size=1, max_size=3), st.integers(), max_size=3),
        lambda inner: st.dictionaries(st.text("ab-", min_size=1, max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["", "-", "ab", "b-"]),
    st.sampled_from(["__", ".", "::"]),
)
@settings(deadline=None, max_examples=100)
def test_unflatten_is_the_inverse_of_flatten(nested, prefix, sep):
    flat = base.flatten_dict(nested, prefix=prefix, sep=sep)

    assert not any(isinstance(value, dict) and value for value in flat.values())
    assert base.unflatten_dict(flat, prefix=prefix, sep=sep) == nested


# --- importing -------------------------------------------------------------------------


def test_a_file_is_imported_once_and_run_again_when_asked(script):
    path = script("counted_module.py", "import sys\nruns = globals().get('runs', 0) + 1\n")
    first = base.import_file(path)

    assert (first.__name__, first.runs) == ("counted_module", 1)
    assert base.import_file(str(path.with_suffix("")), can_reload=False) is first
    assert first.runs == 1
    assert base.import_file(path) is first
    assert first.runs == 2
    assert str(path.parent) not in sys.path


def test_neighbours_can_be_imported(script):
    script("the_neighbour.py", "value = 5\n")
    path = script("the_importer.py", "from the_neighbour import value\n")

    assert base.import_file(path).value == 5


def test_a_file_hides_no_module_and_no_file_of_its_name(script):
    """D26: the library was imported instead."""
    calendar = base.import_file(script("calendar.py", "mine = True\n"))
    one, two = (base.import_file(script(f"{d}/same_name.py", f"d = {d!r}\n")) for d in "ab")

    assert calendar.mine
    assert (one.d, two.d) == ("a", "b")
    import calendar as library

    assert library.month_name


@pytest.mark.parametrize("package", ["pkg_of_test", "pkg_of_test.sub"])
def test_a_file_of_a_package_is_imported_as_its_member(script, package):
    script("pkg_of_test/__init__.py", "")
    script("pkg_of_test/sub/__init__.py", "word = 'sub'\n")
    # The path begins like that of the package, but is not in it.
    other = script("pkg_of_test_more/lonely.py", "")
    path = script("pkg_of_test/sub/member.py", "from . import word\n")

    member = base.import_file(path, package_name=package)

    assert (member.__name__, member.word) == ("pkg_of_test.sub.member", "sub")
    assert base.import_file(other).__name__ == "lonely"


def test_a_file_of_soops_is_a_member_of_soops():
    import soops.timing as timing

    assert base.import_file(timing.__file__, can_reload=False) is timing


def test_a_missing_file_and_a_broken_one(script, tmp_path):
    with pytest.raises(ModuleNotFoundError, match=r"'missing'.*missing\.py"):
        base.import_file(tmp_path / "missing.py")
    with pytest.raises(ZeroDivisionError):
        base.import_file(script("broken_module.py", "1 / 0\n"))
    assert "broken_module" not in sys.modules


class Shape:
    pass


class Named(Shape):
    name = "named"


class Heir(Named):
    pass


class Unnamed(Shape):
    pass


def test_find_subclasses_names_them():
    context = {"a": Shape, "b": Named, "c": Unnamed, "d": 1}

    assert base.find_subclasses(context, [Shape]) == {"named": Named, "Unnamed": Unnamed}
    assert base.find_subclasses(context, Shape, omit_unnamed=True) == {"named": Named}
    assert base.find_subclasses({"b": Named}, [Shape], name_attr="kind") == {"Named": Named}
    assert base.find_subclasses({"x": Heir}, [Shape]) == {"named": Heir}  # an inherited name


def test_is_derived_class():
    assert base.is_derived_class(Named, Shape)
    assert base.is_derived_class(Heir, Shape)
    assert not base.is_derived_class(Shape, Shape)
    assert not base.is_derived_class(Shape, Named)
    assert not base.is_derived_class(3, Shape)


def test_load_classes(script, capsys):
    script("shapes_base.py", "class Base: pass\n")
    good = script(
        "shapes_good.py",
        "from shapes_base import Base\n"
        "class Square(Base): name = 'square'\n"
        "class Helper(Base): pass\n",
    )
    bad = script("shapes_bad.py", "raise ValueError('out of order')\n")
    parent = base.import_file(script("shapes_base.py", "class Base: pass\n")).Base

    loaded = base.load_classes([good, bad], [parent], ignore_errors=True)

    assert {name: kind.__name__ for name, kind in loaded.items()} == {"square": "Square"}
    assert capsys.readouterr().out == (
        f"soops: WARNING: module {bad} cannot be imported!\n"
        "soops: reason:\n ValueError: out of order\n"
    )
    with pytest.raises(ValueError, match="out of order"):
        base.load_classes([bad], [parent])


# --- commands and shells ---------------------------------------------------------------


def test_run_command_splits_as_a_shell_does_and_uses_none(tmp_path):
    code = "import sys, pathlib; pathlib.Path('args.txt').write_text(repr(sys.argv[1:]))"
    (tmp_path / "some file.txt").touch()
    words = [sys.executable, "-c", code]
    quoted = " ".join(f"'{word}'" for word in [sys.executable, "-c", code.replace("'", '"')])

    assert base.run_command(f"{quoted} 'a b' $HOME", tmp_path / "some file.txt") == 0
    assert (tmp_path / "args.txt").read_text() == repr(["a b", "$HOME", "some file.txt"])
    assert base.run_command([*words, "x y"], tmp_path / "some file.txt") == 0
    assert (tmp_path / "args.txt").read_text() == repr(["x y", "some file.txt"])


def test_run_command_gives_the_first_status_that_is_not_zero(tmp_path, capfd):
    code = "open('runs', 'a').write('x'); print('hello'); n = len(open('runs').read()); exit(n - 1)"
    command = [sys.executable, "-c", code]
    (tmp_path / "file").touch()

    assert base.run_command(command, tmp_path / "file", repeat=4, silent=True) == 1
    assert (tmp_path / "runs").read_text() == "xxxx"
    assert capfd.readouterr().out == ""
    assert base.run_command([sys.executable, "-c", "print('hello')"]) == 0
    assert capfd.readouterr().out == "hello\n"


def test_python_shell_sees_the_variables_of_the_caller(monkeypatch, capsys):
    def inner():
        monkeypatch.setattr("sys.stdin", io.StringIO("print('local is', local_value)\n"))
        base.python_shell(1)

    def outer():
        local_value = 42  # noqa: F841
        inner()

    outer()

    assert "local is 42" in capsys.readouterr().out


def test_shell_is_that_of_ipython(tmp_path):
    pytest.importorskip("IPython")
    (tmp_path / "with_shell.py").write_text(
        "import soops as so\ndef main():\n    local_value = 42\n    so.shell(magics=None)\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "with_shell.py"],
        input="print('local is', local_value)\n",
        cwd=tmp_path,
        env={**os.environ, "IPYTHONDIR": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "local is 42" in done.stdout, done.stdout + done.stderr


def test_debug_stops_where_it_is_called(tmp_path):
    (tmp_path / "to_debug.py").write_text(
        "import soops as so\n"
        "def f(value):\n    so.debug()\n    return value\nf(42)\nprint('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "to_debug.py"],
        input="p value + 1\nc\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "43" in done.stdout
    assert "went on" in done.stdout


def test_debug_on_error_shows_the_error_and_waits_for_nobody(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import soops as so; so.debug_on_error(); 1 / 0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


# --- soops.timing ----------------------------------------------------------------------


def test_timer():
    timer = base_timer()
    first = timer.start()
    dt = timer.stop()
    total = timer.total
    timer.start()
    again = timer.stop()

    assert first is timer
    assert dt == total >= 0
    assert timer.dt == again == timer.t1 - timer.t0
    assert timer.total == pytest.approx(dt + again)
    assert timer.reset() is timer
    assert (timer.total, timer.dt, timer.t0, timer.t1) == (0.0, 0.0, None, None)
    with pytest.raises(ValueError, match='timer "solve" was not started!'):
        timer.stop()


def base_timer():
    from soops.timing import Timer

    return Timer("solve")


def test_get_timestamp():
    import datetime

    from soops.timing import get_timestamp

    then = datetime.datetime(2020, 1, 2, 3, 4, 5)

    assert get_timestamp(dtime=then) == "2020-01-02-03-04-05"
    assert get_timestamp("%d", then) == "02"
    now = datetime.datetime.strptime(get_timestamp(), "%Y-%m-%d-%H-%M-%S")
    assert abs(datetime.datetime.now() - now) < datetime.timedelta(minutes=1)
