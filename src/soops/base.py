"""Structures, messages and small functions that scripts use in every run.

Part of the script library (``import soops as so``), and imported by the kernel where a
script expects a :class:`Struct`. Nothing heavy is imported here. Functions over dicts are
in :mod:`soops.dicts`, what imports files is in :mod:`soops.importing`, shells and debuggers
are in :mod:`soops.shells`; their names are names of this module, too.
"""

from __future__ import annotations

import itertools
import sys

from soops.dicts import flatten_dict, ordered_iteritems, unflatten_dict
from soops.importing import find_subclasses, import_file, is_derived_class
from soops.shells import (
    debug,
    debug_on_error,
    ipython_shell,
    python_shell,
    run_command,
    shell,
)

TYPE_CHECKING = False  # as typing has it; importing typing would cost more than this module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    _Dict = dict[Any, Any]
else:
    _Dict = dict

__all__ = [
    "AttrDict",
    "Output",
    "Struct",
    "debug",
    "debug_on_error",
    "find_subclasses",
    "flatten_dict",
    "get_default",
    "import_file",
    "ipython_shell",
    "is_derived_class",
    "load_classes",
    "ordered_iteritems",
    "output",
    "product",
    "python_shell",
    "run_command",
    "shell",
    "unflatten_dict",
]


class _ItemOrMethod:
    """A method of a dict that gives way to an item of the same name."""

    def __init__(self, name: str, method: Any) -> None:
        self.name = name
        self.method = method

    def __get__(self, obj: dict[str, Any] | None, kind: type | None = None) -> Any:
        if obj is not None and dict.__contains__(obj, self.name):
            return dict.__getitem__(obj, self.name)
        return self.method.__get__(obj, kind)


