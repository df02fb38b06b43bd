"""Whatever text a person or a damaged disk gives: understood, or refused clearly; never run.

No test module but what those named ``test_fuzz_*`` load: how texts are made, and what is asked
of each. A target is a kind of text that soops reads, and the public way by which it gets there.
Texts are built from the words of its language, made from valid texts by small changes, nested
deep and repeated often. Of each it is asked that

- it is understood, or refused with a :class:`soops.study.SoopsError` of at most three
  printable lines;
- it is done with within :data:`LIMIT` seconds of the processor: no measure of speed but a guard
  against what never ends;
- it makes the process grow by less than :data:`MEMORY` bytes;
- nothing in it is executed: many texts would make a file ``pwned`` if anything were.

Every other exception fails the test, which then shows the text and the seed. The texts are the
same each time: some dozens of each target, ten thousand with ``pytest --long`` (a thousand of
those that carry out a whole pass or scoop).
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import soops
import soops.study
from soops.study import SoopsError

#: Seconds of the processor, and in all, after which a text is taken for one that never ends.
LIMIT, PATIENCE = 10.0, 60.0
#: Bytes by which the process may grow for one text, a few of which become large arrays.
MEMORY = 1 << 30
#: How texts are chosen.
SEED = 20270104
#: Sets of a plan that are looked at: a study may have as many as it likes.
LOOKED_AT = 20

MODULE = """\
def get_run_info():
    cmd = "sh {script_dir}/program.sh {output_dir}"
    options = {key: f"{key}={{{key}}}" for key in ("--num", "--name", "--n-cell")}
    return cmd, {**options, "--flag": "--flag"}, "output_dir", "done.txt"


def make(args, pars, conf, options):
    return {key: [repr(args), 1] for key in pars}


class Computed:
    def __init__(self, args, pars, keys, options):
        self.args = args

    def __call__(self, values):
        return {**values, "--name": repr(self.args)}
"""
STUDY = "output_dir='out/%s', --num=[1, 2], --name=['x y', abc]"

# --- words -------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Return the words of a text, between blanks."""
    return text.split(" ")


class Bomb:
    """Unpickling it makes a file."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


#: Texts that do harm to whoever evaluates, formats, expands or unpickles them.
HOSTILE = (
    *("__import__('os').system('touch pwned')", "@os.system('touch pwned')"),
    *("@__import__('os').system('touch pwned')", "@pd.io.common.os.system('touch pwned')"),
    *("exec(\"open('pwned', 'w')\")", "open('pwned','w')", "[x for x in [open('pwned', 'w')]]"),
    *("num.to_pickle('pwned')", "().__class__.__base__.__subclasses__()"),
    *("{0.__class__.__init__.__globals__}", "{output_dir.__class__}", "{num!r:>999999999}"),
    *("${__import__('os').system('touch pwned')}", "$(touch pwned)", "`touch pwned`"),
    *("; touch pwned;", "| touch pwned", "'%999999999d' % 1", "'a' * 999999999"),
    *("!!python/object/apply:os.system ['touch pwned']", "!!python/name:os.system"),
    *("np.load('pwned', allow_pickle=True)", "@np.save('pwned', 1)"),
    "cos\nsystem\n(S'touch pwned'\ntR.",
    pickle.dumps(Bomb(), protocol=0).decode("latin-1"),
    pickle.dumps(Bomb()).decode("utf-8", "surrogateescape"),
)
#: Characters and words at the borders of what programs expect.
AWKWARD = (
    *words("\0 \x01 \x1b[31m \x7f \x85 \xa0 \u2028 \u202e \ufeff \udcff"),
    *("\r", "\r\n", "\n", "\t", "\v", "\f", " ", "\x1c", "a" * 5000, "9" * 5000),
    *words("é 日本 😀 İ ﬁ ² ١٢ Ⅷ ª e\u0301 %s %n %(num)s % {} {0} { } $ ${num} ${ $$ ~ * ?"),
    *words("-0 1e999 -1e999 1e-999 nan -inf 1_000 0x10 007 1j None true @undefined @ # ;"),
    *words(".. / ../../x /dev/null out/%s"),
)
#: What opens and what closes, for deep nesting.
NESTS = (
    *(("[", "]"), ("(", ")"), ("{", "}"), ("{a=", "}"), ('{"a":', "}"), ("[[", "]]"), ("- ", "")),
    *(("@range(", ")"), ("abs(", ")"), ("not ", ""), ("-", ""), ("~", ""), ("2**", "")),
    *(("${", "}"), ("'", "'"), ('"', '"'), ("$'", "'"), ("a.", ""), ("a=", ""), ("&a [", "]")),
    ("[x.", "]"),
)
#: What is repeated, because it may lead a regular expression astray.
REPEATS = (
    *words("a \\ '' \"\" \" ' \\' , = : 0 1, a=1, [ ] { ( ${a} $ $$ @ - -- + 1+ a+ . 1. e 1e1"),
    *words('# ; é \x1b \udcff """ \'\'\' ` [1, {1: {"a":[ *'),
    *(" ", "\t", "\n", "\n\n", "\na=1", "\n[a]", "a b ", "x\n-\n", "\n ", "-----\n"),
    *("a: ", "&a *a ", "a and ", "a < ", "not "),
)
COUNTS = (2, 11, 101, 1001, 20_000)
#: Longer texts only take longer.
LONGEST = 150_000

