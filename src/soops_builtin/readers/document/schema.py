"""The structure of a study file: which tables there are, which keys, and what they mean.

One description for all: the reader refuses what is not here, the JSON Schema and the
reference page are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FILE", "ROOT", "Key", "Section"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: what it holds, what it means, and how it is written."""

    name: str
    kind: str
    words: str
    example: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the file.

    Attributes
    ----------
    name : str
        Empty: the whole file.
    keys : tuple of Key
        Those that it has.
    free : str
        What further keys hold, which the user names; empty: there are none.
    many : bool
        Whether it is written as ``[[name]]``.
    """

    name: str
    words: str
    keys: tuple[Key, ...] = ()
    free: str = ""
    many: bool = False
    example: str = ""

    def key(self, name: str) -> Key:
        """Return a key by its name."""
        return next(key for key in self.keys if key.name == name)


STUDY = Section(
    "study",
    "The program, and what is true of the study as a whole.",
    (
        Key("name", "a text", "The name of the study.", 'name = "wave"', "the name of the file"),
        Key(
            "command",
            "a text or a list of texts",
            "The program. A list is a list of arguments, which no shell reads: any value arrives "
            "as it is. One text is read by the shell. `{name}` is the value of a parameter, "
            "`{output_dir}` the run directory, `{script_dir}` the directory of the file.",
            'command = ["python3", "{script_dir}/wave.py", "{output_dir}"]',
        ),
        Key(
            "output_dir",
            "a text",
            "The run directories; `%s` becomes number and key of the run.",
            'output_dir = "output/wave/%s"',
        ),
        Key(
            "output_key",
            "a text",
            "What the command calls the run directory.",
            'output_key = "output_dir"',
            "output_dir",
        ),
        Key(
            "finished",
            "a text, a list or a table",
            "When a run is finished: a file is there, several files are, a text in a file matches "
            "(`{ file = ..., regex = ... }`), or `exit:0`: its last attempt ended so.",
            'finished = ["result.txt", { file = "log.txt", regex = "^done" }]',
            "exit:0",
        ),
        Key(
            "cwd",
            "a text",
            "Where runs start; `{output_dir}`: in their run directory.",
            'cwd = "{output_dir}"',
            "where `soops run` does",
        ),
        Key(
            "env",
            "a table of texts",
            "Added to the environment of the runs.",
            'env = { LANG = "C" }',
        ),
        Key(
            "setup",
            "a text or a list of texts",
            "Lines of the shell before the command: modules to load, environments to enter. They "
            "are bash where the command is a list, else sh.",
            'setup = ["export WAVE_HOME=/opt/wave"]',
        ),
        Key(
            "timeout",
            "a positive number or a text",
            "Seconds that a run may take, or an expression over the parameters.",
            'timeout = "60 + 2 * n"',
            "no limit",
        ),
        Key(
            "accept_exit",
            "a list of integers",
            "Exit codes that mean success.",
            "accept_exit = [0, 3]",
            "[0]",
        ),
        Key(
            "preload",
            "true, false or a list of texts",
            "Load Python and the imports of the script once for each worker; or these modules.",
            "preload = true",
            "false",
        ),
        Key(
            "inputs",
            "a list of texts or tables",
            "Files that are copied into the run directory before the run; `{ file, to, link }`: "
            "under another name, or as a link. Paths are relative to the study file, and may have "
            "`{name}` of parameters.",
            'inputs = ["mesh.txt", { file = "big.dat", link = true }]',
        ),
        Key(
            "templates",
            "a list of texts or tables",
            "Files that are rendered with jinja2 into the run directory; `{ file, to }`. "
            "Parameters are variables, `--n-cell` as `n_cell`; one that is undefined is not "
            "defined there either.",
            'templates = ["deck.in.j2"]',
        ),
        Key(
            "resources",
            "a table of numbers or texts",
            "What each run needs: `cpus`, `gpus`, `memory`; numbers, sizes, or expressions.",
            'resources = { cpus = 2, memory = "n * 1e6" }',
        ),
        Key(
            "unhashed",
            "a list of texts",
            "Parameters that do not tell one run from another.",
            'unhashed = ["verbose"]',
        ),
        Key(
            "lockstep",
            "a list of lists of texts",
            "Keys that change together.",
            'lockstep = [["n", "--num"]]',
        ),
        Key(
            "where",
            "a text or a list of texts",
            "Only the sets for which this holds.",
            'where = "n > 1"',
        ),
        Key(
            "exclude",
            "a text or a list of texts",
            "Not the sets for which this holds.",
            'exclude = "n == 3 and x > 0.5"',
        ),
        Key(
            "rows",
            "a text or a table",
            "Sets from a table: a CSV file, JSON lines or parquet (`soops[parquet]`), one row for "
            "each set, columns named as parameters; `{ file, columns }`: only these, or other "
            "names.",
            'rows = { file = "cases.csv", columns = { n = "cells" } }',
        ),
        Key(
            "repeat",
            "an integer, 1 or more",
            "So many replicates of each set: the parameter `replicate` counts from 0.",
            "repeat = 5",
        ),
        Key(
            "seed",
            "a text",
            "The parameter that gets an integer below 2^31 made from all the others of its set. "
            "With `repeat`, a parameter `seed` that the command names and nothing gives is one.",
            'seed = "--seed"',
        ),
    ),
)

OPTIONS = Section(
    "options",
    "Options of the program: key to template, in the order of the command line. One whose value "
    "is `@undefined` is left out.",
    free="a text",
    example='"--num" = "--num={--num}"',
)
DEFAULTS = Section(
    "defaults",
    "Values of parameters that are not given.",
    free="anything",
    example='verbose = "@undefined"',
)
PARAMETERS = Section(
    "parameters",
    "The values. A list is an axis, a text that is a directive is one.",
    free="anything",
    example='x = "@linspace(0, 1, 5)"',
)
DERIVED = Section(
    "derived",
    "Parameters that follow from others, by expressions.",
    free="a text",
    example='dt = "0.5 / n"',
)
ONE_AT_A_TIME = Section(
    "one_at_a_time",
    "Values that are tried one parameter at a time around the baseline, which `[parameters]` "
    "and `[defaults]` give.",
    free="anything",
    example="n = [1, 2, 4]",
)
SAMPLE = Section(
    "sample",
    "A sample of ranges and distributions. A larger `count` keeps the sets that there are: with "
    "`lhs` when it is a doubling, or `base` says what the first one was. `sobol` and `halton` "
    "need `soops[sampling]`.",
    (
        Key("method", "random, lhs, sobol or halton", "How.", 'method = "lhs"', "lhs"),
        Key("count", "an integer, 1 or more", "How many sets.", "count = 100"),
        Key("seed", "an integer, 0 or more", "Another sample.", "seed = 1", "0"),
        Key(
            "base",
            "an integer, 1 or more",
            "The count of the first design of `lhs`; it grows by doublings of it.",
            "base = 25",
            "the odd part of `count`",
        ),
        Key(
            "over",
            "a table of tables",
            'Parameter to `{ low, high }` with `scale = "log"` or `integer = true`, to '
            "`{ choices = [...] }`, or to a distribution: `{ normal = [0, 1] }`.",
            'over = { x = { low = 0.1, high = 10, scale = "log" } }',
        ),
    ),
)
BLOCK = Section(
    "block",
    "A part of the study: the union of the blocks is run. Its values stand in the place of those "
    "of `[parameters]`.",
    (
        Key("name", "a text", "For messages.", 'name = "fine"', "its number"),
        Key("parameters", "a table", "As `[parameters]`.", "parameters = { n = [4, 8] }"),
        Key("lockstep", "a list of lists of texts", "As in `[study]`.", 'lockstep = [["n", "x"]]'),
        Key("where", "a text or a list of texts", "As in `[study]`.", 'where = "n > 4"'),
        Key("exclude", "a text or a list of texts", "As in `[study]`.", 'exclude = "x > 0.5"'),
        Key("rows", "a text or a table", "As in `[study]`.", 'rows = "cases.csv"'),
        Key("one_at_a_time", "a table", "As the table.", "one_at_a_time = { n = [1, 2] }"),
        Key(
            "sample",
            "a table",
            "As the table.",
            "sample = { count = 10, over = { x = { low = 0, high = 1 } } }",
        ),
    ),
    many=True,
)
RUN = Section(
    "run",
    "What `soops run` does without an option that says otherwise.",
    (
        Key("n_workers", "an integer, 1 or more", "Runs at once.", "n_workers = 4", "2"),
        Key("runner", "a text", "Where runs happen.", 'runner = "local"', "local"),
        Key("runner_options", "a table", "Options of the runner.", "runner_options = { cpus = 2 }"),
        Key("cluster_kwargs", "a table", "Arguments of dask's cluster.", "cluster_kwargs = {}"),
        Key(
            "run_function",
            "a text",
            "How a command becomes a process.",
            'run_function = "psutil.Popen"',
            "subprocess.run",
        ),
        Key("retries", "an integer, 0 or more", "Try again so often.", "retries = 1", "0"),
        Key("retry_on", "a list of texts", "After what.", 'retry_on = ["exit:75"]'),
        Key("retry_delay", "a number, 0 or more", "Seconds before that.", "retry_delay = 5", "0"),
        Key("max_failures", "an integer, 1 or more", "Then start no more.", "max_failures = 10"),
        Key("grace", "a number, 0 or more", "Seconds from TERM to KILL.", "grace = 10", "5"),
        Key("capture", "true or false", "Keep the output of runs.", "capture = true", "true"),
        Key("max_output", "an integer, 0 or more", "Bytes kept of it.", "max_output = 1000000"),
        Key("durable", "true or false", "Force records to the disk.", "durable = true", "false"),
        Key("survive", "true or false", "Runs outlive the driver.", "survive = true", "false"),
        Key(
            "output_dir",
            "a text",
            "For the files of the study as a whole.",
            'output_dir = "output/wave"',
            "output",
        ),
    ),
)
SCOOP = Section(
    "scoop",
    "What is read of each run directory. Further keys are options of the scraper: "
    "`soops plugins show NAME`.",
    (
        Key("file", "a text", "The file, or a pattern.", 'file = "result.txt"'),
        Key("scraper", "a text", "What reads it: see `soops plugins`.", 'scraper = "regex"'),
        Key("options", "a table", "Options of the scraper, too.", "options = {}"),
        Key("is_parameters", "true or false", "They are inputs.", "is_parameters = true", "false"),
        Key("optional", "true or false", "It may be missing.", "optional = true", "false"),
        Key(
            "reduce",
            "a table of texts",
            "What becomes of lists: first, last, mean, median, min, max, sum, std, count, or a "
            "place.",
            'reduce = { energy = "last" }',
        ),
        Key("rename", "a table of texts", "Value to column.", 'rename = { energy = "e" }'),
        Key(
            "default", "a table", "Column to its value where it is missing.", "default = { e = 0 }"
        ),
        Key("units", "a table of texts", "Column to its unit.", 'units = { e = "eV" }'),
    ),
    free="anything",
    many=True,
)
STEP = Section(
    "step",
    "What is done with the table, in this order. Further keys are arguments of the step: "
    "`soops plugins show NAME`.",
    (
        Key("name", "a text", "Which step: see `soops plugins`.", 'name = "plot"'),
        Key("kwargs", "a table", "Arguments of the step, too.", "kwargs = {}"),
    ),
    free="anything",
    many=True,
)
RESULTS = Section(
    "results",
    "Where `soops scoop` writes without an option that says otherwise.",
    (
        Key(
            "output_dir",
            "a text",
            "The directory.",
            'output_dir = "output"',
            "the runs root, or `.` where directories are named",
        ),
        Key("file", "a text", "The table in it.", 'file = "results.parquet"', "results.h5"),
        Key("sort", "a list of texts", "Columns that order the rows.", 'sort = ["rdir"]'),
    ),
)

#: All tables, in the order of a file.
FILE = (
    STUDY,
    OPTIONS,
    DEFAULTS,
    PARAMETERS,
    DERIVED,
    ONE_AT_A_TIME,
    SAMPLE,
    BLOCK,
    RUN,
    SCOOP,
    STEP,
    RESULTS,
)
ROOT: Mapping[str, Section] = {section.name: section for section in FILE}
