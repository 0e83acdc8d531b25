"""Compute contexts, execution domains and modes, message to value and back."""

from __future__ import annotations

from collections.abc import Mapping

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.modes import ComputeContext, DowngradeReason, EffectiveMode, ExecutionDomain
from qmtl.wire.fields import known_enum
from qmtl.wire.instants import instant_from_proto, instant_to_proto

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


def domain_number(domain: ExecutionDomain | None) -> commonpb.ExecutionDomain:
    """The wire's number of a domain; none is unspecified."""
    return commonpb.EXECUTION_DOMAIN_UNSPECIFIED if domain is None else DOMAIN_NUMBERS[domain]
