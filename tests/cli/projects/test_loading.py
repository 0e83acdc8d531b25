"""Finding a strategy class in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.cli.projects.loading import load_strategy
from qmtl.core.errors import InvalidRequest
from tests.cli.conftest import ROOT


def test_loading_a_strategy(tmp_path: Path) -> None:
    assert load_strategy(f"{ROOT}/examples/ema_cross.py").__name__ == "EmaCross"
    assert load_strategy(f"{ROOT}/examples/ema_cross.py:EmaCross").name == "ema-cross"
    with pytest.raises(InvalidRequest, match=r"E_STRATEGY_CLASS.*it has EmaCross"):
        load_strategy(f"{ROOT}/examples/ema_cross.py:Other")
    with pytest.raises(InvalidRequest, match="is not a file"):
        load_strategy("nowhere.py")
    both = tmp_path / "both.py"
    both.write_text("from qmtl.sdk import Strategy\nclass A(Strategy): pass\nclass B(A): pass\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="defines A, B"):
        load_strategy(str(both))
    assert load_strategy(f"{both}:B").__name__ == "B"
