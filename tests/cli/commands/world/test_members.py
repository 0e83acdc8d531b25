"""`qmtl world grant|revoke|grants`, and what the audit log says of them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, Estate

pytestmark = pytest.mark.timeout(180)


def test_roles_and_audit(estate: Estate) -> None:
    granted = estate.json("world", "grant", WORLD, "alice", "reader", "--as", "owner")
    assert (granted["subject"], granted["role"]) == ("alice", "ROLE_READER")
    assert "alice" in estate.ask("world", "grants", WORLD)
    assert "alice" in estate.ask("world", "revoke", WORLD, "alice", "--as", "owner")
    assert "alice" not in estate.ask("world", "grants", WORLD)
    assert "E_ROLE_REQUIRED" in estate.refused("world", "grant", WORLD, "bob", "owner", "--as", "reader")
    events = [entry["event"] for entry in estate.json("world", "audit", WORLD, "--limit", "3")]
    assert events == ["Grant", "Revoke", "Grant"]
    assert "REFUSED" in estate.ask("world", "audit", WORLD)
