"""Errors that a user reads, and the exit codes that scripts read.

Anyone may import this module; it imports nothing of soops but ``values``.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable

from soops.kernel.values import Source

__all__ = [
    "ExitCode",
    "LockedError",
    "PluginError",
    "RunnerError",
    "SoopsError",
    "StudyError",
    "UsageError",
    "all_mistakes",
    "near_misses",
    "printable",
    "unknown_name",
]


class ExitCode(enum.IntEnum):
    """What the commands return to the shell."""

    OK = 0
    RUNS_FAILED = 1
    USAGE = 2
    STUDY = 3
    PLUGIN = 4
    RUNNER = 5
    LOCKED = 6
    INTERNAL = 70
    INTERRUPTED = 130


class SoopsError(Exception):
    """A mistake that the user can mend.

    Parameters
    ----------
    message : str
        What is wrong, in one line.
    source : Source, optional
        Where it is wrong.
    hint : str, optional
        What to do, in one line.
    """

    code: ExitCode = ExitCode.STUDY

    def __init__(
        self, message: str, *, source: Source | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.hint = hint

    def lines(self) -> list[str]:
        """Return at most three lines: what, where, what to do."""
        out = [f"error: {_one_line(self.message)}"]
        if self.source is not None:
            out.append(f"  in {_one_line(str(self.source))}")
        if self.hint:
            out.append(f"  hint: {_one_line(self.hint)}")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())[len("error: ") :]


class UsageError(SoopsError):
    """The command line is wrong."""

    code = ExitCode.USAGE


class StudyError(SoopsError):
    """The study text, the user's module or a directory is wrong.

    Attributes
    ----------
    others : tuple of SoopsError
        Further mistakes of the same study, which are told together with this one.
    partial : object
        What could be read of the study (a ``Study``), so that more can be found in it.
    only_to_run : bool
        Whether it matters to those only who run the study: a file that its runs need.
    """

    code = ExitCode.STUDY
    others: tuple[SoopsError, ...] = ()
    partial: object = None
    only_to_run: bool = False

    def lines(self) -> list[str]:
        """Return at most three lines for each mistake."""
        lines = [*super().lines(), *(line for other in self.others for line in other.lines())]
        return [*lines, f"{1 + len(self.others)} mistakes in all"] if self.others else lines


def all_mistakes(mistakes: Iterable[SoopsError]) -> SoopsError | None:
    """Return one error that tells them all, in the order of their lines; None for none.

    What two of them say in the same words is told once.
    """
    found: dict[str, SoopsError] = {}
    for mistake in mistakes:
        others = mistake.others if isinstance(mistake, StudyError) else ()
        for item in (mistake, *others):
            if isinstance(item, StudyError):
                item.others = ()
            found.setdefault(str(item), item)
    flat = sorted(found.values(), key=_place)
    first = next((item for item in flat if isinstance(item, StudyError)), None)
    if first is None:
        return flat[0] if flat else None
    first.others = tuple(item for item in flat if item is not first)
    return first


def _place(error: SoopsError) -> tuple[str, int]:
    source = error.source
    return (source.path, source.line or 0) if source is not None else ("", 0)


class PluginError(SoopsError):
    """A plugin is missing, broken or clashes with another one."""

    code = ExitCode.PLUGIN


class RunnerError(SoopsError):
    """The runner itself broke; not a run."""

    code = ExitCode.RUNNER
    unbegun: Collection[str] = ()
    """Tokens of jobs that have not begun and never will: all is as if these were not submitted."""


class LockedError(SoopsError):
    """Another driver holds the study."""

    code = ExitCode.LOCKED


def near_misses(word: str, known: Iterable[str]) -> str:
    """Return ``"did you mean 'a' or 'b'?"``, or an empty string.

    Parameters
    ----------
    word : str
        What was given.
    known : iterable of str
        What would have been right.
    """
    import difflib  # for who mistyped

    close = difflib.get_close_matches(word, sorted(set(known)), n=3, cutoff=0.6)
    if not close:
        return ""
    return "did you mean " + " or ".join(f"{name!r}" for name in close) + "?"


def unknown_name(
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    source: Source | None = None,
    error: type[SoopsError] = StudyError,
    extra: str = "",
) -> SoopsError:
    """Return the error for a name that nothing answers to, with its near misses."""
    names = sorted(set(known))
    hint = near_misses(name, names)
    if not hint:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        hint = f"known: {shown}" if names else f"no {kind} is known"
    if extra:
        hint = f"{hint}; {extra}"
    return error(f"unknown {kind} {name!r}", source=source, hint=hint)


def printable(text: str) -> str:
    """Return text as a person may see it: without terminal escapes and line breaks."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _one_line(text: str, limit: int = 600) -> str:
    line = printable(text)
    return line if len(line) <= limit else line[: limit - 3] + "..."
