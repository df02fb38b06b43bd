"""The pages for those who come from elsewhere: what they say of soops is done."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "howto").glob("from-*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_study_of_a_page_gives_its_table(page, blocks, follow):
    printed = follow(blocks(page))

    assert printed['soops find runs -q "mass == 2 and stiffness > 1"'].count("stiffness") == 2
    (path,) = Path().rglob("results.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for row in rows:
        period = 2 * math.pi * math.sqrt(float(row["mass"]) / float(row["stiffness"]))
        assert float(row["period"]) == pytest.approx(period, abs=1e-4)
        assert row["state"] == "done"
