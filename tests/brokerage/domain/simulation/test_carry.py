"""Money over time through the simulated account: settlement, loans, shorts, funding, futures; and the accounting
identity on random histories. Prices in whole dollars.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.financing import BorrowRate
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_spot, binance_usdm
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.ibkr import ibkr_equities, ibkr_futures
from brokerage.domain.models.source import Dated
from brokerage.domain.money import rate
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import DAY_NS, Carry, Clocks, Payment
from qmtl.core.errors import NotFound
from qmtl.core.instants import to_ns

MINUTE = 60_000_000_000
STOCK = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
FUTURE = instrument("ES", base="ES", quote="USD", price_places=2, multiplier="50", asset_class=AssetClass.FUTURE)
COIN = instrument(
    "BTC-EUR", base="BTC", quote="EUR", lot="0.01", price_places=2, quantity_places=8, asset_class=AssetClass.CRYPTO
)
FREE = replace(ibkr_equities(), fee=margin(2, fee="0").fee, participation=0)


def at(month: int, day: int, hour: int = 15, minute: int = 0) -> int:
    return to_ns(datetime(2024, month, day, hour, minute, tzinfo=UTC))


def bar(start_ns: int, price: int, close: int | None = None) -> Bar:
    opened, last = 100 * price, 100 * (close or price)
    return Bar(start_ns, start_ns + MINUTE, opened, max(opened, last), min(opened, last), last, 10**9)


class Desk:
    """An account that trades one instrument a minute at a time."""

    def __init__(self, profile: BrokerageProfile, traded: Instrument, cash: int = 10_000) -> None:
        self.account = SimulatedAccount(profile, {traded.quote: Decimal(cash)}, instruments=[traded])
        self.traded = traded
        self.paid: list[Payment] = []
        self.count = 0

    def show(self, start_ns: int, price: int, close: int | None = None) -> None:
        self.paid += self.account.advance(start_ns)
        self.account.on_bar(self.traded.symbol, bar(start_ns, price, close))
        self.paid += self.account.advance(start_ns + MINUTE)

    def trade(self, start_ns: int, quantity: str, price: int) -> Denial | None:
        """A market order that a bar at a price fills, with a bar at the price before it."""
        self.show(start_ns - MINUTE, price)
        self.count += 1
        amount = Decimal(quantity)
        side = Side.BUY if amount > 0 else Side.SELL
        made = Order(LOCAL, f"o{self.count}", self.traded.symbol, side, abs(amount))
        denial = self.account.submit(made, start_ns)[-1].denial
        self.show(start_ns, price)
        return denial

    def amounts(self) -> list[tuple[str, int]]:
        """Kind and amount, in millionths of the currency, of what was paid."""
        return [(payment.kind.value, payment.amount // 100) for payment in self.paid]


def test_proceeds_of_shares_wait_for_their_day_over_a_holiday() -> None:
    desk = Desk(replace(FREE, buying_power=BuyingPower.CASH, leverage=1), STOCK)
    assert desk.trade(at(11, 27), "100", 100) is None
    assert desk.trade(at(11, 27, 16), "-100", 100) is None
    assert money(desk) == (Decimal(0), Decimal(10_000))
    assert desk.trade(at(11, 27, 17), "50", 100) is Denial.BALANCE_INSUFFICIENT
    # Thanksgiving is no day; T+1 of Wednesday is Friday, 06:00 New York
    desk.account.advance(at(11, 29, 11) - 1)
    assert desk.account.cash("USD") == 0
    desk.account.advance(at(11, 29, 11))
    assert money(desk) == (Decimal(10_000), Decimal(10_000))
    assert desk.trade(at(11, 29), "50", 100) is None


def test_a_position_whose_price_is_not_known_yet_is_charged_nothing() -> None:
    """What was stored of a symbol's time is there before its first price; with that the day's profit is paid."""
    view = AccountView(ibkr_futures(), Instruments([FUTURE]), "USD", {})
    ledger = view.book(LOCAL).ledger
    ledger.restore(FUTURE, Position(2, FUTURE.notional(100_00, 2)))
    for price, paid in ((None, []), (101_00, [100 * 10**8])):
        if price is not None:
            view.marks["ES"] = Mark(price, DAY_NS)
        carry = Carry(view, ledger, lambda until_ns: {}, Clocks(1, 1, {"ES": 1}))
        assert [payment.amount for payment in carry.advance(DAY_NS)] == paid


def test_proceeds_wait_over_a_day_on_which_exchanges_trade_and_banks_do_not() -> None:
    desk = Desk(replace(FREE, buying_power=BuyingPower.CASH, leverage=1), STOCK)
    desk.trade(at(10, 10), "100", 100)
    desk.trade(at(10, 11), "-100", 100)  # a Friday; Monday is Columbus Day
    desk.account.advance(at(10, 15, 10) - 1)
    assert money(desk) == (Decimal(0), Decimal(10_000))
    desk.account.advance(at(10, 15, 10))
    assert money(desk) == (Decimal(10_000), Decimal(10_000))


def test_a_margin_account_uses_proceeds_at_once() -> None:
    desk = Desk(FREE, STOCK)
    desk.trade(at(11, 27), "100", 100)
    desk.trade(at(11, 27, 16), "-100", 100)
    assert desk.account.cash("USD") == 10_000


def test_shares_of_an_exchange_without_cycles_are_refused_by_name() -> None:
    desk = Desk(replace(FREE, buying_power=BuyingPower.CASH, leverage=1), replace(STOCK, calendar=""))
    desk.trade(at(11, 27), "100", 100)
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*settlement_cycles"):
        desk.trade(at(11, 27, 16), "-100", 100)


def test_what_is_owed_bears_interest_each_night_and_on_weekends() -> None:
    desk = Desk(FREE, STOCK)
    desk.trade(at(11, 27), "150", 100)  # 5,000 owed, at 4.75 % + 1.5 % of a year of 360 days
    desk.show(at(11, 29), 100)
    assert desk.amounts() == [("INTEREST", -868_056), ("INTEREST", -868_207)]  # the second on the first too
    desk.show(at(12, 2), 100)
    assert len(desk.paid) == 5
    owed = sum(payment.amount for payment in desk.paid)
    assert desk.account.equity("USD") == 10_000 + Decimal(owed).scaleb(-8)


def test_interest_waits_until_the_prices_of_all_symbols_have_come() -> None:
    desk, other = Desk(FREE, STOCK), replace(STOCK, symbol="Y", base="Y")
    desk.account = SimulatedAccount(FREE, {"USD": Decimal(10_000)}, instruments=[STOCK, other])
    desk.trade(at(11, 27), "150", 100)
    desk.account.advance(at(11, 27, 23, 30))
    desk.account.on_bar("Y", Bar(at(11, 27, 22, 30), at(11, 27, 23, 30), 100, 100, 100, 100, 0))
    assert desk.account.advance(at(11, 28, 0, 10)) == []  # its next hour is under way
    assert [payment.kind for payment in desk.account.advance(at(11, 28, 0, 30))] == [CashKind.INTEREST]


def test_loans_before_the_first_benchmark_or_in_another_currency_are_refused_by_name() -> None:
    desk = Desk(FREE, replace(STOCK, quote="EUR"))
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*EUR"):
        desk.trade(at(11, 27, 23, 59), "150", 100)


def test_shorts_pay_the_rate_of_their_day() -> None:
    day = (at(11, 27, 0), at(11, 29, 0))
    rows = tuple(Dated(start, BorrowRate(fee=rate(fee))) for start, fee in zip(day, ("0.036", "0.36"), strict=True))
    desk = Desk(replace(FREE, loans=None, borrow={"X": rows}), STOCK)
    desk.trade(at(11, 27), "-50", 100)
    desk.show(at(11, 30), 200)
    # 5,000 at 3.6 % a year of 360 days for the 27th and 28th, at 36 % for the 29th; at the last price before each night
    assert desk.amounts() == [("BORROW", -500_000), ("BORROW", -500_000), ("BORROW", -5_000_000)]


def test_the_night_before_a_new_benchmark_costs_what_the_day_did() -> None:
    desk = Desk(FREE, STOCK)
    desk.trade(at(12, 17), "150", 100)
    desk.show(at(12, 20), 100)
    # 5,000 owed; the Fed's 4.75 % held through the 18th and 4.5 % from the 19th, and 1.5 %, of a year of 360 days
    assert desk.amounts() == [("INTEREST", -868_056), ("INTEREST", -868_207), ("INTEREST", -833_623)]


def test_shares_bought_at_the_open_of_a_day_from_midnight_utc_are_of_that_day() -> None:
    desk = Desk(replace(FREE, buying_power=BuyingPower.CASH, leverage=1), STOCK)
    desk.trade(at(5, 31), "100", 100)
    desk.show(at(6, 2, 23, 59), 100)
    made = Order(LOCAL, "sale", "X", Side.SELL, Decimal(100))
    desk.account.submit(made, at(6, 3, 0))
    day = replace(bar(at(6, 3, 0), 100), end_ns=at(6, 4, 0))
    [sale] = desk.account.on_bar("X", day)
    # Monday's open, not the evening of Sunday in New York: T+1 is Tuesday, 06:00
    assert sale.fill is not None
    assert sale.fill.venue_ns == at(6, 3, 13, 30)
    desk.account.advance(at(6, 4, 10) - 1)
    assert desk.account.cash("USD") == 0
    desk.account.advance(at(6, 4, 10))
    assert desk.account.cash("USD") == 10_000


def test_no_more_is_sold_short_than_can_be_borrowed_that_day() -> None:
    rows = tuple(Dated(at(11, day, 0), BorrowRate(available=units)) for day, units in ((27, 50), (29, 60), (30, None)))
    desk = Desk(replace(FREE, loans=None, borrow={"X": rows}), STOCK)
    assert desk.trade(at(11, 27), "-51", 100) is Denial.SHORT_UNAVAILABLE
    assert desk.trade(at(11, 27, 16), "-50", 100) is None
    assert desk.trade(at(11, 27, 17), "-1", 100) is Denial.SHORT_UNAVAILABLE
    assert desk.trade(at(11, 29), "-10", 100) is None
    assert desk.trade(at(11, 29, 16), "70", 100) is None  # turns round
    assert desk.trade(at(11, 29, 17), "-71", 100) is Denial.SHORT_UNAVAILABLE
    assert desk.trade(at(11, 29, 18), "-70", 100) is None
    assert desk.trade(at(11, 30), "-1", 100) is None
    stranger = desk.account.view.book(replace(LOCAL, strategy_id="other"))
    stranger.ledger.book(STOCK, Side.SELL, Fill("t", 1000, 100_00, 0, "USD", Liquidity.TAKER, 1))
    desk.account.view.profile = replace(desk.account.view.profile, borrow={"X": rows[:2]})
    assert desk.trade(at(11, 30, 16), "-1", 100) is Denial.SHORT_UNAVAILABLE  # another's shorts count


def test_perpetuals_pay_their_rate_at_its_instants_at_the_mark_before() -> None:
    coin = replace(COIN, quote="USDT")
    rates = (
        Dated(at(11, 27, 8), rate("0.0001")),
        Dated(at(11, 27, 16), rate("0.001")),
        Dated(at(11, 28, 0), rate("-0.001")),
    )
    desk = Desk(replace(binance_usdm(), fee=FREE.fee, participation=0, funding_rates={"BTC-EUR": rates}), coin)
    desk.trade(at(11, 27, 10), "2", 1000)
    desk.show(at(11, 27, 15), 1100)
    desk.show(at(11, 29), 1500)
    assert desk.amounts() == [("FUNDING", -2_200_000), ("FUNDING", 2_200_000)]
    assert money(desk) == (Decimal(8_000), Decimal(11_000))


def test_what_is_due_at_the_instant_that_money_was_brought_to_is_paid_once() -> None:
    instant = at(11, 28, 0)
    profile = replace(
        binance_usdm(), fee=FREE.fee, participation=0, funding_rates={"BTC-EUR": (Dated(instant, 10**6),)}
    )
    desk = Desk(profile, COIN)
    desk.trade(at(11, 27, 10), "1", 1000)
    assert [len(desk.account.advance(until)) for until in (instant - 1, instant, instant + 1)] == [0, 1, 0]


def test_nothing_is_due_again_after_an_instant_that_is_past() -> None:
    desk = Desk(FREE, STOCK)
    desk.trade(at(11, 27), "150", 100)
    assert [len(desk.account.advance(at(11, day, 1))) for day in (29, 27, 29)] == [2, 0, 0]


def test_a_currency_of_which_nothing_is_owed_needs_no_rate() -> None:
    desk = Desk(FREE, STOCK)
    desk.account.book.ledger.deposit("EUR", 0)
    desk.trade(at(11, 27), "10", 100)
    assert desk.account.advance(at(11, 28, 1)) == []


def test_what_a_day_costs_is_not_due_at_other_instants() -> None:
    borrow = {"BTC-EUR": (Dated(0, BorrowRate(fee=rate("0.1"))),)}
    rates = {"BTC-EUR": (Dated(at(11, 27, 16), rate("0.001")),)}
    profile = replace(binance_usdm(), fee=FREE.fee, participation=0, funding_rates=rates, borrow=borrow)
    desk = Desk(profile, COIN)
    desk.trade(at(11, 27, 10), "-1", 1000)
    desk.show(at(11, 27, 17), 1000)
    assert desk.amounts() == [("FUNDING", 1_000_000)]


def test_futures_pay_no_principal_and_are_marked_to_market_each_night() -> None:
    desk = Desk(replace(ibkr_futures(), fee=FREE.fee, participation=0), FUTURE, cash=100_000)
    desk.trade(at(11, 27), "2", 5000)
    assert money(desk) == (Decimal(100_000), Decimal(100_000))
    desk.show(at(11, 27, 16), 5000, 5010)
    assert money(desk) == (Decimal(100_000), Decimal(101_000))
    desk.show(at(11, 28), 5020, 5020)
    assert desk.amounts() == [("VARIATION", 1_000_000_000)]
    assert money(desk) == (Decimal(101_000), Decimal(102_000))
    desk.trade(at(11, 28, 16), "-3", 5030)  # closes two with 20 points since the night, and turns round
    assert money(desk) == (Decimal(103_000), Decimal(103_000))
    [held] = desk.account.portfolio().positions
    assert [held.quantity, held.realised, held.unrealised] == [-1, 3_000, 0]


EIGHT_HOURS = DAY_NS // 3
RATES = tuple(Dated(at(11, 27, 0) + number * EIGHT_HOURS, 30_000) for number in range(99))
SETUPS: dict[str, tuple[BrokerageProfile, Instrument]] = {
    "shares for cash": (replace(ibkr_equities(), buying_power=BuyingPower.CASH, leverage=1), STOCK),
    "shares on margin": (
        replace(ibkr_equities(), borrow={"X": (Dated(0, BorrowRate(rate("0.05"), rate("0.001"))),)}),
        STOCK,
    ),
    "futures": (ibkr_futures(), FUTURE),
    "coins with fees in base": (binance_spot(), COIN),
    "perpetuals": (replace(binance_usdm(), funding_rates={"BTC-EUR": RATES}), COIN),
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "limit", "wait", "convert"]),
        st.integers(-20, 20).filter(bool),
        st.integers(60, 140),
        st.integers(1, 40),
    ),
    min_size=5,
    max_size=25,
)


@pytest.mark.parametrize("name", SETUPS)
@settings(max_examples=15)
@given(steps=STEPS)
def test_equity_is_what_was_paid_in_earned_and_charged(name: str, steps: list[tuple[str, int, int, int]]) -> None:
    profile, traded = SETUPS[name]
    desk, now, changed = Desk(replace(profile, participation=10**6), traded, 100_000), at(11, 27), 0
    desk.show(now, 100)
    for number, (kind, lots, price, hours) in enumerate(steps):
        now += MINUTE
        if kind == "wait":
            now += hours * 60 * MINUTE
        elif kind == "convert" and desk.account.cash(traded.quote) > 1:
            desk.account.convert(traded.quote, "JPY", Decimal(1), Decimal(price), now)
            changed += 10**8
        elif kind != "convert":
            side, quantity = Side.BUY if lots > 0 else Side.SELL, traded.quantity_decimal(abs(lots) * traded.lot)
            made = Order(LOCAL, f"r{number}", traded.symbol, side, quantity)
            if kind == "limit":
                made = replace(made, type=OrderType.LIMIT, limit_price=Decimal(price))
            desk.account.submit(made, now)
        desk.show(now, price, 60 + (price * 7 + hours) % 80)
        check_identity(desk, changed)
    cash = desk.account.book.ledger.book_of_cash
    assert (
        cash.total("JPY") == sum(10**4 * price for kind, _, price, _ in steps if kind == "convert") or changed < 10**8
    )


def money(desk: Desk) -> tuple[Decimal, Decimal]:
    """Settled cash and equity."""
    currency = desk.traded.quote
    return desk.account.cash(currency), desk.account.equity(currency)


def check_identity(desk: Desk, changed: int) -> None:
    """Equity by cash and worth is equity by what was paid in, earned, charged and paid by time, to the unit."""
    ledger, traded = desk.account.book.ledger, desk.traded
    mark = desk.account.view.marks[traded.symbol].price
    position = ledger.position(traded.symbol)
    earned = position.realised + traded.notional(mark, position.quantity) - position.cost - position.fees
    time = sum(payment.amount for payment in desk.paid if payment.kind is not CashKind.VARIATION)
    assert ledger.equity(traded.quote, {traded.symbol: mark}) == 100_000 * 10**8 + earned + time - changed
    assert desk.account.view.equity() == ledger.equity(traded.quote, {traded.symbol: mark})
    lots = desk.account.lots(traded.symbol)
    assert sum(lot.quantity for lot in lots.lots) == position.quantity
    assert lots.profit - lots.cost == position.realised - position.cost


def test_lots_close_first_in_first_out_beside_average_cost() -> None:
    desk = Desk(FREE, STOCK)
    for hour, quantity, price in ((15, "10", 100), (16, "10", 120), (17, "-15", 130)):
        desk.trade(at(11, 27, hour), quantity, price)
    lots, [held] = desk.account.lots("X"), desk.account.portfolio().positions
    assert [(lot.quantity, lot.cost // 10**8) for lot in lots.lots] == [(5, 600)]
    assert [(lot.quantity, lot.profit // 10**8) for lot in lots.closed] == [(10, 300), (5, 50)]
    assert [held.average_price, held.realised] == [110, 300]


def test_a_fee_in_a_third_currency_is_paid_from_it() -> None:
    desk = Desk(FREE, STOCK)
    ledger = desk.account.book.ledger
    ledger.deposit("BNB", 10**8)
    ledger.book(STOCK, Side.BUY, Fill("t1", 5, 100_00, 10**6, "BNB", Liquidity.TAKER, at(11, 27)))
    assert ledger.equity("USD", {"X": 100_00}) == 10_000 * 10**8
    assert ledger.cash["BNB"] == 10**8 - 10**6
