"""What campaigns block by, what of it an owner may waive, and what is asked again behind a freeze."""

from __future__ import annotations

from enum import StrEnum


class BlockReason(StrEnum):
    """What campaigns block by; the hub of risk adds RISK_* and VAR_MODEL_REJECTED to the same list."""

    NOT_PAPER_STAGE = "NOT_PAPER_STAGE"
    MISSING_BACKTEST_RUN = "MISSING_BACKTEST_RUN"
    MISSING_PAPER_RUN = "MISSING_PAPER_RUN"
    BACKTEST_WINDOW_INCOMPLETE = "BACKTEST_WINDOW_INCOMPLETE"
    PAPER_WINDOW_INCOMPLETE = "PAPER_WINDOW_INCOMPLETE"
    INSUFFICIENT_TRADES = "INSUFFICIENT_TRADES"
    METRIC_MISSING = "METRIC_MISSING"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    DEFLATED_SHARPE_LOW = "DEFLATED_SHARPE_LOW"
    OVERFIT = "OVERFIT"
    PBO_UNKNOWN = "PBO_UNKNOWN"
    CROSS_CONTEXT_CACHE_HIT = "CROSS_CONTEXT_CACHE_HIT"
    DIVERGENCE_MISSING = "DIVERGENCE_MISSING"
    DIVERGENCE_STALE = "DIVERGENCE_STALE"
    DIVERGENCE_GUARD = "DIVERGENCE_GUARD"
    SHARE_MISSING = "SHARE_MISSING"
    COOLDOWN_ACTIVE = "COOLDOWN_ACTIVE"
    MAX_LIVE_SLOTS = "MAX_LIVE_SLOTS"
    APPROVAL_MISSING = "APPROVAL_MISSING"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    VERSION_CHANGED = "VERSION_CHANGED"
    LIVE_NOT_ALLOWED = "LIVE_NOT_ALLOWED"
    REPLAY_NEVER_LIVE = "REPLAY_NEVER_LIVE"
    APPLY_RUNNING = "APPLY_RUNNING"
    CANARY_SHARE = "CANARY_SHARE"
    CANARY_DAYS = "CANARY_DAYS"
    BREACH_OPEN = "BREACH_OPEN"
    NOT_TRADING_LIVE = "NOT_TRADING_LIVE"


OVERRIDABLE = frozenset(
    {
        BlockReason.BACKTEST_WINDOW_INCOMPLETE,
        BlockReason.PAPER_WINDOW_INCOMPLETE,
        BlockReason.INSUFFICIENT_TRADES,
        BlockReason.DEFLATED_SHARPE_LOW,
        BlockReason.OVERFIT,
        BlockReason.PBO_UNKNOWN,
        BlockReason.VERSION_CHANGED,
    }
)
"""What an owner may waive for one revision of one run; what guards money, roles and isolation is not among them."""
AGAIN_WHEN_SWITCHING = frozenset(
    {BlockReason.MAX_LIVE_SLOTS, BlockReason.APPROVAL_MISSING, BlockReason.APPROVAL_EXPIRED}
)
"""What may have changed while a world was frozen, and is asked again before it is switched."""
