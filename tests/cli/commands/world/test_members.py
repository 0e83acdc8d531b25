"""`qmtl world grant|revoke|grants`, and what the audit log says of them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_roles_and_audit(cli_mesh: CliMesh) -> None:
    granted = cli_mesh.json("world", "grant", WORLD, "alice", "reader", "--as", "owner")
    assert (granted["subject"], granted["role"]) == ("alice", "ROLE_READER")
    assert "alice" in cli_mesh.ask("world", "grants", WORLD)
    assert "alice" in cli_mesh.ask("world", "revoke", WORLD, "alice", "--as", "owner")
    assert "alice" not in cli_mesh.ask("world", "grants", WORLD)
    assert "E_ROLE_REQUIRED" in cli_mesh.refused("world", "grant", WORLD, "bob", "owner", "--as", "reader")
    events = [entry["event"] for entry in cli_mesh.json("world", "audit", WORLD, "--limit", "3")]
    assert events == ["Grant", "Revoke", "Grant"]
    assert "REFUSED" in cli_mesh.ask("world", "audit", WORLD)
