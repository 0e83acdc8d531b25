"""Instruments with a date of listing, of delisting or of expiry, in an account stepped by hand and over bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal as D
from fractions import Fraction

import numpy as np
import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.backtest.actions import CorporateActions
from brokerage.domain.backtest.direct import Ticket
from brokerage.domain.backtest.order_list import OrderListReplay, ReplayedOrders, acts_of
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import BarColumns, bar_columns
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.corporate import CorporateAction, Delisting, Expiry, ShareExchange, ending_of
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.simulation.corporate import conversion_of
from qmtl.core.errors import InvalidRequest
from qmtl.stats.trades import ConversionStep
from tests.brokerage.samples import bar

MINUTE = 60 * 10**9
BEGIN = 20_000 * 1_440 * MINUTE - 5 * MINUTE  # five minutes before a day begins: the fifth close is settled daily
SHARE = instrument("S", base="S", quote="USD", lot="1", price_places=2)
FUTURE = instrument("F", base="F", quote="USD", tick="0.25", multiplier="50", asset_class=AssetClass.FUTURE)


def columns(of: Instrument, *closes: float) -> BarColumns:
    made = np.array(closes)
    starts = BEGIN + MINUTE * np.arange(len(closes), dtype=np.int64)
    return bar_columns(of, starts, MINUTE, (made, made, made, made, np.full(len(closes), 1e6)))


def replayed(
    series: list[BarColumns], orders: list[Order], every: bool = False, actions: Sequence[CorporateAction] = ()
) -> tuple[ReplayedOrders, SimulatedAccount]:
    known = [one.instrument for one in series]
    account = SimulatedAccount(margin(4, "0", participation="0"), {"USD": D(100_000)}, instruments=known)
    replay = OrderListReplay(account, Timeline(series), acts_of(orders, []), "USD", every=every, actions=actions)
    return replay.run(), account


def an_order(name: str, symbol: str, minutes: float, side: Side = Side.BUY) -> Order:
    return Order(LOCAL, name, symbol, side, D(2), decided_ns=BEGIN + int(minutes * MINUTE))


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_a_future_is_settled_at_its_last_price_when_it_expires(side: Side, every: bool) -> None:
    """Two contracts of 50 at 100, settled daily at 103, expire at 104.5: 2 x 50 x 4.5 in all."""
    expires = replace(FUTURE, delisted_ns=BEGIN + 7 * MINUTE)
    orders = [an_order("one", "F", 1, side), an_order("rest", "F", 7, side), an_order("late", "F", 8.5, side)]
    dated = [columns(expires, 100, 100, 101, 102, 103, 103, 104.5), columns(SHARE, *[10] * 12)]
    found, account = replayed(dated, orders, every)
    assert account.cash("USD") == D(100_000) + side.sign * D(450)
    assert account.position("F") == 0
    assert {kind: amount // 10**8 for kind, amount in found.carried.items()} == {
        "VARIATION": 300 * side.sign,
        "DELISTING": 150 * side.sign,
    }
    assert [step.event.denial for step in found.denials] == [Denial.NOT_TRADABLE] * 2
    assert found.equity.tolist()[-1] == (100_000 + 450 * side.sign) * 10**8
    assert account.lots("F").profit == 450 * side.sign * 10**8
    assert account.lots("F").lots == ()
    assert found.steps == [ConversionStep("F", 1, BEGIN + 7 * MINUTE, "", D(0), D(10_450 * side.sign), Fraction(0))]
    assert not found.stuck


def test_a_share_that_is_delisted_is_kept_and_told() -> None:
    """At a time within a bar of another symbol: it ends with that bar's close, and takes no order from its time on."""
    dated = [
        columns(replace(SHARE, delisted_ns=BEGIN + 3 * MINUTE + MINUTE // 3), 10, 10, 10, 9),
        columns(FUTURE, *[100] * 8),
    ]
    orders = [an_order("one", "S", 1), an_order("in", "S", 3.5, Side.SELL)]
    found, account = replayed(dated, orders)
    assert (account.position("S"), account.cash("USD")) == (D(2), D(99_980))
    assert [step.order.client_order_id for step in found.denials] == ["in"]
    assert len(found.stuck) == 1
    assert found.stuck[0].startswith("2 S cannot be sold: it trades no more since ")
    assert found.equity.tolist()[-1] == 99_998 * 10**8


@pytest.mark.parametrize("every", [False, True])
def test_shares_become_others_at_the_first_bar_of_those_however_long_that_takes(every: bool) -> None:
    """Two at 10 become one of another symbol, whose first bar is five minutes later, at 24."""
    other = replace(SHARE, symbol="T", base="T")
    late = columns(other, 24, 25, 26)
    series = [
        columns(SHARE, 10, 10, 10),
        replace(late, start_ns=late.start_ns + 8 * MINUTE),
        columns(FUTURE, *[100] * 12),
    ]
    becomes = ShareExchange("S", BEGIN + 3 * MINUTE, "T", Fraction(1, 2))
    found, account = replayed(series, [an_order("one", "S", 1)], every, [becomes])
    assert (account.position("S"), account.position("T"), account.cash("USD")) == (D(0), D(1), D(99_980))
    assert found.equity.tolist()[-5:] == [10**8 * worth for worth in (100_000, 100_004, 100_005, 100_006, 100_006)]


def test_what_an_action_says_of_an_end_comes_before_the_instruments_own() -> None:
    ends = replace(SHARE, delisted_ns=BEGIN + 9 * MINUTE)
    series = [columns(ends, 10, 10)]
    account = SimulatedAccount(margin(1), {"USD": D(1)}, instruments=[ends])
    told = CorporateActions(account, [Delisting("S", BEGIN + 3 * MINUTE, D(9))], {"S": series[0]})
    assert told.next_ns() == account.view.endings["S"] == BEGIN + 3 * MINUTE
    assert CorporateActions(account, [], {"S": series[0]}).next_ns() == BEGIN + 9 * MINUTE


def test_no_order_passes_before_the_listing_nor_from_the_end_on_by_whichever_way() -> None:
    listed, ends = 3 * MINUTE, 5 * MINUTE
    dated = replace(SHARE, listed_ns=listed, delisted_ns=ends)
    account = SimulatedAccount(margin(1), {"USD": D(10_000)}, instruments=[dated])
    for minute, passes in ((1, False), (2, True), (3, True), (4, False)):
        account.on_bar("S", bar(minute))
        at_ns = (minute + 1) * MINUTE
        assert not account.take_direct(Ticket(f"t{minute}", "S", Side.BUY, D(1), at_ns))
        [*_, last] = account.market("S", Side.BUY, D(1), at_ns, f"o{minute}")
        assert (last.denial is None) == passes
        if not passes:
            assert last.denial is Denial.NOT_TRADABLE
    assert last.detail == "S trades no more since 1970-01-01T00:05:00Z: it was delisted, has expired, or is others now"


def test_terms_of_an_end_are_0_or_more_and_bars_end_before_it() -> None:
    """An end at the start of the last bar comes too early, one just after it does not."""
    other = replace(SHARE, symbol="T", base="T")
    series = {"S": columns(SHARE, 10, 10), "T": columns(other, 20, 20)}
    account = SimulatedAccount(margin(1), {"USD": D(1)}, instruments=[SHARE, other])
    last_ns = BEGIN + MINUTE
    for action, refused in (
        (Delisting("S", last_ns), "ends at"),
        (Delisting("S", last_ns + 1, D(-1)), "price -1"),
        (ShareExchange("S", last_ns + 1, "T", Fraction(-1)), "ratio -1"),
        (ShareExchange("S", last_ns + 1, "T", Fraction(1), D(-1)), "cash -1"),
        (ShareExchange("S", last_ns + 1, "T", Fraction(0)), "ratio 0, cash 0"),
    ):
        with pytest.raises(InvalidRequest, match=f"E_FIELD: actions of S is .*{refused}"):
            CorporateActions(account, [action], series)
    for action in (
        Delisting("S", last_ns + 1),
        Delisting("S", last_ns + 1, D(0)),
        Delisting("S", last_ns + 1, D("0.5")),
        ShareExchange("S", last_ns + 1, "", Fraction(0), D("0.5")),
        ShareExchange("S", last_ns + 1, "T", Fraction(1, 2)),
    ):
        assert CorporateActions(account, [action], series).next_ns() == last_ns + 1


def test_dates_and_ends_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_INSTRUMENT_INVALID: S: want delisted after it was listed"):
        replace(SHARE, listed_ns=5, delisted_ns=5)
    assert ending_of(SHARE) is None
    assert ending_of(replace(SHARE, delisted_ns=7)) == Delisting("S", 7)
    assert ending_of(replace(FUTURE, delisted_ns=7)) == Expiry("F", 7)
    with pytest.raises(InvalidRequest, match="E_FIELD: actions of S is an expiry of EQUITY, want of a future"):
        conversion_of(Expiry("S", 7), SHARE, None, 1)
    with pytest.raises(InvalidRequest, match="E_FIELD: actions of F is a contract"):
        conversion_of(ShareExchange("F", 7, "S", D(1)), FUTURE, SHARE, 1)  # type: ignore[arg-type]  # a whole number
