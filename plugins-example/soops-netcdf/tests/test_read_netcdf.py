"""What is read from a netCDF file, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from soops_netcdf import read_netcdf


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    path = tmp_path / "wave.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 3)
        time = file.createVariable("time", "f8", ("time",))
        time[:] = [0.0, 0.5, 1.0]
        time.units = "s"
        count = file.createVariable("count", "i4", ("time",), fill_value=-1)
        count[:] = [4, -1, 6]
        packed = file.createVariable("packed", "i2", ("time",))
        packed.scale_factor = 0.5
        packed[:] = [1.0, 1.5, 2.0]
        energy = file.createVariable("energy", "f4")
        energy[...] = 1.5
        energy.units = "J"
        name = file.createVariable("name", str)
        name[...] = "žluť"
        inner = file.createGroup("mesh").createVariable("cells", "i8")
        inner[...] = 7
    return path


def test_all_variables(wave):
    values = read_netcdf(wave)

    assert values["time"].tolist() == [0.0, 0.5, 1.0]
    assert values["packed"].tolist() == [1.0, 1.5, 2.0]
    assert (values["energy"], values["mesh/cells"], values["name"]) == (1.5, 7, "žluť")
    assert [type(values[name]) for name in ("energy", "mesh/cells")] == [float, int]
    assert list(values) == ["time", "count", "packed", "energy", "name", "mesh/cells"]
    assert not any(np.ma.isMaskedArray(value) for value in values.values())


def test_what_is_masked_is_not_a_number(wave):
    count = read_netcdf(wave)["count"].tolist()

    assert [count[0], count[2]] == [4.0, 6.0]
    assert math.isnan(count[1])


def test_some_variables_with_their_units(wave):
    values = read_netcdf(str(wave), variables=["energy", "mesh/cells"], units=True)

    assert values == {"energy": 1.5, "energy_units": "J", "mesh/cells": 7}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (["power"], "no variable 'power'; there are: time, count, packed, energy"),
        ("time", "variables is a list of names, not 'time'"),
    ],
)
def test_what_is_not_there_is_said(wave, variables, words):
    with pytest.raises(ValueError, match=words):
        read_netcdf(wave, variables=variables)


def test_an_empty_file_and_a_type_that_is_not_read_are_refused(tmp_path):
    path = tmp_path / "odd.nc"
    with netCDF4.Dataset(path, "w"):
        pass
    with pytest.raises(ValueError, match="no variable; there are: none"):
        read_netcdf(path)
    with netCDF4.Dataset(path, "w") as file:
        pair = file.createCompoundType(np.dtype([("a", "f8"), ("b", "f8")]), "pair")
        file.createVariable("pairs", pair)
    with pytest.raises(ValueError, match="pairs has the type"):
        read_netcdf(path)
