"""What a person sees while a study runs: a live line, the first failures, a summary.

Everything goes to standard error; standard output carries results only. Where that is
no terminal, plain lines are printed, at most one every few seconds.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from soops.api import State, printable
from soops_builtin.hints import PreloadHint

if TYPE_CHECKING:
    from soops.api import PlannedRun, RunRecord, StudyRun, Summary

__all__ = ["Progress", "duration"]

#: Seconds between two plain lines.
PLAIN_EVERY = 5.0
#: Seconds between two updates of the live line.
LIVE_EVERY = 0.1
#: Failures shown at once, and lines of their stderr.
FAILURES, TAIL = 3, 5


def duration(seconds: float) -> str:
    """Return seconds as a person writes them: ``0.4 s``, ``12 s``, ``3:07``, ``1:02:09``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass
class Progress:
    """The state of the live line of one pass.

    Parameters
    ----------
    study : StudyRun
        The pass; its ``n_workers`` bounds what can be running.
    total : int, optional
        Planned sets, skipped ones included; None when not counted.
    stream : text stream
        Where lines go.
    """

    study: StudyRun
    total: int | None
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    failed: int = 0
    started_runs: int = 0
    shown_failures: int = 0
    began: float = field(default_factory=time.monotonic)
    last: float = 0.0
    on_line: bool = False

    def __post_init__(self) -> None:
        self.hint = PreloadHint(self.study.run_function)
        #: Whether the stream is a terminal that can rewrite its line.
        self.live = self.stream.isatty()

    def run_started(self, run: PlannedRun) -> None:
        """Count a run that was handed over."""
        self.started_runs += 1
        self._show()

    def run_ended(self, record: RunRecord) -> None:
        """Count a run that ended; show why when it is one of the first failures."""
        self.hint.run_ended(record)
        if record.state is State.DONE:
            self.done += 1
        else:
            self.failed += 1
            if self.shown_failures < FAILURES:
                self.shown_failures += 1
                self._failure(record)
        self._show()

    def ended(self, summary: Summary) -> None:
        """Print the summary."""
        self._clear()
        self._line(_summary_line(summary))
        for record in summary.failures:
            self._line(f"  {record.number:03d} {_how(record)}: {self._place(record)}")
        bad = sum(n for state, n in summary.counts.items() if state is not State.DONE)
        if bad > len(summary.failures) > 0:
            self._line(f"  ... and {bad - len(summary.failures)} more")
        for line in self.hint.lines():
            self._line(line)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self.last < (LIVE_EVERY if self.live else PLAIN_EVERY):
            return
        if not self.live and self.last == 0.0 and now - self.began < PLAIN_EVERY:
            return
        self.last = now
        text = self._text(now)
        if self.live:
            import shutil  # for terminals

            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\x1b[K" + text[:width])
            self.on_line = True
            self.stream.flush()
        else:
            self._line(text)

    def _text(self, now: float) -> str:
        ended = self.done + self.failed
        running = min(self.started_runs - ended, self.study.n_workers)
        of = f"/{self.total}" if self.total is not None else ""
        parts = [f"{ended}{of} ended", f"{running} running"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        eta = self._eta(now, ended)
        if eta is not None:
            parts.append(f"{duration(eta)} left")
        bar = ""
        if self.total:
            filled = min(20, 20 * ended // self.total)
            bar = "[" + "#" * filled + "." * (20 - filled) + "] "
        return bar + ", ".join(parts)

    def _eta(self, now: float, ended: int) -> float | None:
        if not ended or self.total is None or now <= self.began:
            return None
        return (self.total - ended) * (now - self.began) / ended

    def _failure(self, record: RunRecord) -> None:
        self._clear()
        self._line(f"run {record.number:03d} {_how(record)}: {self._place(record)}")
        for line in tail(self.study.root / record.directory / "stderr.txt"):
            self._line(f"  | {line}")

    def _place(self, record: RunRecord) -> str:
        """Return the run directory as a person here would type it."""
        path = self.study.root / record.directory
        try:
            path = path.relative_to(Path.cwd())
        except (ValueError, OSError):
            pass  # elsewhere: the whole path, then
        return printable(str(path))

    def _clear(self) -> None:
        if self.on_line:
            self.stream.write("\r\x1b[K")
            self.on_line = False

    def _line(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()


def tail(path: Path, lines: int = TAIL, limit: int = 4096) -> list[str]:
    """Return the last lines of a file, reading at most ``limit`` bytes; none when absent."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [printable(line)[:200] for line in text.splitlines()[-lines:]]


def _how(record: RunRecord) -> str:
    """Say how a run ended, in the words of its message where there is one."""
    from soops.api import how_it_ended

    told = record.cause in ("exit", "signal")
    detail = record.cause if told else record.message or record.cause
    return printable(how_it_ended(record.state, detail, record.returncode, record.signal))


def _summary_line(summary: Summary) -> str:
    parts = []
    if summary.skipped:
        parts.append(f"{summary.skipped} finished before")
    for state in State:
        if summary.counts.get(state):
            parts.append(f"{summary.counts[state]} {state}")
    if summary.remaining:
        parts.append(f"{summary.remaining} not started")
    if summary.left:
        parts.append(f"{summary.left} left in the queue")
    text = ", ".join(parts) or "nothing to do"
    sets = f"{summary.total} parameter set{'s' * (summary.total != 1)}"
    line = f"{sets}: {text} in {duration(summary.elapsed)}"
    if summary.stopped:
        line += f"; stopped: {summary.stopped}"
    if summary.interrupted:
        line += "; interrupted: the same command goes on where it stopped"
    elif summary.left:
        line += "; the same command, later, takes them on"
    return line
