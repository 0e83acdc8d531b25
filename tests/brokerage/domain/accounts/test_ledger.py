"""Accounting: the books against a brute-force model in exact decimals, and the equity identity on random histories."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position, summed
from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee
from brokerage.domain.money import rate
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Side
from qmtl.core.errors import InvalidRequest, NotReady

SPOT = instrument("BTC-USD", base="BTC", quote="USD", lot="0.00000001", price_places=2)
STOCK = instrument("AAPL", base="AAPL", quote="USD", price_places=2)
FUTURE = instrument("ES", base="ES", quote="USD", tick="0.25", multiplier="50", price_places=2)


def fill(quantity: int, price: int, fee: int = 0, currency: str = "USD", trade_id: str = "t") -> Fill:
    return Fill(trade_id, quantity, price, fee, currency, Liquidity.TAKER, 0)


def numbers(*values: int | str) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


def book(ledger: Ledger, what: Instrument, *trades: tuple[Side, int, int]) -> None:
    for side, quantity, price in trades:
        ledger.book(what, side, fill(quantity, price))


def test_a_round_trip_realises_the_difference() -> None:
    ledger = Ledger()
    ledger.deposit("USD", 100_000 * 10**8)
    book(ledger, STOCK, (Side.BUY, 10, 100_00), (Side.SELL, 10, 110_00))
    position = ledger.position("AAPL")
    assert (position.quantity, position.cost, position.realised) == (0, 0, 100 * 10**8)
    assert ledger.cash["USD"] == 100_100 * 10**8


def test_a_short_earns_when_the_price_falls() -> None:
    ledger = Ledger()
    book(ledger, STOCK, (Side.SELL, 10, 100_00))
    view = ledger.portfolio({"AAPL": 90_00}).positions[0]
    assert (view.quantity, view.average_price, view.value, view.unrealised) == numbers(-10, 100, -900, 100)
    book(ledger, STOCK, (Side.BUY, 4, 90_00))
    view = ledger.portfolio({"AAPL": 90_00}).positions[0]
    assert (view.quantity, view.average_price, view.realised, view.unrealised) == numbers(-6, 100, 40, 60)


def test_a_flip_closes_at_the_old_cost_and_opens_at_the_new_price() -> None:
    ledger = Ledger()
    book(ledger, STOCK, (Side.BUY, 10, 100_00), (Side.SELL, 25, 120_00))
    view = ledger.portfolio({"AAPL": 110_00}).positions[0]
    assert (view.quantity, view.average_price, view.realised, view.unrealised) == numbers(-15, 120, 200, 150)


def test_average_cost_moves_only_when_adding() -> None:
    ledger = Ledger()
    book(ledger, STOCK, (Side.BUY, 10, 100_00), (Side.BUY, 30, 200_00), (Side.SELL, 20, 300_00))
    view = ledger.portfolio({"AAPL": 175_00}).positions[0]
    assert (view.average_price, view.realised, view.unrealised) == numbers(175, 2500, 0)


def test_a_multiplier_scales_value_and_profit() -> None:
    ledger = Ledger()
    book(ledger, FUTURE, (Side.BUY, 2, 4000_00))
    view = ledger.portfolio({"ES": 4001_25}).positions[0]
    assert (view.value, view.unrealised, view.average_price) == (Decimal("400125"), Decimal("125"), Decimal(4000))


def test_a_fee_in_quote_leaves_cash_and_realised_profit_does_not_hold_it() -> None:
    ledger = Ledger()
    ledger.book(STOCK, Side.BUY, fill(10, 100_00, fee=1 * 10**8))
    ledger.book(STOCK, Side.SELL, fill(10, 100_00, fee=2 * 10**8))
    position = ledger.position("AAPL")
    assert (position.realised, position.fees, position.fills) == (0, 3 * 10**8, 2)
    assert ledger.cash["USD"] == -3 * 10**8


def test_a_fee_in_base_reduces_what_is_received() -> None:
    ledger = Ledger()
    fee, currency = PercentFee(currency=FeeCurrency.BASE_ON_BUY).charge(
        Execution(SPOT, Side.BUY, 10**8, 0, Liquidity.TAKER)
    )
    assert (fee, currency) == (100_000, "BTC")
    ledger.book(SPOT, Side.BUY, fill(10**8, 40_000_00, fee, currency))
    view = ledger.portfolio({"BTC-USD": 40_000_00}).positions[0]
    assert view.quantity == Decimal("0.999")
    assert (view.fees, view.realised, view.unrealised) == numbers(40, 0, 0)
    assert ledger.cash["USD"] == -40_000 * 10**8


def test_a_fee_in_a_third_currency_is_paid_from_that_currency() -> None:
    ledger = Ledger()
    ledger.deposit("BNB", 5 * 10**8)
    ledger.book(STOCK, Side.BUY, fill(1, 100, 10**8, "BNB"))
    assert ledger.cash["BNB"] == 4 * 10**8
    assert ledger.position(STOCK.symbol).fees == 0


def test_overflow_is_refused_and_nothing_is_booked() -> None:
    ledger = Ledger()
    with pytest.raises(InvalidRequest, match="E_AMOUNT_OVERFLOW"):
        ledger.book(STOCK, Side.BUY, fill(10**9, 10**9))
    assert ledger.cash == {}
    assert ledger.positions == {}


def test_an_open_position_without_a_mark_is_not_valued() -> None:
    ledger = Ledger()
    book(ledger, STOCK, (Side.BUY, 10, 100_00))
    with pytest.raises(NotReady, match="E_MARK_MISSING"):
        ledger.equity("USD", {})


TRADES = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1, 10**9),
        st.integers(1, 10**7),
        st.sampled_from(["0", "0.001", "0.0026"]),
        st.sampled_from(FeeCurrency),
    ),
    max_size=30,
)


@given(TRADES, st.integers(1, 10**7))
def test_equity_is_what_was_paid_in_plus_profit_less_fees(
    trades: list[tuple[Side, int, int, str, FeeCurrency]], mark: int
) -> None:
    ledger = Ledger()
    paid_in = 10**15
    ledger.deposit("USD", paid_in)
    for side, quantity, price, share, currency in trades:
        notional = SPOT.notional(price, quantity)
        model = PercentFee(rate(share), rate(share), currency)
        fee, fee_currency = model.charge(Execution(SPOT, side, quantity, notional, Liquidity.TAKER))
        ledger.book(SPOT, side, fill(quantity, price, fee, fee_currency))
        position = ledger.position("BTC-USD")
        value = SPOT.notional(mark, position.quantity)
        unrealised = value - position.cost
        assert ledger.equity("USD", {"BTC-USD": mark}) == ledger.cash["USD"] + value
        assert ledger.cash["USD"] + value == paid_in + position.realised + unrealised - position.fees
        assert (position.cost == 0) or position.quantity != 0


@given(TRADES)
def test_books_match_a_model_in_fractions(trades: list[tuple[Side, int, int, str, FeeCurrency]]) -> None:
    """STOCK at whole cents makes every notional exact, so the model may differ only where a cost share is rounded."""
    ledger, held, cost, realised = Ledger(), 0, Fraction(0), Fraction(0)
    for side, quantity, price, _, _ in trades:
        quantity = quantity % 1000 + 1
        ledger.book(STOCK, side, fill(quantity, price))
        signed, unit = side.sign * quantity, Fraction(price, 100)
        closing = min(abs(signed), abs(held)) if held * signed < 0 else 0
        if closing:
            average = cost / held
            direction = 1 if held > 0 else -1
            realised += (unit - average) * closing * direction
            cost -= average * closing * direction
        held, cost = held + signed, cost + unit * (abs(signed) - closing) * side.sign
    position = ledger.position("AAPL")
    assert position.quantity == held
    assert abs(Fraction(position.realised, 10**8) - realised) <= Fraction(30, 10**8)
    assert abs(Fraction(position.cost, 10**8) - cost) <= Fraction(30, 10**8)


def test_two_owners_positions_add_up() -> None:
    one, other = Position(3, 30, 5, 2, 1), Position(-1, -12, 7, 3, 4)
    assert summed(one, other) == Position(2, 18, 12, 5, 5)


@pytest.mark.parametrize(("price", "settled", "waits"), [(1, 0, 1), (0, 0, 0)])
def test_proceeds_wait_to_the_last_unit(price: int, settled: int, waits: int) -> None:
    """A sale that brings a single unit of the currency waits as one that brings a million."""
    tiny = instrument("T", base="T", quote="USD", tick="0.00000001", price_places=8)
    ledger = Ledger(lambda _, at_ns: at_ns + 1)
    ledger.book(tiny, Side.SELL, fill(1, price))
    assert (ledger.cash.get("USD", 0), ledger.book_of_cash.unsettled("USD")) == (settled, waits)
    ledger.book_of_cash.settle(1)
    assert ledger.cash.get("USD", 0) == waits
