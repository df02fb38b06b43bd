"""Build the wheel and the source distribution, and check what is in them.

Usage: python .ci/distributions.py FOLDER      (in the checkout; needs setuptools)
"""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("src/soops", "src/soops_builtin")
#: Not Python, but part of the packages.
DATA = ("soops/py.typed", "soops_builtin/py.typed")


def wanted() -> set[str]:
    """Return the files that the packages consist of, as paths in the wheel."""
    found = set(DATA)
    for source in SOURCES:
        for path in (ROOT / source).rglob("*"):
            name = path.relative_to(ROOT / "src").as_posix()
            example = "/examples/" in name
            if path.is_file() and "__pycache__" not in name and (example or path.suffix == ".py"):
                found.add(name)
    return found


def main(folder: Path) -> None:
    """Build both into ``folder``; raise when one lacks something or has too much."""
    from setuptools import build_meta

    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    wheel = folder / build_meta.build_wheel(str(folder))
    sdist = folder / build_meta.build_sdist(str(folder))
    need = wanted()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = [name for name in names if name.endswith("/entry_points.txt")]
        text = archive.read(points).decode()
    info = {name for name in names if ".dist-info/" in name}
    assert names - info == need, sorted((names - info) ^ need)
    assert any(name.endswith("/licenses/LICENSE") for name in info), sorted(info)
    assert "builtin = soops_builtin.plugin" in text, text
    assert any("/examples/" in name for name in need)
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    need = {f"src/{name}" for name in need} | {"pyproject.toml", "README.md", "LICENSE"}
    assert need <= names, sorted(need - names)
    print(f"{wheel.name} and {sdist.name} hold the {len(need)} files that they should")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