class AttrDict(_Dict):
    """A dict whose items are attributes.

    ``str`` lists the sorted items, one a line; ``repr`` is the name of the class. Setting
    an attribute sets an item. Attributes of the class (methods, properties, defaults)
    take precedence over items in subclasses; the methods of ``dict`` give way to an item
    of their name: ``AttrDict(keys=1).keys`` is 1.

    >>> options = AttrDict(num=3, host="first")
    >>> options.num += 1
    >>> print(options)
    AttrDict:
     host: first
      num: 4
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any, /) -> None:
        self[name] = value

    def __delattr__(self, name: str, /) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> list[str]:
        return [key for key in self if isinstance(key, str)]

    def __repr__(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        return "\n".join([repr(self) + (":" if self else ""), *type(self).format_items(self)])

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        # The default asks for self.items(), which may be an item.
        import copyreg

        state = self.__dict__ or None
        return copyreg.__newobj__, (type(self),), state, None, iter(dict.items(self))  # type: ignore[attr-defined]

    def copy(self) -> Any:
        """Return a shallow copy of the same class."""
        new = type(self).__new__(type(self))
        dict.update(new, self)
        return new

    def format_items(self) -> list[str]:
        """Return the lines that ``str`` shows below the name of the class."""
        return self._lines()

    def _lines(self) -> list[str]:
        width = 1 + max((len(str(key)) for key in self), default=0)
        return [f"{key!s:>{width}}: {self._shown(value)}" for key, value in ordered_iteritems(self)]

    def _shown(self, value: Any) -> str:
        return str(value)


for _name in ("clear", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"):
    setattr(AttrDict, _name, _ItemOrMethod(_name, getattr(dict, _name)))
for _name in ("copy", "format_items"):
    setattr(AttrDict, _name, _ItemOrMethod(_name, vars(AttrDict)[_name]))


class Struct(AttrDict):
    """An :class:`AttrDict` that shows of the Structs in it only the names of their classes."""

    def _shown(self, value: Any) -> str:
        return repr(value) if isinstance(value, Struct) else str(value)


class Output(Struct):
    """A function that prints messages with a prefix, to the screen or to a file.

    A message that ends with ``...`` indents those that follow it, one that begins with
    ``...`` ends the indentation.

    Parameters
    ----------
    prefix : str
        Put before each message, with a blank; may be empty.
    filename, quiet, combined, append
        See :meth:`set_output`.
    **kwargs
        Further attributes.

    >>> say = Output("study:")
    >>> say("reading...")
    study: reading...
    >>> say("file", 1)
    study:   file 1
    >>> say("...done")
    study: ...done
    """

    def __init__(
        self,
        prefix: str,
        filename: Any = None,
        quiet: bool = False,
        combined: bool = False,
        append: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix
        self.level = 0
        self.output_dir: str | None = None
        self.set_output(filename, quiet, combined, append)

    def set_output(
        self,
        filename: Any = None,
        quiet: bool = False,
        combined: bool = False,
        append: bool = False,
    ) -> None:
        """Say where messages go.

        Parameters
        ----------
        filename : str, path or file, optional
            A text file, encoded in UTF-8; its directory is made when it is not there.
        quiet : bool
            Nothing on the screen.
        combined : bool
            On the screen as well as in the file.
        append : bool
            Keep what is in the file.
        """
        self.filename = filename
        self.to_screen = not quiet and (filename is None or combined)
        if filename is None or hasattr(filename, "write"):
            return
        from pathlib import Path

        path = Path(filename)
        self.output_dir = str(path.parent) if path.parent != Path() else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if append else "w", encoding="utf-8"):
            pass

    def get_prefix(self) -> str:
        """Return what the next message begins with, the indentation included."""
        return (f"{self.prefix} " if self.prefix else "") + "  " * self.level

    def get_output_function(self) -> Callable[..., None]:
        """Return a function that prints its arguments with the prefix, as they are."""
        return self._put

    def __call__(self, *argc: Any, **argv: Any) -> None:
        """Print the arguments, separated by blanks.

        ``verbose=False`` prints nothing; other keyword arguments are of no consequence.
        """
        if not argv.get("verbose", True) or not (self.to_screen or self.filename is not None):
            return
        text = " ".join(str(item) for item in argc)
        if text.startswith("..."):
            self.level -= 1
        self._put(text)
        if text.endswith("..."):
            self.level += 1

    def _put(self, *argc: Any) -> None:
        line = self.get_prefix() + " ".join(str(item) for item in argc) + "\n"
        if self.to_screen:
            _write_screen(line)
        if self.filename is None:
            return
        if hasattr(self.filename, "write"):
            self.filename.write(line)
        else:
            from pathlib import Path

            with Path(self.filename).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(line)


def _write_screen(line: str) -> None:
    """Write to stdout; what its encoding does not have is escaped."""
    try:
        sys.stdout.write(line)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding))


#: Prints messages of a script; set ``output.prefix`` to its name.
output = Output("soops:")


def product(
    *seqs: Iterable[Any], contracts: Sequence[Sequence[int]] | None = None
) -> Iterator[Any]:
    """Yield the combinations of values, the last sequence fastest.

    Parameters
    ----------
    *seqs : iterable
        The values of each place.
    contracts : sequence of sequences of int, optional
        Groups of places whose values change in lockstep; such a group has the position of
        its first-named place. With contracts the combinations are lists, else tuples.

    Raises
    ------
    IndexError
        When a contract names a place that is not there.
    ValueError
        When a place is named twice, or lengths in a contract differ.

    >>> list(product([1, 2], [3, 4], [5, 6], contracts=[[0, 2]]))
    [[1, 3, 5], [1, 4, 5], [2, 3, 6], [2, 4, 6]]
    """
    if contracts is None:
        return (combination for combination in itertools.product(*seqs))
    rows = [list(seq) for seq in seqs]
    seen: set[int] = set()
    for place in itertools.chain.from_iterable(contracts):
        if not 0 <= place < len(rows):
            raise IndexError(f"a contract names the sequence {place}; there are {len(rows)}")
        if place in seen:
            raise ValueError(f"the contracts name the sequence {place} twice")
        seen.add(place)
    groups = {group[0]: list(group) for group in contracts if group}
    axes = []
    for place in range(len(rows)):
        group = groups.get(place, [] if place in seen else [place])
        lengths = sorted({len(rows[item]) for item in group})
        if len(lengths) > 1:
            raise ValueError(f"the sequences {group} in lockstep have the lengths {lengths}")
        if group:
            axes.append((group, list(zip(*(rows[item] for item in group), strict=True))))
    return _combine(axes, len(rows))


def _combine(axes: list[tuple[list[int], list[tuple[Any, ...]]]], size: int) -> Iterator[list[Any]]:
    for chosen in itertools.product(*(values for _, values in axes)):
        combination: list[Any] = [None] * size
        for (group, _), values in zip(axes, chosen, strict=True):
            for place, value in zip(group, values, strict=True):
                combination[place] = value
        yield combination


def get_default(arg: Any, default: Any, msg_if_none: str | None = None) -> Any:
    """Return ``arg``, or ``default`` when it is None.

    Raises
    ------
    ValueError
        With the text ``msg_if_none``, when it is given and both are None.
    """
    value = default if arg is None else arg
    if value is None and msg_if_none is not None:
        raise ValueError(msg_if_none)
    return value


def load_classes(
    filenames: Iterable[Any],
    classes: Iterable[type] | type,
    package_name: str | None = None,
    ignore_errors: bool = False,
    name_attr: str = "name",
) -> dict[str, type]:
    """Import files and return the named classes in them that are derived from given ones.

    Parameters
    ----------
    filenames : iterable of str or path
        What to import.
    classes : iterable of classes
        The parents.
    package_name : str, optional
        See :func:`import_file`.
    ignore_errors : bool
        Say which file cannot be imported and why, and go on.
    name_attr : str
        See :func:`find_subclasses`.
    """
    found: dict[str, type] = {}
    for filename in filenames:
        try:
            module = import_file(filename, package_name=package_name, can_reload=False)
        except Exception as exc:
            if not ignore_errors:
                raise
            output(f"WARNING: module {filename} cannot be imported!")
            output("reason:\n", f"{type(exc).__name__}: {exc}")
            continue
        found.update(find_subclasses(vars(module), classes, True, name_attr))
    return found
