"""What soops expects of a scraper: tests to inherit."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

__all__ = ["ScraperContract"]


class ScraperContract:
    """Inherit this in a test class whose name begins with ``Test``, and override ``scraper`` and
    ``sample``::

        class TestVtk(ScraperContract):
            @pytest.fixture
            def scraper(self):
                return load_vtk

            @pytest.fixture
            def sample(self, tmp_path):
                path = tmp_path / "mesh.vtk"
                path.write_text(TEXT)
                return path

    A scraper is called as ``scraper(path, rdata=None)`` for one file of one run directory,
    perhaps in another process; ``rdata`` has what earlier items of the same directory gave.
    It returns a mapping with string keys, or None when the file has nothing to say. Whatever
    is wrong with the file is an ordinary exception: it becomes an entry of the table.
    """

    @pytest.fixture
    def scraper(self) -> Callable[..., Mapping[str, Any] | None]:
        """Return the scraper. Override it."""
        raise NotImplementedError("override the fixture `scraper`")

    @pytest.fixture
    def sample(self) -> Path:
        """Return the path of a file that it can read. Override it."""
        raise NotImplementedError("override the fixture `sample`")

    def test_it_gives_a_mapping_with_words_as_keys(self, scraper: Any, sample: Path) -> None:
        """The sample has something to say; keys become columns."""
        values = scraper(str(sample))
        assert isinstance(values, Mapping), "a scraper returns a mapping (None only for nothing)"
        assert values, "the sample should have something in it"
        for key in values:
            assert isinstance(key, str), f"the key {key!r} is no string"
            assert key, "a key is empty"

    def test_it_takes_any_kind_of_path(self, scraper: Any, sample: Path) -> None:
        """Users' scripts give strings, soops gives paths."""
        assert _plain(scraper(sample)) == _plain(scraper(str(sample)))

    def test_it_gives_the_same_again(self, scraper: Any, sample: Path) -> None:
        """Nothing is remembered between files."""
        assert _plain(scraper(sample)) == _plain(scraper(sample))

    def test_its_values_can_go_to_another_process(self, scraper: Any, sample: Path) -> None:
        """Directories are read in parallel."""
        values = dict(scraper(sample))
        assert _plain(pickle.loads(pickle.dumps(values))) == _plain(values)  # noqa: S301

    def test_it_does_not_change_what_it_is_handed(self, scraper: Any, sample: Path) -> None:
        """``rdata`` is the row so far; only the returned values are added to it."""
        rdata = {"earlier": [1, 2], "name": "x"}
        before = copy.deepcopy(rdata)
        scraper(sample, rdata=rdata)
        assert rdata == before

    def test_it_leaves_the_file_as_it_is(self, scraper: Any, sample: Path) -> None:
        """Results are read, never written."""

        def look() -> tuple[bytes, int, list[Path]]:
            return sample.read_bytes(), sample.stat().st_mtime_ns, sorted(sample.parent.iterdir())

        before = look()
        scraper(sample)
        assert look() == before

    def test_it_does_not_depend_on_the_directory(
        self, scraper: Any, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Studies are moved, and scooped from elsewhere."""
        before = _plain(scraper(sample))
        monkeypatch.chdir(tmp_path)
        moved = tmp_path / "moved here: ü $x" / sample.name
        moved.parent.mkdir()
        moved.write_bytes(sample.read_bytes())
        assert set(_plain(scraper(moved.relative_to(tmp_path)))) == set(before)

    def test_a_missing_file_is_an_exception(self, scraper: Any, sample: Path) -> None:
        """It is no reason to leave the program, and no empty row."""
        with pytest.raises(Exception):  # noqa: B017
            scraper(sample.with_name("no-such-file" + sample.suffix))

    @pytest.mark.parametrize("what", ["nothing", "noise", "half", "bytes", "zeros"])
    def test_a_damaged_file_is_a_mapping_or_an_exception(
        self, scraper: Any, sample: Path, tmp_path: Path, what: str
    ) -> None:
        """A run that was killed leaves anything."""
        text = sample.read_bytes()
        damaged = tmp_path / f"damaged{sample.suffix}"
        damaged.write_bytes(
            {
                "nothing": b"",
                "noise": random.Random(0).randbytes(2000),
                "half": text[: len(text) // 2],
                "bytes": text + b"\n\xff\xfe\x80 \xc3\x28\n",
                "zeros": bytes(1000),
            }[what]
        )
        try:
            values = scraper(damaged)
        except Exception:  # what is wrong is the scraper's to say
            return
        assert values is None or isinstance(values, Mapping)
        assert all(isinstance(key, str) for key in values or ())


def _plain(values: Any) -> Any:
    """Return something that can be compared, arrays, tables and nan included."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    if isinstance(values, float) and values != values:
        return "nan"
    for name in ("to_dict", "tolist"):
        if hasattr(values, name):
            return _plain(getattr(values, name)())
    return values
