"""Paper accounts: how many a world may have, and whose feeds a status names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from brokerage import accounts
from brokerage.rows import Account
from controlbus.database import Database
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as pb
from qmtl.core.errors import Exhausted
from qmtl.rpc.auth import Role
from tests.brokerage.feed import SESSION
from tests.brokerage.mesh import Mesh, running_mesh, until
from tests.brokerage.samples import ACCOUNT, ACTOR


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/b.db")
    await database.migrate("brokerage:migrations")
    yield database
    await database.close()


async def test_a_world_has_so_many_paper_accounts_and_no_more(db: Database) -> None:
    async def opened(name: str, world_id: str = ACCOUNT.world_id) -> Account:
        wanted = replace(ACCOUNT, account=name, world_id=world_id)
        return await db.write(lambda conn: accounts.open_account(conn, wanted, ACTOR, 2))

    first, _ = await opened("a"), await opened("b")
    with pytest.raises(Exhausted) as caught:
        await opened("c")
    assert caught.value.reason == "E_ACCOUNTS_LIMIT"
    assert await opened("a") == first
    assert (await opened("c", "w2")).world_id == "w2"


async def test_a_status_names_no_session_of_a_world_the_token_is_not_for(tmp_path: Path, nats_url: str) -> None:
    async with running_mesh(tmp_path, nats_url) as mesh:
        await mesh.start()
        await mesh.client().open()
        lost = pb.OpenPaperAccountRequest(
            account="lost", world_id="w1", data_preset="demo", data_session_id="nowhere-session"
        )
        await mesh.client().stub.OpenPaperAccount(lost)
        mesh.feed.end()
        everyone = mesh.client(role=Role.READER)
        seen = await until(
            lambda: everyone.stub.GetVenueStatus(pb.GetVenueStatusRequest()),
            lambda found: f"{SESSION} has ended" in found.detail and "nowhere-session" in found.detail,
        )
        assert seen.state == brokerpb.VENUE_STATE_DISCONNECTED
        assert "nowhere-session" in await _said(mesh, None)
        assert "nowhere-session" in await _said(mesh, ["w1"])
        elsewhere = mesh.client(worlds=["w2"])
        status = await elsewhere.stub.GetVenueStatus(pb.GetVenueStatusRequest())
        assert (status.detail, status.state) == ("", brokerpb.VENUE_STATE_CONNECTED)
        assert await _said(mesh, ["w2"]) == "1 feeds of other worlds are broken"


async def _said(mesh: Mesh, worlds: list[str] | None) -> str:
    """What GetStatus says of seamless to a token."""
    status = (await mesh.client(worlds=worlds).stub.GetStatus(pb.GetStatusRequest())).status
    return next(one.detail for one in status.dependencies if one.name == "seamless")