#: The language of studies.
WORDS = (
    *words("a num --num --name --flag --n-cell output_dir 'out/%s' abc = : , [ ] ( ) { }"),
    *words("' \" $' \\x41 \\n \\ 1 -1 1.5 1e-3 .5 2j none True '' dtype= num=2**20 np.pi"),
    *words("@defined @undefined @generate @range(3) @@ @range( @ @range(10**9) @range(9**99)"),
    *("'x y'", "@linspace(0, 1, num=3)", "@arange(0,1,.5)", "@logspace(0, 2, 3, dtype=int)"),
    *("@geomspace(1, 9, 3)", "@linspace(0,1,1e12)", "@arange(0, 1, 1e-300)"),
    *("@logspace(0,99999,5)", "2*np.pi"),
)
#: Expressions and queries.
LOGIC = (
    *words("num --num `--n-cell` n_cell name state number elapsed soops_state == != < <= ="),
    *words("& | ~ && ! ( ) [ ] , + - * / // % ** @ ^ << . : 1 2.5 \"abc\" 'done' None True"),
    *words("@undefined nan pi 10**9 abs( min( round( defined( int( num.isin([1]) .abs()"),
    *words("name.str.contains('a') .str.len() .str[0] .T .map( __name__ index columns"),
    *(" and ", " or ", " not ", " in ", "'x y'", "contains(name, 'x')", "match(name, '*a*')"),
    *("lambda: 0", "f'{num}'", "if 1 else 2", ":=", "`", "#"),
)
JSON = (
    *words('{ } [ ] , : "a" "b" "checksum" null true 1 -1 1.5 1e999 NaN Infinity -0 "\\ '),
    *words('"\\ud800" "\\u0000" {} [] "" "v": {"@": "--num" "directory" "state" "done"'),
    *('"number"', '"attempts"', "2e308", "9" * 30, "1" * 400),
    *('{"@": "int", "v": "0x10"}', '{"@": "repr", "v": "os.system"}', '{"@": "bytes"}'),
    *('{"@": "tuple", "v": [1]}', '{"@": "set", "v": [[]]}', '{"@": "dict", "v": [[[], 1]]}'),
    *('{"@": "complex", "v": ["1", "x"]}', '{"@": "datetime", "v": "2027"}'),
)

# --- texts -------------------------------------------------------------------------------


