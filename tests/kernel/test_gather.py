"""The whole of a scoop with the kernel alone: fake stores, steps and scrapers."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from soops.api import (
    App,
    Scooped,
    ScoopInfo,
    ScoopItem,
    StepCall,
    StepSpec,
    StoreSpec,
    StudyError,
    UsageError,
    UserModule,
    hookimpl,
)
from soops.base import Struct
from soops.kernel.table.gather import GatherResult, ScoopOptions, gather


class Store:
    """Keeps tables in memory and leaves a file as a sign."""

    def __init__(self) -> None:
        self.tables: dict[Path, Scooped] = {}
        self.writes: list[str] = []

    def write(self, scooped: Scooped, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(len(scooped.frame)))
        self.tables[path] = replace(scooped, frame=scooped.frame.copy())
        self.writes.append(path.name)

    def read(self, path: Path) -> Scooped:
        return self.tables[path]


class TextStore(Store):
    def write_meta(self, scooped: Scooped, path: Path) -> Path:
        self.writes.append("meta only")
        return path.with_name("results-meta.csv")


class Fakes:
    def __init__(self) -> None:
        self.store, self.text = Store(), TextStore()
        self.told: list[Scooped] = []

    @hookimpl
    def soops_stores(self) -> list[StoreSpec]:
        return [
            StoreSpec(name="memory", target=lambda: None, suffixes=(".h5", ".mem")),
            StoreSpec(name="words", target=lambda: None, suffixes=(".csv",)),
        ]

    @hookimpl
    def soops_steps(self) -> list[StepSpec]:
        return [StepSpec(name="registered", target=lambda df, data=None: Struct(registered=True))]

    @hookimpl
    def soops_scoop_ended(self, scooped: Scooped) -> None:
        self.told.append(scooped)


def read(path: str, rdata: Any = None) -> dict[str, Any]:
    return {"x": int(Path(path).read_text()), "time": 1.5}


def double(df: Any, data: Any = None, factor: int = 2) -> Any:
    df["double"] = df["x"] * factor
    return data


def broken(df: Any, data: Any = None) -> None:
    raise ValueError("broken")


INFO = ScoopInfo(
    items=(
        ScoopItem(pattern="x.txt", scraper=read, is_parameters=True),
        ScoopItem(pattern="y.txt", scraper=read, optional=True),
    )
)
MODULE = UserModule(
    name="mod",
    path=Path("mod.py"),
    scoop_info=INFO,
    steps=(StepCall(name="double", target=double),),
)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for number in (2, 10, 1):
        run = tmp_path / "study" / f"{number:03d}"
        run.mkdir(parents=True)
        (run / "x.txt").write_text(str(-number))
    return Fakes()


@pytest.fixture
def scoop(fakes: Fakes) -> Callable[..., tuple[GatherResult, list[str]]]:
    app = App.create(found=())
    app.add(fakes, "fakes")
    stores = {"memory": fakes.store, "words": fakes.text}
    resolve = app.registry("store").resolve
    app.registry("store").resolve = lambda name, **kwargs: stores.get(name) or resolve(name)

    def scoop(
        directories: Any = ("study",), module: UserModule = MODULE, **options: Any
    ) -> tuple[GatherResult, list[str]]:
        said: list[str] = []
        plugin_module = options.pop("plugin_module", None)
        given = ScoopOptions(**{"output_dir": "out", **options})
        return gather(app, module, directories, given, said.append, plugin_module), said

    return scoop


def test_a_scoop_reads_writes_tells_and_runs_the_steps(scoop: Any, fakes: Fakes) -> None:
    result, said = scoop()
    frame = result.scooped.frame
    assert frame["x"].tolist() == [-1, -2, -10]
    assert frame["double"].tolist() == [-2, -4, -20]
    assert result.paths_written == (Path("out/results.h5"), Path("out/results.csv"))
    assert fakes.store.writes == ["results.h5"]
    assert fakes.text.writes == ["results.csv"]
    assert "double" not in fakes.store.tables[Path("out/results.h5")].frame
    (told,) = fakes.told
    assert told.path == Path("out/results.h5")
    assert told.output_dir == Path("out")
    assert (result.n_failed, result.n_errors) == (0, 0)
    assert result.data.multi_par_keys == ["x"]
    assert result.data.store_filename == "out/results.h5"
    text = "\n".join(said)
    for line in (
        "results directories: 3",
        f"data keys:\n{pd.Index(['rdir', 'rfiles', 'x', 'time', 'soops_time'])}",
        "metadata keys:\nIndex(",
        "available plugins: ['double']",
        "run plugins:\nrunning double()...\n...done",
        "plugin data keys:\ndict_keys(['par_keys', ",
    ):
        assert line in text


def test_rows_can_be_sorted_and_filtered(scoop: Any) -> None:
    result, _ = scoop(sort=["x"])
    assert result.scooped.frame["rdir"].str[-3:].tolist() == ["010", "002", "001"]
    Path("study/001/y.txt").write_text("5")
    Path("study/010/y.txt").write_text("5")
    result, _ = scoop(filter="y.txt")
    assert result.scooped.frame["rdir"].str[-3:].tolist() == ["001", "010"]
    stored, _ = scoop(reuse=True)
    assert stored.scooped.frame["rdir"].str[-3:].tolist() == ["001", "010"]


@pytest.mark.parametrize(
    ("options", "csv"),
    [({}, ["results.csv"]), ({"save_csv": False}, ["meta only"])],
)
def test_text_results_are_written_unless_unwanted(
    scoop: Any, fakes: Fakes, options: dict[str, Any], csv: list[str]
) -> None:
    scoop(**options)
    assert fakes.text.writes == csv


def test_the_suffix_chooses_the_store(scoop: Any, fakes: Fakes) -> None:
    result, _ = scoop(results="elsewhere/x.mem", call_plugins=False)
    assert result.paths_written == (Path("elsewhere/x.mem"), Path("out/results.csv"))
    result, _ = scoop(results="out/results.csv", call_plugins=False)
    assert result.paths_written == (Path("out/results.csv"),)
    with pytest.raises(StudyError, match=r"no store writes '\.xls'") as caught:
        scoop(results="x.xls")
    assert caught.value.hint == "known suffixes: .csv, .h5, .mem"


# --- taking the stored table --------------------------------------------------------------


def test_a_stored_table_is_used_and_not_written(scoop: Any, fakes: Fakes) -> None:
    scoop(call_plugins=False)
    Path("study/001/x.txt").write_text("7")
    result, said = scoop(reuse=True)
    assert result.scooped.frame["x"].tolist() == [-1, -2, -10]
    assert result.paths_written == ()
    assert fakes.store.writes == ["results.h5"]
    assert len(fakes.told) == 1
    assert not any(line.startswith("results directories") for line in said)
    result, _ = scoop(reuse=True, write=True)
    assert result.paths_written == (Path("out/results.h5"), Path("out/results.csv"))


def test_a_stored_table_that_is_out_of_date_is_used_with_a_warning(
    scoop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scoop()
    caplog.clear()
    scoop(reuse=True)
    assert caplog.text == ""
    Path("study/011").mkdir()
    Path("study/011/x.txt").write_text("11")
    Path("study/001/x.txt").unlink()
    scoop(reuse=True)
    assert "not up to date (new directories: 1, changed: 0, gone: 1)" in caplog.text
    result, _ = scoop(directories=["none"], reuse=True)
    assert len(result.scooped.frame) == 3
    assert "'none' does not exist" in caplog.text


@pytest.mark.parametrize("option", ["reuse", "update"])
def test_without_a_stored_table_everything_is_read(scoop: Any, option: str) -> None:
    result, said = scoop(**{option: True})
    assert len(result.scooped.frame) == 3
    assert result.paths_written[0] == Path("out/results.h5")
    assert "no stored results in out/results.h5: scooping" in said


def test_an_update_reads_what_is_new(scoop: Any, fakes: Fakes) -> None:
    scoop()
    result, said = scoop(update=True)
    assert "results directories: 3 (new: 0, changed: 0, gone: 0)" in said
    assert result.paths_written == ()
    Path("study/011").mkdir()
    Path("study/011/x.txt").write_text("11")
    result, said = scoop(update=True)
    assert "results directories: 4 (new: 1, changed: 0, gone: 0)" in said
    assert result.scooped.frame["x"].tolist() == [-1, -2, -10, 11]
    assert result.paths_written == (Path("out/results.h5"), Path("out/results.csv"))
    assert fakes.store.writes == ["results.h5", "results.h5"]


def test_errors_stay_known_to_a_stored_table(scoop: Any, fakes: Fakes) -> None:
    Path("study/001/x.txt").write_text("one")
    first, said = scoop(call_plugins=False)
    assert first.n_errors == 1
    assert "failed: 1 items in 1 of 3 directories" in said
    assert any("- failed with:\nValueError: invalid literal" in line for line in said)
    (path,) = fakes.store.tables
    stored = fakes.store.tables[path]
    fakes.store.tables[path] = replace(stored, errors={}, parameter_keys=())
    again, _ = scoop(reuse=True)
    assert again.scooped.errors == first.scooped.errors
    assert again.scooped.parameter_keys == first.scooped.parameter_keys == ("x", "time")


def test_many_errors_are_counted(scoop: Any) -> None:
    for number in range(20, 40):
        Path(f"study/{number:03d}").mkdir()
        Path(f"study/{number:03d}/x.txt").write_text("bad")
    result, said = scoop(call_plugins=False)
    assert result.n_errors == 20
    assert sum("- failed with:" in line for line in said) == 10
    assert "... and 10 more" in said


# --- steps --------------------------------------------------------------------------------


def test_steps_are_chosen_and_get_arguments(scoop: Any) -> None:
    result, _ = scoop(use_plugins=("double", "registered"), plugin_args="double={factor=3}")
    assert result.scooped.frame["double"].tolist() == [-3, -6, -30]
    assert result.data.registered is True
    result, _ = scoop(omit_plugins=["double"])
    assert "double" not in result.scooped.frame
    assert result.data.par_keys == {"x", "time"}
    result, _ = scoop(call_plugins=False)
    assert result.data is None


def test_steps_may_come_from_another_module(scoop: Any) -> None:
    other = UserModule(name="p", path=Path("p.py"), steps=(StepCall(name="b", target=broken),))
    result, said = scoop(plugin_module=other)
    assert result.n_failed == 1
    assert result.failures == (("b", "ValueError: broken"),)
    assert result.scooped.failed_steps == {"b": "ValueError: broken"}
    assert "available plugins: ['b']" in said
    # The results were written before.
    assert Path("out/results.h5").exists()


def test_a_table_that_steps_changed_is_written_when_asked(scoop: Any, fakes: Fakes) -> None:
    result, _ = scoop(write_after_plugins=True)
    assert fakes.store.writes == ["results.h5", "results.h5"]
    assert fakes.text.writes == ["results.csv"]
    stored = fakes.store.tables[Path("out/results.h5")]
    assert stored.frame["double"].tolist() == [-2, -4, -20]
    assert stored.path == Path("out/results.h5")
    assert result.paths_written == (Path("out/results.h5"), Path("out/results.csv"))


# --- what is wrong is said before anything is written -------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"directories": ["none"]}, "'none' does not exist"),
        ({"directories": ["study", "stdy"]}, "'stdy' does not exist"),
        ({"directories": ["empty"]}, "no run directory in empty"),
        ({"directories": []}, "no directory is given"),
        ({"use_plugins": ["dubble"]}, "unknown step 'dubble'"),
        ({"plugin_args": {"double": 3}}, "arguments of the step 'double'"),
        ({"plugin_args": "double={a"}, "."),
        ({"reuse": True, "update": True}, "exclude each other"),
        ({"sort": ["z"]}, "unknown column 'z'"),
        ({"filter": ["z.txt"]}, "leaves no row"),
        ({"module": replace(MODULE, scoop_info=None)}, "no get_scoop_info"),
        ({"results": "r.unknown"}, "no store"),
    ],
)
def test_a_mistake_leaves_results_as_they_are(
    scoop: Any, fakes: Fakes, options: dict[str, Any], error: str
) -> None:
    Path("empty").mkdir()
    scoop()
    before = (list(fakes.store.writes), list(fakes.text.writes))
    with pytest.raises((StudyError, UsageError), match=error):
        scoop(**options)
    assert (fakes.store.writes, fakes.text.writes) == before


def test_an_update_without_any_directory_left_is_an_error(scoop: Any, fakes: Fakes) -> None:
    scoop()
    Path("study").rename("moved")
    with pytest.raises(StudyError, match="'study' does not exist"):
        scoop(update=True)
    assert fakes.store.writes == ["results.h5"]


def test_debug_lets_the_exception_of_a_scraper_pass(scoop: Any) -> None:
    Path("study/001/x.txt").write_text("one")
    with pytest.raises(ValueError, match="invalid literal"):
        scoop(debug=True)
    assert not Path("out").exists()


def test_a_listener_that_raises_does_not_matter(
    scoop: Any, fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.told = None  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING, "soops"):
        result, _ = scoop()
    assert len(result.scooped.frame) == 3
    assert "soops_scoop_ended" in caplog.text


def test_options_take_what_a_command_line_has() -> None:
    options = ScoopOptions(
        output_dir="out",  # type: ignore[arg-type]
        sort="a",  # type: ignore[arg-type]
        filter=None,  # type: ignore[arg-type]
        plugin_args="f={a=1, b='x'}, g={}",  # type: ignore[arg-type]
    )
    assert options.results_path == Path("out/results.h5")
    assert options.sort == ("a",)
    assert options.filter == ()
    assert options.plugin_args == {"f": {"a": 1, "b": "x"}, "g": {}}


def rewrite(path: Path, text: str, mtime_ns: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(mtime_ns, mtime_ns))


@pytest.mark.parametrize(
    ("text", "later"),
    [("100", 0), ("10", 1), ("10", -1), ("99", 10**9)],
    ids=["size", "a nanosecond", "an older file", "both"],
)
def test_a_file_of_another_size_or_time_is_read_again(scoop: Any, text: str, later: int) -> None:
    path = Path("study/010/x.txt")
    now = 1_800_000_000_000_000_000
    rewrite(path, "10", now)
    scoop()
    assert "(new: 0, changed: 0, gone: 0)" in scoop(update=True)[1][0]
    rewrite(path, text, now + later)

    result, said = scoop(update=True)

    assert "(new: 0, changed: 1, gone: 0)" in said[0]
    assert result.scooped.frame["x"].tolist()[-1] == int(text)
    assert "(new: 0, changed: 0, gone: 0)" in scoop(update=True)[1][0]


def test_what_another_scraper_read_is_read_again(scoop: Any) -> None:
    scoop()

    def other(path: str, rdata: Any = None) -> dict[str, Any]:
        return {"x": 7}

    info = ScoopInfo(items=(ScoopItem(pattern="x.txt", scraper=other),))
    result, said = scoop(module=replace(MODULE, scoop_info=info), update=True)

    assert "(new: 0, changed: 3, gone: 0)" in said[0]
    assert result.scooped.frame["x"].tolist() == [7, 7, 7]


def test_a_table_without_stamps_is_read_again_and_not_called_stale(
    scoop: Any, fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    scoop()
    path = Path("out/results.h5")
    stored = fakes.store.tables[path]
    fakes.store.tables[path] = replace(stored, meta=stored.meta.drop(columns="stamp"))
    scoop(reuse=True)
    assert not caplog.records
    assert "(new: 0, changed: 3, gone: 0)" in scoop(update=True)[1][0]
