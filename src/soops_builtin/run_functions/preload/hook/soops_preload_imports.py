"""What a script imports, read from its text; nothing of the user is imported or run.

Modules of installed packages and of the standard library are named in the order in which the
script would import them. Modules beside the script are read in their place, too, but never
named. The list ends where code could change how the following imports go: a variable of the
environment that is set for a BLAS, a directory that comes first in ``sys.path``.
"""

from __future__ import annotations

import os
import sys

from soops_preload_checks import installed  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast

#: Methods that leave environment, path and modules as they are, or add to the end of the path.
_READS = {"get", "items", "keys", "values", "copy", "index", "count", "append", "extend"}
#: Names whose mere use may change how imports go.
_WORDS = {
    *("putenv", "unsetenv", "chdir", "fchdir", "meta_path", "path_hooks", "addsitedir"),
    *("simplefilter", "filterwarnings", "resetwarnings", "setlocale", "setdlopenflags"),
    *("load_dotenv", "setrlimit", "settrace", "setprofile"),
}
_BUILT_IN = {*sys.builtin_module_names, "__future__"}


def answer(kind: str, what: str, named: str) -> list[str]:
    """Return ``["found", note, module, ...]``, or ``["no", reason]``.

    Parameters
    ----------
    kind, what : str
        ``script`` and its path, ``-m`` and a module, ``-c`` and code.
    named : str
        The names of modules that are to be taken instead, with commas; ``"?"``: find them.
    """
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9):
        return ["no", "the interpreter is not CPython 3.9 or later"]
    if kind == "script" and not os.path.isfile(what):
        return ["no", "the command names no file"]
    if named != "?":
        return ["found", "", *filter(None, (name.strip() for name in named.split(",")))]
    reader = Reader(os.getcwd() if kind != "script" else os.path.dirname(os.path.realpath(what)))
    path = what if kind == "script" else reader.locate(what) if kind == "-m" else None
    if path and path.endswith("__init__.py"):
        path = os.path.join(os.path.dirname(path), "__main__.py")
    if kind == "-c":
        reader.begin(what.encode("utf-8", "surrogateescape"), "-c", "")
    elif path:
        package = what if path.endswith("__main__.py") else what.rpartition(".")[0]
        with open(path, "rb") as file:
            reader.begin(file.read(), path, package if kind == "-m" else "")
    return ["found", reader.note, *reader.names()]


class Changed(Exception):
    """What follows a line of a file may import other modules, or otherwise."""


