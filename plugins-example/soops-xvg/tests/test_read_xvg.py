"""What is read from an .xvg file, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from soops_xvg import read_xvg

ENERGY = """\
# This file was created by gmx energy
# with some comments
@    title "GROMACS Energies"
@    xaxis  label "Time (ps)"
@    yaxis  label "(kJ/mol)"
@TYPE xy
@ view 0.15, 0.15, 0.75, 0.85
@ legend on
@ s0 legend "Potential"
@ s1 legend "Kinetic En."
    0.000000  -100.0   10.0
    1.000000  -110.0   12.0
    2.000000  -130.0   14.0
"""


@pytest.fixture
def energy(tmp_path: Path) -> Path:
    path = tmp_path / "energy.xvg"
    path.write_text(ENERGY, encoding="utf-8")
    return path


def test_all_columns_by_their_legends(energy):
    assert read_xvg(energy) == {
        "time": [0.0, 1.0, 2.0],
        "potential": [-100.0, -110.0, -130.0],
        "kinetic_en": [10.0, 12.0, 14.0],
    }


def test_some_columns(energy):
    assert list(read_xvg(str(energy), columns=["kinetic_en"])) == ["kinetic_en"]


def test_averages_from_a_time_on(energy):
    assert read_xvg(energy, average_from=1.0) == {
        "potential_mean": -120.0,
        "potential_std": 10.0,
        "kinetic_en_mean": 13.0,
        "kinetic_en_std": 1.0,
    }


def test_one_column_is_named_by_its_axis(tmp_path):
    path = tmp_path / "rmsd.xvg"
    path.write_text('@ xaxis label "Time (ps)"\n@ yaxis label "RMSD (nm)"\n0 0.1\n1 0.2\n&\n')

    assert read_xvg(path) == {"time": [0.0, 1.0], "rmsd": [0.1, 0.2]}


def test_names_are_different_whatever_the_legends_say(tmp_path):
    path = tmp_path / "twice.xvg"
    path.write_text('@ s0 legend "A"\n@ s1 legend "a"\n@ s2 legend "(nm)"\n0 1 2 3 4\n')

    assert list(read_xvg(path)) == ["x", "a", "a_2", "y3", "y3_4"]


def test_not_a_number_is_a_number(tmp_path):
    path = tmp_path / "nan.xvg"
    path.write_text("0 nan\n1 1e3\n")

    assert math.isnan(read_xvg(path)["y0"][0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no numbers"),
        ("# only a comment\n", "no numbers"),
        ("0 1\n1 2 3\n", "line 2: 3 numbers, 2 in the rows before"),
        ("0 1\n\nstopped\n", "line 3: not numbers: 'stopped'"),
        ("0 1\n&\n0 2\n", "line 3: a second table"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "odd.xvg"
    path.write_text(text)

    with pytest.raises(ValueError, match=words):
        read_xvg(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["pressure"]}, "no column 'pressure'; there are: time, potential"),
        ({"average_from": 9.0}, "time ends at 2.0, before average_from=9.0"),
    ],
)
def test_what_is_not_there_is_said(energy, options, words):
    with pytest.raises(ValueError, match=words):
        read_xvg(energy, **options)
