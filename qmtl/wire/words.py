"""Words every door shares, message to value and back: modes, domains, contexts, instants.

Nothing is defaulted: an unspecified or unknown enum is refused here, naming the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from google.protobuf import timestamp_pb2

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.modes import ComputeContext, DowngradeReason, EffectiveMode, ExecutionDomain

E = TypeVar("E", bound=Enum)
N = TypeVar("N", bound=int)

DOMAINS: Mapping[commonpb.ExecutionDomain, ExecutionDomain] = {
    commonpb.EXECUTION_DOMAIN_BACKTEST: ExecutionDomain.BACKTEST,
    commonpb.EXECUTION_DOMAIN_DRYRUN: ExecutionDomain.DRYRUN,
    commonpb.EXECUTION_DOMAIN_LIVE: ExecutionDomain.LIVE,
    commonpb.EXECUTION_DOMAIN_SHADOW: ExecutionDomain.SHADOW,
}
MODES: Mapping[commonpb.EffectiveMode, EffectiveMode] = {
    commonpb.EFFECTIVE_MODE_VALIDATE: EffectiveMode.VALIDATE,
    commonpb.EFFECTIVE_MODE_COMPUTE_ONLY: EffectiveMode.COMPUTE_ONLY,
    commonpb.EFFECTIVE_MODE_PAPER: EffectiveMode.PAPER,
    commonpb.EFFECTIVE_MODE_LIVE: EffectiveMode.LIVE,
    commonpb.EFFECTIVE_MODE_SHADOW: EffectiveMode.SHADOW,
}
DOWNGRADES: Mapping[commonpb.DowngradeReason, DowngradeReason] = {
    commonpb.DOWNGRADE_REASON_DECISION_UNAVAILABLE: DowngradeReason.DECISION_UNAVAILABLE,
    commonpb.DOWNGRADE_REASON_STALE_DECISION: DowngradeReason.STALE_DECISION,
    commonpb.DOWNGRADE_REASON_MISSING_AS_OF: DowngradeReason.MISSING_AS_OF,
    commonpb.DOWNGRADE_REASON_MODE_CEILING: DowngradeReason.MODE_CEILING,
}
DOMAIN_NUMBERS = {value: number for number, value in DOMAINS.items()}
MODE_NUMBERS = {value: number for number, value in MODES.items()}
DOWNGRADE_NUMBERS = {value: number for number, value in DOWNGRADES.items()}


def context_from_proto(message: commonpb.ComputeContext) -> ComputeContext:
    """One compute context. A downgrade reason this build does not know is kept out; it decides nothing here."""
    return ComputeContext(
        world_id=message.world_id,
        execution_domain=known_enum(DOMAINS, message.execution_domain, "context.execution_domain"),
        as_of=instant_from_proto(message.as_of, "context.as_of") if message.HasField("as_of") else None,
        partition=message.partition,
        dataset_fingerprint=message.dataset_fingerprint,
        downgraded=message.downgraded,
        downgrade_reason=DOWNGRADES.get(message.downgrade_reason),
        safe_mode=message.safe_mode,
    )


def context_to_proto(context: ComputeContext) -> commonpb.ComputeContext:
    """The inverse of context_from_proto."""
    message = commonpb.ComputeContext(
        world_id=context.world_id,
        execution_domain=DOMAIN_NUMBERS[context.execution_domain],
        as_of=instant_to_proto(context.as_of) if context.as_of is not None else None,
        partition=context.partition,
        dataset_fingerprint=context.dataset_fingerprint,
        downgraded=context.downgraded,
        safe_mode=context.safe_mode,
    )
    if context.downgrade_reason is not None:
        message.downgrade_reason = DOWNGRADE_NUMBERS[context.downgrade_reason]
    return message


def instant_from_proto(message: timestamp_pb2.Timestamp, field: str) -> datetime:
    """A UTC instant. Raises InvalidRequest (E_TIMESTAMP) outside datetime's range or below a microsecond."""
    if message.nanos % 1000:
        raise refused("E_TIMESTAMP", field, f"{message.nanos} ns", "whole microseconds")
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise refused("E_TIMESTAMP", field, f"{message.seconds} s", "an instant of the years 1 to 9999") from None


def instant_to_proto(instant: datetime) -> timestamp_pb2.Timestamp:
    """A Timestamp of a UTC instant."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(instant)
    return message


def domain_number(domain: ExecutionDomain | None) -> commonpb.ExecutionDomain:
    """The wire's number of a domain; none is unspecified."""
    return commonpb.EXECUTION_DOMAIN_UNSPECIFIED if domain is None else DOMAIN_NUMBERS[domain]


def known_enum(table: Mapping[N, E], number: N, field: str) -> E:
    """The value of an enum number. Raises InvalidRequest (E_ENUM): unspecified and unknown are never guessed."""
    value = table.get(number)
    if value is None:
        shown = "unspecified" if number == 0 else str(number)
        raise refused("E_ENUM", field, shown, "one of " + ", ".join(known.name for known in table.values()))
    return value


def refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    """The error of one field that is wrong."""
    violation = Violation(field, value, want)
    return InvalidRequest(reason, str(violation), violations=(violation,))
