"""Each defect of soops 2026.2 has its tests and its line for users.

The tests are in the files ``test_defects_*.py`` of this directory, named after the numbers.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_defects_*.py"))
PAGE = HERE.parents[1] / "docs" / "differences.md"


@pytest.mark.parametrize("number", range(1, 47))
def test_each_defect_has_a_test_and_a_line(number):
    assert re.search(rf"^def test_d{number:02d}_", TESTS, re.MULTILINE)
    page = PAGE.read_text(encoding="utf-8")
    assert re.search(rf"^\| D{number} \| .+ \| .+ \|$", page, re.MULTILINE)
