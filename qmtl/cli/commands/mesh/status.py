"""`qmtl status`: processes, what the gateway says of itself, and how every service and the bus keep up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass

import typer

from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import status_service_pb2_grpc as brokerstatusrpc
from qmtl.cli.gateway.calls import ask, endpoint_options
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.endpoint import find_endpoint
from qmtl.config.home import Record, Running, is_alive, live_record
from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from qmtl.control.v1 import broker_stream_service_pb2_grpc as brokerstreamrpc
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.control.v1 import status_service_pb2_grpc as controlstatusrpc
from qmtl.core.errors import QmtlError
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc
from qmtl.data.v1 import status_service_pb2 as datastatusservicepb
from qmtl.data.v1 import status_service_pb2_grpc as datastatusrpc
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import gateway_status_service_pb2_grpc as gatewaystatusrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc

StatusReply = (
    brokerstatusservicepb.GetStatusResponse
    | controlstatusservicepb.GetStatusResponse
    | dagstatusservicepb.GetStatusResponse
    | datastatusservicepb.GetStatusResponse
    | gatewaystatuspb.GetStatusResponse
    | statusservicepb.GetStatusResponse
)

NOT_COUNTS = ("status", "level", "capabilities", "gates", "available")  # shown by themselves
ANSWER_S = 3.0  # a service that takes longer is shown as not answering


@dataclass(frozen=True, slots=True)
class Report:
    """What one service answered; `error` says why it did not."""

    service: str
    status: commonpb.ServiceStatus | None
    counts: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """The whole mesh as it answered now. `streams` None: the bus could not be asked."""

    gateway: gatewaystatuspb.GetStatusResponse
    reports: Sequence[Report]
    streams: brokerstreamservicepb.GetStreamsResponse | None


@with_access
def status(access: Access) -> None:
    """Show processes, dependencies, breakers, order gates, outboxes and consumer lag."""
    home = find_endpoint(endpoint_options(access)).home
    record = None if home is None else live_record(home)  # of a mesh elsewhere only its gateway tells
    seen = ask(access, _look)
    if access.json:
        _print_json(record, seen)
    else:
        _print(record, seen)


async def _look(channel: MeshChannel) -> MeshStatus:
    """Ask everybody at once; only the gateway has to answer."""
    door = gatewaystatusrpc.GatewayStatusServiceStub(channel)
    control = controlstatusrpc.StatusServiceStub(channel)
    broker_streams = brokerstreamrpc.BrokerStreamServiceStub(channel)
    dag, world = dagstatusrpc.StatusServiceStub(channel), statusrpc.StatusServiceStub(channel)
    broker, data = brokerstatusrpc.StatusServiceStub(channel), datastatusrpc.StatusServiceStub(channel)
    gateway, reports, streams = await asyncio.gather(
        door.GetStatus(gatewaystatuspb.GetStatusRequest()),
        asyncio.gather(
            _report("dagmanager", dag.GetStatus(dagstatusservicepb.GetStatusRequest(), timeout=ANSWER_S)),
            _report("worldservice", world.GetStatus(statusservicepb.GetStatusRequest(), timeout=ANSWER_S)),
            _report("brokerage", broker.GetStatus(brokerstatusservicepb.GetStatusRequest(), timeout=ANSWER_S)),
            _report("seamless", data.GetStatus(datastatusservicepb.GetStatusRequest(), timeout=ANSWER_S)),
            _report("controlbus", control.GetStatus(controlstatusservicepb.GetStatusRequest(), timeout=ANSWER_S)),
        ),
        _streams(broker_streams.GetStreams(brokerstreamservicepb.GetStreamsRequest(), timeout=ANSWER_S)),
    )
    own = Report("gateway", gateway.status, counts_of(gateway))
    return MeshStatus(gateway, [own, *reports], streams)


async def _report(service: str, asking: Awaitable[StatusReply]) -> Report:
    try:
        reply = await asking
    except QmtlError as error:
        return Report(service, None, {}, f"{error.reason}: {error.message}")
    return Report(service, reply.status, counts_of(reply))


async def _streams(
    asking: Awaitable[brokerstreamservicepb.GetStreamsResponse],
) -> brokerstreamservicepb.GetStreamsResponse | None:
    try:
        return await asking
    except QmtlError:
        return None


def counts_of(reply: StatusReply) -> dict[str, str]:
    """Whatever a service counts in its status: numbers as they are, lists as their members."""
    named = {name.replace("_", " "): value for name, value in as_dict(reply).items() if name not in NOT_COUNTS}
    return {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in named.items()}


def process_row(process: Running, alive: bool) -> tuple[str, ...]:
    """One line of a process; one that was started anew and has not answered yet is starting."""
    answered = process.ready_s > 0
    state = ("up" if answered else "starting") if alive else "DOWN"
    took = f"{process.ready_s:.2f} s" if answered else "-"
    return (process.name, process.address, str(process.pid), state, str(process.restarts), took)


def service_rows(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    """One line per service: whether it is well, how much waits in its outbox, what it counts."""
    rows: list[tuple[str, ...]] = []
    for one in reports:
        if one.status is None:
            rows.append((one.service, "-", "NO ANSWER", "-", one.error))
            continue
        counts = ", ".join(f"{name} {value}" for name, value in one.counts.items() if value)
        state = "DEGRADED" if one.status.degraded else "well"
        outbox = str(one.status.outbox_depth)
        if one.status.uncounted:
            outbox, counts = "-", "its store does not answer"
        rows.append((one.service, one.status.version or "-", state, outbox, counts or "-"))
    return rows


def dependency_rows(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    """One line per service and dependency."""
    return [
        (
            one.service,
            need.name,
            enum_word(commonpb.DependencyState, need.state),
            enum_word(commonpb.BreakerState, need.breaker) if need.breaker else "-",
            need.detail or "-",
        )
        for one in reports
        if one.status is not None
        for need in one.status.dependencies
    ]


def gate_rows(reply: gatewaystatuspb.GetStatusResponse) -> list[tuple[str, ...]]:
    """One line per world whose activation the gateway holds."""
    return [
        (
            gate.world_id,
            enum_word(commonpb.EffectiveMode, gate.effective_mode),
            str(gate.world_revision),
            str(gate.fence_epoch),
            "valid" if gate.session_valid else "LAPSED",
            gate.message or "-",
        )
        for gate in reply.gates
    ]


def lag_rows(reply: brokerstreamservicepb.GetStreamsResponse) -> list[tuple[str, ...]]:
    """One line per durable consumer, the one furthest behind first."""
    rows = [(stream.name, one) for stream in reply.streams for one in stream.consumers]
    rows.sort(key=lambda pair: (-pair[1].pending - pair[1].ack_pending, pair[0], pair[1].name))
    return [(name, one.name, str(one.pending), str(one.ack_pending), str(one.redelivered)) for name, one in rows]


def _print(record: Record | None, seen: MeshStatus) -> None:
    if record is not None:
        processes = [process_row(process, is_alive(process)) for process in record.processes]
        show_table("processes", ("name", "address", "pid", "state", "restarts", "ready in"), processes)
    level = enum_word(gatewaystatuspb.DegradationLevel, seen.gateway.level)
    works = [enum_word(gatewaystatuspb.Capability, one).lower() for one in seen.gateway.capabilities]
    typer.echo(f"gateway level {level}; still works: {', '.join(works) or 'nothing'}")
    show_table("services", ("service", "version", "state", "outbox", "counts"), service_rows(seen.reports))
    columns = ("service", "needs", "state", "breaker", "detail")
    show_table("dependencies", columns, dependency_rows(seen.reports))
    gates = ("world", "mode", "revision", "epoch", "session", "detail")
    show_table("order gates", gates, gate_rows(seen.gateway))
    if seen.streams is None:
        typer.echo("bus: cannot be asked now")
        return
    lags = ("stream", "consumer", "pending", "unacknowledged", "redelivered")
    show_table("consumer lag", lags, lag_rows(seen.streams))


def _print_json(record: Record | None, seen: MeshStatus) -> None:
    services = [
        {
            "service": one.service,
            "status": as_dict(one.status) if one.status is not None else None,
            "counts": dict(one.counts),
            "error": one.error,
        }
        for one in seen.reports
    ]
    processes = () if record is None else record.processes
    show_json(
        {
            "processes": [{**asdict(process), "alive": is_alive(process)} for process in processes],
            "nats_url": "" if record is None else record.nats_url,
            "gateway": as_dict(seen.gateway),
            "services": services,
            "bus": as_dict(seen.streams) if seen.streams is not None else None,
        }
    )
