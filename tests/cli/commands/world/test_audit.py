"""`qmtl world rebuild`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, Estate

pytestmark = pytest.mark.timeout(180)


def test_the_audit_log_rebuilds_the_activation(estate: Estate) -> None:
    for weight in ("0.5", "1"):
        estate.ask("world", "activate", WORLD, estate.cross, "--weight", weight)
    rebuilt = estate.json("world", "rebuild", WORLD)
    assert rebuilt["same_as_stored"]
    assert rebuilt["activation"]["entries"]
    assert "the same as what is stored" in estate.ask("world", "rebuild", WORLD, "--as", "reader")
    assert "as it was then" in estate.ask("world", "rebuild", WORLD, "--revision", "1")
