"""Planning: which of many sets are done."""

from __future__ import annotations

from benchmarks.cases.finding import study_of
from benchmarks.model import Side, benchmark
from benchmarks.workshop import Workshop

OURS = """\
import os, sys, time
from soops import study
os.chdir(sys.argv[1])
text = f"n=@range({count}), output_dir='runs/%s'"
next(iter(study.plan(text, "mod.py")))
start = time.perf_counter()
skipped = sum(run.decision.value == "skip" for run in study.plan(text, "mod.py"))
print(time.perf_counter() - start)
assert skipped == {count}, skipped
"""
#: The least that a program does that knows its runs by a hash: key, row, one look at the file.
FLOOR = """\
import hashlib, itertools, os, sqlite3, sys, time
os.chdir(sys.argv[1])
numbers = {{int(name[:-33]): name for name in os.listdir("runs") if name[0] != "."}}
table = sqlite3.connect(":memory:")
table.execute("CREATE TABLE runs (pkey PRIMARY KEY, name, state)")
key = lambda n: hashlib.md5(str({{"n": n}}).encode()).hexdigest()
rows = [(key(n), name, "done") for n, name in numbers.items()]
table.executemany("INSERT INTO runs VALUES (?, ?, ?)", rows)
start = time.perf_counter()
skipped = 0
sets = iter(range({count}))
while chunk := [key(n) for n in itertools.islice(sets, 256)]:
    marks = ", ".join("?" * len(chunk))
    query = f"SELECT pkey, name, state FROM runs WHERE pkey IN ({{marks}})"
    known = {{row[0]: row for row in table.execute(query, chunk)}}
    for each in chunk:
        row = known.get(each)
        if row is not None and row[2] == "done":
            os.stat(f"runs/{{row[1]}}/out")
            skipped += 1
print(time.perf_counter() - start)
assert skipped == {count}, skipped
"""


@benchmark("plan", "the plan of 10000 sets, all finished", goal=4.0, printed=True, pairs=7)
def plan(workshop: Workshop) -> tuple[Side, Side]:
    """With the commands and all that is known of the runs, against counting them."""
    count = workshop.size(10000, 100)
    folder = str(study_of(workshop.top, workshop.python, count))
    return (
        Side(
            label=workshop.ours,
            words=(workshop.python, "-c", OURS.format(count=count), folder),
        ),
        Side(
            label="hash, SQLite and `stat`",
            words=(workshop.python, "-c", FLOOR.format(count=count), folder),
        ),
    )
