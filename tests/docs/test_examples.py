"""The studies in ``examples/``: their pages are followed, their tables are checked otherwise."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import shutil
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"


def need(*programs: str, module: str | None = None) -> None:
    """Skip where a program or a module is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if module is not None and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


@pytest.fixture
def example(shell, follow, blocks):
    """Return a function that follows the page of an example in a copy of it."""

    def do(name: str) -> dict[str, str]:
        ignore = shutil.ignore_patterns("runs", "output", "heat")
        shutil.copytree(EXAMPLES / name, ".", dirs_exist_ok=True, ignore=ignore)
        return follow(blocks(Path("README.md")))

    return do


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def all_done(count: int) -> None:
    records = [json.loads(path.read_text()) for path in Path("runs").glob("*/soops-run.json")]
    assert len(records) == count
    assert {record["state"] for record in records} == {"done"}


def is_png(path: str) -> bool:
    data = Path(path).read_bytes()
    return data.startswith(b"\x89PNG\r\n\x1a\n") and 5000 < len(data) < 1_000_000


def test_the_simulation_in_c(example):
    need("cc", "make")

    printed = example("c-heat")

    assert "18 parameter sets" in printed["soops check study.toml"]
    all_done(18)
    rows = {(row["scheme"], int(row["cells"])): row for row in table("output/results.csv")}
    assert len(rows) == 18
    for (scheme, cells), row in rows.items():
        # A sine stays a sine: each step multiplies it by a number that is known.
        steps, dt = int(row["steps"]), float(row["dt"])
        r = 1e-4 * dt / (0.1 / cells) ** 2
        s = 4 * math.sin(math.pi / (2 * cells)) ** 2 * r
        theta = {"explicit": 0, "implicit": 1, "crank-nicolson": 0.5}[scheme]
        factor = (1 - (1 - theta) * s) / (1 + theta * s)
        exact = math.exp(-1e-4 * math.pi**2 / 0.1**2 * 10)
        assert float(row["error"]) == pytest.approx(100 * abs(factor**steps - exact), rel=1e-3)
        assert scheme != "explicit" or r < 0.5
    assert is_png("output/error.png") and is_png("output/profiles.png")


def test_the_pipeline_over_the_irises(example):
    need("awk", "sort", "bash", module="sklearn")
    place = Path(importlib.util.find_spec("sklearn").origin).parent / "datasets/data/iris.csv"
    lines = place.read_text(encoding="utf-8").splitlines()
    names, flowers = lines[0].split(",")[2:], [line.split(",") for line in lines[1:]]
    measures = ["sepal-length", "sepal-width", "petal-length", "petal-width"]

    example("awk-iris")

    all_done(84)
    rows = table("output/results.csv")
    assert len(rows) == 84
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        column, label = measures.index(row["measure"]), str(names.index(row["species"]))
        values = sorted(float(flower[column]) for flower in flowers)
        threshold = values[int(row["percentile"]) * (len(values) - 1) // 100]
        hits = [float(f[column]) > threshold for f in flowers if f[4] == label]
        misses = [float(f[column]) <= threshold for f in flowers if f[4] != label]
        score = (statistics.mean(hits) + statistics.mean(misses)) / 2
        assert float(row["threshold"]) == threshold
        assert float(row["score"]) == pytest.approx(max(score, 1 - score), abs=1e-6)
        key = row["species"], row["measure"]
        best[key] = max(best.get(key, 0), float(row["score"]))
    for line in table("output/best.csv"):
        found = {key.removeprefix("measure="): value for key, value in line.items()}
        for measure in measures:
            assert float(found[measure]) == pytest.approx(best[line["species"], measure])
    assert is_png("output/score.png") and is_png("output/thresholds.png")


def test_the_training_script(example):
    need(module="sklearn")

    example("sklearn-digits")

    all_done(36)
    rows = table("output/results.csv")
    assert len({row["seed"] for row in rows}) == len(rows) == 36
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        groups.setdefault((row["C"], row["gamma"]), []).append(float(row["accuracy"]))
    assert len(groups) == 12
    for name, low, high in (("C", -1, 2), ("gamma", -4, 0)):
        place = 0 if name == "C" else 1
        parts = [(math.log10(float(key[place])) - low) / (high - low) * 12 for key in groups]
        assert sorted(map(int, parts)) == list(range(12)), "one point in each twelfth"
    found = {float(line["C"]): line for line in table("output/statistics.csv")}
    assert len(found) == 12
    for (c, _), values in groups.items():
        line = found[float(c)]
        assert int(line["accuracy_count"]) == 3
        assert float(line["accuracy_mean"]) == pytest.approx(statistics.mean(values))
        assert float(line["accuracy_std"]) == pytest.approx(statistics.stdev(values))
    assert max(statistics.mean(values) for values in groups.values()) > 0.9
    assert all(is_png(f"output/{name}.png") for name in ("accuracy", "gamma", "replicates"))
