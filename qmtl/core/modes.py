"""Modes, execution domains and the one function that decides a compute context.

The client never picks its execution domain: `decide_context` derives it from the world's decision
and lowers it, never raises it, when the decision is missing or stale or the data snapshot is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never


class ExecutionDomain(Enum):
    """Where a computation runs; part of every ComputeKey."""

    BACKTEST = "BACKTEST"
    DRYRUN = "DRYRUN"
    LIVE = "LIVE"
    SHADOW = "SHADOW"


class EffectiveMode(Enum):
    """What a world's policy allows a strategy to do now."""

    VALIDATE = "VALIDATE"
    COMPUTE_ONLY = "COMPUTE_ONLY"
    PAPER = "PAPER"
    LIVE = "LIVE"
    SHADOW = "SHADOW"


class DowngradeReason(Enum):
    """Why a context is lower than the hint or the decision asked for."""

    DECISION_UNAVAILABLE = "DECISION_UNAVAILABLE"
    STALE_DECISION = "STALE_DECISION"
    MISSING_AS_OF = "MISSING_AS_OF"
    MODE_CEILING = "MODE_CEILING"


_ORDER = (
    EffectiveMode.COMPUTE_ONLY,
    EffectiveMode.VALIDATE,
    EffectiveMode.SHADOW,
    EffectiveMode.PAPER,
    EffectiveMode.LIVE,
)
_DOMAIN_ORDER = (ExecutionDomain.BACKTEST, ExecutionDomain.SHADOW, ExecutionDomain.DRYRUN, ExecutionDomain.LIVE)


def domain_of(mode: EffectiveMode) -> ExecutionDomain:
    """The execution domain a mode runs in; total over the enum."""
    match mode:
        case EffectiveMode.VALIDATE | EffectiveMode.COMPUTE_ONLY:
            return ExecutionDomain.BACKTEST
        case EffectiveMode.PAPER:
            return ExecutionDomain.DRYRUN
        case EffectiveMode.LIVE:
            return ExecutionDomain.LIVE
        case EffectiveMode.SHADOW:
            return ExecutionDomain.SHADOW
        case _:
            assert_never(mode)


def lower(mode_a: EffectiveMode, mode_b: EffectiveMode) -> EffectiveMode:
    """The mode that may trade less; of COMPUTE_ONLY, VALIDATE, SHADOW, PAPER, LIVE the earlier one."""
    return min(mode_a, mode_b, key=_ORDER.index)


def orders_allowed(domain: ExecutionDomain) -> bool:
    """Whether orders can pass a gate in this domain at all."""
    return domain in (ExecutionDomain.DRYRUN, ExecutionDomain.LIVE)


@dataclass(frozen=True, slots=True)
class ContextHint:
    """What a client says about its context. `execution_domain` is what it hopes for; it is never followed."""

    world_id: str
    execution_domain: ExecutionDomain | None = None
    partition: str = ""
    dataset_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ModeDecision:
    """The part of a world's decision that a context depends on. `as_of` is a session's start, or None."""

    effective_mode: EffectiveMode
    as_of: datetime | None = None
    dataset_fingerprint: str = ""
    operator_set: bool = False


@dataclass(frozen=True, slots=True)
class ComputeContext:
    """Where and on what data a strategy computes in one world. safe_mode: no cache reuse, no sentinel, gates shut."""

    world_id: str
    execution_domain: ExecutionDomain
    as_of: datetime | None = None
    partition: str = ""
    dataset_fingerprint: str = ""
    downgraded: bool = False
    downgrade_reason: DowngradeReason | None = None
    safe_mode: bool = False


def decide_context(
    hint: ContextHint, decision: ModeDecision | None, *, stale: bool, as_of: datetime | None
) -> ComputeContext:
    """Decide the compute context; pure and total.

    `as_of` is the snapshot the caller pinned (the newest sealed artifact of the world's preset); a
    fresh decision's own as_of wins over it, a stale one's is not kept. LIVE without an as_of is
    lowered like DRYRUN: without its session there is no shared ComputeKey to run under. SHADOW that no
    operator set is lowered to BACKTEST; a hint above the decision is answered with the decision's domain.
    """
    if decision is None:
        return _lowered(hint, DowngradeReason.DECISION_UNAVAILABLE, as_of)
    if stale:
        return _lowered(hint, DowngradeReason.STALE_DECISION, as_of)
    if decision.effective_mode is EffectiveMode.SHADOW and not decision.operator_set:
        return _lowered(hint, DowngradeReason.MODE_CEILING, as_of)
    pinned = decision.as_of or as_of
    domain = domain_of(decision.effective_mode)
    if pinned is None and domain is not ExecutionDomain.SHADOW:
        return _lowered(hint, DowngradeReason.MISSING_AS_OF, None)
    capped = hint.execution_domain is not None and _rank(domain) < _rank(hint.execution_domain)
    return ComputeContext(
        world_id=hint.world_id,
        execution_domain=domain,
        as_of=pinned,
        partition=hint.partition,
        dataset_fingerprint=decision.dataset_fingerprint or hint.dataset_fingerprint,
        downgraded=capped,
        downgrade_reason=DowngradeReason.MODE_CEILING if capped else None,
    )


def _rank(domain: ExecutionDomain) -> int:
    return _DOMAIN_ORDER.index(domain)


def _lowered(hint: ContextHint, reason: DowngradeReason, as_of: datetime | None) -> ComputeContext:
    return ComputeContext(
        world_id=hint.world_id,
        execution_domain=ExecutionDomain.BACKTEST,
        as_of=as_of,
        partition=hint.partition,
        dataset_fingerprint=hint.dataset_fingerprint,
        downgraded=True,
        downgrade_reason=reason,
        safe_mode=True,
    )
