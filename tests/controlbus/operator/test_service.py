"""The operator service over a real wire, with a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from controlbus.bus import Bus, connected
from controlbus.jetstream.subjects import control_subject
from controlbus.operator.service import PLANNED, ControlBus
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.control.v1 import service_pb2 as pb
from qmtl.control.v1 import service_pb2_grpc as rpc
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, OutOfRange, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import connect
from qmtl.rpc.server.server import Server
from tests.controlbus.states import publish, unique
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

KIND = "policy_updated"


@dataclass
class Door:
    bus: Bus
    server: Server
    home: Path
    stack: AsyncExitStack

    def stub(self, role: Role = Role.OPERATOR, worlds: Sequence[str] | None = None) -> rpc.ControlBusServiceAsyncStub:
        user = mint_user_token(self.home, role, "alice", worlds)
        service = mint_service_token(self.home, "gateway")
        channel = connect(
            f"127.0.0.1:{self.server.port}",
            service_token=lambda: service,
            user_token=lambda: user,
            default_timeout_s=20,
        )
        self.stack.push_async_callback(channel.close)
        return rpc.ControlBusServiceStub(channel)


@pytest.fixture
async def door(nats_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    ensure_dev_keys(tmp_path)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(connected(nats_url, service="controlbus"))
        yield await serving(bus, tmp_path, stack)


async def serving(bus: Bus, home: Path, stack: AsyncExitStack) -> Door:
    settings = ServiceSettings(service="controlbus", mesh=MeshSettings(home=home), bind="127.0.0.1:0")
    clock = SystemClock()
    authenticator = Authenticator.from_settings(settings, clock)
    server = Server(settings, service="controlbus", authenticator=authenticator, clock=clock)
    servicer = ControlBus(bus, clock, server.draining, tails_max=2)
    contract = pb.DESCRIPTOR.services_by_name["ControlBusService"]
    server.add(rpc.add_ControlBusServiceServicer_to_server, servicer, contract, PLANNED)
    stack.push_async_callback(server.stop, 0.0)
    await server.start()
    return Door(bus, server, home, stack)


async def tail(stub: rpc.ControlBusServiceAsyncStub, request: pb.TailRequest, count: int) -> list[pb.TailResponse]:
    stream = stub.Tail(request)
    try:
        found = []
        async for reply in stream:
            found.append(reply)
            if len(found) == count:
                break
        return found
    finally:
        stream.cancel()


async def test_tail_shows_what_is_kept_and_goes_on_after_a_sequence(door: Door) -> None:
    key, stub = unique("w"), door.stub(Role.READER)
    events = [await publish(door.bus, key, revision) for revision in (1, 2, 3)]
    oldest = Timestamp(seconds=1)
    seen = await tail(stub, pb.TailRequest(types=[KIND], keys=[key], start_time=oldest), 3)
    assert [reply.event for reply in seen] == events
    again = await tail(stub, pb.TailRequest(keys=[key], after_sequence=seen[0].sequence), 2)
    assert again == seen[1:]


async def test_tail_of_new_events_only(door: Door) -> None:
    key, stub = unique("w"), door.stub()
    await publish(door.bus, key, 1)
    waiting = asyncio.create_task(tail(stub, pb.TailRequest(keys=[key]), 1))

    async def heard() -> bool:
        await publish(door.bus, key, 2)
        return waiting.done()

    await eventually(heard)
    assert (await waiting)[0].event.revision == 2


async def test_a_position_that_is_not_kept_is_out_of_range(door: Door) -> None:
    with pytest.raises(OutOfRange, match="E_RESUME_TOO_OLD"):
        await tail(door.stub(), pb.TailRequest(after_sequence=10**12), 1)


async def test_a_tail_ends_when_the_server_drains(door: Door) -> None:
    stream = door.stub().Tail(pb.TailRequest())
    reading: asyncio.Future[pb.TailResponse] = asyncio.ensure_future(anext(aiter(stream)))
    await asyncio.wait([reading], timeout=0.2)
    door.server.draining.set()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(reading, 5)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.TailRequest(types=["nonsense"]), "E_BUS_TYPE"),
        (pb.TailRequest(keys=[str(i) for i in range(101)]), "E_BUS_FILTER"),
        (pb.TailRequest(keys=[""]), "E_BUS_KEY"),
    ],
)
async def test_bad_tails_are_refused(door: Door, request_: pb.TailRequest, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await tail(door.stub(), request_, 1)


async def test_tails_are_bounded(door: Door) -> None:
    stub = door.stub()
    oldest = Timestamp(seconds=1)
    await publish(door.bus, unique("w"), 1)
    open_tails = [stub.Tail(pb.TailRequest(start_time=oldest)) for _ in range(2)]
    for stream in open_tails:
        await anext(aiter(stream))
    with pytest.raises(Exhausted, match="E_TAILS"):
        await tail(stub, pb.TailRequest(), 1)
    for stream in open_tails:
        stream.cancel()


@pytest.mark.parametrize(
    ("types", "keys"),
    [([], []), ([KIND], []), ([KIND], ["other"]), ([], ["w1"]), (["queue_updated"], ["w1"]), ([KIND], ["w1", "w2"])],
)
async def test_a_token_for_a_world_tails_nothing_beyond_it(door: Door, types: list[str], keys: list[str]) -> None:
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await tail(door.stub(worlds=["w1"]), pb.TailRequest(types=types, keys=keys), 1)


async def test_a_token_for_a_world_tails_that_world(door: Door) -> None:
    world = unique("w")
    await publish(door.bus, world, 1)
    request = pb.TailRequest(types=[KIND], keys=[world], start_time=Timestamp(seconds=1))
    assert (await tail(door.stub(worlds=[world]), request, 1))[0].event.key == world


async def test_streams_show_size_and_lag(door: Door) -> None:
    key, durable = unique("w"), unique("d")
    async with door.bus.subscribe([KIND], keys=[key], durable=durable, in_hand_max=2) as deliveries:
        for revision in range(1, 6):
            await publish(door.bus, key, revision)
        await (await anext(deliveries)).ack()
        streams = {found.name: found for found in (await door.stub().GetStreams(pb.GetStreamsRequest())).streams}
        assert set(streams) >= {
            "CONTROL",
            "INGEST",
            "ORDERS",
            "FILLS",
            "DATA_RAW",
            "DATA_INDICATOR",
            "DATA_TRADE",
            "DLQ",
        }
        control = streams["CONTROL"]
        assert control.messages >= 5
        assert control.last_sequence >= control.first_sequence
        (consumer,) = (found for found in control.consumers if found.name == durable)
        assert consumer.pending + consumer.ack_pending >= 3


async def test_dead_letters_are_listed_newest_first_and_replayed_by_an_operator(door: Door) -> None:
    key, durable = unique("w"), unique("d")
    reader, operator = door.stub(Role.READER), door.stub(Role.OPERATOR)
    async with door.bus.subscribe([KIND], keys=[key], durable=durable):
        for name in (b"\xff1", b"\xff2", b"\xff3"):
            await door.bus.publish(control_subject(KIND, key), name, msg_id=unique("m"))

        async def mine() -> list[pb.DeadLetter]:
            found: list[pb.DeadLetter] = []
            token = ""
            while True:
                page = commonpb.PageRequest(page_size=1, page_token=token)
                reply = await reader.ListDeadLetters(pb.ListDeadLettersRequest(page=page))
                found += [letter for letter in reply.dead_letters if letter.consumer == durable]
                token = reply.page.next_page_token
                if not token:
                    return found

        async def all_there() -> bool:
            return len(await mine()) == 3

        await eventually(all_there)
        letters = await mine()
        assert [letter.body for letter in letters] == [b"\xff3", b"\xff2", b"\xff1"]
        assert letters[0].reason.startswith("not a ControlEvent")
    with pytest.raises(PermissionDenied, match="E_ROLE_REQUIRED"):
        await reader.ReplayDeadLetter(pb.ReplayDeadLetterRequest(sequence=letters[0].sequence))
    before = (await door.bus.link.js.stream_info("CONTROL")).state.last_seq
    replayed = await operator.ReplayDeadLetter(pb.ReplayDeadLetterRequest(sequence=letters[0].sequence))
    assert replayed.sequence > before
    assert [letter.body for letter in await mine()] == [b"\xff2", b"\xff1"]
    with pytest.raises(NotFound, match="DEAD_LETTER_UNKNOWN"):
        await operator.ReplayDeadLetter(pb.ReplayDeadLetterRequest(sequence=letters[0].sequence))
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await door.stub(worlds=["w1"]).ListDeadLetters(pb.ListDeadLettersRequest())


@pytest.mark.parametrize(
    "page",
    [commonpb.PageRequest(page_token="x"), commonpb.PageRequest(page_token="0")],
)
async def test_bad_pages_are_refused(door: Door, page: commonpb.PageRequest) -> None:
    with pytest.raises(InvalidRequest, match="E_PAGE"):
        await door.stub().ListDeadLetters(pb.ListDeadLettersRequest(page=page))


async def test_the_service_answers_while_the_broker_is_down(nats_server: NatsServer, tmp_path: Path) -> None:
    ensure_dev_keys(tmp_path)
    nats_server.kill()
    async with AsyncExitStack() as stack:
        bus = await Bus.connect(nats_server.url, service="controlbus")
        stack.push_async_callback(bus.close)
        stub = (await serving(bus, tmp_path, stack)).stub()
        status = (await stub.GetStatus(pb.GetStatusRequest())).status
        assert status.degraded
        assert status.dependencies[0].state == commonpb.DEPENDENCY_STATE_UNREACHABLE
        with pytest.raises(Unavailable, match="E_BUS_UNAVAILABLE"):
            await tail(stub, pb.TailRequest(), 1)
        with pytest.raises(Unavailable, match="E_BUS_UNAVAILABLE"):
            await stub.ReplayDeadLetter(pb.ReplayDeadLetterRequest(sequence=1))
        nats_server.start()
        await bus.wait_ready(10)
        assert not (await stub.GetStatus(pb.GetStatusRequest())).status.degraded
