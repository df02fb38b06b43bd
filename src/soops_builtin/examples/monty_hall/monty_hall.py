#!/usr/bin/env python
"""
Play the Monty Hall game many times, with or without switching doors.

There is a car behind one of three doors. The contestant chooses a door, the host, who
knows where the car is, opens another one without it, and the contestant may switch to
the door that is left. Each simulation plays a number of games and counts the wins.

In output_dir are written: options.txt, output_log.txt and wins.png, the wins of each
simulation as the games are played.

The functions at the end tell soops how this script is run, which of its files are read
and what is done with the table of all runs, see README.md.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

import soops as so
import soops.scoop_outputs as sc

N_DOORS = 3

#: Option: (default, help).
options_table = {
    "output_dir": (None, "output directory"),
    "switch": (False, "the contestant switches doors"),
    "host": (("random", "first"), "which of the doors that he may open the host opens"),
    "num": (100, "number of games in a simulation"),
    "repeat": (5, "number of simulations"),
    "seed": ([None, 1], "seed of the random numbers"),
    "plot_opts": ("", "options of the curves, as linewidth=3,alpha=0.5"),
    "show": (True, "do not show the figure"),
    "silent": (False, "do not print to the screen"),
}


def play(rng, num, switch, host):
    """Play games and return which of them were won.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of random numbers.
    num : int
        Number of games.
    switch : bool
        The contestant switches doors.
    host : {'random', 'first'}
        Of two doors that he may open, the host opens any or the first one.

    Returns
    -------
    numpy.ndarray of bool, shape (num,)
    """
    car, choice, coin = rng.integers([[N_DOORS], [N_DOORS], [2]], size=(3, num))
    if host == "first":
        coin[:] = 0
    # What the host may open: not the chosen door and not the one with the car. Seen from
    # the chosen door there are a next and a last one; in order, the last may be the first.
    following, last = (choice + 1) % N_DOORS, (choice + 2) % N_DOORS
    first, second = np.minimum(following, last), np.maximum(following, last)
    opened = np.where(coin == 0, first, second)
    opened = np.where(car == first, second, np.where(car == second, first, opened))
    if switch:
        choice = N_DOORS - choice - opened
    return choice == car


def plot_wins(filename, wins, switch, plot_opts, show):
    """Plot how the wins of each simulation add up, beside what is expected."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    if show:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(6.4, 4.0))
    else:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0))
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.13, top=0.92)
    axes = figure.add_subplot()
    num = wins.shape[1]
    games = np.arange(1, num + 1)
    # No screen shows more points than this.
    some = np.unique(np.linspace(0, num - 1, 1000).astype(int))
    totals = wins.cumsum(axis=1)[:, some]
    style = {"color": "tab:blue", "linewidth": 1.5, "alpha": 0.6}
    axes.plot(games[some], totals.T, **{**style, **normalize_kwargs(plot_opts, Line2D)})
    axes.lines[0].set_label("simulation" if len(wins) == 1 else f"{len(wins)} simulations")
    chance = (N_DOORS - 1 if switch else 1) / N_DOORS
    label = f"expected: {N_DOORS - 1 if switch else 1}/{N_DOORS} of the games"
    axes.plot(games[some], chance * games[some], color="black", ls="--", lw=1, label=label)
    axes.set_title("The contestant switches doors" if switch else "The contestant stays")
    axes.set_xlabel("games")
    axes.set_ylabel("wins")
    axes.set_xlim(0, num)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(filename, dpi=100)
    if show:
        plt.show()


