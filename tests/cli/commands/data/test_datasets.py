"""`qmtl data`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PRESET, Estate

pytestmark = pytest.mark.timeout(180)


def test_data(estate: Estate) -> None:
    (ready,) = [one for one in estate.json("data", "list") if one["state"] == "DATASET_STATE_READY"]
    assert ready["dataset"] in estate.ask("data", "list")
    assert PRESET in estate.ask("data", "presets")
    whole = estate.json("data", "coverage", PRESET)
    day = estate.json("data", "coverage", PRESET, "--start", "2021-12-20", "--end", "2021-12-21")
    assert len(whole["gaps"]) > len(day["gaps"]) == 0
    assert "gaps: 9" in estate.ask("data", "coverage", PRESET)
    assert "rows in" in estate.ask("data", "conformance", PRESET)
    assert "E_DATASET_UNKNOWN" in estate.refused("data", "conformance", "nothing")
    assert "E_TIME" in estate.refused("data", "coverage", PRESET, "--start", "yesterday")
