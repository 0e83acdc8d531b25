"""The gateway's messages to values and back, and the checks of a submission that need meaning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from gateway.domain.gate import Asked, GateDenial, GateEntry, Passed, Refused, Side, WorldGate
from gateway.domain.submissions import State, check_crc32, check_request, strategy_id_of
from gateway.store import STATE_NUMBERS, Record, Step, Submission
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.dag import Dag
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import digest, node_ids_crc32
from qmtl.core.modes import ContextHint
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.wire.graph import dag_from_proto
from qmtl.wire.windows import windows_from_proto
from qmtl.wire.words import DOMAIN_NUMBERS, DOMAINS, MODES, instant_from_proto, instant_to_proto, known_enum
from qmtl.world.v1 import world_pb2 as worldpb

BODY_MAX = 8 * 1024 * 1024
WEIGHT_UNIT = Decimal("1e-8")
SIDES: Mapping[commonpb.Side, Side] = {commonpb.SIDE_LONG: Side.LONG, commonpb.SIDE_SHORT: Side.SHORT}
STATES = {number: state for state, number in STATE_NUMBERS.items()}
DENIALS: Mapping[GateDenial, brokerpb.Denial] = {
    GateDenial.ACTIVATION_UNKNOWN: brokerpb.DENIAL_GATE_ACTIVATION_UNKNOWN,
    GateDenial.ACTIVATION_STALE: brokerpb.DENIAL_GATE_ACTIVATION_STALE,
    GateDenial.INACTIVE: brokerpb.DENIAL_GATE_INACTIVE,
    GateDenial.FROZEN: brokerpb.DENIAL_GATE_FROZEN,
    GateDenial.MODE_FORBIDS_ORDERS: brokerpb.DENIAL_GATE_MODE_FORBIDS_ORDERS,
    GateDenial.OUTSIDE_WINDOW: brokerpb.DENIAL_GATE_OUTSIDE_WINDOW,
    GateDenial.OTHER_CANARY_SHARE: brokerpb.DENIAL_GATE_OTHER_CANARY_SHARE,
    GateDenial.SESSION_LAPSED: brokerpb.DENIAL_GATE_SESSION_LAPSED,
}
ORDER_SIDES = {brokerpb.ORDER_SIDE_BUY: True, brokerpb.ORDER_SIDE_SELL: False}
POSITION_SIDES: Mapping[brokerpb.PositionSide, Side | None] = {
    brokerpb.POSITION_SIDE_UNSPECIFIED: None,
    brokerpb.POSITION_SIDE_BOTH: None,
    brokerpb.POSITION_SIDE_LONG: Side.LONG,
    brokerpb.POSITION_SIDE_SHORT: Side.SHORT,
}


def submission_from_proto(request: servicepb.SubmitStrategyRequest, subject: str) -> Submission:
    """A submission, fully checked but for what other services know.

    Raises InvalidRequest: E_TOO_LARGE, E_REQUEST_ID, E_NAME, E_WORLD_IDS..., E_CHECKSUM_MISMATCH, those of check_dag.
    """
    body = request.SerializeToString(deterministic=True)
    dag = checked_dag(request, len(body))
    check_request(request.request_id, request.meta.name, list(request.world_ids))
    return Submission(
        strategy_id=strategy_id_of(subject, request.request_id),
        request_id=request.request_id,
        body_digest=digest(body),
        request=body,
        name=request.meta.name,
        dag_digest=dag.digest,
        nodes=len(dag.nodes),
        subject=subject,
        world_ids=tuple(sorted(request.world_ids)),
    )


def checked_dag(request: servicepb.SubmitStrategyRequest | servicepb.DryRunStrategyRequest, size: int) -> Dag:
    """The request's DAG, checked. Raises InvalidRequest: E_TOO_LARGE, E_CHECKSUM_MISMATCH and those of check_dag."""
    if size > BODY_MAX:
        violation = Violation("request", f"{size} bytes", f"at most {BODY_MAX}")
        raise InvalidRequest("E_TOO_LARGE", str(violation), violations=(violation,))
    dag = dag_from_proto(request.dag)
    check_crc32(request.node_ids_crc32, node_ids_crc32(dag.node_ids))
    if request.hints.execution_domain:
        known_enum(DOMAINS, request.hints.execution_domain, "hints.execution_domain")
    return dag


def hint_from_proto(world_id: str, hints: gatewaypb.ComputeHints) -> ContextHint:
    """The client's hints for one world. Raises InvalidRequest (E_ENUM)."""
    number = hints.execution_domain
    domain = known_enum(DOMAINS, number, "hints.execution_domain") if number else None
    return ContextHint(world_id, domain, hints.partition, hints.dataset_fingerprint)


