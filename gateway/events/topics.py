"""What each topic of an event stream carries, whom an event concerns, and how it leaves.

An event leaves for a world's stream without what belongs to other worlds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from google.protobuf.message import DecodeError

from controlbus.events.control_event import UndecodableEvent, decode, payload_type
from gateway.events.feed import EVERY_WORLD, Source
from gateway.events.tokens import Scope
from gateway.submissions.store import strategies
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest, NotFound, Violation
from qmtl.core.modes import domain_of
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database
from qmtl.wire.contexts import DOMAIN_NUMBERS, MODES
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

TYPES: Mapping[eventpb.Topic, tuple[str, ...]] = {
    eventpb.TOPIC_ACTIVATION: ("activation_updated",),
    eventpb.TOPIC_QUEUES: ("world_queues_updated",),
    eventpb.TOPIC_POLICY: ("policy_updated", "decision_updated"),
    eventpb.TOPIC_STRATEGY: ("strategy_state_changed", "evaluation_run_updated"),
    eventpb.TOPIC_SENTINEL: ("sentinel_weight_updated",),
    eventpb.TOPIC_REBALANCING: ("rebalancing_planned", "allocation_updated", "rebalance_state_changed"),
    eventpb.TOPIC_ORDERS: (),  # from the stream of orders
}
REMEMBERED_MAX = 10_000
log = structlog.stdlib.get_logger("qmtl.gateway.events")


def check_topics(topics: Sequence[eventpb.Topic]) -> tuple[eventpb.Topic, ...]:
    """The topics asked for, sorted, each once. Raises InvalidRequest (E_TOPIC)."""
    known = ", ".join(eventpb.Topic.Name(number) for number in TYPES)
    unknown = [number for number in topics if number not in TYPES]
    if not topics or unknown:
        violation = Violation("topics", str(unknown[0]) if unknown else "empty", f"at least one of {known}")
        raise InvalidRequest("E_TOPIC", str(violation), violations=(violation,))
    return tuple(sorted(set(topics)))


def types_of(scope: Scope) -> frozenset[str]:
    """Payload types a stream of this scope shows."""
    return frozenset(name for topic in scope.topics for name in TYPES[topic])


class ControlWorlds:
    """Which worlds a control event concerns; a strategy's worlds never change, so they are remembered."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._strategies: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    async def __call__(self, event: controlpb.ControlEvent) -> tuple[str, ...]:
        match payload_type(event):
            case "strategy_state_changed":
                changed = event.strategy_state_changed
                return self._remember(changed.strategy_id, tuple(changed.world_ids))
            case "evaluation_run_updated":
                return (event.key.partition("/")[0],)
            case "sentinel_weight_updated":
                return await self._of_strategy(event.sentinel_weight_updated.strategy_id)
            case "queue_updated":
                return (event.queue_updated.query.world_id or EVERY_WORLD,)
            case "allocation_updated":
                return tuple(row.world_id for row in event.allocation_updated.allocations.worlds)
            case "rebalancing_planned":
                return tuple(event.rebalancing_planned.run.world_ids)
            case "rebalance_state_changed":
                return tuple(event.rebalance_state_changed.run.world_ids)
            case "queue_lifecycle":
                return ()  # names no world
            case _:
                return (event.key,)

    async def _of_strategy(self, strategy_id: str) -> tuple[str, ...]:
        known = self._strategies.get(strategy_id)
        if known is None:
            try:
                known = (await self._db.read(lambda conn: strategies.get(conn, strategy_id))).world_ids
            except NotFound:
                return ()  # no strategy of this mesh's submissions: nobody's
            self._remember(strategy_id, known)
        return known

    def _remember(self, strategy_id: str, worlds: tuple[str, ...]) -> tuple[str, ...]:
        self._strategies[strategy_id] = worlds
        if len(self._strategies) > REMEMBERED_MAX:
            self._strategies.popitem(last=False)
        return worlds


def control_source(db: Database) -> Source[controlpb.ControlEvent]:
    """The CONTROL stream."""
    return Source("CONTROL", "qmtl.control.>", _control_event, _control_mark, ControlWorlds(db))


