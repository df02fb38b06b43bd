"""Found by Python's ``site`` while an interpreter starts; goes on only where a run may go on.

It takes every trace of itself away first, and gives way to the ``sitecustomize`` that would
have been found without it. For ``site`` alone.
"""

import sys


def _withdraw(here: str) -> str:
    """Put environment, path and modules as they would be; return what the slot said."""
    import os

    said = os.environ.pop("_SOOPS_PRELOAD", "")
    path = os.environ.get("PYTHONPATH", "")
    if path.startswith(here + os.pathsep):
        os.environ["PYTHONPATH"] = path[len(here) + 1 :]
    elif said.endswith("="):
        os.environ["PYTHONPATH"] = ""
    else:
        os.environ.pop("PYTHONPATH", None)
    if here in sys.path:
        sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    del sys.modules["sitecustomize"]
    return said.rstrip("=")


def _main() -> None:
    known = set(sys.modules)
    here = __file__.rpartition("/")[0]
    said = _withdraw(here)
    sys.path.insert(0, here)
    import soops_preload  # type: ignore[import-not-found]

    sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    soops_preload.main(said, known)  # returns in a run, and nowhere else
    for name in [name for name in sys.modules if name.startswith("soops_preload")]:
        del sys.modules[name]


_main()
if "sitecustomize" not in sys.modules:
    raise ImportError("there is none", name="sitecustomize")
