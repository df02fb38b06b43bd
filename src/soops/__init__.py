"""soops: run a program over a parameter space, lose nothing, gather one table.

``import soops as so`` in scripts: the names of the script library are found when they are
used, so that the import itself costs nothing. ``soops.run``, ``plan``, ``scoop`` and
``find`` are the Python API, see :mod:`soops.study`.
"""

from soops._version import __version__

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from typing import Any

    from soops.base import (
        AttrDict,
        Output,
        Struct,
        debug,
        debug_on_error,
        find_subclasses,
        flatten_dict,
        get_default,
        import_file,
        ipython_shell,
        is_derived_class,
        load_classes,
        ordered_iteritems,
        output,
        product,
        python_shell,
        run_command,
        shell,
        unflatten_dict,
    )
    from soops.cliargs import build_arg_parser, build_opt_args, normalize_opt_args
    from soops.ioutils import (
        dec,
        delete_from_store,
        edit_filename,
        ensure_path,
        fix_path,
        get_from_store,
        is_in_store,
        load_options,
        locate_files,
        put_to_store,
        remove_files,
        remove_files_patterns,
        repack_store,
        save_options,
        skip_lines,
        skip_lines_to,
    )
    from soops.parsing import (
        extract_floats,
        extract_ints,
        extract_values,
        parse_as_dict,
        parse_as_list,
    )
    from soops.study import find as find
    from soops.study import plan as plan
    from soops.study import run as run
    from soops.study import scoop as scoop
    from soops.timing import Timer, get_timestamp

# What ``from soops import *`` gives: the script library, not the Python API.
__all__ = [
    "AttrDict",
    "Output",
    "Struct",
    "Timer",
    "__version__",
    "build_arg_parser",
    "build_opt_args",
    "debug",
    "debug_on_error",
    "dec",
    "delete_from_store",
    "edit_filename",
    "ensure_path",
    "extract_floats",
    "extract_ints",
    "extract_values",
    "find_subclasses",
    "fix_path",
    "flatten_dict",
    "get_default",
    "get_from_store",
    "get_timestamp",
    "import_file",
    "ipython_shell",
    "is_derived_class",
    "is_in_store",
    "load_classes",
    "load_options",
    "locate_files",
    "normalize_opt_args",
    "ordered_iteritems",
    "output",
    "parse_as_dict",
    "parse_as_list",
    "product",
    "put_to_store",
    "python_shell",
    "remove_files",
    "remove_files_patterns",
    "repack_store",
    "run_command",
    "save_options",
    "shell",
    "skip_lines",
    "skip_lines_to",
    "test",
    "unflatten_dict",
]

#: Where the names are that are found when they are used.
_NAMES_OF = {
    "soops.base": (
        "AttrDict Output Struct debug debug_on_error find_subclasses flatten_dict get_default "
        "import_file ipython_shell is_derived_class load_classes ordered_iteritems output "
        "product python_shell run_command shell unflatten_dict"
    ),
    "soops.cliargs": "build_arg_parser build_opt_args normalize_opt_args",
    "soops.ioutils": (
        "dec delete_from_store edit_filename ensure_path fix_path get_from_store is_in_store "
        "load_options locate_files put_to_store remove_files remove_files_patterns repack_store "
        "save_options skip_lines skip_lines_to"
    ),
    "soops.parsing": "extract_floats extract_ints extract_values parse_as_dict parse_as_list",
    "soops.timing": "Timer get_timestamp",
    "soops.study": "find plan run scoop",
    # Scripts have used these through the package, too.
    "datetime": "datetime",
    "collections.abc": "Iterable",
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}
_MODULES = {
    **{name: f"soops.{name}" for name in ("api", "base", "cliargs", "ioutils", "parsing")},
    **{name: f"soops.{name}" for name in ("study", "timing", "formatting", "plot_selected")},
    **{name: f"soops.{name}" for name in ("run_parametric", "scoop_outputs", "print_info")},
    **{name: f"soops.{name}" for name in ("find_studies", "show_jobs", "runners", "plugins")},
    **{name: name for name in ("fnmatch", "glob", "itertools", "os", "shutil", "subprocess")},
    **{name: name for name in ("sys", "tempfile", "time")},
    "op": "os.path",
    "version": "soops._version",
}


def __getattr__(name: str) -> "Any":
    if name in _MODULE_OF:
        from importlib import import_module

        value = getattr(import_module(_MODULE_OF[name]), name)
    elif name in _MODULES:
        from importlib import import_module

        value = import_module(_MODULES[name])
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF, *_MODULES})


def test(*args: str) -> int:
    """Run the tests of the installed package.

    Parameters
    ----------
    *args : str
        Arguments of pytest, for example ``"-x"`` or ``"-k demo"``.

    Returns
    -------
    int
        The exit code of pytest, 0 when all is well.
    """
    import os
    from pathlib import Path

    import pytest

    folder = str(Path(__file__).parent / "tests_installed")
    # The configuration of a project around the environment is none of this package's.
    alone = ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:cacheprovider"]
    return pytest.main([*alone, *args, folder])