def built(tokens: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return texts that are made of the words of a language."""
    parts = st.sampled_from(tokens) | st.sampled_from(tokens + HOSTILE + AWKWARD)
    return st.lists(parts, max_size=25).flatmap(
        lambda parts: st.sampled_from(["", " ", "\n", ","]).map(lambda glue: glue.join(parts))
    )


@st.composite
def changed(draw: st.DrawFn, starts: tuple[str, ...], tokens: tuple[str, ...]) -> str:
    """Return a valid text after a few insertions, deletions, repetitions and exchanges."""
    text = draw(st.sampled_from(starts))
    new = (
        st.sampled_from(tokens)
        | st.sampled_from(HOSTILE + AWKWARD)
        | st.characters(exclude_categories=("Cs",))
        | st.integers(0xDC80, 0xDCFF).map(chr)
    )
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, len(text)))
        last = min(len(text), first + draw(st.sampled_from([0, 1, 1, 2, 5, 20, 200])))
        part = text[first:last]
        match draw(st.integers(0, 4)):
            case 0:
                text = text[:first] + draw(new) + text[first:]
            case 1:
                text = text[:first] + text[last:]
            case 2:
                text = text[:first] + part * draw(st.integers(2, 40)) + text[last:]
            case 3:
                text = text[:first] + draw(new) + text[last:]
            case _:
                place = draw(st.integers(0, len(text)))
                rest = text[:first] + text[last:]
                text = rest[:place] + part + rest[place:]
    return text[:LONGEST]


@st.composite
def large(draw: st.DrawFn, starts: tuple[str, ...], tokens: tuple[str, ...]) -> str:
    """Return a text that is nested deep or repeats itself, alone or within a valid one."""
    count = draw(st.sampled_from(COUNTS))
    if draw(st.booleans()):
        opening, closing = draw(st.sampled_from(NESTS))
        inner = draw(st.sampled_from(("", *tokens)))
        closed = draw(st.sampled_from([count, count, count - 1, 0]))
        text = opening * count + inner + closing * closed
    else:
        text = draw(st.sampled_from(REPEATS) | st.sampled_from(tokens)) * count
    text += draw(st.sampled_from(["", "!", "'", '"', "]", "\n", "\0"]))
    start = draw(st.sampled_from(("", *starts)))
    place = draw(st.integers(0, len(start)))
    return (start[:place] + text + start[place:])[:LONGEST]


# --- a study to look at ------------------------------------------------------------------


class Study:
    """A small finished study, in whose directory the test is, and ways to look at it.

    What is a file has a text as UTF-8, with any bytes as surrogates.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = soops.study.create_app()
        self.write("mod.py", MODULE)
        self.write("program.sh", 'touch "$1/done.txt"')
        self.module = soops.study.load_module("mod.py", self.app)
        done = self.pass_over()
        assert done.ok and done.total == 4, "the study does not work"
        self.run = sorted(Path("out").glob("000-*"))[0]
        # Without it the directories are read every time.
        self.index = Path("out/.soops/index.sqlite3")
        self.index.rename("index")

    def write(self, path: str | Path, text: str) -> None:
        Path(path).write_bytes(text.encode("utf-8", "surrogateescape"))

    @contextmanager
    def instead(self, path: str | Path, text: str) -> Iterator[None]:
        """Put a text in the place of a file for a while."""
        before = Path(path).read_bytes()
        self.write(path, text)
        try:
            yield
        finally:
            Path(path).write_bytes(before)

    def pass_over(self) -> Any:
        """Run what is left of the study, and return the summary."""
        return soops.run(STUDY, self.module, app=self.app, silent=True, output_dir="files")

    def plan(self, text: str = STUDY, module: bool = True, **options: Any) -> None:
        """Plan the first sets of a study."""
        offered = self.module if module else None
        planned = soops.plan(text, offered, app=self.app, output_dir="files", **options)
        for run in itertools.islice(planned, LOOKED_AT):
            json.dumps([run.directory, run.command, run.reason])

    def look(self) -> None:
        """Read the study in each way that people do."""
        for run in soops.find(["out"]):
            json.dumps([run.as_json(), run.columns(), run.columns(raw=True), run.how])
        for status in soops.study.jobs(["out"]):
            json.dumps(status.as_json())
            status.newest_log()
        for difference in soops.study.check_index("out"):
            assert difference, "a difference that says nothing"
        for run in soops.find([self.run]):
            json.dumps(run.as_json())


@contextmanager
def finished_study(folder: Path) -> Iterator[Study]:
    """Give a study in a new directory, and be in it."""
    logging.disable(logging.CRITICAL)  # damaged files are warned of, thousands of times
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("XDG_STATE_HOME", str(folder / "state"))
            yield Study(folder)
    finally:
        logging.disable(logging.NOTSET)


# --- what is asked -----------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A kind of text: what takes it, valid ones, and the words that others are made of."""

    feed: Callable[[Study, str], object]
    starts: tuple[str, ...]
    tokens: tuple[str, ...]
    short: int = 60
    """How many texts are tried without --long."""
    long: int = 10_000
    """And with it."""

    def __str__(self) -> str:
        return self.feed.__name__

    def texts(self) -> st.SearchStrategy[str]:
        """Return all sorts of texts."""
        one = changed(self.starts, self.tokens)
        return st.one_of(built(self.tokens), one, one, large(self.starts, self.tokens))


class Endless(BaseException):
    """A text is not done with in time; nobody catches it, and no smaller one is looked for."""


@contextmanager
def limited() -> Iterator[None]:
    """Let what never ends fail; the alarm may be that of pytest-timeout, which gets it back."""

    def ring(number: int, frame: FrameType | None) -> None:
        busy, passed = time.process_time() - busy_before, time.monotonic() - began
        if busy > LIMIT or passed > PATIENCE:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
            raise Endless(f"{busy:.1f} s of the processor, {passed:.1f} s in all; in {place}")

    began, busy_before = time.monotonic(), time.process_time()
    before = signal.signal(signal.SIGALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_REAL, LIMIT, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - time.monotonic() + began))


