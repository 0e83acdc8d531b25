"""How current a world's data is: the lag of its end behind now, or behind a replay's watermark.

Where a live feed tells the close of the earliest bar that is expected and has not come, the lag is counted from there:
a healthy feed of daily bars is never late by a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict
from worldservice.evaluation.domain.thresholds import span_text
from worldservice.policy.domain.policy import Policy
from worldservice.worlds.domain.feed import Feed
from worldservice.worlds.domain.session import Session

_FUTURE_SLACK = timedelta(minutes=1)  # data that ends later than this after now is a clock fault, not freshness


@dataclass(frozen=True, slots=True)
class DataState:
    """Until when the world has data, and the time that is measured against (a replay's is its watermark)."""

    now: datetime
    data_end: datetime | None
    next_close: datetime | None = None  # of the earliest bar that is expected and has not come, where a feed tells


def data_currency(policy: Policy, data: DataState) -> RuleVerdict:
    """now - data_end <= max_lag, for the whole world; by the next expected close where it is known."""
    max_lag = policy.max_lag
    rule = f"now - {'data_end' if data.next_close is None else 'next_close'} <= {span_text(max_lag)}"
    if data.data_end is None:
        return _currency(
            rule, Outcome.FAIL, DecisionReason.DATA_END_UNKNOWN, "nothing says until when the world has data"
        )
    ahead = data.data_end - data.now
    if ahead > _FUTURE_SLACK:
        return _currency(
            rule, Outcome.FAIL, DecisionReason.DATA_END_IN_FUTURE, f"data ends {span_text(ahead)} after now"
        )
    lag = data.now - (data.next_close or data.data_end)
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
    now: datetime,
    evaluated_end: datetime | None,
    open_sessions: tuple[Session, ...],
    feeds: tuple[Feed, ...] = (),
    unfed: int = 0,
    *,
    replay: bool,
) -> DataState:
    """How current a world's data is: a replay is measured against its own session's watermark, not the wall clock.

    `feeds` are those of the world's presets: the one that is furthest behind counts. `unfed` is how many presets have
    none: beside one that has, such a preset is not current by the other's feed, nor by sessions that this moved.
    """
    newest = max((session.watermark for session in open_sessions), default=None)
    if replay:
        data_end = newest or evaluated_end
        return DataState(data_end or now, data_end)
    if feeds and unfed:
        return DataState(now, None)
    if feeds:
        return DataState(now, min(feed.watermark for feed in feeds), min(feed.next_close for feed in feeds))
    ends = [end for end in (newest, evaluated_end) if end is not None]
    return DataState(now, max(ends, default=None))
