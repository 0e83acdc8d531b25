"""Values of the SDK to messages and back: graphs, orders, fills, bars, Arrow.

Only shapes are changed here; nothing is decided, sent or defaulted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
from google.protobuf import timestamp_pb2

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core import dag as coredag
from qmtl.core.dag import DagNode, QueueClass
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.identity import canonical_json, digest
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as dataservicepb
from qmtl.sdk.bars import Bars
from qmtl.sdk.graph import Dag
from qmtl.sdk.nodes import StreamInput, TagQuery, Vertex
from qmtl.sdk.planner import Intent
from qmtl.sdk.strategy import FillEvent
from qmtl.sdk.words import NS_PER_S, OHLCV, TRADING, Schema
from qmtl.wire.graph import dag_to_proto

TIME_COLUMN = "open_time"


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose orders these are."""

    account: str
    world_id: str
    strategy_id: str


@dataclass(frozen=True, slots=True)
class LiveBar:
    """One bar of a live stream: open time and the row a source emits at `close_ns`."""

    open_ns: int
    close_ns: int
    row: tuple[float, ...]


def graph_to_proto(dag: Dag) -> dagpb.Dag:
    """A graph as it is submitted, checked as the gateway will check it. Raises InvalidRequest as check_dag does."""
    return dag_to_proto(coredag.check_dag([_node(dag, vertex) for vertex in dag.nodes]))


def schema_hash(schema: Schema) -> str:
    """Byte-level hash of a schema: all fields in order."""
    return digest(canonical_json([schema.compat_id, list(schema.fields), schema.default]))


def order_to_proto(desk: Desk, intent: Intent) -> brokerpb.Order:
    """A market order. The same intent makes the same message, so sending it again is no second order."""
    return brokerpb.Order(
        account=desk.account,
        world_id=desk.world_id,
        strategy_id=desk.strategy_id,
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        side=brokerpb.ORDER_SIDE_BUY if intent.quantity > 0 else brokerpb.ORDER_SIDE_SELL,
        type=brokerpb.ORDER_TYPE_MARKET,
        quantity=format_decimal(abs(intent.quantity)),
        time_in_force=brokerpb.TIME_IN_FORCE_GTC,
        position_side=brokerpb.POSITION_SIDE_BOTH,
        decided_at=stamp(intent.decided_ns),
    )


def order_key(order: brokerpb.Order) -> brokerservicepb.OrderKey:
    """The name of an order."""
    return brokerservicepb.OrderKey(
        account=order.account,
        world_id=order.world_id,
        strategy_id=order.strategy_id,
        client_order_id=order.client_order_id,
    )


def is_open(status: brokerpb.OrderStatus) -> bool:
    """Whether an order may still be filled."""
    return status.view in (brokerpb.ORDER_VIEW_NEW, brokerpb.ORDER_VIEW_PARTIALLY_FILLED)


def expected_quantity(statuses: Iterable[brokerpb.OrderStatus], symbol: str) -> Decimal:
    """What all orders of a symbol come to once the open ones are filled; signed."""
    total = Decimal(0)
    for status in statuses:
        if status.order.symbol == symbol:
            text = (status.working_quantity if is_open(status) else status.cumulative_quantity) or "0"
            sign = 1 if status.order.side == brokerpb.ORDER_SIDE_BUY else -1
            total += sign * parse_decimal(text, "order status quantity")
    return total


def fill_from_proto(fill: brokerpb.Fill) -> FillEvent:
    """A booked execution, signed; its time is the venue's."""
    sign = 1 if fill.side == brokerpb.ORDER_SIDE_BUY else -1
    return FillEvent(
        symbol=fill.symbol,
        quantity=sign * parse_decimal(fill.quantity, "fill.quantity"),
        price=parse_decimal(fill.price, "fill.price"),
        fee=parse_decimal(fill.fee or "0", "fill.fee"),
        fee_currency=fill.fee_currency,
        time_ns=nanoseconds(fill.venue_time),
        trade_id=fill.trade_id,
    )


def subscription(dataset: str, session_id: str, from_ns: int, *, follower: str = "") -> dataservicepb.SubscribeRequest:
    """A request for live bars that open at or after `from_ns`; a replay waits for a follower to confirm each bar."""
    request = dataservicepb.SubscribeRequest(dataset=dataset, session_id=session_id, follower=follower)
    getattr(request, "from").CopyFrom(stamp(from_ns))  # `from` is a word of Python
    return request


def bar_from_proto(bar: datapb.Bar) -> LiveBar:
    """A live bar. The shortest decimal text of a float64 reads back as the same float64."""
    row = tuple(float(text) for text in (bar.open, bar.high, bar.low, bar.close, bar.volume))
    return LiveBar(nanoseconds(bar.open_time), nanoseconds(bar.close_time), row)


def bars_from_arrow(parts: Sequence[bytes], symbol: str, interval_s: int) -> Bars:
    """The bars of consecutive Arrow IPC streams; no parts, no bars."""
    tables = [pa.ipc.open_stream(part).read_all() for part in parts]
    table = pa.concat_tables(tables) if tables else _empty()
    return Bars.from_arrow(table, symbol, interval_s, time=TIME_COLUMN)


def stamp(time_ns: int) -> timestamp_pb2.Timestamp:
    """A Timestamp of ns since 1970."""
    return timestamp_pb2.Timestamp(seconds=time_ns // NS_PER_S, nanos=time_ns % NS_PER_S)


def nanoseconds(time: timestamp_pb2.Timestamp) -> int:
    """ns since 1970 of a Timestamp; an unset one is 0."""
    return time.seconds * NS_PER_S + time.nanos


def _node(dag: Dag, vertex: Vertex) -> DagNode:
    return DagNode(
        node_id=vertex.node_id,
        spec=vertex.spec,
        queue_class=_class(vertex),
        kind=vertex.kind,
        schema_hash=schema_hash(vertex.schema),
        tags=vertex.tags,
        name=dag.names[vertex.node_id],
        inputs=tuple((name, item.node_id) for name, item in zip(vertex.input_names, vertex.inputs, strict=True)),
    )


def _class(vertex: Vertex) -> QueueClass:
    if isinstance(vertex, StreamInput | TagQuery):
        return QueueClass.RAW
    return QueueClass.TRADE if vertex.kind in TRADING else QueueClass.INDICATOR


def _empty() -> pa.Table:
    fields = [(TIME_COLUMN, pa.timestamp("ns", "UTC")), *((name, pa.float64()) for name in OHLCV.fields)]
    return pa.schema(fields).empty_table()
