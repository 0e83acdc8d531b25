"""How current a world's data is: the lag of its end behind now, or behind a replay's watermark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict
from worldservice.evaluation.domain.thresholds import span_text
from worldservice.policy.domain.policy import Policy
from worldservice.worlds.domain.session import Session

_FUTURE_SLACK = timedelta(minutes=1)  # data that ends later than this after now is a clock fault, not freshness


@dataclass(frozen=True, slots=True)
class DataState:
    """Until when the world has data, and the time that is measured against (a replay's is its watermark)."""

    now: datetime
    data_end: datetime | None


def data_currency(policy: Policy, data: DataState) -> RuleVerdict:
    """now - data_end <= max_lag, for the whole world."""
    max_lag = policy.max_lag
    rule = f"now - data_end <= {span_text(max_lag)}"
    if data.data_end is None:
        return _currency(
            rule, Outcome.FAIL, DecisionReason.DATA_END_UNKNOWN, "nothing says until when the world has data"
        )
    lag = data.now - data.data_end
    if lag < -_FUTURE_SLACK:
        return _currency(
            rule, Outcome.FAIL, DecisionReason.DATA_END_IN_FUTURE, f"data ends {span_text(-lag)} after now"
        )
    if lag > max_lag:
        return _currency(
            rule,
            Outcome.FAIL,
            DecisionReason.DATA_STALE,
            f"data is {span_text(lag)} old, at most {span_text(max_lag)} counts",
        )
    return _currency(rule, Outcome.PASS, None, f"data is {span_text(max(lag, timedelta()))} old")


def _currency(rule: str, outcome: Outcome, reason: DecisionReason | None, explanation: str) -> RuleVerdict:
    return RuleVerdict(PipelineStage.DATA_CURRENCY, rule, outcome, reason, (), explanation)


def data_state(
    now: datetime, evaluated_end: datetime | None, open_sessions: tuple[Session, ...], *, replay: bool
) -> DataState:
    """How current a world's data is: a replay is measured against its own session's watermark, not the wall clock."""
    newest = max((session.watermark for session in open_sessions), default=None)
    if replay:
        data_end = newest or evaluated_end
        return DataState(data_end or now, data_end)
    ends = [end for end in (newest, evaluated_end) if end is not None]
    return DataState(now, max(ends, default=None))
