"""`qmtl sentinel`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CliMesh

pytestmark = pytest.mark.timeout(180)


def test_weight_of_a_version(cli_mesh: CliMesh) -> None:
    (sentinel,) = cli_mesh.json("sentinel", "list", cli_mesh.cross)
    half = cli_mesh.json("sentinel", "set", sentinel["sentinel_id"], "0.5", "--etag", sentinel["etag"])
    assert half["traffic_weight"] == "0.5"
    assert "E_ETAG_MISMATCH" in cli_mesh.refused(
        "sentinel", "set", sentinel["sentinel_id"], "1", "--etag", sentinel["etag"]
    )
    assert cli_mesh.json("sentinel", "set", sentinel["sentinel_id"], "1")["traffic_weight"] == "1"
    usage = cli_mesh.invoke("sentinel", "set", sentinel["sentinel_id"], "1.5", "--home", cli_mesh.mesh.home)
    assert usage.returncode == 2
