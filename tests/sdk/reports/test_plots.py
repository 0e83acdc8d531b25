"""Drawing needs a library that is installed on demand; without it the message says how."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from qmtl.core.errors import NotReady
from qmtl.sdk import Runner
from qmtl.sdk.reports.plots import draw_replay
from tests.sdk.market import walk


def test_without_matplotlib_nothing_is_drawn_and_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = walk(300, seed=1)
    replay = Runner.backtest(EmaCross(), bars).replay
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # as where it is not installed
    with pytest.raises(NotReady, match=r"E_NO_MATPLOTLIB.*qmtl\[demo\]"):
        draw_replay("ema", replay, [bars], tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []
