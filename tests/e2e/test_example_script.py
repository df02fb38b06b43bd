"""The packaged examples on their own, without soops-run: what the programs write."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from importlib import resources
from pathlib import Path

import pytest

import soops as so

EXAMPLES = resources.files("soops_builtin") / "examples"
SCRIPT = Path(str(EXAMPLES / "monty_hall" / "monty_hall.py"))
AWK = Path(str(EXAMPLES / "awk_decay" / "decay.awk"))


@pytest.fixture(scope="module")
def monty_hall():
    """Return the example as a module."""
    module = so.import_file(SCRIPT, can_reload=False)
    yield module
    sys.modules.pop(module.__name__, None)


def play(cwd: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=cwd,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def rates(folder: Path) -> list[float]:
    found = re.findall(r"win rate: (\S+)", (folder / "output_log.txt").read_text())
    return [float(item) for item in found]


def test_one_run_as_typed(tmp_path):
    """Without --no-show: a backend without a screen must not end it."""
    done = play(tmp_path, "an output/dir")
    folder = tmp_path / "an output" / "dir"

    assert sorted(path.name for path in folder.iterdir()) == [
        "options.txt",
        "output_log.txt",
        "wins.png",
    ]
    assert (folder / "output_log.txt").read_text() == done.stdout
    assert len(rates(folder)) == done.stdout.count("elapsed: ") == 5
    assert all(line.startswith("monty_hall: ") for line in done.stdout.splitlines())
    assert (folder / "wins.png").read_bytes().startswith(b"\x89PNG")


def test_options_are_kept_and_silence_is_kept(tmp_path):
    done = play(
        tmp_path,
        "out",
        "--switch",
        "--host=first",
        "--num=50",
        "--repeat=2",
        "--seed=3",
        "--plot-opts=lw=3,color=red",
        "--no-show",
        "--silent",
    )

    assert done.stdout == done.stderr == ""
    assert so.load_options(tmp_path / "out" / "options.txt") == {
        "output_dir": "out",
        "switch": True,
        "host": "first",
        "num": 50,
        "repeat": 2,
        "seed": 3,
        "plot_opts": "lw=3,color=red",
        "show": False,
        "silent": True,
    }
    assert len(rates(tmp_path / "out")) == 2


def test_a_seed_makes_a_run_reproducible(tmp_path):
    words = ("--num=200", "--repeat=3", "--no-show", "--silent")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        play(tmp_path, name, f"--seed={seed}", *words)

    assert rates(tmp_path / "a") == rates(tmp_path / "b") != rates(tmp_path / "c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--num=0"], "argument --num: must be 1 or more"),
        (["--repeat=x"], "argument --repeat: invalid int value"),
        (["--host=last"], "argument --host: invalid choice"),
        (["--plot-opts=a b"], "argument --plot-opts"),
    ],
)
def test_wrong_options_write_nothing(tmp_path, words, message):
    done = play(tmp_path, "out", *words, code=2)

    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["random", "first"])
def test_who_switches_wins_when_who_stays_loses(monty_hall, host):
    import numpy as np

    games = [
        monty_hall.play(np.random.default_rng(5), 9000, switch, host) for switch in (False, True)
    ]

    np.testing.assert_array_equal(games[0], ~games[1])
    assert games[1].mean() == pytest.approx(2 / 3, abs=0.02)


def test_the_host_shows_no_car_and_leaves_the_chosen_door(monty_hall):
    """Who switches gets a door that is neither the chosen nor the opened one: it exists."""
    import numpy as np

    class Games:
        """All cars, choices and coins there are."""

        @staticmethod
        def integers(high, size):
            return np.array(
                [(car, door, coin) for car in range(3) for door in range(3) for coin in range(2)]
            ).T

    for host in ("random", "first"):
        won = monty_hall.play(Games, 18, True, host)
        stayed = monty_hall.play(Games, 18, False, host)
        assert won.sum() == 12  # the two of three doors that were not chosen, with both coins
        assert stayed.sum() == 6


# --- what it tells soops ---------------------------------------------------------------


def test_the_command_has_the_published_keys(monty_hall):
    command, options, key, finished = monty_hall.get_run_info()

    assert command == "{python} {script_dir}/monty_hall.py {output_dir}"
    assert sorted(options) == [
        "--host",
        "--no-show",
        "--num",
        "--plot-opts",
        "--repeat",
        "--seed",
        "--silent",
        "--switch",
    ]
    assert all(text.split("=")[0] == name for name, text in options.items())
    assert (key, finished) == ("output_dir", "wins.png")


def test_generated_values_are_those_of_the_lockstep(monty_hall):
    args = so.Struct(seeds=["@undefined", 12345], switches=["@undefined", "@defined"])
    values = monty_hall.generate_seed_switch(args, ["--switch", "--seed"], {}, Namespace())

    assert values == {
        "--switch": ["@undefined", "@defined", "@undefined", "@defined"],
        "--seed": ["@undefined", "@undefined", 12345, 12345],
    }
    assert list(values) == ["--switch", "--seed"]


def test_computed_seeds_differ_but_for_the_switch(monty_hall):
    from soops.run_parametric import make_key_list

    values = {"--num": [10, 20], "--seed": ["@undefined"], "--switch": ["@undefined", "@defined"]}
    seqs = [make_key_list(key, items) for key, items in values.items()]
    compute = monty_hall.ComputePars({"--seed": 100}, seqs, list(values), Namespace())
    seeds = {
        (num, switch): compute({"--num": num, "--switch": switch, "--seed": "@undefined"})
        for num in values["--num"]
        for switch in values["--switch"]
    }

    assert [item["--seed"] for item in seeds.values()] == [100, 100, 101, 101]


def test_the_files_of_a_run_are_read(monty_hall, tmp_path):
    play(tmp_path, "out", "--repeat=3", "--plot-opts=lw=3,alpha=0.5", "--no-show", "--silent")
    rdata: dict[str, object] = {}
    for name, scrape, *is_parameters in monty_hall.get_scoop_info():
        assert is_parameters == ([True] if name == "options.txt" else [])
        rdata.update(scrape(str(tmp_path / "out" / name), rdata=rdata))

    assert rdata["plot_opts__lw"] == 3
    assert list(rdata["win_rate"]) == rates(tmp_path / "out")
    assert rdata["elapsed"].shape == (3,)


def test_the_win_rates_are_plotted(monty_hall, tmp_path, monkeypatch):
    """A curve for each run, styled by the parameters, and all of them in the legend."""
    import itertools

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd

    from soops.scoop_outputs import init_plugin_data

    keys = ["num", "repeat", "host", "switch", "seed"]
    sets = itertools.product(
        [100, 1000, 10000], [10, 20], ["random", "first"], [True, False], [np.nan, 12345.0]
    )
    df = pd.DataFrame(sets, columns=keys)
    df["win_rate"] = [np.linspace(0.3, 0.7, repeat) for repeat in df["repeat"]]
    data = init_plugin_data(df, keys, str(tmp_path), "results.h5")

    assert monty_hall.plot_win_rates(df, data=data, colormap_name="plasma") is data

    figure = plt.gcf()
    (axes,) = figure.axes
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
    styles = {
        (
            line.get_color(),
            line.get_linewidth(),
            line.get_linestyle(),
            line.get_marker(),
            line.get_alpha(),
        )
        for line in map(_with_plain_color, curves)
    }
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    plt.close(figure)

    assert len(curves) == len(styles) == 48
    assert texts == [
        "games: 100",
        "games: 1000",
        "games: 10000",
        "simulations: 10",
        "simulations: 20",
        "host: first",
        "host: random",
        "stays",
        "switches doors",
        "seed: 12345",
        "seed: none",
    ]
    assert (tmp_path / "win_rates.png").stat().st_size > 10_000
    assert list(df.columns) == [*keys, "win_rate"]


def _with_plain_color(line):
    line.set_color(tuple(line.get_color()))
    return line


def test_one_parameter_set_can_be_plotted(monty_hall, tmp_path):
    import matplotlib.pyplot as plt
    import pandas as pd

    from soops.scoop_outputs import init_plugin_data

    df = pd.DataFrame({"num": [10], "seed": [None], "win_rate": [[0.1, 0.2]]})
    monty_hall.plot_win_rates(df, data=init_plugin_data(df, ["num", "seed"], str(tmp_path), "r.h5"))
    plt.close("all")

    assert (tmp_path / "win_rates.png").exists()


# --- the second example ----------------------------------------------------------------


@pytest.mark.skipif(shutil.which("awk") is None, reason="there is no awk")
def test_the_awk_program(tmp_path):
    folder = tmp_path / "an output"
    folder.mkdir()
    words = ["-v", "rate=2", "-v", "steps=4", "-v", "dt=0.25", "-v", f"out={folder}"]
    subprocess.run(["awk", *words, "-f", str(AWK)], check=True, env={**os.environ, "LC_ALL": "C"})

    with (folder / "trajectory.csv").open() as file:
        rows = list(csv.DictReader(file))
    result = dict(line.split(" = ") for line in (folder / "result.txt").read_text().splitlines())
    assert [float(row["x"]) for row in rows] == [0.5**n for n in range(5)]
    assert [float(row["t"]) for row in rows] == [0, 0.25, 0.5, 0.75, 1]
    assert float(result["final"]) == 0.5**4
    assert float(result["error"]) == pytest.approx(abs(0.5**4 - 2.718281828**-2), rel=1e-6)


@pytest.mark.skipif(shutil.which("awk") is None, reason="there is no awk")
@pytest.mark.parametrize("words", [["-v", "steps=0", "-v", "out=."], ["-v", "steps=2"]])
def test_the_awk_program_says_what_is_wrong(tmp_path, words):
    done = subprocess.run(
        ["awk", "-v", "rate=1", "-v", "dt=0.1", *words, "-f", str(AWK)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("decay.awk: ")
    assert list(tmp_path.iterdir()) == []
