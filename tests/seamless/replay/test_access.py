"""Who may touch a data session: roles of the estate and of the world in its name, with and without worldservice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.core.errors import PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.data.v1 import service_pb2 as pb
from qmtl.data.v1 import service_pb2_grpc as datarpc
from tests.seamless.serving import ROLE_TTL_S, Seamless, running

DEMO = "demo.btc.15m"
SESSION = "w1-dryrun-0123456789ab"
ASK = pb.GetDataSessionRequest(session_id=SESSION)


@pytest.fixture
async def seamless(tmp_path: Path) -> AsyncIterator[Seamless]:
    async with running(tmp_path) as server:
        server.world.roles = {"w1": {"alice": Role.OPERATOR}, "w2": {}}
        yield server


def _opening(session_id: str = SESSION) -> pb.OpenDataSessionRequest:
    return pb.OpenDataSessionRequest(session_id=session_id, preset=DEMO, days=1)


async def _follow(stub: datarpc.DataServiceAsyncStub, follower: str = "runner") -> Timestamp:
    """Subscribe as a follower; the watermark of the first bars."""
    call = stub.Subscribe(pb.SubscribeRequest(dataset=DEMO, session_id=SESSION, follower=follower))
    try:
        async for reply in call:
            return reply.watermark
    finally:
        call.cancel()
    raise AssertionError("the session ended without a bar")


async def test_an_operator_by_the_worlds_grant_opens_follows_and_confirms(seamless: Seamless) -> None:
    alice = await seamless.stub(Role.READER)
    assert (await alice.OpenDataSession(_opening())).session.session_id == SESSION
    confirm = pb.ConfirmBarsRequest(session_id=SESSION, follower="runner", through=await _follow(alice), leave=True)
    assert (await alice.ConfirmBars(confirm)).HasField("watermark")
    for elsewhere in (_opening("w2-dryrun-0123456789ab"), _opening("unnamed"), _opening("w3-dryrun-0123456789ab")):
        with pytest.raises(PermissionDenied) as caught:
            await alice.OpenDataSession(elsewhere)
        assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_a_token_without_any_role_reads_only_where_the_world_grants_it(seamless: Seamless) -> None:
    alice, bob = await seamless.stub(Role.NONE), await seamless.stub(Role.NONE, subject="bob")
    await alice.OpenDataSession(_opening())
    assert (await alice.GetDataSession(ASK)).session.session_id == SESSION
    with pytest.raises(PermissionDenied) as caught:
        await bob.GetDataSession(ASK)
    assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_an_answer_is_kept_for_its_ttl_and_no_longer(seamless: Seamless) -> None:
    alice = await seamless.stub(Role.READER)
    await alice.OpenDataSession(_opening())
    await alice.OpenDataSession(_opening())
    assert seamless.world.asked == 1
    seamless.world.roles["w1"] = {}
    seamless.clock.passed_s += ROLE_TTL_S
    with pytest.raises(PermissionDenied):
        await alice.OpenDataSession(_opening())


async def test_without_worldservice_writes_by_grant_are_refused_and_reads_of_ones_own_world_go_on(
    seamless: Seamless,
) -> None:
    await (await seamless.stub(Role.OPERATOR)).OpenDataSession(_opening())  # the estate's role asks nobody
    assert seamless.world.asked == 0
    await seamless.world_server.stop(0)
    own, stray = await seamless.stub(Role.NONE, ["w1"]), await seamless.stub(Role.NONE, ["w2"])
    assert (await own.GetDataSession(ASK)).session.session_id == SESSION
    for writing in (own.OpenDataSession(_opening()), _follow(own)):
        with pytest.raises(Unavailable):
            await writing
    with pytest.raises(PermissionDenied) as caught:
        await stray.GetDataSession(ASK)
    assert caught.value.reason == "E_WORLD_FORBIDDEN"
