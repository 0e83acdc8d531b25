"""`qmtl strategy`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Estate

pytestmark = pytest.mark.timeout(180)


def test_strategy_history(estate: Estate) -> None:
    states = [
        step["state"].removeprefix("STRATEGY_STATE_") for step in estate.json("strategy", "history", estate.cross)
    ]
    assert (states[0], states[-1]) == ("QUEUED", "COMPLETED")
    assert "PROCESSING" in estate.ask("strategy", "history", estate.cross)
