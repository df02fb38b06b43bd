"""Defects of soops 2026.2, by their number in docs/differences.md: the script library."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import soops as so
import soops.base
import soops.ioutils
import soops.plot_selected as ps
import soops.scoop_outputs as sc
import soops_builtin
from soops.base import Output, Struct, find_subclasses, import_file, run_command
from soops.ioutils import is_in_store, put_to_store, repack_store


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_api_unflatten_dict_takes_the_prefix_as_a_text():
    """It was taken as a set of letters."""
    assert so.base.unflatten_dict({"x-xx__b": 1}, prefix="x-") == {"xx": {"b": 1}}


def test_api_flatten_dict_puts_sep_between_all_levels_and_keeps_empty_dicts():
    nested = {"a": {"b": {"c": {"d": 1}}}, "e": {}, "f": {"g": {}}}
    flat = {"a-b-c-d": 1, "e": {}, "f-g": {}}

    assert so.base.flatten_dict(nested, sep="-") == flat
    assert so.base.unflatten_dict(flat, sep="-") == nested


def test_api_split_options_gives_the_values_under_new_names():
    options = {"opts": {"lw": 2, "alpha": 0.5}, "x": 1}

    assert sc.split_options(options, {"opts": ["w", "a"]}) == {"x": 1, "opts__w": 2, "opts__a": 0.5}


def test_api_split_options_keeps_the_original_when_told():
    options = {"opts": {"lw": 2}}

    split = sc.split_options(options, ["opts"], keep_original=True)

    assert split == {"opts": {"lw": 2}, "opts__lw": 2}


def test_api_split_options_passes_over_an_absent_option():
    assert sc.split_options({"x": 1}, ["opts"]) == {"x": 1}


def test_api_is_in_store_takes_one_key_as_a_text(here):
    pd.DataFrame({"x": [1]}).to_hdf("a.h5", key="df")

    assert is_in_store("a.h5", "df")
    assert is_in_store("a.h5", ["df"])
    assert not is_in_store("a.h5", "d")


def test_api_put_to_store_makes_the_file(here):
    put_to_store("new.h5", "key", pd.Series([1, 2]))

    assert list(so.ioutils.get_from_store("new.h5", "key")) == [1, 2]


def test_api_load_array_says_that_columns_are_wrong(here):
    np.save("a.npy", np.zeros((3, 2)))

    with pytest.raises(ValueError) as caught:
        sc.load_array("a.npy", columns=["x", "y", "z"])

    assert not isinstance(caught.value, NameError)
    assert str(caught.value) == "a.npy: the array (3 x 2) does not have 3 columns"


@pytest.mark.parametrize("omit", [["--aa"], ("--aa",)])
@pytest.mark.parametrize("more", [["--bb"], ("--bb",), "--bb"])
def test_api_build_opt_args_takes_lists_and_tuples_of_keys_to_omit(omit, more):
    table = {name: (number, name) for number, name in enumerate(("aa", "bb", "cc"))}

    assert so.build_opt_args(table, omit=omit, add_to_omit=more) == ["--cc={--cc}"]


def test_api_extract_ints_passes_over_brackets_and_commas():
    assert so.extract_ints("[1,") == [1]


@pytest.fixture
def rows() -> pd.DataFrame:
    """Return a table in which a parameter is missing in two of three rows."""
    return pd.DataFrame({"p": [1.0, math.nan, math.nan], "q": ["a", "a", "b"], "y": [1, 2, 3]})


def test_api_iter_uniques_finds_rows_with_nan(rows):
    uniques = sc.get_uniques(rows, ["p"])

    found = [list(part.index) for _, _, part in sc.iter_uniques(rows, ["p"], uniques)]

    assert found == [[0], [1, 2]]


def test_api_get_row_style_finds_rows_with_nan(rows):
    selected = ps.normalize_selected({"p": [1.0, math.nan], "q": ["a", "b"]})
    styles = ps.setup_plot_styles(selected, {"p": {"lw": [1, 2]}, "q": {"ls": ["-", ":"]}})

    found = [ps.get_row_style(row, selected, {}, styles)[0] for _, row in rows.iterrows()]

    assert [(style["lw"], style["ls"]) for style in found] == [(1, "-"), (2, "-"), (2, ":")]


def test_api_output_without_arguments_is_an_empty_message(capsys):
    say = Output("study:")
    say()
    say("done")

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "study:",
        "study: done",
    ]


def test_api_find_subclasses_names_a_class_without_a_name_after_itself():
    class Parent:
        pass

    class Child(Parent):
        pass

    class Other(Parent):
        pass

    context = {"Parent": Parent, "Child": Child, "Other": Other}
    assert find_subclasses(context, [Parent]) == {"Child": Child, "Other": Other}


def test_api_struct_with_keys_that_are_no_texts_can_be_printed():
    struct = Struct()
    struct[1] = "one"
    struct["b"] = 2

    assert "one" in str(struct) and "b" in str(struct)


@pytest.mark.parametrize("name", ["keys", "items", "values", "get", "update"])
def test_api_struct_items_are_not_hidden_by_methods_of_dict(name):
    struct = Struct(**{name: 5})

    assert getattr(struct, name) == 5 == struct[name]
    assert f"{name}" in str(struct) and "5" in str(struct)


def test_api_run_command_takes_words_with_blanks(here):
    (here / "a b").mkdir()

    assert run_command("cp -r 'a b' 'c d'") == 0
    assert run_command(["cp", "-r", "a b", "e f"]) == 0
    assert sorted(path.name for path in here.iterdir()) == ["a b", "c d", "e f"]


def test_api_repack_store_takes_names_with_blanks(here):
    pd.DataFrame({"x": [1, 2]}).to_hdf("a b.h5", key="df")

    repack_store("a b.h5")

    assert [path.name for path in here.iterdir()] == ["a b.h5"]
    assert list(pd.read_hdf("a b.h5", "df")["x"]) == [1, 2]


def test_api_import_file_takes_no_beginning_of_a_path_for_a_package(monkeypatch):
    """``soops_builtin`` begins like ``soops``, and is not in it."""
    monkeypatch.delitem(sys.modules, "monty_hall", raising=False)
    path = Path(soops_builtin.__file__).parent / "examples" / "monty_hall" / "monty_hall.py"

    module = import_file(path)

    assert module.__name__ == "monty_hall"
    assert module.get_run_info()[2] == "output_dir"