def hinted_as_of(hints: gatewaypb.ComputeHints) -> datetime | None:
    """The data snapshot the client pinned itself, if any. Raises InvalidRequest (E_TIMESTAMP)."""
    return instant_from_proto(hints.as_of, "hints.as_of") if hints.HasField("as_of") else None


def strategy_to_proto(record: Record, *, outcomes: bool = True) -> gatewaypb.Strategy:
    """A stored submission for a reader."""
    request = servicepb.SubmitStrategyRequest.FromString(record.request)
    message = gatewaypb.Strategy(
        strategy_id=record.strategy_id,
        meta=request.meta,
        state=STATE_NUMBERS[record.state],
        reason=record.reason,
        submitted_by=record.subject,
        created_at=instant_to_proto(record.created_at),
        updated_at=instant_to_proto(record.updated_at),
        world_ids=record.world_ids,
        dag_digest=record.dag_digest,
        nodes=record.nodes,
        revision=record.revision,
        release_pending=record.release_pending,
    )
    if record.outcome is not None:
        stored = gatewaypb.Strategy.FromString(record.outcome)
        message.sentinel_id = stored.sentinel_id
        message.plan_version = stored.plan_version
        if outcomes:
            message.outcomes.extend(stored.outcomes)
    return message


def history_to_proto(entries: list[tuple[int, Step]]) -> servicepb.GetStrategyHistoryResponse:
    """The steps of a strategy's life."""
    return servicepb.GetStrategyHistoryResponse(
        entries=[
            gatewaypb.StrategyHistoryEntry(
                sequence=sequence, state=STATE_NUMBERS[step.state], reason=step.reason, actor=step.actor,
                time=instant_to_proto(step.at),
            )
            for sequence, step in entries
        ]
    )  # fmt: skip


def state_from_proto(number: controlpb.StrategyState) -> State | None:
    """A state filter; unspecified is none. Raises InvalidRequest (E_ENUM)."""
    return known_enum(STATES, number, "state") if number else None


def gate_from_proto(activation: worldpb.ActivationEnvelope) -> WorldGate:
    """An activation as the gate reads it. Raises InvalidRequest (E_ENUM, E_WEIGHT, E_WINDOW): the gate stays shut."""
    return WorldGate(
        world_id=activation.world_id,
        revision=activation.revision,
        epoch=activation.epoch,
        mode=known_enum(MODES, activation.effective_mode, "activation.effective_mode"),
        entries={
            (entry.strategy_id, known_enum(SIDES, entry.side, "entry.side")): _entry_from_proto(entry)
            for entry in activation.entries
        },
        windows=windows_from_proto(activation.windows),
    )


def asked_from_proto(order: brokerpb.Order) -> Asked:
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
    return Asked(
        order.strategy_id, ORDER_SIDES[order.side], order.reduce_only, POSITION_SIDES[order.position_side],
        order.symbol, order.strategy_version,
    )  # fmt: skip


def stamp_to_proto(passed: Passed, gateway_id: str) -> brokerservicepb.GateStamp:
    """What brokerage is told of a passed order."""
    return brokerservicepb.GateStamp(
        epoch=passed.epoch,
        weight=format_decimal(passed.weight),
        execution_domain=DOMAIN_NUMBERS[passed.domain],
        gateway_id=gateway_id,
        revision=passed.revision,
        reduce_only=passed.reduce_only,
    )


def refusal_to_proto(order: brokerpb.Order, refused: Refused) -> brokerpb.OrderStatus:
    """A refusal by the gate, in the words of an order's status."""
    return brokerpb.OrderStatus(
        order=order,
        state=brokerpb.ORDER_STATE_DENIED,
        view=brokerpb.ORDER_VIEW_DENIED,
        denial=DENIALS[refused.denial],
        reason=refused.reason,
        working_quantity="0",
        cumulative_quantity="0",
    )


def _weight_from_proto(weight: float) -> Decimal:
    """Toward zero to the places brokerage counts in: 1/3 must not make it refuse every order, reducing ones too."""
    if not 0.0 <= weight <= 1.0:
        violation = Violation("entry.weight", str(weight), "0 to 1")
        raise InvalidRequest("E_WEIGHT", str(violation), violations=(violation,))
    return Decimal(str(weight)).quantize(WEIGHT_UNIT, ROUND_DOWN)


def _entry_from_proto(entry: worldpb.ActivationEntry) -> GateEntry:
    return GateEntry(
        active=entry.active,
        weight=_weight_from_proto(entry.weight),
        freeze=entry.freeze,
        drain=entry.drain,
        valid_from=instant_from_proto(entry.valid_from, "valid_from") if entry.HasField("valid_from") else None,
        valid_until=instant_from_proto(entry.valid_until, "valid_until") if entry.HasField("valid_until") else None,
        mode=known_enum(MODES, entry.effective_mode, "entry.effective_mode"),
    )
