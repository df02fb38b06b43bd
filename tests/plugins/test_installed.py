"""Entry points read from directories: what the library for them says, or None."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from soops.kernel.errors import PluginError
from soops.kernel.plugging.discovery import _by_library, discover
from soops.kernel.plugging.installed import read_entries

if sys.version_info >= (3, 12):
    from importlib.metadata import PathDistribution
else:
    from importlib_metadata import PathDistribution

GROUPS = ("soops", "soops.scrapers", "soops.runners")


def distribution(folder, name, text, version="1.0", metadata="METADATA"):
    """Put the description of a distribution into a directory, as installers do."""
    folder.mkdir(parents=True, exist_ok=True)
    if text is not None:
        (folder / "entry_points.txt").write_text(text, encoding="utf-8", newline="")
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: é\n\nName: no\n"
    (folder / metadata).write_text(head, encoding="utf-8")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Make some directories the whole of ``sys.path``."""

    def put(*names):
        paths = [str(tmp_path / name) for name in names]
        monkeypatch.setattr(sys, "path", paths)
        return [tmp_path / name for name in names]

    return put


def test_they_are_those_of_the_library_where_we_are_installed():
    ours = read_entries(GROUPS)
    assert ours is not None
    assert sorted(ours) == sorted(_by_library(GROUPS))
    assert "builtin" in {entry.name for entry in ours}


def test_they_are_those_of_the_library_however_distributions_are_laid_out(path):
    one, two, _ = path("one", "two", "missing")
    distribution(one / "a_b-1.0.dist-info", "A.b", "[soops]\nx = a.b:c\n[other]\ny = z\n")
    distribution(one / "Old-2.egg-info", "Old", "[soops.scrapers]\ns=m:f [extra]", "2", "PKG-INFO")
    distribution(one / "none-1.dist-info", "none", None)
    distribution(one / "foreign-1.dist-info", "foreign", "[console_scripts]\nsoops = x:y\n")
    (one / "file-1.egg-info").write_text("Name: file\nVersion: 1\n")
    (one / "a.py").write_text("")
    distribution(two / "A-B-2.0.dist-info", "A", "[soops]\ndash = m\n")
    distribution(two / "A.B-2.0.dist-info", "A.B", "[soops]\nhidden = m\n")
    distribution(two / "None-2.dist-info", "none", "[soops]\nhidden = m\n")
    distribution(
        two / "c-3.DIST-INFO", "c", "# soops\n\n[soops]\r\n  p=q : r \n#n = v\n[soops]\nt = u"
    )
    ours = read_entries(GROUPS)
    assert ours is not None
    assert sorted(ours) == sorted(_by_library(GROUPS))
    assert {(entry.name, entry.distribution, entry.version) for entry in ours} >= {
        ("x", "A.b", "1.0"),
        ("s", "Old", "2"),
        ("dash", "A", "1.0"),
        ("p", "c", "1.0"),
    }
    assert "hidden" not in {entry.name for entry in ours}


_LINES = st.lists(
    st.sampled_from(["[soops]", "[soops.scrapers]", "[x]", "a = b", "a=b:c", "# c", "", " s = t "])
    | st.text("[]=#ab .\\'\"é\t\x0b\x85", max_size=6),
    max_size=8,
)


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=_LINES, end=st.sampled_from(["\n", "\r\n"]))
@example(lines=["[soops]", "[soops", "a = b"], end="\n")
@example(lines=["[soops]", "= b"], end="\n")
@example(lines=["[soops]", "a ="], end="\n")
@example(lines=["[[soops]]", "a = b"], end="\n")
@example(lines=["[a]", "b", "[soops]", "a = b"], end="\n")
def test_whatever_a_file_says_they_are_those_of_the_library_or_none(path, lines, end):
    (one,) = path("one")
    distribution(one / "a-1.dist-info", "a", end.join(lines))
    ours = read_entries(GROUPS)
    try:
        theirs = _by_library(GROUPS)
    except PluginError as exc:
        # We read the groups that concern us, the library all.
        assert "the entry points of 'a' cannot be read" in str(exc)
        ours_only = {"[soops]", "[soops.scrapers]"}
        assert not ours or any("[" in line and line not in ours_only for line in lines)
        return
    if ours is not None:
        assert sorted(ours) == sorted(theirs)


def archive(folder):
    folder.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder, "w") as file:
        file.writestr("z-1.dist-info/entry_points.txt", "[soops]\nz = m\n")
        file.writestr("z-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: z\nVersion: 1\n\n")


def test_an_archive_on_the_path_is_left_to_the_library(path):
    (folder,) = path("a.zip")
    archive(folder)
    assert read_entries(GROUPS) is None
    assert [(item.name, item.distribution, item.version) for item in discover()] == [
        ("z", "z", "1")
    ]


def test_an_egg_on_the_path_is_left_to_the_library(path):
    (folder,) = path("e-1.egg")
    distribution(folder / "EGG-INFO", "e", "[soops]\nz = m\n", metadata="PKG-INFO")
    assert read_entries(GROUPS) is None
    assert [(item.name, item.distribution) for item in discover()] == [("z", "e")]


def test_a_finder_of_distributions_is_left_to_the_library(path, monkeypatch, tmp_path):
    path("one")
    distribution(tmp_path / "far" / "f-1.dist-info", "f", "[soops]\nz = m\n")
    (tmp_path / "far" / "m.py").write_text("")

    class Finder:
        def find_spec(self, *args):
            return None

        def find_distributions(self, context):
            yield PathDistribution(tmp_path / "far" / "f-1.dist-info")

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert read_entries(GROUPS) is None
    assert [(item.name, item.distribution) for item in discover()] == [("z", "f")]


def test_a_distribution_without_a_name_is_left_to_the_library(path):
    (one,) = path("one")
    distribution(one / "a-1.dist-info", "a", "[soops]\nz = m\n")
    (one / "a-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\n\n")
    assert read_entries(GROUPS) is None


def test_a_damaged_file_is_told_with_whose_it_is(site, soops_command):
    info = site.install("x-damaged", {"soops": {"x": "y"}})
    (info / "entry_points.txt").write_text("[soops]\nx\n")
    done = soops_command("plugins")
    what, hint = done.err.splitlines()
    assert (done.code, done.out) == (4, "")
    assert what.startswith("error: the entry points of 'x-damaged' cannot be read: ")
    assert hint == "  hint: install it again, or remove it"


def test_a_start_does_not_import_the_library():
    code = (
        "import sys\n"
        "from soops.kernel.plugging.discovery import discover\n"
        "assert discover()\n"
        "print({'importlib_metadata', 'importlib.metadata', 'email.parser'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
