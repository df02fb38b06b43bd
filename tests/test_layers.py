"""The order of the house, read from the source: who may import whom, and what stays small.

Nothing is imported here; the imports of every module are read with ``ast``, those inside
functions included.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src"

#: The modules that users' scripts import; they may be imported from anywhere above the kernel.
SCRIPT_LIBRARY = {
    "soops.base",
    "soops.cliargs",
    "soops.ioutils",
    "soops.parsing",
    "soops.timing",
    "soops.formatting",
    "soops.plot_selected",
    "soops.plugins",
    "soops.scoop_outputs",
    "soops.run_parametric",
    "soops.print_info",
    "soops.find_studies",
    "soops.show_jobs",
    "soops.runners",
    # What those are made of.
    "soops.faces",
    "soops.run_steps",
    "soops.scoop_steps",
    "soops.hdf5_guard",
    "soops.unpickling",
}

#: First match counts. Of the modules of soops, a room may import those that begin so.
ROOMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("soops.kernel.values", ("soops.kernel.lazy", "soops.kernel.values")),
    ("soops.kernel.errors", ("soops.kernel.values",)),
    (
        "soops.kernel.plugging",
        ("soops.kernel.values", "soops.kernel.errors", "soops.kernel.plugging"),
    ),
    ("soops.kernel.app", ("soops.kernel.values", "soops.kernel.errors", "soops.kernel.plugging")),
    (
        "soops.kernel.study",
        (
            "soops.kernel.values",
            "soops.kernel.errors",
            "soops.kernel.plugging",
            "soops.kernel.app",
            "soops.kernel.study",
        ),
    ),
    ("soops.kernel.runs.launch", ("soops.kernel.runs.launch",)),
    (
        "soops.kernel.records",
        (
            "soops.kernel.values",
            "soops.kernel.errors",
            "soops.kernel.study",
            "soops.kernel.records",
        ),
    ),
    (
        "soops.kernel.runs",
        (
            "soops.kernel.values",
            "soops.kernel.errors",
            "soops.kernel.plugging",
            "soops.kernel.app",
            "soops.kernel.study",
            "soops.kernel.records",
            "soops.kernel.runs",
            "soops.base",
        ),
    ),
    (
        "soops.kernel.table",
        (
            "soops.kernel.values",
            "soops.kernel.errors",
            "soops.kernel.plugging",
            "soops.kernel.app",
            "soops.kernel.study",
            "soops.kernel.records.record",
            "soops.kernel.records.index",
            "soops.kernel.table",
            "soops.base",
        ),
    ),
    ("soops.kernel", ("soops.kernel",)),
    ("soops_builtin", ("soops.api", "soops.study", "soops_builtin", *sorted(SCRIPT_LIBRARY))),
)

#: Imported inside the functions that need them, never when soops starts.
HEAVY = {
    "IPython",
    "dask",
    "distributed",
    "matplotlib",
    "numpy",
    "pandas",
    "psutil",
    "pyarrow",
    "scipy",
    "tables",
    "yaml",
}
#: Modules that are about tables: importing one brings pandas or tables. All others import
#: them inside functions, when there is a table.
HEAVY_MODULES = {
    "soops.kernel.table.frame",
    "soops.kernel.table.post",
    "soops.kernel.table.update",
    "soops_builtin.stores.cells",
    "soops_builtin.stores.csv_store",
    "soops.hdf5_guard",
    "soops_builtin.stores.hdf5",
    "soops_builtin.stores.parquet",
    "soops.unpickling",
}

#: Calls that run code or a shell from data, and the one place of each.
DANGEROUS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "cloudpickle.load",
    "cloudpickle.loads",
    "marshal.load",
    "marshal.loads",
    "os.system",
    "os.popen",
    "yaml.load",
    "pandas.eval",
    "numpy.load",
}
ALLOWED_CALLS = {
    # Rows that a fork of this process has read come through a pipe that nobody else has.
    "soops.kernel.table.rows": {"pickle.loads"},
    # What a scraper gave is pickled and read back at once.
    "soops.testing.scraper_contract": {"pickle.loads"},
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


@dataclass(frozen=True)
class Import:
    """One import statement: who, whom, on which line, and where it stands."""

    importer: str
    target: str
    line: int
    at_top: bool
    for_types: bool = False


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path
    text: str
    tree: ast.Module
    imports: tuple[Import, ...] = field(default=())


@cache
def modules() -> dict[str, Module]:
    """Return every module below ``src`` by its name; packaged examples are no modules."""
    names = {}
    for path in sorted(SRC.rglob("*.py")):
        parts = path.relative_to(SRC).with_suffix("").parts
        if "examples" in parts:
            continue
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found = {}
    for name, path in names.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, str(path))
        found[name] = Module(name, path, text, tree, tuple(imports_of(name, path, tree, names)))
    return found


def imports_of(name: str, path: Path, tree: ast.Module, known: dict[str, Path]) -> Iterator[Import]:
    """Yield the imports of a module; of ``from a import b`` the module ``a.b`` if it is one."""

    def visit(node: ast.AST, top: bool, types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typed = types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test))
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(name, alias.name, child.lineno, top, types)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    parent = name.split(".")
                    drop = child.level - (path.name == "__init__.py")
                    base = ".".join([*parent[: len(parent) - drop], *filter(None, [base])])
                for alias in child.names:
                    full = f"{base}.{alias.name}"
                    yield Import(name, full if full in known else base, child.lineno, top, types)
            yield from visit(child, top and not inner, typed)

    yield from visit(tree, True, False)


def is_ours(target: str) -> bool:
    return target.split(".")[0] in ("soops", "soops_builtin")


def below(target: str, prefix: str) -> bool:
    return target == prefix or target.startswith(prefix + ".")


def places(imports: list[Import]) -> list[str]:
    return [f"{item.importer}, line {item.line}: imports {item.target}" for item in imports]


# --- the order -------------------------------------------------------------------------


def test_there_is_a_house():
    assert {"soops.kernel.app", "soops.api", "soops_builtin.plugin"} <= set(modules())
    assert len(modules()) > 20


@pytest.mark.parametrize(("room", "may"), ROOMS, ids=[room for room, _ in ROOMS])
def test_a_room_imports_only_what_is_below_it(room, may):
    earlier = [name for name, _ in ROOMS[: [name for name, _ in ROOMS].index(room)]]
    members = [
        module
        for module in modules().values()
        if below(module.name, room) and not any(below(module.name, name) for name in earlier)
    ]
    wrong = [
        item
        for module in members
        for item in module.imports
        if is_ours(item.target)
        and item.target not in ("soops", "soops._version")
        and not any(below(item.target, prefix) for prefix in may)
    ]

    assert members
    assert not places(wrong)


@pytest.mark.parametrize("stranger", ["soops_builtin", "soops.api", "soops.cli", "soops.testing"])
def test_the_kernel_never_imports(stranger):
    wrong = [
        item
        for module in modules().values()
        if below(module.name, "soops.kernel")
        for item in module.imports
        if below(item.target, stranger)
    ]

    assert not places(wrong)


def test_only_an_entry_point_leads_to_the_builtin():
    wrong = [
        item
        for module in modules().values()
        if not below(module.name, "soops_builtin")
        for item in module.imports
        if below(item.target, "soops_builtin")
    ]

    assert not places(wrong)


def test_the_builtin_takes_nothing_private_from_the_script_library():
    wrong = [
        f"{module.name}, line {node.lineno}: {alias.name}"
        for module in modules().values()
        if below(module.name, "soops_builtin")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("soops.")
        for alias in node.names
        if alias.name.startswith("_")
    ]

    assert not wrong


def test_the_script_library_stands_below_the_commands():
    wrong = [
        item
        for module in modules().values()
        if module.name in SCRIPT_LIBRARY
        for item in module.imports
        if below(item.target, "soops.cli") and item.at_top
    ]

    assert not places(wrong)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that reach each other (Tarjan, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []
    for start in graph:
        if start in order:
            continue
        work = [(start, iter(sorted(graph[start])))]
        order[start] = low[start] = len(order)
        stack.append(start)
        while work:
            name, rest = work[-1]
            child = next(rest, None)
            if child is not None:
                if child not in order:
                    order[child] = low[child] = len(order)
                    stack.append(child)
                    work.append((child, iter(sorted(graph[child]))))
                elif child in stack:
                    low[name] = min(low[name], order[child])
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[name])
            if low[name] == order[name]:
                group = []
                while not group or group[-1] != name:
                    group.append(stack.pop())
                if len(group) > 1 or name in graph[name]:
                    found.append(sorted(group))
    return found


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "d"}, "e": {"d"}}

    assert sorted(circles(graph)) == [["a", "b", "c"], ["d"]]


@pytest.mark.parametrize("inside_functions", [False, True], ids=["at the top", "anywhere"])
def test_the_imports_make_no_circle(inside_functions):
    graph = {
        module.name: {
            item.target
            for item in module.imports
            if item.target in modules()
            and not item.for_types
            and (item.at_top or inside_functions)
            and item.target != "soops"  # the package itself: its names are lazy
        }
        for module in modules().values()
        if module.name != "soops"
    }

    assert not circles(graph)


# --- what is light ---------------------------------------------------------------------


def test_only_modules_about_tables_are_heavy():
    tops = {
        module.name: {item.target for item in module.imports if item.at_top and not item.for_types}
        for module in modules().values()
    }
    heavy: set[str] = set()
    while True:
        more = {
            name
            for name, targets in tops.items()
            if any(target in heavy or target.split(".")[0] in HEAVY for target in targets)
        }
        if more == heavy:
            break
        heavy = more

    assert heavy == HEAVY_MODULES


def test_what_runs_on_a_worker_needs_the_standard_library_only():
    launch = "soops.kernel.runs.launch"
    wrong = [
        item
        for module in modules().values()
        if below(module.name, launch)
        for item in module.imports
        if item.target.split(".")[0] not in sys.stdlib_module_names
        and not below(item.target, launch)
        and item.target != "launch"  # itself, when it is run by its path
    ]

    assert not places(wrong)


# --- what is dangerous -----------------------------------------------------------------


def called(node: ast.Call) -> str:
    """Return the dotted name of what is called, with the usual short names written out."""
    parts = []
    item: ast.expr = node.func
    while isinstance(item, ast.Attribute):
        parts.append(item.attr)
        item = item.value
    if isinstance(item, ast.Name):
        parts.append({"np": "numpy", "pd": "pandas"}.get(item.id, item.id))
    return ".".join(reversed(parts))


def test_no_data_is_ever_run():
    found: dict[str, set[str]] = {}
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and called(node) in DANGEROUS:
                safe = called(node) == "numpy.load" and any(
                    word.arg == "allow_pickle"
                    and isinstance(word.value, ast.Constant)
                    and word.value.value is False
                    for word in node.keywords
                )
                if not safe:
                    found.setdefault(module.name, set()).add(called(node))

    assert found == ALLOWED_CALLS


def test_pickles_are_read_with_a_list_of_what_may_be_in_them():
    readers = {
        module.name: {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("Unpickler") for base in node.bases)
    }

    assert set(readers) == {"soops.unpickling"}
    assert all("find_class" in methods for methods in readers.values())


def test_nothing_goes_through_a_shell_by_the_way():
    wrong = [
        f"{module.name}, line {node.lineno}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword)
        and node.arg == "shell"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
        and isinstance(node.value, ast.Constant)
    ]

    assert not wrong


# --- what stays small and said ---------------------------------------------------------


def test_no_file_outgrows_one_room():
    long = {
        module.name: lines
        for module in modules().values()
        if (lines := module.text.count("\n")) > MAX_FILE_LINES
    }

    assert not long


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_function_has_to_be_scrolled():
    long = {}
    for module in modules().values():
        for node in functions(module.tree):
            first = node.body[0]
            has_words = ast.get_docstring(node) is not None
            start = (first.end_lineno or first.lineno) if has_words else node.lineno
            lines = (node.end_lineno or node.lineno) - start
            if lines > MAX_FUNCTION_LINES:
                long[f"{module.name}.{node.name}"] = lines

    assert not long


def test_every_module_says_what_it_is_for():
    silent = [module.name for module in modules().values() if not ast.get_docstring(module.tree)]

    assert not silent


def public(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the public functions, classes and methods that stand in a module or class."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name.startswith("_"):
                continue
            yield f"{prefix}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{prefix}.{child.name}")


def test_everything_public_has_a_docstring():
    silent = [
        name
        for module in modules().values()
        for name, node in public(module.tree, module.name)
        if not ast.get_docstring(node)  # type: ignore[arg-type]
    ]

    assert not silent


@pytest.mark.parametrize("word", ["Manager", "Helper", "utils", "TODO", "FIXME", "XXX"])
def test_words_that_say_nothing_are_not_used(word):
    places = [
        f"{module.name}, line {number}"
        for module in modules().values()
        for number, line in enumerate(module.text.splitlines(), 1)
        if re.search(rf"{word}\b" if word.istitle() else rf"\b{word}\b", line)
        and not re.search(r"PluginManager|AbstractContextManager", line)
    ]

    assert not places


def test_no_path_of_a_machine_is_written_down():
    places = [
        f"{module.name}, line {number}"
        for module in modules().values()
        for number, line in enumerate(module.text.splitlines(), 1)
        if "/work/" in line or "/root/" in line or "/home/" in line
    ]

    assert not places
