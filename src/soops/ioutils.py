"""Files: paths, options, logs and HDF5 stores.

Part of the script library. Paths are texts here, as scripts hand them on to the functions
of ``os.path``.
"""

from __future__ import annotations

import os
import sys

from soops.dicts import ordered_iteritems

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from soops.literals import read_value

__all__ = [
    "dec",
    "delete_from_store",
    "edit_filename",
    "ensure_path",
    "fix_path",
    "get_from_store",
    "is_in_store",
    "load_options",
    "locate_files",
    "put_to_store",
    "read_value",
    "remove_files",
    "remove_files_patterns",
    "repack_store",
    "save_options",
    "skip_lines",
    "skip_lines_to",
]


def ensure_path(filename: Any) -> None:
    """Make the directory of a file, with those above it, unless it is there.

    For a directory give its name with a separator at the end: ``ensure_path(name + os.sep)``.
    """
    folder = os.path.dirname(os.fspath(filename))
    if folder:
        os.makedirs(folder, exist_ok=True)


def fix_path(path: Any) -> str:
    """Return the absolute, normalized path; ``~`` is the home directory."""
    return str(os.path.abspath(os.path.expanduser(os.fspath(path))))


def edit_filename(
    filename: Any,
    prefix: str = "",
    suffix: str = "",
    new_dir: Any = None,
    new_ext: str | None = None,
) -> str:
    """Return a file name with parts of it replaced.

    Parameters
    ----------
    filename : str or path
        What to start from.
    prefix, suffix : str
        Put before and after the base name, the suffix before the extension.
    new_dir : str or path, optional
        The directory instead of that of ``filename``.
    new_ext : str, optional
        The extension instead, with its dot.

    >>> edit_filename("out/plot.png", suffix="-1", new_ext=".pdf").replace(os.sep, "/")
    'out/plot-1.pdf'
    """
    folder, base = os.path.split(os.fspath(filename))
    stem, ext = os.path.splitext(base)
    if new_dir is not None:
        folder = os.fspath(new_dir)
    base = prefix + stem + suffix + (ext if new_ext is None else new_ext)
    return str(os.path.join(folder, base))


def locate_files(pattern: Any, root_dir: Any = ".", **kwargs: Any) -> Iterator[str]:
    """Yield the absolute paths of files in a directory and below it, sorted by directory.

    Parameters
    ----------
    pattern : str
        A shell-style pattern of file names. A directory in it is where to begin, below
        ``root_dir``.
    root_dir : str or path
        Where to look.
    **kwargs
        Arguments of :func:`os.walk`.
    """
    import fnmatch

    folder, name = os.path.split(os.fspath(pattern))
    start = fix_path(os.path.join(os.path.expanduser(os.fspath(root_dir)), folder))
    for place, folders, files in os.walk(start, **kwargs):
        folders.sort()
        for found in fnmatch.filter(sorted(files), name):
            yield os.path.join(place, found)


def remove_files(root_dir: Any, **kwargs: Any) -> None:
    """Remove everything in a directory, but not the directory; links are not followed.

    Keyword arguments of :func:`os.walk` are accepted and of no consequence.
    """
    import shutil

    unknown = set(kwargs) - {"topdown", "onerror", "followlinks"}
    if unknown:
        raise TypeError(f"remove_files() got unexpected arguments: {', '.join(sorted(unknown))}")
    if not os.path.isdir(root_dir):
        return
    with os.scandir(root_dir) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.remove(entry.path)


def remove_files_patterns(
    root_dir: Any,
    patterns: Iterable[str] | str,
    ignores: Iterable[str] | str | None = None,
    verbose: bool = False,
) -> None:
    """Remove the files of a directory whose names match; those below it are not looked at.

    Parameters
    ----------
    root_dir : str or path
        The directory.
    patterns : iterable of str
        Shell-style patterns, relative to the directory.
    ignores : iterable of str, optional
        Patterns of the names of files to keep.
    verbose : bool
        Say what is removed.
    """
    import fnmatch
    import glob

    from soops.base import output

    keep = [ignores] if isinstance(ignores, str) else list(ignores or ())
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        for path in sorted(glob.glob(pattern, root_dir=root_dir)):
            full = os.path.join(root_dir, path)
            name = os.path.basename(path)
            if os.path.isdir(full) or any(fnmatch.fnmatch(name, item) for item in keep):
                continue
            if verbose:
                output(f'removing "{full}"')
            os.remove(full)


