"""Units of columns: with each store, through --reuse and --update, in sight of steps."""

from __future__ import annotations

import json
import logging
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import soops
from soops.api import App, Scooped, ScoopInfo, ScoopItem, StepCall, StudyError, UserModule
from soops_builtin.stores import csv_store, hdf5, parquet

STORES = {"results.h5": hdf5, "results.csv": csv_store, "results.parquet": parquet}
every_store = pytest.mark.parametrize("name", STORES)
UNITS = {"e": "eV", "time": "µs", "time of day": 'it\'s "h"\\n', "x\udc80": "m"}


def module_of(*steps: Any, **item: Any) -> UserModule:
    item = {"pattern": "x.json", "scraper": "json", "rename": {"energy": "e"}, **item}
    return UserModule(
        name="study",
        path=Path("study.toml"),
        scoop_info=ScoopInfo(items=(ScoopItem(**item),)),
        steps=tuple(StepCall(name=step.__name__, target=step) for step in steps),
    )


def scoop(module: UserModule, **options: Any) -> tuple[Scooped, list[str]]:
    said: list[str] = []
    scooped = soops.scoop(module, ["runs"], app=App.create(), say=said.append, **options)
    assert scooped.frame.attrs["units"] == scooped.units
    return scooped, said


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for number in range(3):
        add_run(number)
    return tmp_path / "runs"


def add_run(number: int) -> None:
    path = Path("runs", f"{number:03d}", "x.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"energy": -number, "t": 1.5}))


@every_store
def test_units_survive_reuse_and_update(name: str) -> None:
    module = module_of(units={"e": "eV", "t": "µs"})
    results = {"results": name}
    new, said = scoop(module, **results)
    assert new.units == {"e": "eV", "t": "µs"}
    assert "units: e [eV], t [µs]" in said
    without = module_of()
    again, said = scoop(without, reuse=True, **results)
    assert again.units == new.units
    assert "units: e [eV], t [µs]" in said
    add_run(3)
    updated, _ = scoop(without, update=True, **results)
    assert len(updated.frame) == 4
    assert updated.units == new.units
    assert (
        scoop(without, reuse=True, sort=["e"], filter=["x.json"], **results)[0].units == new.units
    )
    # Nothing is new but a unit: it goes before the stored one, and is stored.
    scoop(module_of(units={"e": "keV"}), update=True, **results)
    assert scoop(without, reuse=True, **results)[0].units == {"e": "keV", "t": "µs"}
    assert scoop(without, **results)[0].units == {}
    assert scoop(without, reuse=True, **results)[0].units == {}


@every_store
def test_a_store_gives_back_any_units_and_the_same_meta_table(name: str) -> None:
    scooped, _ = scoop(module_of(), call_plugins=False)
    for units in (UNITS, {f"column {n}": "m" * 50 for n in range(2000)}, {}):
        STORES[name].write(replace(scooped, units=units, path=None), Path(f"a-{name}"))
        again = STORES[name].read(Path(f"a-{name}"))
        assert again.units == units
        assert again.meta.columns.tolist() == scooped.meta.columns.tolist()


def test_other_readers_of_hdf5_pass_over_units() -> None:
    scoop(module_of(units={"e": "eV"}))
    assert pd.read_hdf("results.h5", "df")["e"].tolist() == [0, -1, -2]
    assert dict(pd.read_hdf("results.h5", "soops_units").tolist()) == {"e": "eV"}
    assert hdf5.user_keys(Path("results.h5")) == []
    with pd.HDFStore("results.h5", "a") as store:
        store.put("mine", pd.Series([1]), track_times=False)
    kept, _ = scoop(module_of(), reuse=True, write=True)
    assert kept.units == {"e": "eV"}
    assert hdf5.user_keys(Path("results.h5")) == ["/mine"]


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([("e", Command())], "could run code"),
        (["eV"], "not pairs of texts"),
    ],
)
def test_units_of_a_stranger_are_refused(cells: list[Any], words: str) -> None:
    scoop(module_of(), call_plugins=False)
    with warnings.catch_warnings(), pd.HDFStore("results.h5", "a") as store:
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        store.put("soops_units", pd.Series(cells, dtype=object), track_times=False)
    with pytest.raises(StudyError, match=words):
        hdf5.read(Path("results.h5"))
    assert not Path("canary").exists()


@every_store
def test_units_that_are_no_texts_are_refused(name: str) -> None:
    scooped, _ = scoop(module_of(), call_plugins=False)
    odd: Any = {"e": 3}
    STORES[name].write(replace(scooped, units=odd, path=None), Path(f"a-{name}"))
    with pytest.raises(StudyError, match="cannot be read"):
        STORES[name].read(Path(f"a-{name}"))


def test_a_table_without_units_has_those_of_the_items() -> None:
    scoop(module_of())
    assert scoop(module_of(units={"e": "eV"}), reuse=True)[0].units == {"e": "eV"}


@pytest.mark.parametrize("options", [{"sort": ["e"], "filter": ["x.json"]}, {"reuse": True}])
def test_steps_see_units_and_may_add_some(options: dict[str, Any]) -> None:
    seen = []

    def look(df: Any, data: Any = None) -> None:
        seen.append(dict(df.attrs["units"]))
        df["power"] = df["e"] / df["t"]
        df.attrs["units"] |= {"power": "W", "nothing": "m", "t": 3}

    module = module_of(look, units={"e": "eV", "t": "s"})
    if "reuse" in options:
        scoop(module_of(units={"e": "eV", "t": "s"}))
    scooped, _ = scoop(module, write_after_plugins=True, **options)
    assert seen == [{"e": "eV", "t": "s"}]
    assert scooped.units == {"e": "eV", "power": "W"}
    assert scoop(module_of(), reuse=True)[0].units == {"e": "eV", "power": "W"}


def test_a_unit_of_no_column_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "soops"):
        scooped, said = scoop(module_of(units={"energy": "eV", "tt": "s"}))
    assert scooped.units == {}
    assert not any(line.startswith("units") for line in said)
    assert "there is no column 'energy' to have a unit" in caplog.text
    assert len(caplog.records) == 2
