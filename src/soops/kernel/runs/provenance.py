"""What made the runs of a pass, for their records. Used by the ledger."""

from __future__ import annotations

import os
from typing import Any

from soops.kernel.records import machine

__all__ = ["provenance"]


def provenance() -> dict[str, Any]:
    """Return what made the runs of this pass: versions, platform, commit of the directory."""
    import platform

    from soops._version import __version__

    facts: dict[str, Any] = {
        "soops": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
        "user": machine.user_name(),
        "cwd": os.getcwd(),
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        facts["git_commit"] = commit
        facts["git_changed"] = bool(_git("status", "--porcelain", "--untracked-files=no"))
    return facts


def _git(*words: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["git", *words], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
