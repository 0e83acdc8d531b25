"""Plans and runs as messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.core.decimals import format_decimal
from qmtl.wire.instants import instant_to_proto, span_to_proto
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.allocation.domain.amounts import exact_text, text_of
from worldservice.allocation.domain.plan import Approach, Plan, Totals
from worldservice.allocation.domain.run import LegProgress, Run
from worldservice.allocation.domain.trading.cost import Cost
from worldservice.allocation.domain.trading.netting import PlannedLeg, PlannedOrder
from worldservice.allocation.domain.trading.overlay import Choice

TOLD_LEGS_MAX = 500
"""Legs of a run in an event."""


def plan_to_proto(plan: Plan, approach: Approach, slice_interval: timedelta | None) -> rebalancepb.RebalancePlan:
    costs, time_of = {each.leg: each.cost for each in plan.costs}, cache(_time)
    return rebalancepb.RebalancePlan(
        account=plan.account,
        account_event_number=plan.sequence,
        execution=f"REBALANCE_EXECUTION_{plan.execution.name}",
        approach=f"REBALANCE_APPROACH_{approach.name}",
        legs=[_leg(row, costs.get(index), time_of) for index, row in enumerate(plan.legs)],
        orders=[_order(order) for order in plan.orders],
        before=_totals(plan.before),
        after=_totals(plan.after),
        warnings=plan.warnings,
        closes=plan.closes,
        created_at=instant_to_proto(plan.created_at),
        valid_until=instant_to_proto(plan.valid_until),
        plan_hash=plan.plan_hash,
        slice_interval=None if slice_interval is None else span_to_proto(slice_interval),
        choices=[_choice(each) for each in plan.choices],
    )


def run_to_proto(run: Run, request: bytes | None = None, plan: bytes | None = None) -> rebalancepb.RebalanceRun:
    """A run, with its request and plan where they are given."""
    return rebalancepb.RebalanceRun(
        account=run.account,
        run_id=run.run_id,
        state=f"REBALANCE_STATE_{run.state.name}",
        revision=run.revision,
        plan=None if plan is None else rebalancepb.RebalancePlan.FromString(plan),
        request=None if request is None else rebalancepb.RebalanceRequest.FromString(request),
        reason=run.reason,
        applied_by=run.applied_by,
        executed_by=run.executed_by,
        progress=[_progress(each) for each in run.progress],
        reasons=run.reasons,
        created_at=instant_to_proto(run.created_at),
        started_at=instant_to_proto(run.started_at),
        ended_at=instant_to_proto(run.ended_at),
        allow_live=run.allow_live,
        two_person=run.two_person,
        world_ids=run.world_ids,
    )


def told_in_event(message: rebalancepb.RebalanceRun) -> rebalancepb.RebalanceRun:
    """The run as events have it: its first legs, and neither orders nor the request."""
    message.ClearField("request")
    del message.plan.orders[:]
    if len(message.plan.legs) > TOLD_LEGS_MAX:
        del message.plan.legs[TOLD_LEGS_MAX:]
        message.truncated = True
    return message


def _time(instant: datetime) -> Timestamp:
    return instant_to_proto(instant)


def _leg(row: PlannedLeg, cost: Cost | None, time_of: Callable[[datetime], Timestamp]) -> rebalancepb.RebalanceLeg:
    leg = row.leg
    return rebalancepb.RebalanceLeg(
        world_id=leg.owner.world_id,
        strategy_id=leg.owner.strategy_id,
        venue=leg.venue,
        symbol=leg.symbol,
        quantity=exact_text(leg.quantity),
        delta_numerator=str(leg.delta.numerator),
        delta_denominator=str(leg.delta.denominator),
        rounded=exact_text(row.rounded),
        reduce_only=row.reduce_only,
        scale=text_of(leg.scale.g, 9),
        reasons=[f"LEG_REASON_{reason.name}" for reason in row.reasons],
        mark_price=text_of(leg.mark.price, 18),
        mark_time=time_of(leg.mark.time),
        notional=text_of(row.rounded * leg.mark.value),
        cost_bps="" if cost is None else _bps(cost.total),
    )


def _order(order: PlannedOrder) -> rebalancepb.RebalanceOrder:
    return rebalancepb.RebalanceOrder(
        venue=order.venue,
        symbol=order.symbol,
        quantity=exact_text(order.quantity),
        slices=[exact_text(each) for each in order.slices],
        reduce_only=order.reduce_only,
        legs=order.legs,
        lot=exact_text(order.lot),
        shares=[str(each) for each in order.shares],
    )


def _totals(found: Totals) -> rebalancepb.RebalanceTotals:
    headroom = "" if found.headroom is None else text_of(found.headroom, 9)
    return rebalancepb.RebalanceTotals(gross=text_of(found.gross), net=text_of(found.net), headroom=headroom)


def _choice(each: Choice) -> rebalancepb.RebalanceChoice:
    return rebalancepb.RebalanceChoice(
        world_id=each.leg.owner.world_id,
        strategy_id=each.leg.owner.strategy_id,
        symbol=each.leg.symbol,
        way=f"REBALANCE_WAY_{each.way.name}",
        scale_bps="" if each.bps is None else _bps(each.bps),
        hedge_bps="" if each.hedge_bps is None else _bps(each.hedge_bps),
    )


def _progress(each: LegProgress) -> rebalancepb.LegProgress:
    return rebalancepb.LegProgress(
        filled=exact_text(each.filled),
        notional=text_of(each.notional),
        fees={currency: exact_text(fee) for currency, fee in each.fees},
        reason=each.reason,
    )


def _bps(value: Decimal) -> str:
    return format_decimal(value.quantize(Decimal("0.0001")))