class Reader:
    """Reads a script and the modules beside it, in the order in which they would be run.

    Parameters
    ----------
    place : str
        The directory that will be first in ``sys.path``.
    """

    def __init__(self, place: str) -> None:
        import ast
        import importlib.machinery

        self.ast, self.finder = ast, importlib.machinery.PathFinder
        self.path = [place, *sys.path]
        self.roots = tuple(root + "/" for root in installed())
        self.found: dict[str, None] = {}
        self.later: list[tuple[ast.AST, str]] = []
        self.touched = set(_WORDS)
        self.systems = {"sys"}
        self.seen: set[str] = set()
        self.note = ""

    def begin(self, text: bytes, path: str, package: str) -> None:
        """Read what the interpreter is to run."""
        try:
            tree = self.ast.parse(text)
        except (SyntaxError, ValueError):
            return  # the run will say so
        self.seen.add(path)
        try:
            self._read(tree, path, package)
        except Changed as exc:
            line, name = exc.args
            after = line if name == path else 0
            if any(getattr(node, "lineno", 0) > after for node in self._imports(tree)):
                place = f"line {line} of {os.path.basename(name)}"
                self.note = f"what is imported after {place} is not preloaded"
        if self.note or self.touched != _WORDS:
            self.later.clear()

    def _imports(self, tree: ast.AST) -> list[ast.AST]:
        kinds = (self.ast.Import, self.ast.ImportFrom)
        return [node for node in self.ast.walk(tree) if isinstance(node, kinds)]

    def _read(self, tree: ast.Module, path: str, package: str) -> None:
        ast = self.ast
        for node in self._imports(tree):
            self._note_names(node)
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        definitions = [node for node in ast.walk(tree) if isinstance(node, defined)]
        known = -1
        while known != len(self.touched):  # one may call another that comes later
            known = len(self.touched)
            self.touched.update(node.name for node in definitions if self._touches(node))
        self._block(tree.body, path, package)

    def _note_names(self, node: ast.AST) -> None:
        """Note the other names that an import gives to what imports depend on."""
        for alias in node.names:  # type: ignore[attr-defined]
            if isinstance(node, self.ast.Import):
                if alias.name == "sys":
                    self.systems.add(alias.asname or "sys")
            elif node.module == "sys" and not node.level:  # type: ignore[attr-defined]
                if alias.name in ("path", "modules"):
                    self.touched.add(alias.asname or alias.name)
                elif alias.name == "*":
                    self.touched.update(("path", "modules"))
            elif alias.asname and alias.name in (*_WORDS, "environ", "environb"):
                self.touched.add(alias.asname)

    def names(self) -> list[str]:
        """Return what to import; imports within functions last."""
        for node, package in self.later:
            self._imported(node, package, "?")
        return list(self.found)

    def locate(self, name: str) -> str | None:
        """Return the file of a module, without importing its packages."""
        path, spec = self.path, None
        parts = name.split(".")
        for number in range(1, len(parts) + 1):
            spec = self.finder.find_spec(".".join(parts[:number]), path)
            if spec is None:
                return None
            path = list(spec.submodule_search_locations or ())
        assert spec is not None
        return spec.origin if spec.has_location and str(spec.origin).endswith(".py") else None

    # --- statements

    def _block(self, body: list[ast.stmt], path: str, package: str) -> None:
        ast = self.ast
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.later += [(inner, package) for inner in self._imports(node)]
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._imported(node, package, "")
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                self._block(node.orelse, path, package)
            elif any(isinstance(getattr(node, name, None), list) for name in ("body", "orelse")):
                for part in ("test", "iter", "items"):
                    self._check(getattr(node, part, None), node, path)
                for part in ("body", "handlers", "orelse", "finalbody"):
                    self._block(getattr(node, part, []), path, package)
            else:
                self._check(node, node, path)

    def _check(self, part: ast.AST | list[ast.AST] | None, node: ast.stmt, path: str) -> None:
        parts = part if isinstance(part, list) else [part] if part is not None else []
        if any(self._touches(item) for item in parts):
            raise Changed(node.lineno, path)

    def _touches(self, tree: ast.AST) -> bool:
        """Return whether code may change the environment, or how imports go."""
        read: set[int] = set()
        for node in self.ast.walk(tree):  # what stands around a node comes before it
            name = getattr(node, "attr", None) or getattr(node, "id", None)
            if name in self.touched:
                return True
            targets = [*getattr(node, "targets", ()), getattr(node, "target", None)]
            if any(self._is_argv(target) for target in targets):
                return True
            read.update(id(part) for part in self._only_read(node))
            if self._is_ours(node) and id(node) not in read:
                return True
        return False

    def _only_read(self, node: ast.AST) -> list[ast.AST]:
        """Return the parts of an expression that it does not change, nor hand on."""
        ast = self.ast
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
                return [node.func.value]
            if isinstance(node.func, ast.Name) and node.func.id in ("dict", "len", "print"):
                return list(node.args)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            return [node.value]
        if isinstance(node, ast.Compare):
            return list(node.comparators)
        return list(node.values) if isinstance(node, ast.Dict) else []

    def _is_ours(self, node: ast.AST) -> bool:
        """Return whether it is the environment, the path or the modules."""
        if isinstance(node, self.ast.Attribute):
            owner = getattr(node.value, "id", None)
            return node.attr in ("environ", "environb") or (
                owner in self.systems and node.attr in ("path", "modules")
            )
        return isinstance(node, self.ast.Name) and node.id in ("environ", "environb")

    def _is_argv(self, node: ast.AST | None) -> bool:
        while isinstance(node, self.ast.Subscript):
            node = node.value
        return (
            isinstance(node, self.ast.Attribute)
            and node.attr == "argv"
            and getattr(node.value, "id", None) in self.systems
        )

    # --- imports

    def _imported(self, node: ast.AST, package: str, optional: str) -> None:
        if isinstance(node, self.ast.Import):
            for alias in node.names:
                self._module(alias.name, optional)
            return
        assert isinstance(node, self.ast.ImportFrom)
        base = node.module or ""
        if node.level:
            parent = package.split(".")
            base = ".".join([*parent[: len(parent) - node.level + 1], *filter(None, [base])])
        names = [f"{base}.{alias.name}" for alias in node.names if alias.name != "*"]
        if base and self._module(base, optional):
            self.found.update((name + "?", None) for name in names)
        elif base and not optional and base.partition(".")[0] not in _BUILT_IN:
            for name in names:
                if self.locate(name) is not None:
                    self._beside(name)

    def _module(self, name: str, optional: str) -> bool:
        """Take a module up if it is installed, and return whether it is; read it if it is not."""
        top = name.partition(".")[0]
        if top in _BUILT_IN:
            return False
        spec = self.finder.find_spec(top, self.path)
        if spec is None:
            spec = self._elsewhere(top)
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        if any(isinstance(place, str) and place.startswith(self.roots) for place in places):
            self.found[name + optional] = None
            return True
        if not optional and spec is not None:
            self._beside(name)
        return False

    def _elsewhere(self, top: str):  # type: ignore[no-untyped-def]
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(top, None) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _beside(self, name: str) -> None:
        """Read a module of the user, and the packages that it is in."""
        parts = name.split(".")
        for number in range(1, len(parts) + 1):
            part = ".".join(parts[:number])
            path = self.locate(part)
            if path is None:
                continue
            is_package = path.endswith("__init__.py")
            if path in self.seen:
                continue
            self.seen.add(path)
            try:
                with open(path, "rb") as file:
                    tree = self.ast.parse(file.read())
            except (OSError, SyntaxError, ValueError):
                continue
            self._read(tree, path, part if is_package else part.rpartition(".")[0])
