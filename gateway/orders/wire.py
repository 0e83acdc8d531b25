"""Activations and orders as the gate reads them, and its verdicts as brokerage and callers read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal

from gateway.orders.domain import (
    GateDenial,
    GatedOrder,
    GateEntry,
    Passed,
    Refused,
    RefusedOne,
    Side,
    WorldGate,
)
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import InvalidRequest, Violation, refused
from qmtl.wire.contexts import DOMAIN_NUMBERS, MODES
from qmtl.wire.fields import known_enum
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.windows import windows_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb

WEIGHT_UNIT = Decimal("1e-8")
RUNS = "rb-"
LIST_MAX = 16
"""Orders of one list at most, as brokerage takes them."""
SIDES: Mapping[commonpb.Side, Side] = {commonpb.SIDE_LONG: Side.LONG, commonpb.SIDE_SHORT: Side.SHORT}
DENIALS: Mapping[GateDenial, orderpb.Denial] = {
    GateDenial.ACTIVATION_UNKNOWN: orderpb.DENIAL_GATE_ACTIVATION_UNKNOWN,
    GateDenial.ACTIVATION_STALE: orderpb.DENIAL_GATE_ACTIVATION_STALE,
    GateDenial.INACTIVE: orderpb.DENIAL_GATE_INACTIVE,
    GateDenial.FROZEN: orderpb.DENIAL_GATE_FROZEN,
    GateDenial.MODE_FORBIDS_ORDERS: orderpb.DENIAL_GATE_MODE_FORBIDS_ORDERS,
    GateDenial.OUTSIDE_WINDOW: orderpb.DENIAL_GATE_OUTSIDE_WINDOW,
    GateDenial.OTHER_CANARY_SHARE: orderpb.DENIAL_GATE_OTHER_CANARY_SHARE,
    GateDenial.SESSION_LAPSED: orderpb.DENIAL_GATE_SESSION_LAPSED,
}
ORDER_SIDES = {orderpb.ORDER_SIDE_BUY: True, orderpb.ORDER_SIDE_SELL: False}
POSITION_SIDES: Mapping[orderpb.PositionSide, Side | None] = {
    orderpb.POSITION_SIDE_UNSPECIFIED: None,
    orderpb.POSITION_SIDE_BOTH: None,
    orderpb.POSITION_SIDE_LONG: Side.LONG,
    orderpb.POSITION_SIDE_SHORT: Side.SHORT,
}


def gate_from_proto(activation: activationpb.ActivationEnvelope) -> WorldGate:
    """An activation as the gate reads it. Raises InvalidRequest (E_ENUM, E_WEIGHT, E_WINDOW): the gate stays shut."""
    return WorldGate(
        world_id=activation.world_id,
        revision=activation.world_revision,
        epoch=activation.fence_epoch,
        mode=known_enum(MODES, activation.effective_mode, "activation.effective_mode"),
        entries={
            (entry.strategy_id, known_enum(SIDES, entry.side, "entry.side")): _entry_from_proto(entry)
            for entry in activation.entries
        },
        windows=windows_from_proto(activation.windows),
    )


def gated_order_from_proto(order: orderpb.Order) -> GatedOrder:
    """What the gate needs of an order. Raises InvalidRequest (E_ENUM, E_ORDER_FIELDS)."""
    for field, value in (
        ("world_id", order.world_id), ("strategy_id", order.strategy_id), ("client_order_id", order.client_order_id),
        ("account", order.account), ("symbol", order.symbol),
    ):  # fmt: skip
        if not value:
            violation = Violation(f"order.{field}", "empty", "a value")
            raise InvalidRequest("E_ORDER_FIELDS", str(violation), violations=(violation,))
    if order.side not in ORDER_SIDES:
        violation = Violation("order.side", str(order.side), "BUY or SELL")
        raise InvalidRequest("E_ENUM", str(violation), violations=(violation,))
    if order.position_side not in POSITION_SIDES:
        violation = Violation("order.position_side", str(order.position_side), "BOTH, LONG or SHORT")
        raise InvalidRequest("E_ENUM", str(violation), violations=(violation,))
    return GatedOrder(
        order.strategy_id, ORDER_SIDES[order.side], order.reduce_only, POSITION_SIDES[order.position_side],
        order.symbol, order.strategy_version,
    )  # fmt: skip


def asked_order_from_proto(order: orderpb.Order) -> GatedOrder:
    """What the gate needs of a caller's order. Raises as `gated_order_from_proto`, and InvalidRequest (E_NAME): the id
    is a rebalancing run's, whose fills are booked under names that begin with it.
    """
    if order.client_order_id.startswith(RUNS):
        want = f"an id that does not begin with {RUNS}: those are of rebalancing runs"
        raise refused("E_NAME", "order.client_order_id", order.client_order_id, want)
    return gated_order_from_proto(order)


def gated_list_from_proto(orders: Sequence[orderpb.Order]) -> list[GatedOrder]:
    """What the gate needs of a list. Raises InvalidRequest (E_ENUM, E_ORDER_FIELDS, E_NAME, E_ORDER_LIST_MALFORMED)."""
    owners = {(order.account, order.world_id, order.strategy_id) for order in orders}
    if not 2 <= len(orders) <= LIST_MAX or len(owners) > 1:
        given = f"{len(orders)} orders of {len(owners)} owners"
        violation = Violation("orders", given, f"2 to {LIST_MAX} of one account, world and strategy")
        raise InvalidRequest("E_ORDER_LIST_MALFORMED", str(violation), violations=(violation,))
    return [asked_order_from_proto(order) for order in orders]


def stamp_to_proto(passed: Passed, gateway_id: str) -> orderentryservicepb.GateStamp:
    """The gate stamp of a passed order, as brokerage gets it."""
    return orderentryservicepb.GateStamp(
        fence_epoch=passed.epoch,
        weight=format_decimal(passed.weight),
        execution_domain=DOMAIN_NUMBERS[passed.domain],
        gateway_id=gateway_id,
        world_revision=passed.revision,
        reduce_only=passed.reduce_only,
    )


def refusal_to_proto(order: orderpb.Order, refused: Refused) -> orderpb.OrderStatus:
    """A refusal by the gate, in the words of an order's status."""
    return orderpb.OrderStatus(
        order=order,
        state=orderpb.ORDER_STATE_DENIED,
        view=orderpb.ORDER_VIEW_DENIED,
        denial=DENIALS[refused.denial],
        message=refused.reason,
        working_quantity="0",
        cumulative_quantity="0",
    )