def save_options(
    filename: Any,
    options_groups: Iterable[tuple[str, Any]] | Mapping[str, Any],
    save_command_line: bool = True,
    quote_command_line: bool = False,
) -> None:
    """Write groups of options to a text file, for people and for :func:`load_options`.

    Parameters
    ----------
    filename : str or path
        The file, encoded in UTF-8.
    options_groups : sequence of (str, options)
        The heading of each group and its options: a dict or a namespace.
    save_command_line : bool
        Begin with the command line of this process.
    quote_command_line : bool
        Put its words in double quotes.
    """
    pairs = options_groups.items() if hasattr(options_groups, "items") else options_groups
    quote = '"' if quote_command_line else ""
    parts = []
    if save_command_line:
        words = " ".join(f"{quote}{word}{quote}" for word in sys.argv)
        parts.append(_group("command line") + words + "\n")
    for name, options in pairs:
        values = options if hasattr(options, "keys") else vars(options)
        lines = [f"{key}: {value!s}\n" for key, value in ordered_iteritems(dict(values))]
        parts.append(_group(name) + "".join(lines))
    text = ("" if save_command_line else "\n") + "\n".join(parts)
    with open(filename, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _group(name: str) -> str:
    return f"{name}\n{'-' * len(name)}\n\n"


def load_options(filename: Any) -> dict[str, Any]:
    """Return the options in a file that :func:`save_options` wrote, all groups in one dict.

    Nothing is evaluated. A text is a value of Python when Python would write that value
    back as the same text, see :func:`soops.literals.read_value`; everything else is a str.
    An option of a later group replaces one of the same name.

    Parameters
    ----------
    filename : str or path
        The file.
    """
    from soops.literals import read_options

    with open(filename, encoding="utf-8", errors="surrogateescape") as file:
        return read_options(file.read())


def skip_lines(fd: Any, num: int) -> Any:
    """Read ``num`` lines of an open file and return the last one; empty at the end."""
    line = ""
    for _ in range(num):
        line = fd.readline()
    return line


def skip_lines_to(fd: Any, key: str | bytes) -> Any:
    """Read an open file to the first line that contains ``key`` and return this line.

    Returns
    -------
    str or bytes
        As the file gives it; ``''`` when there is no such line.
    """
    wanted = dec(key)
    for line in iter(fd.readline, None):
        if not line:
            break
        if wanted in dec(line):
            return line
    return ""


def dec(val: Any) -> Any:
    """Return bytes as a str (bytes that are not UTF-8 are escaped), all else as it is."""
    return val.decode("utf-8", "surrogateescape") if isinstance(val, bytes) else val


def is_in_store(filename: Any, keys: Iterable[str] | str) -> bool:
    """Tell whether all these keys are in an HDF5 store.

    Parameters
    ----------
    filename : str or path
        The store, which must exist.
    keys : iterable of str, or str
        With or without the leading slash.
    """
    from soops.hdf5_guard import open_store

    wanted = [keys] if isinstance(keys, str) else list(keys)
    with open_store(filename, "r") as store:
        return all(key in store for key in wanted)


def put_to_store(filename: Any, key: str, val: Any) -> None:
    """Put a table into an HDF5 store, which is made when it is not there.

    Parameters
    ----------
    filename : str or path
        The store.
    key : str
        Its name in the store; what is there under this name is replaced.
    val : pandas.DataFrame or pandas.Series
        The table.
    """
    from soops.hdf5_guard import open_store

    with open_store(filename, "a") as store:
        store[key] = val


def get_from_store(filename: Any, key: str, default: Any = None) -> Any:
    """Return a table of an HDF5 store, or ``default`` without the file or the key.

    Raises
    ------
    soops.api.StudyError
        When it holds pickles of more than plain values: :func:`pandas.read_hdf` reads
        these, which may run any code that is in the file.
    """
    from soops.hdf5_guard import open_store

    if not os.path.exists(filename):
        return default
    with open_store(filename, "r") as store:
        return store.get(key) if key in store else default


def delete_from_store(filename: Any, key: str) -> None:
    """Remove a table from an HDF5 store.

    Raises
    ------
    KeyError
        When it is not there.
    """
    from soops.hdf5_guard import open_store

    with open_store(filename, "r+") as store:
        store.remove(key)


def repack_store(filename: Any) -> None:
    """Write an HDF5 store anew, without the room that removed tables take.

    The file is the old or the new one at any moment.
    """
    import tempfile

    import tables

    from soops.hdf5_guard import safe_reading

    path = os.path.abspath(os.fspath(filename))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no store {path}")
    handle, temporary = tempfile.mkstemp(".h5", ".repack-", os.path.dirname(path))
    os.close(handle)
    try:
        with safe_reading():
            tables.copy_file(path, temporary, overwrite=True)
        os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def __getattr__(name: str) -> Any:
    if name == "read_value":  # its module is not needed by every script
        from soops import literals

        globals()[name] = literals.read_value
        return literals.read_value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
