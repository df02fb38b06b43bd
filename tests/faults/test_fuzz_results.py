"""Files that programs wrote, and tables made of them: read as they are, never executed.

What cannot be read is a cell of the table that says so: nothing is refused but stored tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import soops
import soops.study
from soops.api import ScoopInfo, ScoopItem, UserModule
from soops.base import import_file
from soops.kernel.table.gather import store_for
from soops.kernel.table.scoop import scoop_directory
from soops.literals import read_value

fuzzing = import_file(Path(__file__).with_name("fuzzing.py"), can_reload=False)
JSON, WORDS, Target = fuzzing.JSON, fuzzing.WORDS, fuzzing.Target

#: How a scraper may end: what it says is in the table then.
CLEAR = (
    *("ValueError", "KeyError", "LookupError", "JSONDecodeError", "TOMLDecodeError", "Error"),
    *("ParserError", "ScannerError", "ComposerError", "ConstructorError", "ReaderError"),
    *("RecursionError", "DamagedFileError"),
)

# --- what programs wrote -----------------------------------------------------------------


def options_txt(study: Any, text: str) -> None:
    """Options are understood, whatever they are: as texts, at worst."""
    study.write("options.txt", text)
    found = soops.load_options("options.txt")
    assert all(isinstance(key, str) for key in found)
    read_value(text)


def scraped(study: Any, name: str, scraper: str, text: str, *choices: dict[str, Any]) -> None:
    """Let a scraper read a text; what it cannot read is an entry of the table."""
    study.write(name, text)
    function = study.app.resolve("scraper", scraper)
    for options in choices:
        item = ScoopItem(pattern=name, scraper=scraper, options=options)
        row = scoop_directory(str(study.folder), ScoopInfo(items=(item,)), lambda _: function)
        if row.errors:
            kind, _, reason = row.errors[name].partition(": ")
            assert kind in CLEAR, row.errors
            assert reason


def csv(study: Any, text: str) -> None:
    choices = ({}, {"orient": "records"}, {"delimiter": ";", "comment": "#", "header": False})
    scraped(study, "table.csv", "csv", text, *choices)


def json_values(study: Any, text: str) -> None:
    choices = ({}, {"flatten": True}, {"keys": ["a.b.0", "a", "0"]})
    scraped(study, "values.json", "json", text, *choices)


def toml_values(study: Any, text: str) -> None:
    scraped(study, "values.toml", "toml", text, {}, {"flatten": True}, {"keys": ["a.b"]})


def yaml_values(study: Any, text: str) -> None:
    pytest.importorskip("yaml")
    scraped(study, "values.yaml", "yaml", text[:20_000], {"flatten": True})


def regex(study: Any, text: str) -> None:
    choices: tuple[dict[str, Any], ...] = (
        {"pattern": r"elapsed: (?P<elapsed>\S+)"},
        {"pattern": r"^(?P<key>\w+)\s*=\s*(?P<val>.*)$", "which": "all"},
        {"pattern": r"n=(?P<n>\S+)", "types": {"n": "int"}, "required": False},
        {"pattern": r"t=(?P<t>[\d.]+) *(?P<u>\w+)", "unit": {"t": "u"}, "multiline": False},
    )
    scraped(study, "log.txt", "regex", text, *choices)


def parameters_scraper(study: Any, text: str) -> None:
    scraped(study, "soops-parameters.csv", "soops-parameters", text, {})


# --- tables ------------------------------------------------------------------------------


def scoop(study: Any, text: str) -> None:
    """A whole scoop: whatever was read becomes a table, and a file."""
    Path("run").mkdir(exist_ok=True)
    files = {"values.json": "json", "options.txt": "options", "table.csv": "csv"}
    for name in files:
        study.write(f"run/{name}", text)
    items = tuple(ScoopItem(pattern=name, scraper=kind) for name, kind in files.items())
    module = UserModule(name="mod", path=Path("mod.py"), scoop_info=ScoopInfo(items=items))
    options: dict[str, Any] = {"app": study.app, "n_workers": 1, "call_plugins": False}
    for results in ("results.csv", "results.h5"):
        Path(results).unlink(missing_ok=True)
        scooped = soops.scoop(module, ["run"], results=results, **options)
        assert len(scooped.frame) == 1
        again = soops.scoop(module, ["run"], results=results, reuse=True, **options)
        assert len(again.frame) == 1


def stored_csv(study: Any, text: str) -> None:
    """A table that was scooped once, beside its metadata; and these beside a table."""
    store = store_for(study.app, Path("stored.csv"))
    text = text[:10_000]  # of thousands of columns each takes its time
    for table, meta in ((text, META), (TABLE, text)):
        study.write("stored.csv", table)
        study.write("stored-meta.csv", meta)
        read_table(store, Path("stored.csv"))


def stored_elsewhere(study: Any, text: str) -> None:
    """Files that are none of their kind."""
    for name in ("stored.h5", "stored.parquet"):
        study.write(name, text)
        read_table(store_for(study.app, Path(name)), Path(name))


def read_table(store: Any, path: Path) -> None:
    try:
        scooped = store.read(path)
    except soops.study.SoopsError as exc:
        assert len(exc.lines()) <= 3
    else:
        assert str(scooped.frame) and str(scooped.meta)


# --- texts -------------------------------------------------------------------------------

PARAMETERS = (
    "pkey,finished,iset,--flag,--name,--num,output_dir,script_dir\n"
    '206452fce7516314dacc3241884f17d8,True,000,,"x, y",1,out/000-x,.\n'
)
OPTIONS = (
    "options\n-------\n\na: 1\nb: [1, 'x']\nc: {'d': np.float64(1.5)}\n",
    "{'a': (1, -2j)}",
)
OPTION_WORDS = ("np.float64(", "set()", "\n", ": ", "----", "\n\n", "...", "b'x'", "*", "lambda:")
ROW = ("True", "False", "\n", '"', "iset", ",", *WORDS)
YAML = ("&x", "*x", "<<: ", "!!set", "!!binary ", "---\n", "\n- ", ": ", "|\n", "? ", "=", "12:30")
TABLE = ',rdir,a,when\n0,out/000-x,"[1, 2.5]",2027-01-01 00:00:00\n1,out/001-x,x,\n'
META = ',rdir,mtimes,error\n0,out/000-x,"[datetime.datetime(2027, 1, 1, 0, 0), nan]",\n1,b,nan,x\n'
CELLS = ("datetime.datetime(", "nan", "2027-99-99 00:00:00", "array([", "rdir", "mtimes", "error")
TARGETS = (
    Target(options_txt, OPTIONS, (*WORDS, *OPTION_WORDS), 120),
    Target(csv, ("a,b\n1,x\n2,'y'\n", 'a;b\n"1";#\n'), (*JSON, ";", "\n", "'", "NA", "007")),
    Target(json_values, ('{"a": {"b": [1, 2.5, null]}, "c": "x"}',), JSON),
    Target(toml_values, ("a = {b = [1]}\n[c]\nd = 2027-01-01\n",), (*JSON, "\n[", "=", ".")),
    Target(yaml_values, ("a: {b: [1, x]}\nc: &d 2027-01-01\ne: *d\n",), (*JSON, *YAML)),
    Target(regex, ("elapsed: 1.5\nn=3\nt=5 ms\na = b\n",), ("n=", "t=", "1.5D+02", "\n", " = ")),
    Target(parameters_scraper, (PARAMETERS,), ROW),
    Target(scoop, ('{"a": {"b": 1}, "rdir": 1}', "a: [1]\nb: 1\n", "a,b\n1,2\n"), JSON, 4, 1000),
    Target(stored_csv, (TABLE, META), (*CELLS, "\n", *JSON)),
    Target(stored_elsewhere, (TABLE, "PAR1\0\0PAR1", "\udc89HDF\r\n\x1a\n"), JSON, 30),
)
each_target = pytest.mark.parametrize("target", TARGETS, ids=str)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with fuzzing.finished_study(tmp_path_factory.mktemp("fuzz")) as study:
        yield study


@each_target
def test_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@each_target
def test_thousands_of_texts_are_understood_or_refused(study, target):
    fuzzing.try_texts(study, target, long=True)


@each_target
def test_what_the_texts_are_made_from_is_understood(study, target):
    # Otherwise nothing beyond the first look at a text would ever be tried.
    for text in target.starts:
        assert fuzzing.understood(study, target, text), text
