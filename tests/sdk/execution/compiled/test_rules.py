"""Each formula of the compiled account answers what the account's own code answers, or that it does not know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.position import Position, settled
from brokerage.domain.backtest.account import PlainAccount, SimulatedAccount
from brokerage.domain.backtest.compiled import account as compiled
from brokerage.domain.backtest.compiled.exact import FAILED
from brokerage.domain.backtest.direct import Ticket
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.fills.participation import volume_budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.money import RATE_ONE, divide
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Side
from brokerage.domain.risk.maintenance import account_margin
from brokerage.domain.risk.margin_call import margin_call
from qmtl.core.decimals import from_scaled
from qmtl.sdk.execution.compiled.coverage import NotCovered, terms_of

UNIT = 10**22
"""Prices of two places at a scale of 24."""

BASE = instrument("AAA-USD", base="AAA", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO)
BOUND = replace(BASE, quantity_min=300, quantity_max=700, notional_min=400 * 10**8, notional_max=1_200 * 10**8, lot=20)
TRADED = st.sampled_from([BASE, BOUND, replace(BASE, quantity_scale=3, multiplier=D("2.5"), lot=30, tick=5 * UNIT)])
PROFILES = st.builds(
    lambda base, fee, slip: replace(base, fee=fee, slippage=ConstantSlippage(slip)),
    st.sampled_from([spot(participation="0"), margin(1, participation="0"), margin(3, participation="0.1")]),
    st.builds(PercentFee, maker=st.sampled_from([0, 300_001]), taker=st.sampled_from([0, 100_001, 1])),
    st.sampled_from([0, 1, 50_000, 3_333_333]),
)


@dataclass(frozen=True)
class Moment:
    """An account and an order at a price, whose amounts are near each other, so that they cross every bound."""

    profile: BrokerageProfile
    traded: Instrument
    held: Position
    cash: int
    price: int
    order: int
    target: int


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    profile, traded = draw(PROFILES), draw(TRADED)
    price, quantities = draw(st.integers(90, 20_000)), st.integers(-900, 900)
    held, order = draw(quantities), draw(quantities.filter(bool)) // 10 * 10 or 10
    target = draw(st.sampled_from([held + order, held + order - 1, order, -held, 0, 10**6, -(10**6)]))
    worth = traded.notional(price * UNIT, abs(order))
    near = draw(st.sampled_from([worth, worth // 3, worth * 2, 0]))
    cash = near + draw(st.integers(-3, 3)) + draw(st.sampled_from([0, worth // 1_000, worth // 333]))
    cost = traded.notional(draw(st.integers(90, 20_000)) * UNIT, held)
    position = Position(held, cost, draw(st.integers(-(10**9), 10**9)), draw(st.integers(0, 10**9)), 3)
    return Moment(profile, traded, position, cash, price, order, target)


def account_of(moment: Moment) -> SimulatedAccount:
    """The moment as an account of the backtest, one minute in."""
    made = SimulatedAccount(moment.profile, {"USD": D(0)}, instruments=(moment.traded,))
    price = moment.price * UNIT
    made.on_bar(moment.traded.symbol, Bar(0, 60, price, price, price, price, 10**9))
    made.resume(moment.traded.symbol, PlainAccount(moment.held, moment.cash, None))
    return made


def holding_of(moment: Moment) -> compiled.Holding:
    held = moment.held
    return compiled.Holding(held.quantity, held.cost, held.realised, held.fees, held.fills, moment.cash)


@given(moment=moments())
@settings(deadline=None, max_examples=700)
def test_an_order_is_taken_where_the_account_takes_it_direct(moment: Moment) -> None:
    terms, scale = terms_of(moment.profile, moment.traded, UNIT), moment.traded.quantity_scale
    side = Side.BUY if moment.order > 0 else Side.SELL
    quantity, target = from_scaled(abs(moment.order), scale), from_scaled(moment.target, scale)
    ticket = Ticket("one", moment.traded.symbol, side, quantity, 60, target)
    found = compiled.is_taken(terms, holding_of(moment), moment.price, moment.order, moment.target)
    assert found is account_of(moment).take_direct(ticket)


@given(moment=moments())
@settings(deadline=None, max_examples=300)
def test_margin_that_is_covered_is_called_for_by_nobody(moment: Moment) -> None:
    terms, view = terms_of(moment.profile, moment.traded, UNIT), account_of(moment).view
    value = moment.traded.notional(moment.price * UNIT, moment.held.quantity)
    used = moment.profile.funding.held_by_position(value)
    owes = bool(terms.leverage and moment.held.quantity) and moment.cash + value <= used
    assert compiled.covers_margin(terms, holding_of(moment), moment.price) is not owes
    assert owes or margin_call(view, account_margin(view)) is None


@given(moment=moments(), volume=st.integers(0, 10**6))
@settings(deadline=None, max_examples=300)
def test_a_fill_books_what_the_ledger_books(moment: Moment, volume: int) -> None:
    terms, traded, profile = terms_of(moment.profile, moment.traded, UNIT), moment.traded, moment.profile
    side, size, price = Side.BUY if moment.order > 0 else Side.SELL, abs(moment.order), moment.price * UNIT
    moved = compiled.moved(terms, moment.price, side.sign)
    assert moved * UNIT == Slip(profile.slippage, traded, side).moved(price)
    bar = Bar(0, 60, price, price, price, price, volume)
    assert compiled.budget(terms, volume) == volume_budget(traded, bar, profile.participation)
    notional = traded.notional(price, size)
    assert compiled.worth(terms, moment.price, size) == notional
    assert compiled.fee_bound(terms, notional) == profile.fee.bound(traded, notional, size)
    sure, after, fee = compiled.filled(terms, holding_of(moment), moment.price, moment.order)
    position, flow = settled(moment.held, traded, side, Fill("one", size, price, fee, "USD", Liquidity.TAKER, 60))
    assert sure
    assert after == compiled.Holding(
        position.quantity, position.cost, position.realised, position.fees, position.fills, moment.cash + flow
    )
    assert fee == divide(notional * terms.taker, RATE_ONE)


def test_what_64_bits_cannot_hold_is_not_known() -> None:
    terms = terms_of(margin(2), BASE, UNIT)
    rich = compiled.Holding(10**16, 0, 0, 0, 0, (1 << 60) - 1)
    assert compiled.worth(terms, terms.price_end, 1) == FAILED
    assert compiled.worth(terms, 10**6, 10**13) == FAILED
    assert not compiled.is_taken(terms, rich, 10**6, 10**15, 10**17)
    assert not compiled.covers_margin(terms, rich, 10**6)
    assert not compiled.filled(terms, compiled.Holding(1, 0, 0, 0, 0, (1 << 60) - 1), 10_000, -1)[0]
    assert not compiled.filled(terms, rich, 10**6, 10**15)[0]


def test_every_size_of_an_order_meets_the_bounds_of_its_instrument() -> None:
    for held, profile in ((0, margin(3, participation="0")), (900, spot(participation="0"))):
        for price in (9_000, 14_000, 17_500):
            for order in range(-900, 901, 20):
                if order:
                    rich = Moment(profile, BOUND, Position(held), 10**14, price, order, held + order)
                    test_an_order_is_taken_where_the_account_takes_it_direct.hypothesis.inner_test(rich)  # type: ignore[attr-defined]


def test_a_tick_that_slippage_cannot_divide_by_in_64_bits_is_not_covered() -> None:
    """A hundred million of it would be 2**64 and a little: a divisor that looks small."""
    slips = replace(margin(2), slippage=ConstantSlippage(50_000))
    narrow = replace(BASE, tick=19 * 10**20)
    unit = 10**10
    with pytest.raises(NotCovered, match="beyond 64 bits"):
        terms_of(slips, narrow, unit)
    assert terms_of(replace(slips, slippage=ConstantSlippage(0)), narrow, unit).tick == 19 * 10**10


def test_amounts_end_where_a_sum_of_four_is_within_64_bits() -> None:
    end, terms = 1 << 60, terms_of(margin(2), BASE, UNIT)._replace(value_up=1, value_down=1, price_end=1 << 60)
    assert compiled.worth(terms, 1 << 30, 1 << 30) == FAILED
    assert compiled.worth(terms, (1 << 30) - 1, 1 << 30) == end - (1 << 30)
    assert compiled.worth(terms._replace(price_end=100), 99, 1) == 99
    assert compiled.worth(terms._replace(price_end=100), 100, 1) == FAILED
    assert compiled.fee_bound(terms._replace(fee_bound=RATE_ONE), 1 << 62) == FAILED
    nothing = compiled.Holding(0, 0, 0, 0, 0, 0)
    assert not compiled.equity(terms, nothing._replace(quantity=1 << 59), 1 << 59)[0]
    for name in ("quantity", "cost", "realised", "fees", "cash"):
        for sign in (1,) if name == "fees" else (1, -1):
            assert compiled.is_small(nothing._replace(**{name: sign * (end - 1)}))
            assert not compiled.is_small(nothing._replace(**{name: sign * end}))


def test_equity_adds_what_is_long_and_takes_off_what_is_short() -> None:
    terms = terms_of(margin(2), BASE, UNIT)
    for quantity in (-700, 0, 700):
        held = compiled.Holding(quantity, 0, 0, 0, 0, 10**12)
        assert compiled.equity(terms, held, 9_000) == (True, 10**12 + BASE.notional(9_000 * UNIT, quantity))


def test_cash_pays_for_an_order_and_its_fee_to_the_unit() -> None:
    profile = replace(spot(participation="0"), fee=PercentFee(maker=0, taker=100_001))
    terms, worth = terms_of(profile, BASE, UNIT), BASE.notional(9_000 * UNIT, 100)
    needed = worth + profile.fee.bound(BASE, worth, 100)
    for cash, taken in ((needed, True), (needed - 1, False), (worth, False)):
        moment = Moment(profile, BASE, Position(), cash, 9_000, 100, 100)
        assert compiled.is_taken(terms, holding_of(moment), 9_000, 100, 100) is taken
        test_an_order_is_taken_where_the_account_takes_it_direct.hypothesis.inner_test(moment)  # type: ignore[attr-defined]


def test_bounds_of_an_instrument_include_themselves() -> None:
    profile, rich = margin(4, participation="0"), 10**14
    limited = replace(BASE, quantity_min=300, quantity_max=700, lot=1)
    notional = BASE.notional(9_000 * UNIT, 500)
    valued = replace(BASE, notional_min=notional, notional_max=notional, lot=1)
    for traded, sizes in (
        (limited, {299: False, 300: True, 700: True, 701: False}),
        (valued, {499: 0, 500: 1, 501: 0}),
    ):
        for size, taken in sizes.items():
            for order in (size, -size):
                moment = Moment(profile, traded, Position(), rich, 9_000, order, order)
                found = compiled.is_taken(terms_of(profile, traded, UNIT), holding_of(moment), 9_000, order, order)
                assert found is bool(taken)
                test_an_order_is_taken_where_the_account_takes_it_direct.hypothesis.inner_test(moment)  # type: ignore[attr-defined]


def test_an_order_of_one_unit_is_taken_where_its_target_needs_it() -> None:
    profile, traded = margin(4, participation="0"), replace(BASE, lot=1)
    taken = ((0, 1, 1), (5, 1, 6), (5, -1, 0), (-5, -1, -6))
    for held, order, target in (*taken, (0, 1, 0), (0, -1, 0), (5, 1, 5), (-5, -1, -5)):
        moment = Moment(profile, traded, Position(held), 10**14, 9_000, order, target)
        found = compiled.is_taken(terms_of(profile, traded, UNIT), holding_of(moment), 9_000, order, target)
        assert found is ((held, order, target) in taken)
        test_an_order_is_taken_where_the_account_takes_it_direct.hypothesis.inner_test(moment)  # type: ignore[attr-defined]


def test_a_share_of_the_cost_that_is_not_proved_is_not_booked() -> None:
    terms = terms_of(margin(2), BASE, UNIT)._replace(value_up=1, value_down=1 << 10, price_end=1 << 60)
    large = compiled.Holding(1 << 55, 1 << 59, 0, 0, 0, 0)
    assert compiled.worth(terms, 1, 1 << 52) == 1 << 42
    assert not compiled.filled(terms, large, 1, -(1 << 52))[0]
    assert compiled.filled(terms, large._replace(cost=1 << 50), 1, -(1 << 52))[0]


def test_all_that_is_held_is_sold_and_no_fee_is_no_refusal() -> None:
    free = replace(spot(participation="0"), fee=PercentFee(maker=0, taker=0))
    for profile in (free, spot(participation="0")):
        for order, taken in ((-500, True), (-501, False), (100, True)):
            moment = Moment(profile, replace(BASE, lot=1), Position(500), 10**14, 9_000, order, 500 + order)
            found = compiled.is_taken(
                terms_of(profile, moment.traded, UNIT), holding_of(moment), 9_000, order, moment.target
            )
            assert found is taken
            test_an_order_is_taken_where_the_account_takes_it_direct.hypothesis.inner_test(moment)  # type: ignore[attr-defined]
