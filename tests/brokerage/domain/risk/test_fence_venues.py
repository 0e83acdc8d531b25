"""Which orders pass to which kind of venue: every domain, mode, state and venue, against the rule in words."""

from __future__ import annotations

from itertools import product

import pytest

from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Side
from brokerage.domain.risk.fence import Fence, FenceState, GateStamp, VenueKind, domain_at, lets_go, refusal
from qmtl.core.modes import EffectiveMode, ExecutionDomain

PAPER_MODES = {EffectiveMode.PAPER, EffectiveMode.LIVE}


def fence_of(state: FenceState, mode: EffectiveMode) -> Fence:
    """A fence that lets a strategy buy."""
    return Fence("w", 3, state, mode, standings=frozenset({("s", Side.BUY)}))


def denial(
    domain: ExecutionDomain, mode: EffectiveMode, at: VenueKind, state: FenceState = FenceState.OPEN, *, reducing: bool
) -> Denial | None:
    adding = () if reducing else (Side.BUY,)
    found = refusal(fence_of(state, mode), GateStamp(3, RATE_ONE, domain, False), "s", adding, at)
    return None if found is None else found.denial


def allowed(domain: ExecutionDomain, mode: EffectiveMode, at: VenueKind) -> bool:
    """LIVE passes only in a LIVE world to a live venue, DRYRUN only to paper in one that trades; nothing else does."""
    if domain is ExecutionDomain.LIVE:
        return mode is EffectiveMode.LIVE and at is VenueKind.LIVE
    return domain is ExecutionDomain.DRYRUN and mode in PAPER_MODES and at is VenueKind.PAPER


@pytest.mark.parametrize("at", VenueKind)
@pytest.mark.parametrize("mode", EffectiveMode)
@pytest.mark.parametrize("domain", ExecutionDomain)
def test_the_whole_table(domain: ExecutionDomain, mode: EffectiveMode, at: VenueKind) -> None:
    passes = allowed(domain, mode, at)
    for reducing in (False, True):
        assert (denial(domain, mode, at, reducing=reducing) is None) is passes
        assert denial(domain, mode, at, FenceState.FROZEN, reducing=reducing) is Denial.FENCED
    assert (denial(domain, mode, at, FenceState.DRAIN, reducing=True) is None) is passes
    assert denial(domain, mode, at, FenceState.DRAIN, reducing=False) is not None


def test_what_is_missing_is_named() -> None:
    live = EffectiveMode.LIVE
    assert denial(ExecutionDomain.LIVE, live, VenueKind.PAPER, reducing=False) is Denial.NO_LIVE_VENUE
    assert denial(ExecutionDomain.LIVE, live, VenueKind.SHUT, reducing=False) is Denial.NO_LIVE_VENUE
    forbidden = Denial.DOMAIN_FORBIDS_ORDERS
    assert denial(ExecutionDomain.LIVE, EffectiveMode.PAPER, VenueKind.LIVE, reducing=False) is forbidden
    for at in (VenueKind.LIVE, VenueKind.SHUT):
        assert denial(ExecutionDomain.DRYRUN, live, at, reducing=True) is forbidden


def test_what_brokerage_starts_itself_adds_only_where_its_venue_may_be_added_to() -> None:
    for mode, at, state in product(EffectiveMode, VenueKind, FenceState):
        fence, frozen = fence_of(state, mode), state is FenceState.FROZEN
        adds = allowed(domain_at(at), mode, at) and state is FenceState.OPEN
        assert lets_go(fence, "s", Side.BUY, at) is adds
        assert not lets_go(fence, "s", Side.SELL, at)
        assert lets_go(fence, "s", None, at) is (mode in PAPER_MODES and not frozen and at is not VenueKind.SHUT)


def test_who_may_not_add_is_named_unless_nobody_may() -> None:
    def said(state: FenceState, side: Side) -> str:
        gate = GateStamp(3, RATE_ONE, ExecutionDomain.DRYRUN, False)
        found = refusal(fence_of(state, EffectiveMode.PAPER), gate, "s", (side,))
        assert found is not None
        return found.message

    where = "the fence of world w is"
    assert said(FenceState.DRAIN, Side.BUY) == f"{where} DRAIN at epoch 3: only orders that reduce a position pass"
    who = ", where s may add nothing by a SELL"
    assert said(FenceState.OPEN, Side.SELL) == f"{where} OPEN at epoch 3{who}: only orders that reduce a position pass"