def understood(study: Study, target: Target, text: str) -> bool:
    """Feed a text and return whether it was understood; all but a clear refusal is a failure."""
    before = _most_memory()
    try:
        with limited():
            try:
                target.feed(study, text)
            except SoopsError as exc:
                _check_refusal(exc)
                return False
            finally:
                assert not Path("pwned").exists(), "a text was executed"
                assert _most_memory() - before < MEMORY, "it takes too much memory"
    except BaseException as exc:
        shown = text if len(text) < 3000 else f"{text[:1500]} ... {text[-1500:]}"
        exc.add_note(f"{target}, seed {SEED}, text of {len(text)} characters: {shown!r}")
        study.write("failed-text", text)
        exc.add_note(f"all of it: {study.folder / 'failed-text'}")
        if isinstance(
            exc, Endless
        ):  # anywhere, perhaps where there is no line that pytest can show
            raise exc.with_traceback(None) from None
        raise
    return True


def _most_memory() -> int:
    """Return the most memory that this process ever had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _check_refusal(exc: SoopsError) -> None:
    lines = exc.lines()
    assert 1 <= len(lines) <= 3, lines
    assert all(line.isprintable() and len(line) < 1000 for line in lines), lines
    assert len(exc.message) > 5, f"it says nothing: {exc.message!r}"


def try_texts(study: Study, target: Target, *, long: bool = False) -> None:
    """Try many texts, the same each time."""
    verdicts: list[bool] = []
    slowest = 0.0

    @seed(SEED)
    @settings(
        max_examples=target.long if long else target.short,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.texts())
    def try_one(text: str) -> None:
        nonlocal slowest
        before = time.process_time()
        verdicts.append(understood(study, target, text))
        slowest = max(slowest, time.process_time() - before)

    try_one()
    # Shown by pytest -rP: figures for docs/reliability.md.
    counts = f"{len(verdicts)} texts, {sum(verdicts)} understood, the others refused"
    print(f"{target}: {counts}; the longest took {slowest:.2f} s of the processor")
