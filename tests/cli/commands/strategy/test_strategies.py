"""`qmtl strategy`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CliMesh

pytestmark = pytest.mark.timeout(180)


def test_strategy_history(cli_mesh: CliMesh) -> None:
    states = [
        step["state"].removeprefix("STRATEGY_STATE_") for step in cli_mesh.json("strategy", "history", cli_mesh.cross)
    ]
    assert (states[0], states[-1]) == ("QUEUED", "COMPLETED")
    assert "PROCESSING" in cli_mesh.ask("strategy", "history", cli_mesh.cross)
