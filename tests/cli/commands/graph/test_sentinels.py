"""`qmtl sentinel`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Estate

pytestmark = pytest.mark.timeout(180)


def test_weight_of_a_version(estate: Estate) -> None:
    (sentinel,) = estate.json("sentinel", "list", estate.cross)
    half = estate.json("sentinel", "set", sentinel["sentinel_id"], "0.5", "--etag", sentinel["etag"])
    assert half["traffic_weight"] == "0.5"
    assert "E_ETAG_MISMATCH" in estate.refused(
        "sentinel", "set", sentinel["sentinel_id"], "1", "--etag", sentinel["etag"]
    )
    assert estate.json("sentinel", "set", sentinel["sentinel_id"], "1")["traffic_weight"] == "1"
    usage = estate.invoke("sentinel", "set", sentinel["sentinel_id"], "1.5", "--home", estate.mesh.home)
    assert usage.returncode == 2