def gated_share_from_proto(order: orderpb.Order, share: orderpb.OrderShare, version: int) -> GatedOrder:
    """What the gate needs of a share of a netted order; `version`: of its strategy, 0 the newest."""
    buys = not share.quantity.startswith("-")
    return GatedOrder(share.strategy_id, buys, share.reduce_only, None, order.symbol, version)


def refused_share_to_proto(order: orderpb.Order, found: RefusedOne) -> orderpb.OrderStatus:
    """A refusal of a netted order by the gate, in a sentence that begins with the share it is for."""
    share, refused = order.shares[found.number], found.refused
    reason = f"share {share.world_id}/{share.strategy_id}: {refused.reason}"
    return refusal_to_proto(order, Refused(refused.denial, reason))


def refusals_to_proto(orders: Sequence[orderpb.Order], refused: RefusedOne) -> list[orderpb.OrderStatus]:
    """A refusal of a list by the gate: its rule in the order that it refused, LIST_DENIED in the others."""
    statuses = [refusal_to_proto(order, refused.refused) for order in orders]
    name = orders[refused.number].client_order_id
    for number, status in enumerate(statuses):
        if number != refused.number:
            status.denial = orderpb.DENIAL_LIST_DENIED
            status.message = f"order {name} of its list was denied"
    return statuses


def _weight_from_proto(weight: str) -> Decimal:
    """Toward zero to the places brokerage counts in: 1/3 must not make it refuse every order, reducing ones too."""
    share = parse_decimal(weight or "0", "entry.weight")
    if not 0 <= share <= 1:
        violation = Violation("entry.weight", weight, "0 to 1")
        raise InvalidRequest("E_WEIGHT", str(violation), violations=(violation,))
    return share.quantize(WEIGHT_UNIT, ROUND_DOWN)


def _entry_from_proto(entry: activationpb.ActivationEntry) -> GateEntry:
    return GateEntry(
        active=entry.active,
        weight=_weight_from_proto(entry.weight),
        freeze=entry.freeze,
        drain=entry.drain,
        valid_from=instant_from_proto(entry.valid_from, "valid_from") if entry.HasField("valid_from") else None,
        valid_until=instant_from_proto(entry.valid_until, "valid_until") if entry.HasField("valid_until") else None,
        mode=known_enum(MODES, entry.effective_mode, "entry.effective_mode"),
    )
