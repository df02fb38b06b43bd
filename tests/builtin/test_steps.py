"""The builtin steps."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from soops.api import App
from soops.base import Struct


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of what ``plt.show`` was called with; close all figures at the end."""
    shown: list[str] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append("shown"))
    return shown


def run(backend: str, figures: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    step = App.create().resolve("step", "show_figures")
    data = Struct(a=1)
    plt.switch_backend("agg")
    try:
        for _ in range(figures):
            plt.figure()
        monkeypatch.setattr(plt, "get_backend", lambda: backend)
        assert step(pd.DataFrame(), data=data) is data
    finally:
        plt.close("all")


@pytest.mark.parametrize("backend", ["agg", "PDF", "svg"])
def test_without_windows_nothing_is_shown_and_that_is_said(
    backend: str,
    show: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(backend, 1, monkeypatch)
    assert show == []
    assert f"{backend!r} has no windows" in caplog.text


@pytest.mark.parametrize("backend", ["QtAgg", "module://matplotlib_inline.backend_inline"])
def test_figures_are_shown_where_there_are_windows(
    backend: str, show: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(backend, 1, monkeypatch)
    assert show == ["shown"]


def test_without_figures_there_is_nothing_to_say(
    show: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run("agg", 0, monkeypatch)
    assert show == []
    assert caplog.text == ""
