"""What scoop functions, post-processing and generating functions of scripts use."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import soops.run_parametric as rp
import soops.scoop_outputs as sc
from soops.base import Struct, product


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- arrays and tables -----------------------------------------------------------------

TABLE = np.arange(6).reshape(3, 2)


def save(name, array, **kwargs):
    {"npy": np.save, "txt": np.savetxt, "npz": np.savez}[name[-3:]](name, array, **kwargs)
    return name


@pytest.mark.parametrize("name", ["a.npy", "a.txt"])
def test_load_array(name, here):
    save(name, TABLE)
    whole = sc.load_array(name)
    parts = sc.load_array(here / name, columns=["x", "y"], rdata={"any": 1})

    assert list(whole) == ["array"]
    np.testing.assert_array_equal(whole["array"], TABLE)
    assert list(sc.load_array(name, key="k")) == ["k"]
    np.testing.assert_array_equal(parts["x"], [0, 2, 4])
    np.testing.assert_array_equal(parts["y"], [1, 3, 5])


def test_load_array_of_an_archive():
    np.savez("a.npz", q=np.arange(3), array=np.arange(2))

    assert {name: list(val) for name, val in sc.load_array("a.npz").items()} == {
        "q": [0, 1, 2],
        "array": [0, 1],
    }
    assert list(sc.load_array("a.npz", columns=["q"])) == ["q"]
    with pytest.raises(KeyError, match="zz"):
        sc.load_array("a.npz", columns=["zz"])


def test_load_array_of_one_column_and_of_one_row():
    save("v.txt", np.arange(3))

    np.testing.assert_array_equal(sc.load_array("v.txt", columns=["x"])["x"], [0, 1, 2])
    assert sc.load_array("v.txt", columns=["x", "y", "z"]) == {"x": 0, "y": 1, "z": 2}


@pytest.mark.parametrize(
    ("array", "columns", "shape"),
    [(TABLE, ["x"], "3 x 2"), (TABLE, ["x", "y", "z"], "3 x 2"), (np.array(1), ["x"], "single")],
)
def test_load_array_with_the_wrong_number_of_columns(array, columns, shape):
    save("a.npy", array)
    with pytest.raises(ValueError, match=rf"a\.npy.*{shape}.*{len(columns)} columns"):
        sc.load_array("a.npy", columns=columns)


def test_load_array_takes_arguments_of_numpy_but_no_pickles():
    save("c.txt", TABLE, delimiter=",", fmt="%d")
    arguments = {"delimiter": ",", "dtype": int}
    array = sc.load_array("c.txt", load_kwargs=arguments)["array"]

    assert array.tolist() == TABLE.tolist()
    assert arguments == {"delimiter": ",", "dtype": int}
    np.save("o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        sc.load_array("o.npy", load_kwargs={"allow_pickle": True})


def test_load_csv(here):
    (here / "a.csv").write_text("x,y\n1,a\n2,b\n")

    assert sc.load_csv("a.csv") == {"x": [1, 2], "y": ["a", "b"]}
    assert sc.load_csv("a.csv", orient="records")[1] == {"x": 2, "y": "b"}


# --- parameters ------------------------------------------------------------------------

HEADER = "pkey,finished,iset,--a,--b,--c,--d,--e,--f,output_dir,script_dir\n"


def test_load_soops_parameters_of_an_old_study(here):
    (here / "p.csv").write_text(f"{HEADER}123,True,007,,None,007,1.10,@undefined,2.5,o,s\n")

    assert sc.load_soops_parameters("p.csv") == {
        "pkey": "123",
        "finished": True,
        "iset": 7,
        "--a": "",
        "--b": None,
        "--c": "007",
        "--d": "1.10",
        "--e": "@undefined",
        "--f": 2.5,
        "output_dir": "o",
        "script_dir": "s",
    }


def test_load_soops_parameters_has_the_types_of_the_record(here):
    from soops.kernel.records.record import write_record
    from soops.kernel.values import RunRecord, State

    values = {"--a": 1, "--b": "1", "--c": 1.0, "--d": None, "--e": (1, "x"), "--f": "None"}
    # No cell of the CSV file could tell these from each other.
    write_record(
        here,
        RunRecord(
            identity="i",
            pkey="1e5",
            number=0,
            directory="000-1e5",
            parameters=values,
            command="c",
            state=State.DONE,
        ),
    )
    (here / "p.csv").write_text(f'{HEADER}1e5,True,000,1,1,1.0,,"(1, ""x"")",None,o,s\n')
    loaded = sc.load_soops_parameters("p.csv", orient="list", rdata={})

    assert {key: loaded[key] for key in values} == values
    assert {key: type(loaded[key]) for key in values} == {k: type(v) for k, v in values.items()}
    assert loaded["pkey"] == "1e5"


@pytest.mark.parametrize("text", ["", HEADER, "a,b\n1\n"])
def test_damaged_parameters_are_an_error_that_names_the_file(here, text):
    (here / "p.csv").write_text(text)
    with pytest.raises(ValueError, match=r"p\.csv is damaged"):
        sc.load_soops_parameters("p.csv")


# --- options ---------------------------------------------------------------------------

OPTIONS = {"a": 1, "opts": {"lw": 2, "c": {"d": 3}}, "text": "u=1, v=x", "word": "plain"}
REST = {"a": 1, "text": "u=1, v=x", "word": "plain"}


def test_split_options():
    before = {**OPTIONS}

    assert sc.split_options(OPTIONS, ["opts"]) == {**REST, "opts__lw": 2, "opts__c": {"d": 3}}
    assert sc.split_options(OPTIONS, ["opts"], recur=True) == {
        **REST,
        "opts__lw": 2,
        "opts__c__d": 3,
    }
    assert sc.split_options(OPTIONS, "opts") == sc.split_options(OPTIONS, ("opts",))
    assert before == OPTIONS


def test_split_options_keeps_the_original_when_asked():
    kept = sc.split_options(OPTIONS, ["opts"], keep_original=True)

    assert kept == {**OPTIONS, "opts__lw": 2, "opts__c": {"d": 3}}


def test_split_options_renames():
    """The new names were once the values."""
    assert sc.split_options(OPTIONS, {"opts": ["width", "color"]}) == {
        **REST,
        "opts__width": 2,
        "opts__color": {"d": 3},
    }
    assert sc.split_options(OPTIONS, {"opts": None}) == sc.split_options(OPTIONS, ["opts"])
    with pytest.raises(ValueError, match=r"'opts' has 2 items \(lw, c\), but 1 new names"):
        sc.split_options(OPTIONS, {"opts": ["width"]})


def test_split_options_leaves_what_is_no_dict_or_not_there():
    assert sc.split_options(OPTIONS, ["a", "word", "missing"]) == OPTIONS
    assert sc.split_options(OPTIONS, {"missing": ["x"]}) == OPTIONS


def test_load_split_options_splits_texts_of_dicts(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x"])
    import soops as so

    so.save_options("o.txt", [("options", OPTIONS)])

    assert sc.load_split_options("o.txt") == OPTIONS
    assert sc.load_split_options("o.txt", split_keys=("text", "opts"), recur=True, rdata={}) == {
        "a": 1,
        "word": "plain",
        "text__u": 1,
        "text__v": "x",
        "opts__lw": 2,
        "opts__c__d": 3,
    }


def test_filter_dict():
    data = Struct(a__x=1, a__a__=2, b=3, aa=4)

    assert sc.filter_dict(data, "a__") == {"x": 1, "a__": 2}
    assert type(sc.filter_dict(data, "a__")) is Struct
    assert sc.filter_dict(data, "a__", strip_prefix=False) == {"a__x": 1, "a__a__": 2}
    assert sc.filter_dict(pd.Series({"a__x": 1, "c": 2}), "a__") == {"x": 1}
    assert sc.filter_dict({"a__items": 1, "items": 2}, "a__") == {"items": 1}


# --- tables of all runs ----------------------------------------------------------------


@pytest.fixture
def df():
    return pd.DataFrame(
        {
            "num": [100, 1000, 100, 10],
            "host": ["r", "f", "f", "r"],
            "seed": [np.nan, 1.0, np.nan, 1.0],
            "mixed": [None, 1, "x", 2.5],
            "list": [[1], [1], [2], [1]],
            "one": [5, 5, 5, 5],
        }
    )


def test_get_uniques(df):
    uniques = sc.get_uniques(df, ["num", "host", "list", "one"])

    assert uniques == {
        "host": ["f", "r"],
        "list": [[1], [2]],
        "num": [10, 100, 1000],
        "one": [5],
    }
    assert list(uniques) == ["host", "list", "num", "one"]
    assert set(sc.get_uniques(df, {"mixed"})["mixed"]) == {None, 1, "x", 2.5}
    assert sc.get_uniques(df, ["seed"])["seed"][0] == 1.0
    with pytest.raises(KeyError, match="zz"):
        sc.get_uniques(df, ["zz"])


def test_iter_uniques(df):
    found = sc.iter_uniques(df, ["num", "host"], {"num": [10, 100, 1000], "host": ["f", "r"]})

    assert [(index, dict(select), list(part.index)) for index, select, part in found] == [
        (1, {"num": 10, "host": "r"}, [3]),
        (2, {"num": 100, "host": "f"}, [2]),
        (3, {"num": 100, "host": "r"}, [0]),
        (4, {"num": 1000, "host": "f"}, [1]),
    ]


def test_iter_uniques_finds_missing_values_and_lists(df):
    """Rows without a value vanished."""
    uniques = sc.get_uniques(df, ["seed", "list"])
    found = list(sc.iter_uniques(df, ["seed", "list"], uniques))

    assert sorted(number for _, _, part in found for number in part.index) == [0, 1, 2, 3]
    assert [(index, select.list, len(part)) for index, select, part in found] == [
        (0, [1], 2),
        (2, [1], 1),
        (3, [2], 1),
    ]


def test_iter_uniques_of_no_columns_is_the_table(df):
    ((index, select, part),) = sc.iter_uniques(df, [], {})

    assert (index, dict(select)) == (0, {})
    assert part is df


def test_init_plugin_data(df):
    data = sc.init_plugin_data(df, {"num", "host", "one"}, "out", "store.h5")

    assert isinstance(data, Struct)
    assert data == {
        "par_keys": {"num", "host", "one"},
        "multi_par_keys": ["host", "num"],
        "par_uniques": {"host": ["f", "r"], "num": [10, 100, 1000], "one": [5]},
        "multi_par_uniques": {"host": ["f", "r"], "num": [10, 100, 1000]},
        "output_dir": "out",
        "store_filename": "store.h5",
    }


def test_names_that_scripts_take_from_here():
    assert sc.op.join and sc.np.arange and sc.pd.DataFrame and sc.datetime.now
    for name in ("ensure_path", "output", "locate_files", "load_options", "Timer", "product"):
        assert callable(getattr(sc, name))
    with pytest.raises(AttributeError, match="zz"):
        _ = sc.zz


# --- generating parameters -------------------------------------------------------------


def test_make_key_list():
    assert rp.make_key_list("a", [1, 2]) == [(0, "a", 1), (1, "a", 2)]
    for value in ((1, 2), "x", {"q": 1}, None, range(3)):
        assert rp.make_key_list("a", value) == [(0, "a", value)]
    assert rp.make_key_list("a", []) == []


def test_contracts_of_keys_are_those_of_product():
    seqs = [rp.make_key_list(key, values) for key, values in [("a", [1, 2]), ("b", 3)]]
    seqs.append(rp.make_key_list("c", [5, 6]))
    contracts = rp.get_contracts([["c", "a"]], seqs, ["a", "b", "c"])

    assert contracts == [[2, 0]]
    assert rp.get_contracts(None, seqs, ["a", "b", "c"]) is None
    assert rp.get_contracts([], seqs, ["a", "b", "c"]) == []
    assert list(product(*seqs, contracts=contracts)) == [
        [(0, "a", 1), (0, "b", 3), (0, "c", 5)],
        [(1, "a", 2), (0, "b", 3), (1, "c", 6)],
    ]


def test_wrong_contracts_of_keys():
    seqs = [rp.make_key_list("a", [1, 2]), rp.make_key_list("b", 3)]

    with pytest.raises(ValueError, match=r"'zz'.*a, b"):
        rp.get_contracts([["a", "zz"]], seqs, ["a", "b"])
    with pytest.raises(ValueError, match=r"\['a', 'b'\] have 2 different lengths"):
        rp.get_contracts([["a", "b"]], seqs, ["a", "b"])