def orders_source() -> Source[orderpb.OrderEvents]:
    """The ORDERS stream."""
    return Source("ORDERS", "qmtl.orders.>", _order_events, _orders_mark, _orders_worlds)


def concerns(event: controlpb.ControlEvent, scope: Scope, types: frozenset[str]) -> bool:
    """Whether an event of the scope's world belongs to its stream."""
    kind = payload_type(event)
    if kind not in types:
        return False
    match kind:
        case "strategy_state_changed":
            return scope.strategy_id in ("", event.strategy_state_changed.strategy_id)
        case "sentinel_weight_updated":
            return scope.strategy_id in ("", event.sentinel_weight_updated.strategy_id)
        case "evaluation_run_updated":
            return scope.strategy_id in ("", event.key.partition("/")[2])
        case _:
            return True


def relayed(event: controlpb.ControlEvent, world_id: str) -> controlpb.ControlEvent:
    """An event as a world's stream shows it; the event given is shared and stays as it is.

    An activation leaves with its derived domain, one without a mode we know as compute-only; names of a strategy's
    other worlds stay here, as do their shares, legs and sums.
    """
    match payload_type(event):
        case "activation_updated":
            return _with_domain(event)
        case "strategy_state_changed" if len(event.strategy_state_changed.world_ids) > 1:
            copy = _copied(event)
            copy.strategy_state_changed.world_ids[:] = [world_id]
            return copy
        case "allocation_updated":
            copy = _copied(event)
            _only(copy.allocation_updated.allocations.worlds, world_id)
            _only(copy.allocation_updated.allocations.strategies, world_id)
            return copy
        case "rebalancing_planned":
            copy = _copied(event)
            _of_one_world(copy.rebalancing_planned.run, world_id)
            return copy
        case "rebalance_state_changed":
            copy = _copied(event)
            _of_one_world(copy.rebalance_state_changed.run, world_id)
            return copy
    return event


def _only(rows: Any, world_id: str) -> None:
    """Drop rows of other worlds from a repeated field of a message that is ours."""
    kept = [row for row in rows if row.world_id == world_id]
    del rows[:]
    rows.extend(kept)


def _of_one_world(run: rebalancepb.RebalanceRun, world_id: str) -> None:
    """A run without other worlds' legs, and without progress, which has a place for each leg of all worlds."""
    _only(run.plan.legs, world_id)
    for whole in (run.plan.before, run.plan.after):
        whole.Clear()
    del run.plan.warnings[:]
    del run.progress[:]
    run.world_ids[:] = [world_id]


def _with_domain(event: controlpb.ControlEvent) -> controlpb.ControlEvent:
    copy = _copied(event)
    activation = copy.activation_updated.activation
    mode = MODES.get(activation.effective_mode)
    if mode is None:
        activation.effective_mode = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
        activation.execution_domain = commonpb.EXECUTION_DOMAIN_BACKTEST
    else:
        activation.execution_domain = DOMAIN_NUMBERS[domain_of(mode)]
    return copy


def _copied(event: controlpb.ControlEvent) -> controlpb.ControlEvent:
    copy = controlpb.ControlEvent()
    copy.CopyFrom(event)
    return copy


def _control_event(body: bytes) -> controlpb.ControlEvent | None:
    try:
        return decode(body)
    except UndecodableEvent as error:
        log.error("event_undecodable", error=str(error))
        return None


def _control_mark(event: controlpb.ControlEvent) -> tuple[str, int]:
    return f"{payload_type(event)} {event.key}", event.revision


def _order_events(body: bytes) -> orderpb.OrderEvents | None:
    try:
        found = orderpb.OrderEvents.FromString(body)
    except DecodeError as error:
        log.error("order_events_undecodable", error=str(error))
        return None
    return found if found.events else None


def _orders_mark(found: orderpb.OrderEvents) -> tuple[str, int]:
    return found.events[-1].account, found.events[-1].account_event_number


async def _orders_worlds(found: orderpb.OrderEvents) -> tuple[str, ...]:
    return (found.events[0].world_id,)
