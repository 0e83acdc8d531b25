"""The order gate over its whole input space, against the rules said once more, and against narrowing of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Side as OrderSide
from brokerage.domain.risk.sizing import weigh
from gateway.orders.domain import (
    GateDenial,
    GatedOrder,
    GateEntry,
    Passed,
    Refused,
    Side,
    WorldGate,
    check_canary_share,
    check_order,
)
from qmtl.calendars.windows import Window, is_open
from qmtl.core.modes import EffectiveMode, domain_of, lower

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TRADING = PAPER, LIVE = EffectiveMode.PAPER, EffectiveMode.LIVE
NEVER = Window(frozenset(), time(0), time(1), "UTC")


@dataclass(frozen=True, slots=True)
class Case:
    """All that `check` is given."""

    gate: WorldGate | None
    valid: bool
    asked: GatedOrder
    now: datetime
    new_risk: bool

    def verdict(self) -> Passed | Refused:
        return check_order(self.gate, self.valid, self.asked, self.now, new_risk=self.new_risk)

    def entry(self, side: Side | None) -> GateEntry | None:
        return None if self.gate is None or side is None else self.gate.entries.get((self.asked.strategy_id, side))

    @property
    def enters(self) -> Side | None:
        """The side it adds to."""
        bought = Side.LONG if self.asked.buys else Side.SHORT
        return bought if self.asked.position_side in (None, bought) else None

    @property
    def leaves(self) -> Side | None:
        """The side it takes from."""
        sold = Side.SHORT if self.asked.buys else Side.LONG
        return sold if self.asked.position_side in (None, sold) else None


def may_enter(case: Case) -> bool:
    """Whether new risk may pass: everything known, fresh, open and consistent."""
    entry = case.entry(case.enters)
    return (
        case.valid
        and case.new_risk
        and not case.asked.reduce_only
        and case.gate is not None
        and entry is not None
        and case.gate.mode in TRADING
        and entry.mode in TRADING
        and not (entry.mode is LIVE and case.gate.mode is PAPER)
        and entry.active
        and not entry.freeze
        and not entry.drain
        and (entry.valid_from is None or entry.valid_from <= case.now)
        and (entry.valid_until is None or case.now < entry.valid_until)
        and is_open(case.gate.windows, case.now)
    )


def may_leave(case: Case) -> bool:
    """Whether reducing may pass: the entry stands, whatever its window and the session, unless it is frozen."""
    entry = case.entry(case.leaves)
    return (
        case.gate is not None
        and entry is not None
        and case.gate.mode in TRADING
        and entry.mode in TRADING
        and not entry.freeze
        and (entry.active or entry.drain)
    )


EDGES = tuple(NOW + step * HOUR for step in (-1, 0, 1))  # few, so that they often meet
SIDES = tuple((strategy, side) for strategy in ("s", "t") for side in Side)
BASE = WorldGate(
    "w", revision=7, epoch=3, mode=LIVE,
    entries={
        key: GateEntry(True, Decimal("0.5"), False, False, None, None, PAPER) for key in SIDES
    },
)  # fmt: skip
FLAGS = st.tuples(st.sampled_from(("active", "freeze", "drain")), st.booleans())
INSTANTS = st.tuples(st.sampled_from(("valid_from", "valid_until")), st.none() | st.sampled_from(EDGES))
ENTRY_MODES = st.tuples(st.just("mode"), st.sampled_from(EffectiveMode))
WEIGHTS_OF_ENTRIES = st.tuples(st.just("weight"), st.decimals(0, 1, places=8))
CHANGES = st.tuples(st.sampled_from(SIDES), FLAGS | INSTANTS | ENTRY_MODES | WEIGHTS_OF_ENTRIES)
WINDOWS = st.builds(
    Window, st.frozensets(st.integers(0, 6)), st.times(), st.times(), st.sampled_from(("UTC", "America/New_York"))
)
WORLDS = (
    st.tuples(st.just("mode"), st.sampled_from(EffectiveMode))
    | st.tuples(st.just("windows"), st.lists(WINDOWS, max_size=2).map(tuple))
    | st.tuples(st.sampled_from(("revision", "epoch")), st.integers(1, 2**40))
)
ASKS = st.builds(
    GatedOrder, st.sampled_from(("s", "t")), buys=st.booleans(), reduce_only=st.booleans(),
    position_side=st.none() | st.sampled_from(Side), symbol=st.sampled_from(("BTC", "ETH")), version=st.integers(0, 3),
)  # fmt: skip


def changed(
    gone: frozenset[tuple[str, Side]],
    changes: Sequence[tuple[tuple[str, Side], tuple[str, object]]],
    world: Sequence[tuple[str, object]],
) -> WorldGate:
    """The open world with some entries missing, some changed, and itself changed."""
    entries = dict(BASE.entries)
    for key, (name, value) in changes:
        entries[key] = replace(entries[key], **{name: value})  # type: ignore[arg-type]  # names are of entries
    left = {key: entry for key, entry in entries.items() if key not in gone}
    return replace(BASE, entries=left, **dict(world))  # type: ignore[arg-type]  # names are of gates


GATES = st.builds(
    changed, st.frozensets(st.sampled_from(SIDES), max_size=2), st.lists(CHANGES, max_size=8),
    st.lists(WORLDS, max_size=2),
)  # fmt: skip
CASES = st.builds(Case, GATES, st.integers(0, 5).map(bool), ASKS, st.sampled_from(EDGES), st.integers(0, 5).map(bool))


@settings(max_examples=1_000)  # the whole table: the others look at a part of it each
@given(CASES | CASES.map(lambda case: replace(case, gate=None)))
def test_what_passes_is_exactly_what_the_rules_say(case: Case) -> None:
    verdict = case.verdict()
    if may_enter(case):
        assert isinstance(verdict, Passed)
        assert not verdict.reduce_only
    elif may_leave(case):
        assert isinstance(verdict, Passed)
        assert verdict.reduce_only
    else:
        assert isinstance(verdict, Refused)
        assert verdict.reason


@pytest.mark.parametrize("world", EffectiveMode)
@pytest.mark.parametrize("mode", EffectiveMode)
def test_an_entry_trades_in_no_wider_mode_than_its_world_and_only_on_paper_or_live(
    world: EffectiveMode, mode: EffectiveMode
) -> None:
    case = with_entries(
        Case(replace(BASE, mode=world), True, GatedOrder("s", True, False, Side.LONG), NOW, True), mode=mode
    )
    assert isinstance(case.verdict(), Passed) == ((world, mode) in {(LIVE, LIVE), (LIVE, PAPER), (PAPER, PAPER)})


@given(CASES)
def test_what_passes_carries_its_entrys_weight_and_domain_and_the_gates_epoch(case: Case) -> None:
    verdict = case.verdict()
    if isinstance(verdict, Refused):
        return
    assert case.gate is not None
    entry = case.entry(case.leaves if verdict.reduce_only else case.enters)
    assert entry is not None
    assert (verdict.epoch, verdict.revision) == (case.gate.epoch, case.gate.revision)
    assert (verdict.weight, verdict.domain) == (entry.weight, domain_of(entry.mode))
    if not verdict.reduce_only:
        assert lower(entry.mode, case.gate.mode) is entry.mode


CAUSES: Mapping[GateDenial, Callable[[Case, GateEntry | None], bool]] = {
    GateDenial.SESSION_LAPSED: lambda case, entry: not case.valid,
    GateDenial.ACTIVATION_UNKNOWN: lambda case, entry: case.gate is None,
    GateDenial.ACTIVATION_STALE: lambda case, entry: not case.new_risk,
    GateDenial.FROZEN: lambda case, entry: entry is not None and entry.freeze,
    GateDenial.INACTIVE: lambda case, entry: (
        entry is None or not entry.active or entry.drain or (case.asked.reduce_only and case.leaves is None)
    ),
    GateDenial.MODE_FORBIDS_ORDERS: lambda case, entry: (
        case.gate is not None and entry is not None
        and (case.gate.mode not in TRADING or entry.mode not in TRADING or entry.mode is not case.gate.mode)
    ),
    GateDenial.OUTSIDE_WINDOW: lambda case, entry: (
        case.gate is not None and entry is not None
        and (entry.valid_from is not None or entry.valid_until is not None or not is_open(case.gate.windows, case.now))
    ),
}  # fmt: skip


@given(CASES)
def test_a_refusal_names_a_rule_that_is_really_broken(case: Case) -> None:
    verdict = case.verdict()
    if isinstance(verdict, Passed):
        return
    looked_at = [case.entry(side) for side in (case.enters, case.leaves) if side is not None]
    assert any(CAUSES[verdict.denial](case, entry) for entry in looked_at)


def with_entries(case: Case, **changes: object) -> Case:
    """The same with every entry changed."""
    assert case.gate is not None
    entries = {key: replace(entry, **changes) for key, entry in case.gate.entries.items()}  # type: ignore[arg-type]  # names are of entries
    return replace(case, gate=replace(case.gate, entries=entries))


def with_gate(case: Case, **changes: object) -> Case:
    assert case.gate is not None
    return replace(case, gate=replace(case.gate, **changes))  # type: ignore[arg-type]  # names are of gates


NARROWINGS: Mapping[str, Callable[[Case], Case]] = {
    "session lapsed": lambda case: replace(case, valid=False),
    "activation unknown": lambda case: replace(case, gate=None),
    "degraded": lambda case: replace(case, new_risk=False),
    "asked to reduce only": lambda case: replace(case, asked=replace(case.asked, reduce_only=True)),
    "another strategy": lambda case: replace(case, asked=replace(case.asked, strategy_id="nobody")),
    "frozen": lambda case: with_entries(case, freeze=True),
    "inactive": lambda case: with_entries(case, active=False),
    "not valid yet": lambda case: with_entries(case, valid_from=case.now + HOUR),
    "valid no more": lambda case: with_entries(case, valid_until=case.now),
    "world shut": lambda case: with_gate(case, windows=(NEVER,)),
    "no entries": lambda case: with_gate(case, entries={}),
    **{f"entries at {mode.name}": lambda case, mode=mode: with_entries(case, mode=mode)  # type: ignore[misc]  # mypy sees no default of a lambda
       for mode in EffectiveMode if mode not in TRADING},
    **{f"world at {mode.name}": lambda case, mode=mode: with_gate(case, mode=mode)  # type: ignore[misc]  # as above
       for mode in EffectiveMode if mode not in TRADING},
}  # fmt: skip
REDUCING = frozenset(
    {"session lapsed", "degraded", "asked to reduce only", "inactive", "not valid yet", "valid no more", "world shut"}
)  # these may leave a way out; all else shuts


def width(verdict: Passed | Refused) -> int:
    """How much passes: nothing, reducing, all."""
    return 0 if isinstance(verdict, Refused) else 1 if verdict.reduce_only else 2


@pytest.mark.parametrize("name", NARROWINGS)
@given(case=CASES)
def test_narrowing_anything_never_lets_more_pass(name: str, case: Case) -> None:
    narrowed = NARROWINGS[name](case)
    assert width(narrowed.verdict()) <= width(case.verdict())
    assert width(narrowed.verdict()) < (2 if name in REDUCING else 1)


@given(case=CASES)
def test_draining_lets_nothing_new_pass_but_a_way_out(case: Case) -> None:
    """Draining is no narrowing of an inactive entry: its way out opens again."""
    drained = width(with_entries(case, drain=True).verdict())
    assert drained < 2
    assert drained == 1 or not may_leave(case)


WEIGHTS = st.dictionaries(st.integers(1, 6), st.floats(0, 1), max_size=5)


@given(st.none() | WEIGHTS, ASKS)
def test_a_symbol_is_traded_by_one_version_at_most_and_by_none_that_is_not_known(
    weights: dict[int, float] | None, asked: GatedOrder
) -> None:
    passing = [v for v in range(1, 8) if check_canary_share(replace(asked, version=v), weights) is None]
    if asked.reduce_only or weights == {}:
        assert passing == list(range(1, 8))
    elif weights is None:
        assert passing == []
    else:
        assert len(passing) <= 1
        assert set(passing) <= {version for version, weight in weights.items() if weight > 0}
        newest = check_canary_share(replace(asked, version=0), weights)
        assert (newest is None) == (max(weights) in passing)


QUANTITIES = st.integers(1, 10**15)
HELD = st.integers(-(10**15), 10**15) | st.integers(-20, 20)
RATES = st.integers(0, RATE_ONE) | st.sampled_from((0, 1, RATE_ONE - 1, RATE_ONE))
LOTS = st.sampled_from((1, 5, 100, 10**6))


@given(QUANTITIES, st.sampled_from(OrderSide), HELD, RATES, LOTS)
def test_weight_touches_only_what_adds_risk_and_rounds_it_down_to_the_lot(
    lots: int, side: OrderSide, held: int, weight: int, lot: int
) -> None:
    quantity = lots * lot
    adding = quantity if held * side.sign >= 0 else max(quantity - abs(held), 0)
    kept = weigh(quantity, side, held, weight, lot) - (quantity - adding)
    assert kept >= 0
    assert kept % lot == 0
    assert kept * RATE_ONE <= adding * weight < (kept + lot) * RATE_ONE


@given(QUANTITIES, st.sampled_from(OrderSide), HELD, RATES, LOTS)
def test_scaled_order_never_leaves_more_exposure_than_the_whole_one_or_than_there_was(
    quantity: int, side: OrderSide, held: int, weight: int, lot: int
) -> None:
    scaled = weigh(quantity, side, held, weight, lot)
    after, whole = held + side.sign * scaled, held + side.sign * quantity
    assert 0 <= scaled <= quantity
    assert abs(after) <= max(abs(held), abs(whole))
    if held * side.sign < 0 and quantity <= abs(held):
        assert scaled == quantity


def test_no_weight_lets_only_the_way_out_pass() -> None:
    assert weigh(15, OrderSide.SELL, 10, 0, 1) == 10
    assert Decimal(weigh(15, OrderSide.BUY, 10, 0, 1)) == 0
