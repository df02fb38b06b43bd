"""Text or file to a study, and its directives to values; with fake plugins only."""

from __future__ import annotations

from pathlib import Path

import pytest

from soops.kernel.app import App
from soops.kernel.errors import PluginError, StudyError
from soops.kernel.plugging import discovery
from soops.kernel.plugging.hookspecs import hookimpl
from soops.kernel.plugging.specs import DirectiveSpec, ReaderSpec
from soops.kernel.study.conf import expand, pending_keys, read_study
from soops.kernel.study.grammar import parse_dict
from soops.kernel.values import Directive, Generated, Source, Study


def read_as(name):
    """Return a reader that notes its own name and what it was given."""

    def read(text, source, section):
        if text.startswith("raise"):
            raise KeyError("no such thing")
        if text.startswith("wrong"):
            return {"a": 1}
        values = parse_dict(text, source=source) if name == "text" else {"text": text}
        return Study(name=section or name, source=source, values={**values, "reader": name})

    return read


class Numbers:
    """What looks like an array."""

    def tolist(self):
        return [1, 2]


class Fake:
    """Three readers and some directives."""

    @hookimpl
    def soops_conf_readers(self):
        return [
            ReaderSpec(name="text", target=read_as("text")),
            ReaderSpec(name="sections", target=read_as("sections"), suffixes=(".cfg", ".ini")),
            ReaderSpec(name="rows", target=read_as("rows"), suffixes=(".csv",)),
        ]

    @hookimpl
    def soops_directives(self):
        def refuse():
            raise StudyError("not today", hint="come back")

        def place():
            raise StudyError("not there", source=Source(path="elsewhere"))

        return [
            DirectiveSpec(name="pair", target=lambda a, b=0: [a, b]),
            DirectiveSpec(name="one", target=lambda: "the one"),
            DirectiveSpec(name="tuple", target=lambda *args: args),
            DirectiveSpec(name="range", target=range),
            DirectiveSpec(name="numbers", target=Numbers),
            DirectiveSpec(name="later", target=Generated),
            DirectiveSpec(name="refuse", target=refuse),
            DirectiveSpec(name="place", target=place),
        ]


@pytest.fixture
def app() -> App:
    app = App(discovery.load((), ()))
    app.add(Fake(), "fake")
    return app


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def values(app, text, **generated):
    return expand(app, read_study(app, text), generated=generated or None) | {"reader": None}


def wrong(app, *args, **kwargs) -> StudyError:
    with pytest.raises(StudyError) as caught:
        read_study(app, *args, **kwargs)
    return caught.value


# --- which reader ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("s.cfg", "a=1", "sections"),
        ("s.INI", "a=1", "sections"),
        ("s.csv", "[a]", "rows"),
        ("s.txt", "a=1", "text"),
        ("study", "\n# words\n; words\n  [small]\na=1", "sections"),
        ("study", "a=[1]", "text"),
        ("study", "", "text"),
    ],
)
def test_a_file_is_read_by_its_suffix_or_by_its_look(app, folder, name, content, reader):
    (folder / name).write_text(content, encoding="utf-8")

    study = read_study(app, name)

    assert study.values["reader"] == reader
    assert study.source.path == name


def test_what_is_no_file_is_a_text(app):
    study = read_study(app, "a=1, b=@one")

    assert study.values["a"] == 1
    assert study.values["b"].source == Source(line=1, column=8)
    assert study.source == Source()


def test_a_text_may_be_long_empty_or_no_name_at_all(app):
    assert len(read_study(app, "a=[" + "1, " * 10_000 + "]").values["a"]) == 10_000
    assert read_study(app, " ").values == {"reader": "text"}
    assert read_study(app, "a='\0'").values["a"] == "\0"


def test_the_section_reaches_the_reader(app, folder):
    (folder / "s.cfg").write_text("x")

    study = read_study(app, "s.cfg", section="small")

    assert study.name == "small"
    assert study.source == Source(path="s.cfg", section="small")


def test_line_ends_and_marks_of_other_systems_are_read(app, folder):
    (folder / "s.cfg").write_bytes(b"\xef\xbb\xbfa\r\nb\rc")

    assert read_study(app, "s.cfg").values["text"] == "a\nb\nc"


def test_a_path_may_hold_blanks_and_equals_signs(app, folder):
    place = folder / "a b" / "n=1, x"
    place.mkdir(parents=True)
    (place / "my study.cfg").write_text("x")

    assert read_study(app, str(place / "my study.cfg")).values["reader"] == "sections"


# --- overrides ---------------------------------------------------------------------------


def test_overrides_go_before_the_study_and_may_add_keys(app):
    study = read_study(app, "a=1, b=2", overrides="b=@one, --c=[3, 4]")

    assert expand(app, study) == {"a": 1, "b": "the one", "reader": "text", "--c": [3, 4]}


def test_a_mistake_in_the_overrides_is_theirs(app):
    error = wrong(app, "a=1", overrides="b=[")

    assert error.source.path == "--conf"
    assert error.source.column == 3


