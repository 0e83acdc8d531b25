"""Plans, shares and statuses of orders as an executor reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.rebalancing.domain import Filled, LegOrder, LegPart, NettedOrder, PlannedOrder, net_of, shortened
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

PROGRESS_BYTES, FIELD_BYTES = 950_000, 8
"""Progress of all legs: beside a hundred reasons of a run's end it stays within the megabyte of a request."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What an order has traded of one part: signed quantity, quantity x price, fees by currency."""

    quantity: Decimal
    notional: Decimal
    fees: Mapping[str, Decimal]


NOTHING = Trade(Decimal(0), Decimal(0), {})


def orders_of(plan: rebalancepb.RebalancePlan) -> list[PlannedOrder]:
    """The orders of a plan, in its order."""
    netted = plan.execution == rebalancepb.REBALANCE_EXECUTION_NETTED
    return [_netted(plan, order) if netted else _of_leg(plan, order) for order in plan.orders]


def _of_leg(plan: rebalancepb.RebalancePlan, order: rebalancepb.RebalanceOrder) -> LegOrder:
    (index,) = order.legs
    leg = plan.legs[index]
    target = Decimal(leg.quantity) + Decimal(leg.rounded)
    slices = tuple(Decimal(each) for each in order.slices)
    return LegOrder(index, leg.world_id, leg.strategy_id, order.symbol, slices, order.reduce_only, target)


def _netted(plan: rebalancepb.RebalancePlan, order: rebalancepb.RebalanceOrder) -> NettedOrder:
    lot = Decimal(order.lot)
    legs = [(index, plan.legs[index], int(steps) * lot) for index, steps in zip(order.legs, order.shares, strict=True)]
    parts = [LegPart(n, leg.world_id, leg.strategy_id, quantity, leg.reduce_only) for n, leg, quantity in legs]
    parts.sort(key=lambda part: (part.world_id, part.strategy_id))
    slices = tuple(Decimal(each) for each in order.slices) or (Decimal(0),)
    return NettedOrder(order.symbol, slices, lot, order.reduce_only, tuple(parts))


def progress_to_proto(
    legs: Sequence[rebalancepb.RebalanceLeg], filled: Mapping[int, Filled]
) -> list[rebalancepb.LegProgress]:
    """What was traded of each leg, whole, and why those that stopped short did, in the room that is left."""
    made = [_progress(leg, filled.get(index, Filled())) for index, leg in enumerate(legs)]
    if short := [index for index, one in filled.items() if one.reason]:
        room = PROGRESS_BYTES - sum(one.ByteSize() + FIELD_BYTES for one in made)
        for index in short:
            made[index].reason = shortened(filled[index].reason, max(room // len(short), 0))
    return made


def _progress(leg: rebalancepb.RebalanceLeg, filled: Filled) -> rebalancepb.LegProgress:
    sign = -1 if leg.rounded.startswith("-") else 1
    return rebalancepb.LegProgress(
        filled=f"{sign * filled.quantity:f}",
        notional=f"{sign * filled.notional:f}",
        fees={currency: f"{fee:f}" for currency, fee in filled.fees.items()},
    )


def shares_to_proto(parts: Sequence[LegPart]) -> list[orderpb.OrderShare]:
    """Parts as the shares of a netted order; the gate adds epochs."""
    return [
        orderpb.OrderShare(
            world_id=part.world_id,
            strategy_id=part.strategy_id,
            quantity=f"{part.quantity:f}",
            reduce_only=part.reduce_only,
        )
        for part in parts
    ]


def trades_of(status: orderpb.OrderStatus, parts: Sequence[LegPart]) -> list[Trade]:
    """What an order has traded of each of its parts."""
    price = Decimal(status.average_price or "0")
    if not net_of(parts):  # they trade with each other, whole or not at all
        done = status.view == orderpb.ORDER_VIEW_FILLED
        return [Trade(part.quantity, part.quantity * price, {}) if done else NOTHING for part in parts]
    if not status.order.shares:
        quantity = Decimal(status.cumulative_quantity or "0").copy_sign(net_of(parts))
        return [Trade(quantity, quantity * price, _fees(status.fees))]
    got = {(each.world_id, each.strategy_id): each for each in status.share_fills}
    return [_trade(got.get((part.world_id, part.strategy_id))) for part in parts]


def _trade(got: orderpb.ShareFill | None) -> Trade:
    return NOTHING if got is None else Trade(Decimal(got.quantity), Decimal(got.notional), _fees(got.fees))


def _fees(written: Mapping[str, str]) -> dict[str, Decimal]:
    return {currency: Decimal(fee) for currency, fee in written.items()}