def main():
    """Run the simulations of one command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False
    )
    so.build_arg_parser(parser, options_table)
    options = parser.parse_args()
    for name in ("num", "repeat"):
        if getattr(options, name) < 1:
            parser.error(f"argument --{name}: must be 1 or more")
    try:
        plot_opts = so.parse_as_dict(options.plot_opts)
    except ValueError as exc:
        parser.error(f"argument --plot-opts: {exc}")

    output_dir = Path(options.output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    so.output.prefix = "monty_hall:"
    so.output.set_output(output_dir / "output_log.txt", quiet=options.silent, combined=True)
    so.save_options(output_dir / "options.txt", [("options", vars(options))])
    for name in ("num", "repeat", "switch", "host", "seed"):
        so.output(f"{name}:", getattr(options, name))

    rng = np.random.default_rng(options.seed)
    wins = np.empty((options.repeat, options.num), dtype=bool)
    timer = so.Timer()
    for simulation in range(options.repeat):
        timer.start()
        wins[simulation] = play(rng, options.num, options.switch, options.host)
        so.output("elapsed:", timer.stop())
        so.output("win rate:", wins[simulation].mean())
    plot_wins(output_dir / "wins.png", wins, options.switch, plot_opts, options.show)


# What follows is for soops.


def get_run_info():
    """Tell how the script is run, and what shows that it has finished."""
    run_cmd = "{python} {script_dir}/monty_hall.py {output_dir}"
    opt_args = {
        "--switch": "--switch",
        "--host": "--host={--host}",
        "--num": "--num={--num}",
        "--repeat": "--repeat={--repeat}",
        "--seed": "--seed={--seed}",
        "--plot-opts": "--plot-opts={--plot-opts}",
        "--no-show": "--no-show",
        "--silent": "--silent",
    }
    output_dir_key = "output_dir"
    is_finished_basename = "wins.png"
    return run_cmd, opt_args, output_dir_key, is_finished_basename


def generate_seed_switch(args, gkeys, dconf, options):
    """Return values of --seed and --switch that change in lockstep: each with each.

    Parameters
    ----------
    args : Struct
        ``seeds`` and ``switches``, the values of the two.
    gkeys : list of str
        The keys whose values are asked for.
    dconf : dict
        The study.
    options : namespace
        The options of soops-run.

    Returns
    -------
    dict
        Key to list of values.
    """
    pairs = list(product(args.seeds, args.switches))
    values = {"--seed": [seed for seed, _ in pairs], "--switch": [switch for _, switch in pairs]}
    return {key: values[key] for key in gkeys}


class ComputePars:
    """Give parameter sets seeds of their own.

    Sets that differ in ``--switch`` only have the same seed: then both strategies play
    the same games, and their difference is not hidden by chance.

    Parameters
    ----------
    args : dict
        ``{'--seed': first}``, the seed of the first set.
    par_seqs : list
        For each key its values: ``[(index, key, value), ...]``.
    key_order : list of str
        The keys.
    options : namespace
        The options of soops-run.
    """

    def __init__(self, args, par_seqs, key_order, options):
        self.first = args.get("--seed", 0)
        self.values = {
            key: [value for _, _, value in seq]
            for key, seq in zip(key_order, par_seqs, strict=True)
            if key not in ("--seed", "--switch")
        }

    def __call__(self, all_pars):
        """Return the seed of a parameter set."""
        number = 0
        for key, values in self.values.items():
            number = number * len(values) + values.index(all_pars[key])
        return {"--seed": self.first + number}


def get_scoop_info():
    """Tell which files are read after the runs; True marks input parameters."""
    return [
        ("options.txt", partial(sc.load_split_options, split_keys=["plot_opts"]), True),
        ("output_log.txt", scrape_output),
    ]


def scrape_output(filename, rdata=None):
    """Return what the log says of each simulation; how many there are is known already."""
    elapsed, win_rate = [], []
    with Path(filename).open(encoding="utf-8") as fd:
        for _ in range(rdata["repeat"]):
            elapsed.append(float(so.skip_lines_to(fd, "elapsed:").split()[-1]))
            win_rate.append(float(so.skip_lines_to(fd, "win rate:").split()[-1]))
    return {"elapsed": np.array(elapsed), "win_rate": np.array(win_rate)}


def get_plugin_info():
    """Tell what is done with the table of all runs."""
    from soops.plugins import show_figures

    return [plot_win_rates, show_figures]


def plot_win_rates(df, data=None, colormap_name="viridis"):
    """Plot the win rates of all simulations, a curve for each run, to win_rates.png.

    The curves have styles by parameters: the colour is the number of games, the line
    width the number of simulations, the line style the host, the marker the switch, and
    the opacity the seed.

    Parameters
    ----------
    df : pandas.DataFrame
        A row for each run.
    data : Struct
        What soops knows about the table; ``data.output_dir`` is where the figure goes.
    colormap_name : str
        The colour map of ``num``.
    """
    import matplotlib.pyplot as plt

    import soops.plot_selected as sps

    wanted = {
        "num": {"color": f"{colormap_name}:max=0.85"},
        "repeat": {"lw": [1.0, 2.5]},
        "host": {"ls": ["-", "--"]},
        "switch": {"marker": ["o", "s"]},
        "seed": {"alpha": "0.45,1.0"},
    }
    keys = [key for key in wanted if key in data.multi_par_keys]
    selected = {key: data.multi_par_uniques[key] for key in keys}
    styles = sps.setup_plot_styles(selected, {key: wanted[key] for key in keys})

    figure, axes = plt.subplots(figsize=(10.0, 6.0), layout="constrained")
    for chance in (1, 2):
        axes.axhline(chance / N_DOORS, color="black", lw=0.8, zorder=0)
        place = (1.01, chance / N_DOORS)
        axes.annotate(f"{chance}/3", place, xycoords=("axes fraction", "data"), va="center")
    _, lines, labels = sps.plot_selected(
        axes,
        df.assign(simulation=[np.arange(1, len(rates) + 1) for rates in df["win_rate"]]),
        "win_rate",
        selected,
        {},
        styles,
        format_labels=label_of,
        xaxis="simulation",
        make_legend=False,
        markersize=5,
        markeredgewidth=0,
    )
    sps.add_legend(
        axes, lines, labels, loc="center left", bbox_to_anchor=(1.06, 0.5), frameon=False
    )
    axes.set_title("Monty Hall: win rates of the simulations, a curve for each run")
    axes.set_xlabel("simulation")
    axes.set_ylabel("win rate")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    figure.savefig(Path(data.output_dir) / "win_rates.png", dpi=150)
    return data


def label_of(key, index, value):
    """Return what the legend says of a value."""
    if key == "switch":
        return "switches doors" if value else "stays"
    if key == "host":
        return f"host: {value}"
    if key == "seed" and (value is None or np.isnan(value)):
        return "seed: none"
    words = {"num": "games", "repeat": "simulations"}
    return f"{words.get(key, key)}: {value:.0f}"


if __name__ == "__main__":
    main()
