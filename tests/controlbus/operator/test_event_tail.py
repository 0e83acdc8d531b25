"""Tails of control events over a real wire, with a real broker."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.control.v1 import event_tail_service_pb2 as eventtailservicepb
from qmtl.core.errors import Exhausted, InvalidRequest, OutOfRange, PermissionDenied
from qmtl.core.roles import Role
from tests.controlbus.operator.serving import OperatorStubs, ServedBus
from tests.controlbus.states import publish, unique
from tests.support.waiting import eventually

KIND = "policy_updated"


async def tail(
    stubs: OperatorStubs, request: eventtailservicepb.TailRequest, count: int
) -> list[eventtailservicepb.TailResponse]:
    stream = stubs.events.Tail(request)
    try:
        found = []
        async for reply in stream:
            found.append(reply)
            if len(found) == count:
                break
        return found
    finally:
        stream.cancel()


async def test_tail_shows_what_is_kept_and_goes_on_after_a_sequence(served: ServedBus) -> None:
    key, stubs = unique("w"), served.stubs(Role.READER)
    events = [await publish(served.bus, key, revision) for revision in (1, 2, 3)]
    oldest = Timestamp(seconds=1)
    seen = await tail(stubs, eventtailservicepb.TailRequest(types=[KIND], keys=[key], start_time=oldest), 3)
    assert [reply.event for reply in seen] == events
    again = await tail(
        stubs, eventtailservicepb.TailRequest(keys=[key], after_control_sequence=seen[0].control_sequence), 2
    )
    assert again == seen[1:]


async def test_tail_of_new_events_only(served: ServedBus) -> None:
    key, stubs = unique("w"), served.stubs()
    await publish(served.bus, key, 1)
    waiting = asyncio.create_task(tail(stubs, eventtailservicepb.TailRequest(keys=[key]), 1))

    async def heard() -> bool:
        await publish(served.bus, key, 2)
        return waiting.done()

    await eventually(heard)
    assert (await waiting)[0].event.revision == 2


async def test_a_position_that_is_not_kept_is_out_of_range(served: ServedBus) -> None:
    with pytest.raises(OutOfRange, match="E_RESUME_TOO_OLD"):
        await tail(served.stubs(), eventtailservicepb.TailRequest(after_control_sequence=10**12), 1)


async def test_a_tail_ends_when_the_server_drains(served: ServedBus) -> None:
    stream = served.stubs().events.Tail(eventtailservicepb.TailRequest())
    reading: asyncio.Future[eventtailservicepb.TailResponse] = asyncio.ensure_future(anext(aiter(stream)))
    await asyncio.wait([reading], timeout=0.2)
    served.server.draining.set()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(reading, 5)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (eventtailservicepb.TailRequest(types=["nonsense"]), "E_BUS_TYPE"),
        (eventtailservicepb.TailRequest(keys=[str(i) for i in range(101)]), "E_BUS_FILTER"),
        (eventtailservicepb.TailRequest(keys=[""]), "E_BUS_KEY"),
    ],
)
async def test_bad_tails_are_refused(served: ServedBus, request_: eventtailservicepb.TailRequest, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await tail(served.stubs(), request_, 1)


async def test_tails_are_bounded(served: ServedBus) -> None:
    stubs = served.stubs()
    oldest = Timestamp(seconds=1)
    await publish(served.bus, unique("w"), 1)
    open_tails = [stubs.events.Tail(eventtailservicepb.TailRequest(start_time=oldest)) for _ in range(2)]
    for stream in open_tails:
        await anext(aiter(stream))
    with pytest.raises(Exhausted, match="E_TAILS"):
        await tail(stubs, eventtailservicepb.TailRequest(), 1)
    for stream in open_tails:
        stream.cancel()


@pytest.mark.parametrize(
    ("types", "keys"),
    [([], []), ([KIND], []), ([KIND], ["other"]), ([], ["w1"]), (["queue_updated"], ["w1"]), ([KIND], ["w1", "w2"])],
)
async def test_a_token_for_a_world_tails_nothing_beyond_it(
    served: ServedBus, types: list[str], keys: list[str]
) -> None:
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await tail(served.stubs(worlds=["w1"]), eventtailservicepb.TailRequest(types=types, keys=keys), 1)


async def test_a_token_for_a_world_tails_that_world(served: ServedBus) -> None:
    world = unique("w")
    await publish(served.bus, world, 1)
    request = eventtailservicepb.TailRequest(types=[KIND], keys=[world], start_time=Timestamp(seconds=1))
    assert (await tail(served.stubs(worlds=[world]), request, 1))[0].event.key == world
