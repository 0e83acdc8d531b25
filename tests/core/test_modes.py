"""The downgrade function, over its whole input space: it never widens what may trade."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from qmtl.core.modes import (
    ContextHint,
    DowngradeReason,
    EffectiveMode,
    ExecutionDomain,
    ModeDecision,
    decide_context,
    domain_of,
    lower,
    orders_allowed,
)

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = datetime(2026, 2, 1, tzinfo=UTC)
HINTS = [ContextHint("w", domain, "p", "f") for domain in (None, *ExecutionDomain)]
DECISIONS = [
    ModeDecision(mode, as_of, "", operator)
    for mode, as_of, operator in itertools.product(EffectiveMode, (None, SESSION), (False, True))
]
EVERY = list(itertools.product(HINTS, [None, *DECISIONS], (False, True), (None, AS_OF)))


@pytest.mark.parametrize(
    ("mode", "domain"),
    [
        (EffectiveMode.VALIDATE, ExecutionDomain.BACKTEST),
        (EffectiveMode.COMPUTE_ONLY, ExecutionDomain.BACKTEST),
        (EffectiveMode.PAPER, ExecutionDomain.DRYRUN),
        (EffectiveMode.LIVE, ExecutionDomain.LIVE),
        (EffectiveMode.SHADOW, ExecutionDomain.SHADOW),
    ],
)
def test_domain_of(mode: EffectiveMode, domain: ExecutionDomain) -> None:
    assert domain_of(mode) is domain


def test_unknown_mode_is_an_error() -> None:
    with pytest.raises(AssertionError):
        domain_of("PAPER")  # type: ignore[arg-type]  # the mistake under test


def test_lower_is_symmetric_and_never_trades_more() -> None:
    for a, b in itertools.product(EffectiveMode, EffectiveMode):
        assert lower(a, b) is lower(b, a)
        assert orders_allowed(domain_of(lower(a, b))) <= min(orders_allowed(domain_of(a)), orders_allowed(domain_of(b)))
    assert lower(EffectiveMode.LIVE, EffectiveMode.PAPER) is EffectiveMode.PAPER


def test_hint_never_changes_the_domain() -> None:
    for _, decision, stale, as_of in EVERY:
        domains = {decide_context(hint, decision, stale=stale, as_of=as_of).execution_domain for hint in HINTS}
        assert len(domains) == 1


def test_orders_only_from_a_fresh_decision_that_allows_them() -> None:
    for hint, decision, stale, as_of in EVERY:
        context = decide_context(hint, decision, stale=stale, as_of=as_of)
        if orders_allowed(context.execution_domain):
            assert decision is not None
            assert not stale
            assert context.execution_domain is domain_of(decision.effective_mode)
            assert not context.safe_mode
            assert context.as_of is not None


def test_downgrade_always_has_a_reason() -> None:
    for hint, decision, stale, as_of in EVERY:
        context = decide_context(hint, decision, stale=stale, as_of=as_of)
        assert context.downgraded == (context.downgrade_reason is not None)
        if context.safe_mode:
            assert context.downgraded
            assert context.execution_domain is ExecutionDomain.BACKTEST


def test_no_decision_is_a_safe_backtest() -> None:
    context = decide_context(HINTS[0], None, stale=False, as_of=AS_OF)
    assert context.downgrade_reason is DowngradeReason.DECISION_UNAVAILABLE
    assert context.safe_mode


def test_stale_decision_loses_its_as_of() -> None:
    decision = ModeDecision(EffectiveMode.PAPER, SESSION)
    context = decide_context(HINTS[0], decision, stale=True, as_of=None)
    assert context.downgrade_reason is DowngradeReason.STALE_DECISION
    assert context.as_of is None


@pytest.mark.parametrize(
    "mode", [EffectiveMode.VALIDATE, EffectiveMode.COMPUTE_ONLY, EffectiveMode.PAPER, EffectiveMode.LIVE]
)
def test_missing_as_of_is_a_safe_backtest(mode: EffectiveMode) -> None:
    context = decide_context(HINTS[0], ModeDecision(mode), stale=False, as_of=None)
    assert context.downgrade_reason is DowngradeReason.MISSING_AS_OF
    assert context.safe_mode


def test_validate_with_a_snapshot_is_not_safe_mode() -> None:
    context = decide_context(HINTS[0], ModeDecision(EffectiveMode.VALIDATE), stale=False, as_of=AS_OF)
    assert (context.execution_domain, context.downgraded, context.safe_mode) == (ExecutionDomain.BACKTEST, False, False)


def test_session_start_wins_over_the_pinned_snapshot() -> None:
    context = decide_context(HINTS[0], ModeDecision(EffectiveMode.PAPER, SESSION), stale=False, as_of=AS_OF)
    assert (context.execution_domain, context.as_of) == (ExecutionDomain.DRYRUN, SESSION)


def test_shadow_needs_an_operator() -> None:
    for operator, domain in ((False, ExecutionDomain.BACKTEST), (True, ExecutionDomain.SHADOW)):
        decision = ModeDecision(EffectiveMode.SHADOW, operator_set=operator)
        assert decide_context(HINTS[0], decision, stale=False, as_of=AS_OF).execution_domain is domain


def test_hint_above_the_decision_is_told() -> None:
    hint = ContextHint("w", ExecutionDomain.LIVE)
    context = decide_context(hint, ModeDecision(EffectiveMode.PAPER, SESSION), stale=False, as_of=None)
    assert context.execution_domain is ExecutionDomain.DRYRUN
    assert context.downgrade_reason is DowngradeReason.MODE_CEILING
    assert not context.safe_mode