# --- mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("studis.cfg", "did you mean 'studies.cfg'?"),
        ("sub/studis.cfg", "did you mean 'sub/studies.cfg'?"),
        ("nowhere/studies.cfg", "there is no directory 'nowhere'"),
        ("my studies.cfg", "did you mean 'studies.cfg'?"),
        ("zzz", "give a file, or text"),
        ("C:/zzz", "there is no directory 'C:'"),
    ],
)
def test_a_mistyped_file_name_is_not_taken_for_a_text(app, folder, name, hint):
    (folder / "sub").mkdir()
    for place in (folder, folder / "sub"):
        (place / "studies.cfg").write_text("x")

    error = wrong(app, name)

    assert error.message == f"there is no study file {name!r}"
    assert hint in error.hint


@pytest.mark.parametrize("text", ["a b", "a:1, b", "a=1,\nb.cfg", "[s]"])
def test_other_texts_are_left_to_the_reader(app, text):
    assert wrong(app, text).source.column


def test_a_value_may_look_like_a_file(app):
    assert read_study(app, "a=studies.cfg").values["a"] == "studies.cfg"


def test_a_directory_a_script_and_bytes_are_refused(app, folder):
    (folder / "script.py").write_text("a = 1")
    (folder / "bytes.cfg").write_bytes(b"a = 1\nb = \xff\n")

    assert "is a directory" in wrong(app, str(folder)).message
    assert "the study comes first" in wrong(app, "script.py").hint
    error = wrong(app, "bytes.cfg")
    assert (error.message, error.source.line) == ("the study is not UTF-8 text", 2)


def test_without_a_reader_of_texts_a_file_is_needed():
    empty = App(discovery.load((), ()))

    with pytest.raises(PluginError, match="no plugin reads"):
        read_study(empty, "a=1")


@pytest.mark.parametrize(
    ("content", "trouble"), [("raise", "raised KeyError"), ("wrong", "gave dict, not Study")]
)
def test_a_broken_reader_is_named(app, folder, content, trouble):
    (folder / "s.csv").write_text(content)

    with pytest.raises(PluginError) as caught:
        read_study(app, "s.csv")

    assert "the reader 'rows' of plugin 'fake'" in caught.value.message
    assert trouble in caught.value.message


# --- directives --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@pair(1, 2)", [1, 2]),
        ("@pair(1, b=2)", [1, 2]),
        ("'@pair(1, 2)'", [1, 2]),
        ("[0, @pair(1, 2), 3]", [0, 1, 2, 3]),
        ("[[@pair(1, 2)], 3]", [[1, 2], 3]),
        ("(0, @pair(1, 2))", (0, 1, 2)),
        ("[@tuple(1, 2), 3]", [(1, 2), 3]),
        ("{x=@pair(1, 2), y=[@one]}", {"x": [1, 2], "y": ["the one"]}),
        ("@pair(@one, [@pair(1, 2)])", ["the one", [1, 2]]),
        ("[@one, '@one', $'@one', @@one]", ["the one", "the one", "@one", "@one"]),
        ("@range(3)", [0, 1, 2]),
        ("[@range(2), 5]", [0, 1, 5]),
        ("@numbers", [1, 2]),
        ("[1, [2, (3, 'x')]]", [1, [2, (3, "x")]]),
    ],
)
def test_directives_become_values(app, text, wanted):
    assert values(app, f"a={text}")["a"] == wanted


def test_generated_keys_are_told_in_order(app):
    study = read_study(app, "b=@later, c=1, a='@later', d=[@one]")

    assert pending_keys(app, study) == ["b", "a"]
    found = expand(app, study, generated={"a": [1], "b": "@later", "z": 0})
    assert list(found.items())[:4] == [("b", "@later"), ("c", 1), ("a", [1]), ("d", ["the one"])]


def test_values_that_nobody_generated_are_missed(app):
    study = read_study(app, "a=@later, b=@later")

    with pytest.raises(StudyError, match="no generated values of 'b'") as caught:
        expand(app, study, generated={"a": [1]})
    assert caught.value.source.column == 13
    with pytest.raises(StudyError, match="no generated values of 'a'"):
        expand(app, study)


@pytest.mark.parametrize("text", ["[1, @later]", "(@later)", "{x=@later}", "@pair(1, @later)"])
def test_generated_values_stand_alone(app, text):
    with pytest.raises(StudyError, match="@later must be the whole value"):
        values(app, f"a={text}")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("@pear(1)", "unknown directive 'pear'", "did you mean 'pair'?; write @@pear(1) for"),
        ("[1, @zzz]", "unknown directive 'zzz'", "write @@zzz for the text itself"),
        ("@pair()", "@pair() failed: TypeError: ", None),
        ("@pair(1, c=2)", "@pair(1, c=2) failed: TypeError: ", None),
        ("@refuse", "not today", "come back"),
    ],
)
def test_a_directive_that_fails_is_shown_where_it_is(app, text, message, hint):
    with pytest.raises(StudyError) as caught:
        values(app, f"a={text}")

    assert message in caught.value.message
    assert (caught.value.source.line, caught.value.source.column) == (1, 3 + text.index("@"))
    assert (hint or "") in (caught.value.hint or "")


def test_a_directive_may_know_better_where_the_mistake_is(app):
    with pytest.raises(StudyError) as caught:
        values(app, "a=@place")

    assert caught.value.source.path == "elsewhere"


def test_a_directive_without_a_source_points_at_the_study(app):
    study = Study(
        name="s",
        source=Source(path="made.py"),
        values={"a": Directive(name="later", text="@later")},
    )

    with pytest.raises(StudyError) as caught:
        expand(app, study)

    assert caught.value.source.path == "made.py"
