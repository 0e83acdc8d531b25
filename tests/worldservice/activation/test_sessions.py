"""Sessions open with the first strategy, close with the last; gate sessions lapse; roles add up."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain.activation import Activation, empty, narrowed
from worldservice.activation.domain.gate_session import GateSession, gate_lapsed, lags
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.domain.sessions import follow
from worldservice.evaluation.domain.data_currency import data_state
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.session import SessionPlan, advance

PLAN = SessionPlan(NOW - timedelta(days=3), "demo.btc.15m", "blake3:history")
BOUND = {"s": binding("s", Stage.PAPER)}


def trading() -> Activation:
    change = Change("s", Side.LONG, active=True, stage=Stage.PAPER)
    return change_activation(empty("alpha", NOW), [change], BOUND, lambda *_: EffectiveMode.PAPER, NOW)[0]


def test_the_first_strategy_opens_the_session_and_later_ones_share_it() -> None:
    (session,) = follow(trading(), (), PLAN, NOW)
    assert session.domain is ExecutionDomain.DRYRUN
    assert re.fullmatch(r"alpha-dryrun-[0-9a-f]{12}", session.session_id)
    assert session.start == session.watermark == PLAN.start
    assert follow(trading(), (session,), PLAN, NOW + timedelta(hours=1)) == ()


def test_the_last_one_to_leave_closes_it() -> None:
    (session,) = follow(trading(), (), PLAN, NOW)
    left = narrowed(trading(), BOUND, lambda *_: EffectiveMode.COMPUTE_ONLY, NOW)
    (closed,) = follow(left, (session,), PLAN, NOW + timedelta(hours=1))
    assert closed == replace(session, closed_at=NOW + timedelta(hours=1))


def test_one_that_is_only_deactivated_keeps_it_open() -> None:
    (session,) = follow(trading(), (), PLAN, NOW)
    change = Change("s", Side.LONG, active=False)
    stopped = change_activation(trading(), [change], BOUND, lambda *_: EffectiveMode.PAPER, NOW)[0]
    assert not any(entry.active for entry in stopped.entries)
    assert follow(stopped, (session,), PLAN, NOW + timedelta(hours=1)) == ()


def test_a_watermark_only_grows() -> None:
    (session,) = follow(trading(), (), PLAN, NOW)
    ahead = advance(session, PLAN.start + timedelta(hours=2))
    assert ahead.watermark == PLAN.start + timedelta(hours=2)
    assert advance(ahead, PLAN.start).watermark == ahead.watermark
    with pytest.raises(NotReady):
        advance(replace(session, closed_at=NOW), NOW)


def test_a_replay_is_measured_against_its_own_watermark() -> None:
    (session,) = follow(trading(), (), PLAN, NOW)
    replay = data_state(NOW, PLAN.start, (session,), replay=True)
    assert replay.now == replay.data_end == PLAN.start
    assert data_state(NOW, PLAN.start, (session,), replay=False).now == NOW
    assert data_state(NOW, None, (), replay=True).data_end is None


def test_a_gate_session_is_counted_gone_after_ttl_and_margin() -> None:
    session = GateSession("g1", "b1", NOW, {}, NOW)
    assert not gate_lapsed(session, NOW + GATE_TTL + GATE_MARGIN)
    assert gate_lapsed(session, NOW + GATE_TTL + GATE_MARGIN + timedelta(microseconds=1))


def test_a_gateway_may_lag_only_for_the_allowed_skew() -> None:
    current = {"a": (3, NOW), "b": (1, NOW)}
    skew = timedelta(seconds=2)
    assert lags({"a": 3, "b": 1}, current, NOW + timedelta(minutes=1), skew) == []
    assert lags({"a": 2, "b": 1}, current, NOW + timedelta(seconds=2), skew) == []
    assert lags({"a": 2, "b": 0}, current, NOW + timedelta(seconds=3), skew) == ["a", "b"]


def test_a_gateway_does_not_lag_in_a_world_it_has_heard_nothing_of() -> None:
    """It is shut there, and the answer to its renewal brings what it has to apply."""
    assert lags({}, {"a": (3, NOW)}, NOW + timedelta(hours=1), timedelta(seconds=2)) == []
