"""What values mean when a field is left out, and edges of rules that take more than one order to reach."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.accounts.position import Position
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.fees.model import Execution
from brokerage.domain.models.financing import IBKR_LOANS, BorrowRate
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.models.slippage.impact import MarketImpact
from brokerage.domain.models.source import Dated
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import Liquidity, OrderEvent
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.reports import Outcome, VenueAnswer
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.risk.limits import Limits
from brokerage.domain.risk.maintenance import account_margin
from brokerage.domain.risk.margin_call import margin_call
from brokerage.domain.simulation.corporate import opened_before
from tests.brokerage.samples import ACCOUNT

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000
BEGIN = 19_500 * DAY  # 2023-05-23
X = instrument("X", base="X", quote="USD", price_places=2)
COIN = instrument("C", base="C", quote="USD", price_places=2, asset_class=AssetClass.CRYPTO)
FREE = margin(4, fee="0", participation="0")


def bar(start_ns: int, dollars: int) -> Bar:
    return Bar(start_ns, start_ns + MINUTE, *(dollars * 100,) * 4, 10**9)


def desk(cash: int = 10_000, **changes: object) -> SimulatedAccount:
    """An account that has seen both symbols at 100."""
    profile = replace(FREE, **changes)  # type: ignore[arg-type]  # the test names real fields
    made = SimulatedAccount(profile, {"USD": Decimal(cash)}, instruments=[X, COIN])
    for symbol in ("X", "C"):
        made.on_bar(symbol, bar(BEGIN, 100))
    return made


def trade(made: SimulatedAccount, symbol: str, quantity: int, number: int = 1) -> Denial | None:
    """A market order, filled at 100 in the next minute."""
    side = Side.BUY if quantity > 0 else Side.SELL
    at_ns = BEGIN + number * MINUTE
    order = Order(LOCAL, f"o{number}", symbol, side, Decimal(abs(quantity)))
    denied = made.submit(order, at_ns)[-1].denial
    made.advance(at_ns)
    made.on_bar(symbol, bar(at_ns, 100))
    made.advance(at_ns + MINUTE)
    return denied


def test_what_is_left_out_is_nothing() -> None:
    execution = Execution(X, Side.BUY, 1, 1, Liquidity.TAKER)
    assert (execution.filled, execution.filled_notional, execution.volume, execution.at_ns) == (0, 0, 0, 0)
    event = OrderEvent("id", 1, EventKind.ACCEPTED, 1, 1)
    assert (event.cumulative, event.quantity, event.worst, event.limit, event.stop) == (0, 0, 0, None, None)
    assert VenueAnswer(Outcome.ACCEPTED).at_ns == 0
    assert (Mark(1, 2).bar_ns, Order(LOCAL, "o", "X", Side.BUY, Decimal(1)).strategy_version) == (0, 0)
    assert (ACCOUNT.event_sequence, ACCOUNT.fill_sequence, ACCOUNT.carried_ns, ACCOUNT.interest_ns) == (0, 0, 0, 0)
    assert ACCOUNT.rate_ns == 0
    assert MarketImpact({}).rate == 0
    assert opened_before(X, None) is None
    assert "AAPL" in {one.symbol for one in Instruments().listed()}


def test_the_fees_of_a_venue_hold_from_the_beginning_of_time() -> None:
    fee = profile_named("coinbase_spot").fee
    early = Execution(X, Side.BUY, 1, 100 * 10**8, Liquidity.TAKER, at_ns=1)
    assert fee.charge(early) == (30_000_000, "USD")  # 0.3 % before 2019-03-23


def test_a_sale_of_what_is_held_passes_whatever_others_have_sold_short() -> None:
    made = desk(borrow={"X": (Dated(0, BorrowRate(fee=0, rebate=0, available=3)),)})
    assert trade(made, "X", 10) is None
    other = StrategyBook()
    other.ledger.restore(X, Position(quantity=-5, cost=-500 * 10**8))
    made.view.books[Owner("local", "", "other")] = other
    assert trade(made, "X", -9, 2) is None
    assert trade(made, "X", -1, 3) is None
    assert trade(made, "X", -1, 4) is Denial.SHORT_UNAVAILABLE


def test_what_a_short_of_coins_brought_reduces_a_loan_and_what_one_of_shares_brought_does_not() -> None:
    """10,000 and 20,000 of shares: a loan of 10,000. Coins sold for 5,000 leave 5,000; shares sold, all of it."""
    for symbol, owed in (("C", 5_000), ("X", 10_000)):
        made = desk(loans=IBKR_LOANS, cash=10_000)
        held, short = ("X", "C") if symbol == "C" else ("C", "X")
        assert trade(made, held, 200) is None
        assert trade(made, short, -50, 2) is None
        midnight = BEGIN + DAY
        paid = made.advance(midnight + MINUTE)
        interest = [one.amount for one in paid if one.kind.value == "INTEREST"]
        assert interest == [IBKR_LOANS["USD"].of_day("USD", -owed * 10**8, midnight - 1)]


def test_a_margin_call_goes_on_with_the_next_loser_where_the_first_is_not_enough() -> None:
    """At a fifth of leverage 4: 1,000 holds 20 of each at 100; at 70 equity is -200: all of both goes."""
    made = desk(cash=1_000)
    assert trade(made, "X", 19) is None
    assert trade(made, "C", 20, 2) is None
    for symbol, price in (("X", 80), ("C", 77)):
        made.on_bar(symbol, bar(BEGIN + 5 * MINUTE, price))
    call = margin_call(made.view, account_margin(made.view))
    assert call is not None
    # equity 160; margin 380 and 385, together 765: missing 605, of which the coins (lost 460) free 385
    assert [(one.instrument.symbol, one.quantity) for one in call.reductions] == [("C", -20), ("X", -11)]


def test_a_margin_call_is_reckoned_in_the_accounts_currency() -> None:
    """At 2 dollars a euro 100 shares lose 3,000 euros, more than the 3,800 dollars that the others lose."""
    euros = instrument("E", base="E", quote="EUR", price_places=2)
    made = SimulatedAccount(FREE, {"USD": Decimal(10_000)}, instruments=[X, euros])
    rate = 2 * 10**24
    made.on_bar("EURUSD", Bar(BEGIN, BEGIN + MINUTE, rate, rate, rate, rate, 10**9))
    for symbol in ("X", "E"):
        made.on_bar(symbol, bar(BEGIN, 100))
    assert trade(made, "E", 100) is None
    assert trade(made, "X", 100, 2) is None
    for symbol, price in (("E", 70), ("X", 62)):
        made.on_bar(symbol, bar(BEGIN + 5 * MINUTE, price))
    call = margin_call(made.view, account_margin(made.view))
    assert call is not None
    # equity 200; margin 3,500 and 1,550: missing 4,850, of which E frees 3,500
    assert [(one.instrument.symbol, one.quantity) for one in call.reductions] == [("E", -100), ("X", -88)]
    assert call.message == "MARGIN_CALL: equity is 200 USD, margin in use 5050 USD"


def test_a_position_target_finer_than_the_lots_scale_is_refused() -> None:
    made = desk()
    wanted = Order(LOCAL, "o", "X", Side.BUY, Decimal(1), position_target=Decimal("1.5"))
    assert made.submit(wanted, BEGIN + MINUTE)[-1].denial is Denial.PRECISION


@pytest.mark.parametrize(("decided", "sent"), [(1, 2), (2, 1)])
def test_an_order_works_from_the_later_of_its_decision_and_its_arrival(decided: int, sent: int) -> None:
    made = desk()
    order = Order(LOCAL, "o", "X", Side.BUY, Decimal(1), decided_ns=BEGIN + decided * MINUTE)
    made.submit(order, BEGIN + sent * MINUTE)
    assert made.record("o").accepted_ns == BEGIN + 2 * MINUTE


def test_a_purchase_is_judged_with_the_sales_that_work_beside_it() -> None:
    """Sales of 50 at 100 may leave 5,000 short: over a gross of 4,000 nothing may be added, on either side."""
    made = desk(cash=100_000)
    sale = Order(LOCAL, "s", "X", Side.SELL, Decimal(50), OrderType.LIMIT, limit_price=Decimal(100))
    assert made.submit(sale, BEGIN + MINUTE)[-1].denial is None
    made.view.limits = Limits(account_gross_max=4_000 * 10**8)
    purchase = Order(LOCAL, "b", "X", Side.BUY, Decimal(10))
    assert made.submit(purchase, BEGIN + MINUTE)[-1].denial is Denial.EXPOSURE_ABOVE_LIMIT
