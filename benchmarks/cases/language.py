"""Parsing values and iterating over parameter sets, measured within the process."""

from __future__ import annotations

from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

TEXT = """\
import time
text = "[" + ", ".join(map(str, range({count}))) + "]"
"""
TIMED = """\
best = 1e9
for _ in range({repeat}):
    start = time.perf_counter()
    value = {call}
    best = min(best, time.perf_counter() - start)
assert value == {wanted}
print(best)
"""


def _side(python: str, label: str, count: int, repeat: int, setup: str, call: str) -> Side:
    wanted = f"list(range({count}))"
    if "parse_as_dict" in call:
        wanted = f"{{'a': {wanted}}}"
    code = TEXT.format(count=count) + setup + TIMED.format(repeat=repeat, call=call, wanted=wanted)
    return Side(label=label, words=(python, "-c", code))


def _parse(count: int) -> None:
    call = "parse_as_dict('a=' + text, free_word=True)"
    setup = "from soops import parse_as_dict\n"

    @benchmark(
        f"parse-{count}-peer",
        f"a list of {count} integers parsed",
        goal=0.1,
        printed=True,
        pairs=3,
    )
    def peer(workshop: Workshop) -> tuple[Side, Side]:
        return (
            _side(workshop.python, workshop.ours, count, 20, setup, call),
            _side(workshop.peer("soops-2026.2"), "soops 2026.2", count, 1, setup, call),
        )

    @benchmark(
        f"parse-{count}", f"a list of {count} integers parsed", goal=5.0, printed=True, pairs=7
    )
    def literal(workshop: Workshop) -> tuple[Side, Side]:
        return (
            _side(workshop.python, workshop.ours, count, 20, setup, call),
            _side(
                workshop.python,
                "`ast.literal_eval` of the list",
                count,
                20,
                "import ast\n",
                "ast.literal_eval(text)",
            ),
        )


for _count in (10, 1000, 10000):
    _parse(_count)


SETS = """\
import time
count = {count}
{setup}
start = time.perf_counter()
total = 0
for values in {iterable}:
    total += values["b"]
print(time.perf_counter() - start)
assert total == count * (count - 1) // 2 * count * 10
"""


@benchmark("sets", "a million parameter sets iterated", goal=5.0, printed=True, pairs=3)
def sets(workshop: Workshop) -> tuple[Side, Side]:
    """Against the same dicts from itertools."""
    count = workshop.size(316, 30)
    values = "{'a': list(range(count)), 'b': list(range(count)), 'c': list(range(10))}"
    ours = SETS.format(
        count=count,
        setup="from soops.kernel.study.space import ParameterSpace, build_axes\n"
        f"values = {values}\nspace = ParameterSpace('abc', build_axes('abc', values, ()))",
        iterable="space",
    )
    plain = SETS.format(
        count=count,
        setup=f"import itertools\nvalues = {values}",
        iterable="(dict(zip(values, row)) for row in itertools.product(*values.values()))",
    )
    return (
        Side(label=workshop.ours, words=(workshop.python, "-c", ours)),
        Side(label="`itertools.product`, dicts", words=(workshop.python, "-c", plain)),
    )
