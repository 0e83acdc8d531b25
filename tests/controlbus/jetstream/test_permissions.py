"""Credentials per service on a real broker: own subjects only, answers to oneself only, violations seen and counted."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlbus.bus import Bus
from controlbus.coordination.lease import Lease
from controlbus.coordination.token_bucket import Limit
from controlbus.events.control_event import PAYLOAD_TYPES
from controlbus.jetstream import subjects
from controlbus.jetstream.permissions import RIGHTS, authorization, seed_path, write_seeds
from controlbus.records.data_queue import From
from controlbus.records.producer_leases import ProducerLeases
from controlbus.records.records import RecordWriter, read_records
from qmtl.config.settings import SERVICES
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.published import limits_of
from tests.controlbus.batches import batch, new_queue
from tests.controlbus.states import unique
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

OWNERS = {
    "qmtl.control.strategy_state_changed.x": {"gateway"},
    "qmtl.control.queue_updated.x": {"dagmanager"},
    "qmtl.control.world_queues_updated.x": {"dagmanager"},
    "qmtl.control.activation_updated.x": {"worldservice"},
    "qmtl.control.decision_updated.x": {"worldservice"},
    "qmtl.orders.w.a": {"brokerage"},
    "qmtl.fills.w.a": {"brokerage"},
    "qmtl.ingest.s": {"gateway"},
    "qmtl.data.raw.w.LIVE.0123456789abcdef": {"gateway"},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NatsServer, Path]]:
    home = tmp_path_factory.mktemp("guarded")
    server = NatsServer(home, config=authorization(write_seeds(home)))
    server.start()
    yield server, home
    server.stop()


class ConnectedServices:
    """Every service connected with its own credentials."""

    def __init__(self, buses: dict[str, Bus], registries: dict[str, CollectorRegistry]) -> None:
        self.buses = buses
        self._registries = registries

    def violations(self, service: str) -> float:
        counted = self._registries[service].get_sample_value("qmtl_bus_forbidden_total", {"operation": "publish"})
        return counted or 0.0


@asynccontextmanager
async def connected_services(server: NatsServer, home: Path) -> AsyncIterator[ConnectedServices]:
    async with AsyncExitStack() as stack:
        registries = {service: CollectorRegistry() for service in RIGHTS}
        buses = {}
        for service, registry in registries.items():
            credentials = seed_path(home, service)
            buses[service] = await Bus.connect(server.url, service=service, credentials=credentials, registry=registry)
            stack.push_async_callback(buses[service].close)
        await asyncio.gather(*(bus.wait_ready(10) for bus in buses.values()))
        yield ConnectedServices(buses, registries)


@pytest.fixture
async def broker(guarded: tuple[NatsServer, Path]) -> AsyncIterator[ConnectedServices]:
    async with connected_services(*guarded) as connected:
        yield connected


def test_every_service_and_every_event_type_has_its_place() -> None:
    assert set(RIGHTS) == set(SERVICES)
    owned = [kind for rights in RIGHTS.values() for kind in rights.types]
    assert set(PAYLOAD_TYPES) <= set(owned), "a type nobody may publish: give it to its owner in permissions.py"
    assert len(owned) == len(set(owned)), "a type has one owner"


def test_seeds_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    first = write_seeds(tmp_path)
    assert write_seeds(tmp_path) == first
    assert len(set(first.values())) == len(RIGHTS)
    for service in RIGHTS:
        assert stat.S_IMODE(seed_path(tmp_path, service).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys" / "nats").stat().st_mode) == 0o700


async def test_each_subject_has_its_publisher_and_no_other(broker: ConnectedServices) -> None:
    for service, bus in broker.buses.items():
        for subject, owners in OWNERS.items():
            if service in owners or service == "controlbus":
                await bus.publish(subject, b"x", msg_id=unique("m"))
                continue
            before = broker.violations(service)
            async with asyncio.timeout(3):  # well before an acknowledgement would be given up
                with pytest.raises(Unavailable, match="E_BUS_FORBIDDEN"):
                    await bus.publish(subject, b"x", msg_id=unique("m"))
            assert broker.violations(service) == before + 1


async def test_only_the_operator_service_may_change_or_empty_streams(broker: ConnectedServices) -> None:
    for service in set(RIGHTS) - {"controlbus"}:
        link = broker.buses[service].link
        for act in ("CREATE", "UPDATE", "DELETE", "PURGE"):
            subject = f"$JS.API.STREAM.{act}.CONTROL"
            with pytest.raises(Unavailable, match="E_BUS_FORBIDDEN"):
                await link.ask(link.nc.request(subject, b"{}", timeout=5), subject)
    assert (await broker.buses["controlbus"].link.js.stream_info("CONTROL")).config.name == "CONTROL"


async def test_answers_to_others_cannot_be_heard(broker: ConnectedServices) -> None:
    async def ignore(_: object) -> None:
        """Nothing comes."""

    link = broker.buses["gateway"].link
    wanted = {"_INBOX.>", "_INBOX.worldservice.>", "qmtl.>", "$KV.>"}
    for subject in wanted:
        await link.nc.subscribe(subject, cb=ignore)
    await eventually(lambda: {subject.lower() for subject in wanted} <= link.forbidden)


async def test_what_services_do_works_with_their_rights(broker: ConnectedServices) -> None:
    for service, bus in broker.buses.items():
        assert await Lease(bus, f"{service}/{unique('job')}", SystemClock()).acquire()
        async with bus.subscribe(["policy_updated"], durable=unique(service)):
            assert bus.status().connected
    for service in ("brokerage", "seamless"):
        bucket = Limit("venue/{account}", tokens=1, interval_s=1, burst=1).bucket(
            broker.buses[service], SystemClock(), account=unique("a")
        )
        assert await bucket.take() == 0.0
    assert [broker.violations(service) for service in RIGHTS if service != "controlbus"] == [0.0] * (len(RIGHTS) - 1)


async def test_gateways_write_and_read_data_records_and_dagmanagers_clear_them(broker: ConnectedServices) -> None:
    gateway, dagmanager, queue = broker.buses["gateway"], broker.buses["dagmanager"], new_queue()
    tenure = await ProducerLeases(gateway, SystemClock()).acquire(queue.compute_key, "run")
    writer = await RecordWriter.open(gateway, queue, tenure.epoch)
    await writer.publish(batch(queue, tenure.epoch, 1, 2))
    for bus in (gateway, dagmanager):
        async with asyncio.timeout(10):
            assert (await anext(read_records(bus, queue, From.LAST))).batch.writer_epoch == tenure.epoch
    await dagmanager.link.ask(dagmanager.link.js.purge_stream(queue.stream, subject=queue.subject))
    with pytest.raises(Unavailable, match="E_BUS_FORBIDDEN"):
        await broker.buses["brokerage"].link.find(
            broker.buses["brokerage"].link.js.get_last_msg(queue.stream, queue.subject),
            f"$JS.API.STREAM.MSG.GET.{queue.stream}",
        )


async def test_services_wait_for_the_operator_service_to_create_the_streams(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, config=authorization(write_seeds(tmp_path)))
    server.start()
    early = await Bus.connect(server.url, service="brokerage", credentials=seed_path(tmp_path, "brokerage"))
    await eventually(lambda: "$js.api.stream.create.control" in early.link.forbidden)
    with pytest.raises(Unavailable):
        await early.wait_ready(0.1)
    operator = await Bus.connect(server.url, service="controlbus", credentials=seed_path(tmp_path, "controlbus"))
    await early.wait_ready(5)
    await early.publish(subjects.orders_subject("w", "a"), b"x", msg_id="1")
    await early.close()
    await operator.close()
    server.stop()


@pytest.mark.parametrize("driver", ["brokerage", "seamless"])
async def test_who_calls_exchanges_spends_their_limits_and_nobody_else_does(
    broker: ConnectedServices, driver: str
) -> None:
    """All of an exchange's budget: taken, adopted from its headers, shut by a 429, filled again by time."""
    exchange, clock = unique("x"), SystemClock()
    limits = limits_of(1_200, 1.0, 1_200, 1.0)

    def budget(service: str) -> RequestBudget:
        return RequestBudget(broker.buses[service], clock, exchange, egress="e", account="a", limits=limits)

    mine = budget(driver)
    await mine.order(Purpose.CANCEL, timeout_s=5)
    assert await mine.take_weight(Purpose.CANCEL, 500) == 0.0
    await mine.adopt(weight_used=1_200)
    assert await mine.take_weight(Purpose.CANCEL, 500) > 0.0
    await mine.request(Purpose.CANCEL, weight=500, timeout_s=5)
    for service in RIGHTS.keys() - {"brokerage", "seamless", "controlbus"}:
        for spend in (budget(service).take_weight(Purpose.CANCEL, 1), budget(service).penalise(60.0)):
            with pytest.raises(Unavailable, match="E_BUS_FORBIDDEN"):
                await spend
    await mine.request(Purpose.CANCEL, timeout_s=5)  # nobody has shut it
    await mine.penalise(60.0)
    assert await mine.take_weight(Purpose.CANCEL, 1) > 30.0
