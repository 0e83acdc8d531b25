"""Who may touch a data session: roles of the mesh and of the world in its name, with and without worldservice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.core.errors import PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from tests.seamless.asking import A_DAY
from tests.seamless.serving import ROLE_TTL_S, Seamless, Stubs, running

DEMO = "demo.btc.15m"
SESSION = "w1-dryrun-0123456789ab"
ASK = datasessionservicepb.GetDataSessionRequest(session_id=SESSION)


@pytest.fixture
async def seamless(tmp_path: Path) -> AsyncIterator[Seamless]:
    async with running(tmp_path) as server:
        server.world.roles = {"w1": {"alice": Role.OPERATOR}, "w2": {}}
        yield server


def _opening(world_id: str = "w1") -> datasessionservicepb.OpenDataSessionRequest:
    return datasessionservicepb.OpenDataSessionRequest(world_id=world_id, session_id=SESSION, preset=DEMO, span=A_DAY)


async def _follow(stub: Stubs, follower: str = "runner") -> Timestamp:
    """Subscribe as a follower; the watermark of the first bars."""
    call = stub.data.Subscribe(dataservicepb.SubscribeRequest(dataset=DEMO, session_id=SESSION, follower=follower))
    try:
        async for reply in call:
            return reply.watermark
    finally:
        call.cancel()
    raise AssertionError("the session ended without a bar")


async def test_an_operator_by_the_worlds_grant_opens_follows_and_confirms(seamless: Seamless) -> None:
    alice = await seamless.stubs(Role.READER)
    assert (await alice.sessions.OpenDataSession(_opening())).session.session_id == SESSION
    confirm = datasessionservicepb.ConfirmBarsRequest(
        session_id=SESSION, follower="runner", through=await _follow(alice), leave=True
    )
    assert (await alice.sessions.ConfirmBars(confirm)).HasField("watermark")
    for elsewhere in (_opening("w2"), _opening("w3")):
        with pytest.raises(PermissionDenied) as caught:
            await alice.sessions.OpenDataSession(elsewhere)
        assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_a_token_without_any_role_reads_only_where_the_world_grants_it(seamless: Seamless) -> None:
    alice, bob = await seamless.stubs(Role.NONE), await seamless.stubs(Role.NONE, subject="bob")
    await alice.sessions.OpenDataSession(_opening())
    assert (await alice.sessions.GetDataSession(ASK)).session.session_id == SESSION
    with pytest.raises(PermissionDenied) as caught:
        await bob.sessions.GetDataSession(ASK)
    assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_an_answer_is_kept_for_its_ttl_and_no_longer(seamless: Seamless) -> None:
    alice = await seamless.stubs(Role.READER)
    await alice.sessions.OpenDataSession(_opening())
    await alice.sessions.OpenDataSession(_opening())
    assert seamless.world.asked == 1
    seamless.world.roles["w1"] = {}
    seamless.clock.passed_s += ROLE_TTL_S
    with pytest.raises(PermissionDenied):
        await alice.sessions.OpenDataSession(_opening())


async def test_without_worldservice_only_a_role_of_the_estate_counts(seamless: Seamless) -> None:
    operator = await seamless.stubs(Role.OPERATOR)
    await operator.sessions.OpenDataSession(_opening())
    assert seamless.world.asked == 0
    await seamless.world_server.stop(0)
    assert (await operator.sessions.GetDataSession(ASK)).session.world_id == "w1"
    own, stray = await seamless.stubs(Role.NONE, ["w1"]), await seamless.stubs(Role.NONE, ["w2"])
    for asking in (own.sessions.GetDataSession(ASK), own.sessions.OpenDataSession(_opening()), _follow(own)):
        with pytest.raises(Unavailable):
            await asking
    with pytest.raises(PermissionDenied) as caught:
        await stray.sessions.GetDataSession(ASK)
    assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_an_operator_closes_a_session_and_its_subscribers_see_its_end(seamless: Seamless) -> None:
    alice, bob = await seamless.stubs(Role.READER), await seamless.stubs(Role.READER, subject="bob")
    await alice.sessions.OpenDataSession(_opening())
    closing = datasessionservicepb.CloseDataSessionRequest(session_id=SESSION)
    with pytest.raises(PermissionDenied):
        await bob.sessions.CloseDataSession(closing)
    last = False
    call = alice.data.Subscribe(dataservicepb.SubscribeRequest(dataset=DEMO, session_id=SESSION, follower="runner"))
    closed = None
    async for reply in call:
        last = reply.end_of_session
        if closed is None:
            closed = (await alice.sessions.CloseDataSession(closing)).session
    assert last
    assert closed is not None
    assert closed.end_time == closed.watermark == reply.watermark
    assert (await alice.sessions.CloseDataSession(closing)).session == closed
