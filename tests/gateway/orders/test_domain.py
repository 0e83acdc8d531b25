"""The order gate: a table of every rule, and properties over all entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.orders.domain import (
    OVERLAY,
    GateDenial,
    GatedOrder,
    GateEntry,
    Passed,
    Refused,
    RefusedOne,
    Side,
    WorldGate,
    check_canary_share,
    check_list,
    check_order,
    hedge_gate,
)
from qmtl.calendars.windows import Window
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.core.traffic import version_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = GateEntry(
    active=True, weight=Decimal("0.5"), freeze=False, drain=False, valid_from=None, valid_until=None,
    mode=EffectiveMode.PAPER,
)  # fmt: skip
BUY = GatedOrder("s", buys=True, reduce_only=False, position_side=None)
SELL = replace(BUY, buys=False)


def gate(mode: EffectiveMode = EffectiveMode.PAPER, **entries: GateEntry) -> WorldGate:
    sides = {("s", Side[name.upper()]): entry for name, entry in entries.items()}
    return WorldGate("w", revision=7, epoch=3, mode=mode, entries=sides)


def test_active_entry_passes_with_weight_and_epoch() -> None:
    verdict = check_order(gate(long=OPEN), True, BUY, NOW)
    assert verdict == Passed(3, 7, Decimal("0.5"), ExecutionDomain.DRYRUN, reduce_only=False)


def test_sell_of_a_long_only_strategy_passes_as_reduce_only() -> None:
    verdict = check_order(gate(long=OPEN), True, SELL, NOW)
    assert isinstance(verdict, Passed)
    assert verdict.reduce_only


SESSION = Window(frozenset({0}), time(13), time(20), "UTC")  # NOW is a Monday, an hour before


def test_outside_the_world_s_window_only_reducing_passes_and_the_refusal_says_when_it_opens() -> None:
    shut = replace(gate(long=OPEN), windows=(SESSION,))
    refused = check_order(shut, True, BUY, NOW)
    assert isinstance(refused, Refused)
    assert refused.denial is GateDenial.OUTSIDE_WINDOW
    assert (NOW + HOUR).isoformat() in refused.reason
    assert isinstance(check_order(shut, True, SELL, NOW), Passed)
    assert isinstance(check_order(shut, True, BUY, NOW + HOUR), Passed)


def test_a_gate_knows_when_its_window_closes() -> None:
    open_gate = replace(gate(long=OPEN), windows=(SESSION,))
    assert open_gate.closes_at(NOW) is None  # shut now
    assert open_gate.closes_at(NOW + HOUR) == NOW + 8 * HOUR
    assert gate(long=OPEN).closes_at(NOW) is None
    ends_first = replace(OPEN, valid_until=NOW + 2 * HOUR)
    assert replace(open_gate, entries={("s", Side.LONG): ends_first}).closes_at(NOW + HOUR) == NOW + 2 * HOUR


@pytest.mark.parametrize(
    "entry",
    [
        replace(OPEN, drain=True),
        replace(OPEN, freeze=True),
        replace(OPEN, active=False),
        replace(OPEN, valid_until=NOW + HOUR),
        replace(OPEN, valid_from=NOW + 2 * HOUR),
    ],
)
def test_nothing_closes_for_who_may_take_no_new_risk(entry: GateEntry) -> None:
    assert replace(gate(long=entry), windows=(SESSION,)).closes_at(NOW + HOUR) is None


def test_sell_passes_whole_when_the_short_side_is_open() -> None:
    verdict = check_order(gate(long=OPEN, short=OPEN), True, SELL, NOW)
    assert isinstance(verdict, Passed)
    assert not verdict.reduce_only


@pytest.mark.parametrize(
    ("world", "valid", "asked", "denial"),
    [
        (gate(long=OPEN), False, BUY, GateDenial.SESSION_LAPSED),
        (gate(short=OPEN), False, SELL, GateDenial.SESSION_LAPSED),
        (None, False, replace(SELL, reduce_only=True), GateDenial.SESSION_LAPSED),
        (gate(long=OPEN), False, replace(BUY, position_side=Side.LONG), GateDenial.SESSION_LAPSED),
        (gate(long=replace(OPEN, freeze=True)), False, replace(SELL, reduce_only=True), GateDenial.FROZEN),
        (None, True, BUY, GateDenial.ACTIVATION_UNKNOWN),
        (gate(), True, BUY, GateDenial.INACTIVE),
        (gate(long=replace(OPEN, active=False)), True, BUY, GateDenial.INACTIVE),
        (gate(long=replace(OPEN, freeze=True)), True, BUY, GateDenial.FROZEN),
        (gate(long=replace(OPEN, freeze=True, drain=True)), True, SELL, GateDenial.INACTIVE),
        (gate(long=replace(OPEN, drain=True)), True, BUY, GateDenial.INACTIVE),
        (gate(long=replace(OPEN, valid_from=NOW + HOUR)), True, BUY, GateDenial.OUTSIDE_WINDOW),
        (gate(long=replace(OPEN, valid_until=NOW)), True, BUY, GateDenial.OUTSIDE_WINDOW),
        (gate(EffectiveMode.COMPUTE_ONLY, long=OPEN), True, BUY, GateDenial.MODE_FORBIDS_ORDERS),
        (gate(EffectiveMode.SHADOW, long=OPEN), True, BUY, GateDenial.MODE_FORBIDS_ORDERS),
        (gate(long=replace(OPEN, mode=EffectiveMode.VALIDATE)), True, BUY, GateDenial.MODE_FORBIDS_ORDERS),
        (gate(long=replace(OPEN, mode=EffectiveMode.SHADOW)), True, BUY, GateDenial.MODE_FORBIDS_ORDERS),
        (gate(long=OPEN), True, replace(BUY, strategy_id="other"), GateDenial.INACTIVE),
        (gate(long=OPEN), True, replace(SELL, position_side=Side.SHORT), GateDenial.INACTIVE),
    ],
)
def test_refused_by_name(world: WorldGate | None, valid: bool, asked: GatedOrder, denial: GateDenial) -> None:
    verdict = check_order(world, valid, asked, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.denial is denial
    assert verdict.reason


@pytest.mark.parametrize("said", [True, False])
def test_after_a_lapse_only_reducing_passes_under_the_epoch_last_heard_of(said: bool) -> None:
    world, sale = gate(long=OPEN, short=OPEN), replace(SELL, reduce_only=said)
    verdict = check_order(world, False, sale, NOW)
    assert isinstance(verdict, Passed)
    assert (verdict.epoch, verdict.reduce_only) == (world.epoch, True)
    assert verdict == check_order(world, True, replace(sale, reduce_only=True), NOW)


@pytest.mark.parametrize("entry", [replace(OPEN, drain=True), replace(OPEN, valid_until=NOW - HOUR)])
def test_draining_or_expired_entry_lets_reducing_pass(entry: GateEntry) -> None:
    verdict = check_order(gate(long=entry), True, SELL, NOW)
    assert isinstance(verdict, Passed)
    assert verdict.reduce_only


def test_reduce_only_order_never_passes_as_increasing() -> None:
    verdict = check_order(gate(long=OPEN, short=OPEN), True, replace(SELL, reduce_only=True), NOW)
    assert isinstance(verdict, Passed)
    assert verdict.reduce_only


INSTANTS = st.none() | st.timedeltas(-3 * HOUR, 3 * HOUR).map(lambda delta: NOW + delta)
ENTRIES = st.builds(
    GateEntry, active=st.booleans(), weight=st.just(Decimal(1)), freeze=st.booleans(), drain=st.booleans(),
    valid_from=INSTANTS, valid_until=INSTANTS, mode=st.sampled_from(EffectiveMode),
)  # fmt: skip
ASKS = st.builds(
    GatedOrder,
    st.just("s"),
    buys=st.booleans(),
    reduce_only=st.booleans(),
    position_side=st.none() | st.sampled_from(Side),
)


@given(
    mode=st.sampled_from(EffectiveMode), entries=st.dictionaries(st.sampled_from(Side), ENTRIES), asked=ASKS,
    valid=st.booleans(),
)  # fmt: skip
def test_nothing_passes_that_no_open_entry_allows(
    mode: EffectiveMode, entries: dict[Side, GateEntry], asked: GatedOrder, valid: bool
) -> None:
    """What passes is backed by an entry, not frozen, in a mode with orders; increasing only if fully open."""
    world = WorldGate("w", 1, 1, mode, {("s", side): entry for side, entry in entries.items()})
    verdict = check_order(world, valid, asked, NOW)
    if isinstance(verdict, Refused):
        return
    trading = (EffectiveMode.PAPER, EffectiveMode.LIVE)
    assert valid
    assert mode in trading
    bought = Side.LONG if asked.buys else Side.SHORT
    entry = entries[bought.other if verdict.reduce_only else bought]
    assert entry.mode in trading
    assert not entry.freeze
    assert entry.active or (entry.drain and verdict.reduce_only)
    if not verdict.reduce_only:
        assert not asked.reduce_only
        assert not entry.drain
        assert entry.valid_from is None or entry.valid_from <= NOW
        assert entry.valid_until is None or entry.valid_until > NOW


@pytest.mark.parametrize(
    ("shut", "denial"),
    [({"new_risk": False}, GateDenial.ACTIVATION_STALE), ({"hold_asked": True}, GateDenial.FROZEN)],
    ids=["degraded", "hold-asked"],
)
def test_a_gate_that_is_shut_to_new_risk_lets_only_reducing_pass(shut: dict[str, bool], denial: GateDenial) -> None:
    refused = check_order(gate(long=OPEN), True, BUY, NOW, **shut)
    assert isinstance(refused, Refused)
    assert refused.denial is denial
    passed = check_order(gate(long=OPEN, short=OPEN), True, SELL, NOW, **shut)
    assert isinstance(passed, Passed)
    assert passed.reduce_only


@given(st.text(min_size=1, max_size=8), st.dictionaries(st.integers(1, 5), st.floats(0, 1), min_size=1))
def test_at_most_one_version_may_trade_a_symbol(symbol: str, weights: dict[int, float]) -> None:
    passing = [v for v in weights if check_canary_share(replace(BUY, symbol=symbol, version=v), weights) is None]
    owner = version_of("s", symbol, weights)
    assert passing == ([] if owner is None else [owner])


def test_unknown_shares_let_nothing_pass_and_no_sentinels_everything() -> None:
    assert check_canary_share(BUY, {}) is None
    refused = check_canary_share(BUY, None)
    assert refused is not None
    assert refused.denial is GateDenial.ACTIVATION_UNKNOWN


def test_order_that_names_no_version_is_of_the_newest() -> None:
    assert check_canary_share(BUY, {1: 0.0, 2: 1.0}) is None
    refused = check_canary_share(BUY, {1: 1.0, 2: 0.0})
    assert refused is not None
    assert refused.denial is GateDenial.OTHER_CANARY_SHARE


def test_what_only_reduces_is_any_versions_and_that_of_shares_that_are_not_known() -> None:
    for weights in (None, {1: 1.0, 2: 0.0}, {1: 0.0}):
        assert check_canary_share(replace(SELL, reduce_only=True), weights) is None
        assert check_canary_share(SELL, weights) is not None


EXIT = replace(SELL, reduce_only=True)


def of_list(held: WorldGate, *orders: GatedOrder) -> Passed | RefusedOne:
    return check_list([check_order(held, True, order, NOW) for order in orders], orders)


def test_a_bracket_passes_whole_under_the_stamp_of_its_entry() -> None:
    verdict = of_list(gate(long=OPEN), BUY, EXIT, EXIT)
    assert verdict == Passed(3, 7, Decimal("0.5"), ExecutionDomain.DRYRUN, reduce_only=False)


def test_of_a_list_the_lowest_weight_of_what_may_add_counts() -> None:
    half, tenth = OPEN, replace(OPEN, weight=Decimal("0.1"))
    for both in (gate(long=half, short=tenth), gate(long=tenth, short=half)):
        verdict = of_list(both, BUY, SELL)
        assert isinstance(verdict, Passed)
        assert (verdict.weight, verdict.reduce_only) == (Decimal("0.1"), False)
    cover = replace(BUY, reduce_only=True)  # takes off the short, which drains
    beside = of_list(gate(long=half, short=replace(tenth, drain=True)), BUY, cover)
    assert isinstance(beside, Passed)
    assert beside.weight == Decimal("0.5")  # what only reduces is not weighed


def test_where_one_of_a_list_may_only_reduce_all_do() -> None:
    verdict = of_list(gate(long=OPEN), BUY, SELL)
    assert isinstance(verdict, Passed)
    assert verdict.reduce_only
    exits = of_list(gate(long=OPEN), EXIT, EXIT)
    assert isinstance(exits, Passed)
    assert exits.reduce_only


def test_one_refusal_of_a_list_refuses_it_and_says_which() -> None:
    verdict = of_list(gate(short=OPEN), EXIT, BUY)
    assert isinstance(verdict, RefusedOne)
    assert (verdict.number, verdict.refused.denial) == (0, GateDenial.INACTIVE)
    frozen = of_list(gate(long=OPEN, short=replace(OPEN, freeze=True)), BUY, replace(BUY, position_side=Side.SHORT))
    assert isinstance(frozen, RefusedOne)
    assert (frozen.number, frozen.refused.denial) == (1, GateDenial.FROZEN)


def test_orders_of_one_list_are_for_one_domain() -> None:
    live = replace(OPEN, mode=EffectiveMode.LIVE)
    verdict = of_list(gate(EffectiveMode.LIVE, long=OPEN, short=live), BUY, SELL)
    assert isinstance(verdict, RefusedOne)
    assert (verdict.number, verdict.refused.denial) == (1, GateDenial.MODE_FORBIDS_ORDERS)


@pytest.mark.parametrize(
    ("entry", "adds", "reduces"),
    [
        (OPEN, True, True),
        (replace(OPEN, drain=True), False, True),
        (replace(OPEN, freeze=True), False, False),
        (replace(OPEN, active=False), False, False),
        (replace(OPEN, valid_until=NOW), False, True),
        (replace(OPEN, mode=EffectiveMode.LIVE), False, False),
    ],
)
def test_a_hedge_may_what_the_widest_strategy_of_its_world_and_domain_may(
    entry: GateEntry, adds: bool, reduces: bool
) -> None:
    shut = replace(OPEN, active=False)
    known = gate(EffectiveMode.LIVE, long=shut, short=entry)
    hedge = replace(BUY, strategy_id=OVERLAY)
    found = hedge_gate(known, ExecutionDomain.DRYRUN, NOW)
    for buys in (True, False):
        verdict = check_order(found, True, replace(hedge, buys=buys), NOW)
        assert isinstance(verdict, Passed) == (adds or reduces)
        if isinstance(verdict, Passed):
            assert verdict == Passed(3, 7, Decimal(1), ExecutionDomain.DRYRUN, reduce_only=not adds)
    verdict = check_order(found, True, replace(hedge, reduce_only=True), NOW)
    assert isinstance(verdict, Passed) == reduces
    refused = check_order(known, True, hedge, NOW)
    assert isinstance(refused, Refused), "who is no rebalancing run has no entry for it"
    assert refused.denial is GateDenial.INACTIVE


def test_a_hedge_of_a_world_where_nobody_trades_is_refused() -> None:
    for known in (gate(), gate(long=replace(OPEN, mode=EffectiveMode.COMPUTE_ONLY))):
        verdict = check_order(
            hedge_gate(known, ExecutionDomain.DRYRUN, NOW), True, replace(BUY, strategy_id=OVERLAY), NOW
        )
        assert isinstance(verdict, Refused)
