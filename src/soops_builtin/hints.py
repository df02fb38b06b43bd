"""What a person is told after a study that could have been, or was not, preloaded.

For ``progress`` only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from soops.api import State, printable

if TYPE_CHECKING:
    import ast

    from soops.api import RunRecord

__all__ = ["PreloadHint"]

#: With more runs than this, shorter than so many seconds on average, the start is worth a word.
RUNS, SECONDS = 20, 5.0
#: Packages whose import takes a good part of a second, and starts no threads that outlive a fork.
SLOW = frozenset(
    {
        *("matplotlib", "networkx", "numba", "numpy", "scipy", "sfepy", "skimage", "sklearn"),
        *("sympy", "torch"),
    }
)
_WHY = "not preloaded: "


@dataclass
class PreloadHint:
    """Collects what the runs of one pass were like.

    Parameters
    ----------
    run_function : str
        By which they were started.
    """

    run_function: str
    runs: int = 0
    seconds: float = 0.0
    command: str | tuple[str, ...] = ()
    reasons: dict[str, None] = field(default_factory=dict)

    def run_ended(self, record: RunRecord) -> None:
        """Take a run into account."""
        if record.state is State.DONE and record.elapsed is not None:
            self.runs += 1
            self.seconds += record.elapsed
            self.command = record.command
        if self.run_function == "preload" and _WHY in record.message:
            for part in record.message.split("; "):
                if part.startswith(_WHY):
                    self.reasons[part.removeprefix(_WHY)] = None

    def lines(self) -> list[str]:
        """Return what there is to say: a line, or nothing."""
        if self.reasons:
            first = printable(next(iter(self.reasons)))
            more = (
                f" ({len(self.reasons) - 1} more in the records)" if len(self.reasons) > 1 else ""
            )
            return [f"preload: something was started or imported as ever: {first}{more}"]
        fitting = self.run_function in ("subprocess.run", "psutil.Popen")
        if not fitting or self.runs <= RUNS or self.seconds >= SECONDS * self.runs:
            return []
        slow = slow_imports(self.command)
        if not slow:
            return []
        names = ", ".join(sorted(slow)[:3])
        return [f"hint: --run-function preload would import {names} once for each worker"]


def slow_imports(command: str | tuple[str, ...]) -> set[str]:
    """Return the slow packages that the script of a command imports; none when it is no script."""
    from soops_builtin.run_functions.preload.words import NotPreloaded, python_call

    try:
        call = python_call(command, {})
        if call.kind != "script":
            return set()
        import ast

        tree = ast.parse(Path(call.what).read_bytes())
    except (NotPreloaded, OSError, SyntaxError, ValueError):
        return set()
    return {name.partition(".")[0] for name in _imported(tree)} & SLOW


def _imported(tree: ast.Module) -> list[str]:
    import ast

    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names
