"""What a status says, and to whom."""

from __future__ import annotations

from pathlib import Path

from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.core.roles import Role
from tests.brokerage.feed import SESSION
from tests.brokerage.mesh import Mesh, running_mesh, until


async def test_a_status_names_no_session_of_a_world_the_token_is_not_for(tmp_path: Path, nats_url: str) -> None:
    async with running_mesh(tmp_path, nats_url) as mesh:
        await mesh.start()
        await mesh.client().open()
        lost = accountservicepb.OpenPaperAccountRequest(
            account="lost", world_id="w1", data_preset="demo", data_session_id="nowhere-session"
        )
        await mesh.client().accounts.OpenPaperAccount(lost)
        mesh.feed.end()
        everyone = mesh.client(role=Role.READER)
        seen = await until(
            lambda: everyone.venue.GetVenueStatus(venueservicepb.GetVenueStatusRequest()),
            lambda found: f"{SESSION} has ended" in found.message and "nowhere-session" in found.message,
        )
        assert seen.state == venueservicepb.VENUE_STATE_DISCONNECTED
        assert "nowhere-session" in await _said(mesh, None)
        assert "nowhere-session" in await _said(mesh, ["w1"])
        elsewhere = mesh.client(worlds=["w2"])
        status = await elsewhere.venue.GetVenueStatus(venueservicepb.GetVenueStatusRequest())
        assert (status.message, status.state) == ("", venueservicepb.VENUE_STATE_CONNECTED)
        assert await _said(mesh, ["w2"]) == "1 feeds of other worlds are broken"


async def test_a_risk_hub_that_is_away_is_told_with_the_scope_to_who_may_hear_of_it(
    tmp_path: Path, nats_url: str
) -> None:
    async with running_mesh(tmp_path, nats_url) as mesh:
        await mesh.start()
        await mesh.client().open()
        said = await until(lambda: _said(mesh, None, "risk-hub"), lambda found: "world:w1" in found)
        assert said.startswith("account:acc PAPER since ")
        assert "E_UNAVAILABLE" in said
        assert await _said(mesh, ["w2"], "risk-hub") == "2 snapshots of other worlds"


async def _said(mesh: Mesh, worlds: list[str] | None, of: str = "seamless") -> str:
    """What GetStatus says of a dependency to a token."""
    status = (await mesh.client(worlds=worlds).status.GetStatus(brokerstatusservicepb.GetStatusRequest())).status
    return next(one.detail for one in status.dependencies if one.name == of)
