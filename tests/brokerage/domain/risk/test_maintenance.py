"""The margin of an account by the tiers of its instruments: Binance's published example, warnings, calls, netting."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.margins import Held
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_usdm
from brokerage.domain.models.profiles.ibkr import ibkr_reg_t
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.maintenance import MarginState, account_margin, liquidation_prices
from brokerage.domain.risk.margin_call import PARTS_MAX, Reduction, margin_call
from tests.support.shared.examples import examples

FIRST, SECOND, THIRD = (Owner("acc", "w", name) for name in ("s1", "s2", "s3"))
USDT = 10**8


def perpetual(symbol: str, *tiers: tuple[str, int, str, str]) -> Instrument:
    return instrument(
        symbol,
        base=symbol,
        quote="USDT",
        tick="0.01",
        lot="0.001",
        price_places=2,
        asset_class=AssetClass.FUTURE,
        tiers=tiers,
    )


# the tiers of 2021, whose amounts the example has
BTC = perpetual(
    "BTC",
    ("50000", 125, "0.004", "0"),
    ("250000", 100, "0.005", "50"),
    ("1000000", 50, "0.01", "1300"),
    ("10000000", 20, "0.025", "16300"),
)
ETH = perpetual(
    "ETH",
    ("10000", 100, "0.005", "0"),
    ("100000", 75, "0.0065", "15"),
    ("500000", 50, "0.01", "365"),
    ("1000000", 25, "0.02", "5365"),
    ("2000000", 10, "0.05", "35365"),
    ("5000000", 5, "0.1", "135365"),
)
PLAIN = perpetual("PLAIN")


def view_of(
    cash: str,
    *held: tuple[Owner, Instrument, str, str],
    profile: BrokerageProfile | None = None,
    **marks: str,
) -> AccountView:
    """Cash in USDT, and positions: whose, of what, how much, entered at which price."""
    wallet = int(Decimal(cash) * USDT)
    known = [BTC, ETH, PLAIN]
    view = AccountView(profile or binance_usdm(), Instruments(known), "USDT", {"USDT": wallet})
    for one in known:
        if one.symbol in marks:
            view.marks[one.symbol] = Mark(int(Decimal(marks[one.symbol]) * 100), 1)
    for owner, one, quantity, price in held:
        units = int(Decimal(quantity) * 1_000)
        cost = one.notional(int(Decimal(price) * 100), units)
        view.book(owner).ledger.restore(one, Position(units, cost))
    return view


def test_liquidation_prices_are_those_of_the_published_example() -> None:
    """Binance FAQ b3c689c1f50a44cabb3a84e663b81d93: cross wallet 1,535,443.01 USDT; 109.488 BTC at 32,481.98 with the
    mark 31,967.27 keep 71,200.81 and lose 56,354.57; 3,683.979 ETH at 1,456.84, mark 1,335.18, keep 356,512.508 and
    lose 448,192.89. Liquidated at 26,316.89 and 1,153.26.
    """
    view = view_of(
        "1535443.01",
        (FIRST, BTC, "109.488", "32481.98"),
        (FIRST, ETH, "3683.979", "1456.84"),
        BTC="31967.27",
        ETH="1335.18",
    )
    margin = account_margin(view)
    assert margin is not None
    kept = {one.instrument.symbol: one.margin for one in margin.held}
    assert round(Decimal(kept["BTC"]) / USDT, 3) == Decimal("71200.811")
    assert round(Decimal(kept["ETH"]) / USDT, 3) == Decimal("356512.508")
    prices = liquidation_prices(view)
    assert [round(prices[name], 2) for name in ("BTC", "ETH")] == [Decimal("26316.89"), Decimal("1153.26")]
    assert margin.state is MarginState.COVERED


def test_a_price_is_told_on_the_side_of_the_market_and_called_there() -> None:
    """Short 2 at 1,000 with 500: (500 + 2,000) / (2 x 1.005) = 1,243.7810945..., down; long mirrored, up."""
    short = view_of("500", (FIRST, ETH, "-2", "1000"), ETH="1000")
    assert liquidation_prices(short) == {"ETH": Decimal("1243.781094")}
    long = view_of("500", (FIRST, ETH, "2", "1000"), ETH="1000")
    assert liquidation_prices(long) == {"ETH": Decimal("753.768845")}  # 1,500 / (2 x 0.995) = 753.7688442...
    for view, covered, called in ((short, 124_378, 124_379), (long, 75_377, 75_376)):
        view.marks["ETH"] = Mark(covered, 1)
        assert margin_call(view, account_margin(view)) is None
        view.marks["ETH"] = Mark(called, 1)
        call = margin_call(view, account_margin(view))
        assert call is not None
        assert not call.ruined
        assert len(call.reductions) == 1


@pytest.mark.parametrize(
    ("mark", "state"),
    [
        # 10 ETH at 1,000 with 1,000: equity 10 p - 9,000, margin 0.05 p
        ("1000", MarginState.COVERED),
        ("904.99", MarginState.COVERED),  # 49.9 of equity, 95 % are 47.4 and 45.25 are kept
        ("904.77", MarginState.COVERED),  # 47.7, 45.315 and 45.2385
        ("904.76", MarginState.WARNED),  # 47.6, 45.22 and 45.238
        ("904.53", MarginState.WARNED),  # 45.3 and 45.2265
        ("904.52", MarginState.CALLED),  # 45.2 and 45.226
        ("899", MarginState.CALLED),
    ],
)
def test_an_account_is_warned_before_it_is_called(mark: str, state: MarginState) -> None:
    margin = account_margin(view_of("1000", (FIRST, ETH, "10", "1000"), ETH=mark))
    assert margin is not None
    assert margin.state is state


def test_equity_that_is_just_what_is_kept_is_called_and_something_is_closed() -> None:
    """2 at 1,000 with 10: equity 10, kept 10."""
    view = view_of("10", (FIRST, ETH, "2", "1000"), ETH="1000")
    margin = account_margin(view)
    assert margin is not None
    assert (margin.equity, margin.used, margin.state) == (10 * USDT, 10 * USDT, MarginState.CALLED)
    call = margin_call(view, margin)
    assert call is not None
    assert call.reductions == (Reduction(FIRST, ETH, -1),)


def test_an_account_whose_equity_is_nothing_closes_everything() -> None:
    """2 at 1,000 with 200 at 900: nothing is left; with 0.01 more something is, and 2 less a lot are not enough."""
    view = view_of("200", (FIRST, ETH, "2", "1000"), ETH="900")
    call = margin_call(view, account_margin(view))
    assert call is not None
    assert call.ruined
    view = view_of("200.01", (FIRST, ETH, "2", "1000"), ETH="900")
    call = margin_call(view, account_margin(view))
    assert call is not None
    assert not call.ruined
    assert call.reductions == (Reduction(FIRST, ETH, -1_998),)  # 8.99 of 9 that are kept, up


def test_a_position_of_one_lot_is_closed_on_its_side() -> None:
    for quantity, price in (("0.001", "995"), ("-0.001", "1005")):
        view = view_of("0.0055", (FIRST, ETH, quantity, "1000"), ETH=price)
        call = margin_call(view, account_margin(view))
        assert call is not None
        assert [one.quantity for one in call.reductions] == [-1 if quantity > "0" else 1]


def test_without_tiers_an_account_is_warned_and_called_as_by_lean() -> None:
    """100 at leverage 20 hold 5 at 1; called beyond 110 % of equity, warned from 104.5 %."""
    for price, state in (("1", MarginState.COVERED), ("0.96", MarginState.WARNED), ("0.95", MarginState.CALLED)):
        margin = account_margin(view_of("8.56", (FIRST, PLAIN, "100", "1"), PLAIN=price))
        assert margin is not None
        assert margin.state is state, price
        assert not margin.by_tiers


def test_owners_are_netted_and_those_on_the_nets_side_are_closed() -> None:
    """7 and 3 long, 6 short: 4 are held at the exchange; each of the two long may close its share of them."""
    owned = ((FIRST, ETH, "7", "1000"), (SECOND, ETH, "3", "1000"), (THIRD, ETH, "-6", "1000"))
    view = view_of("410", *owned, ETH="900")
    margin = account_margin(view)
    assert margin is not None
    assert (margin.equity, margin.used) == (10 * USDT, 18 * USDT)  # 0.5 % of 3,600
    assert [(one.owner, one.margin, one.closable) for one in margin.held] == [
        (FIRST, 12_6 * USDT // 10, 2_800),
        (SECOND, 5_4 * USDT // 10, 1_200),
        (THIRD, 0, 0),
    ]
    call = margin_call(view, margin)
    assert call is not None
    assert call.reductions == (Reduction(FIRST, ETH, -1_778),)  # 8 of 12.6 of 2.8, up
    assert liquidation_prices(view) == {"ETH": Decimal("902.010051")}  # (4,000 - 410) / (4 x 0.995) = 902.0100502...


def test_parts_of_a_net_position_are_whole_lots_and_dust_stays() -> None:
    """3 lots of one and of another long, 1 short of a third: of 5 lots 2 and 3; the exchange takes no half of one."""
    coarse = replace(ETH, lot=50, quantity_min=50)
    owned = ((FIRST, coarse, "0.150", "1000"), (SECOND, coarse, "0.150", "1000"), (THIRD, coarse, "-0.050", "1000"))
    view = view_of("25", *owned, ETH="901")  # 0.25 of equity, 1.12625 are kept
    margin = account_margin(view)
    assert margin is not None
    assert [(one.owner, one.closable) for one in margin.held] == [(FIRST, 100), (SECOND, 150), (THIRD, 0)]
    call = margin_call(view, margin)
    assert call is not None
    assert call.reductions == (Reduction(FIRST, coarse, -100), Reduction(SECOND, coarse, -100))
    two = ((FIRST, coarse, "0.170", "1000"), (SECOND, coarse, "-0.020", "1000"))
    for cash, lots in (("15", 150), ("10", 150)):  # all that is closed, but for 0.02
        call = margin_call(view := view_of(cash, *two, ETH="901"), account_margin(view))
        assert call is not None
        assert call.reductions == (Reduction(FIRST, coarse, -lots),)
    dust = view_of("0.0991", (FIRST, coarse, "0.001", "1000"), ETH="901")
    assert margin_call(dust, account_margin(dust)) is None


def test_owners_that_net_to_nothing_keep_nothing_and_have_no_price() -> None:
    view = view_of("10", (FIRST, ETH, "2", "1000"), (SECOND, ETH, "-2", "900"), ETH="1000")
    margin = account_margin(view)
    assert margin is not None
    assert margin.used == 0
    assert liquidation_prices(view) == {}
    view = view_of("100", (FIRST, ETH, "2", "1000"), (SECOND, ETH, "-2", "900"), ETH="1000")
    call = margin_call(view, account_margin(view))
    assert call is not None
    assert call.ruined  # 200 were lost between them
    assert {one.quantity for one in call.reductions} == {-2_000, 2_000}


def test_a_price_is_absent_where_it_is_not_defined() -> None:
    held = (FIRST, ETH, "2", "1000")
    assert liquidation_prices(view_of("500", held, ETH="1000")) != {}
    assert liquidation_prices(view_of("2000", held, ETH="1000")) == {}  # all is paid for: at no price
    assert liquidation_prices(view_of("500", held)) == {}  # no price is known
    assert liquidation_prices(view_of("500", held, (FIRST, BTC, "1", "1000"), ETH="1000")) == {}  # of one of them
    assert liquidation_prices(view_of("500", (FIRST, PLAIN, "2", "1000"), PLAIN="1000")) == {}
    cash = replace(binance_usdm(), buying_power=BuyingPower.CASH)
    assert liquidation_prices(view_of("500", held, profile=cash, ETH="1000")) == {}
    assert account_margin(view_of("500", held, profile=cash, ETH="1000")) is None
    assert liquidation_prices(view_of("500", held, profile=ibkr_reg_t(), ETH="1000")) == {}
    view = view_of("500", held, ETH="1000")
    assert liquidation_prices(replace(view, cash={**view.cash, "EUR": 1})) == {}
    assert liquidation_prices(replace(view, unsettled={"EUR": 1})) == {}
    assert liquidation_prices(replace(view, cash={**view.cash, "EUR": 0}, unsettled={"EUR": 0})) != {}


def test_an_instrument_without_tiers_beside_one_with_keeps_its_leverage() -> None:
    view = view_of("500", (FIRST, ETH, "2", "1000"), (FIRST, PLAIN, "10", "10"), ETH="1000", PLAIN="10")
    # 100 / 20 are kept beside: (2,000 - 495) / (2 x 0.995) = 756.2814070...
    assert liquidation_prices(view) == {"ETH": Decimal("756.281408")}


def test_orders_of_all_owners_decide_on_the_tier_they_open_in() -> None:
    """9 ETH of one and 1 of another at 1,000 are the first tier, at 20 and 20 times; one more is the second."""
    profile = binance_usdm(leverage=100)
    view = view_of("500", (FIRST, ETH, "9", "1000"), profile=profile, ETH="1000")
    nothing, one = NO_OPEN_ORDERS, OpenOrderTotals(1, 1_000, 1, 0, 1_000)
    assert view.held_at_worst(SECOND, ETH, nothing, Side.BUY) == 90 * USDT  # 9,000 / 100
    assert view.held_at_worst(SECOND, ETH, one, Side.BUY) == 100 * USDT + fee(profile, 1_000)
    two = replace(one, quantity=1_001, unpriced=1_001)
    held, opened = -(-9_000 * USDT // 75), -(-1_001 * USDT // 75)
    assert view.held_at_worst(SECOND, ETH, two, Side.BUY) == held + opened + fee(profile, 1_001)
    assert view.held_beside(SECOND, ETH) == 9_000 * USDT
    assert view.held_beside(FIRST, ETH) == 0
    assert view.free("USDT") == 410 * USDT


def fee(profile: BrokerageProfile, quantity: int) -> int:
    return profile.fee.bound(ETH, quantity * USDT, quantity, 1)


def test_a_reduction_above_the_largest_order_is_cut_into_even_ones() -> None:
    """Short 10 at 1,000 with nothing left: the venue takes 4, or 3,000 USDT at 1,000."""
    for capped, parts in (
        (replace(ETH, quantity_max=4_000), [3_333, 3_333, 3_334]),
        (replace(ETH, notional_max=3_000 * USDT), [2_500] * 4),
        (replace(ETH, quantity_max=4_000, notional_max=3_000 * USDT), [2_500] * 4),
        (replace(ETH, lot=10, quantity_max=4_007), [3_330, 3_330, 3_340]),
        (replace(ETH, quantity_max=10_000), [10_000]),
        (replace(ETH, quantity_max=100), [100] * PARTS_MAX),
        (replace(ETH, quantity_min=10_001), []),
        (replace(ETH, quantity_max=9_000, quantity_min=6_000), [9_000]),
        (replace(ETH, lot=100, quantity_max=4_500, quantity_min=3_350), [4_500, 4_500]),
    ):
        call = margin_call(view := view_of("0", (FIRST, capped, "-10", "1000"), ETH="1000"), account_margin(view))
        assert call is not None
        assert call.ruined
        assert [part.quantity for part in call.reductions] == parts


def test_a_reduction_is_no_less_than_the_venue_takes() -> None:
    """Long 10 at 1,000 with the mark at 996: 10 of equity, 49.8 kept, so that 39.8 / 49.8 of it, up, is to go."""
    for least, taken in ((1, [7_992]), (9_000, [9_000]), (10_001, None)):
        tightened = replace(ETH, quantity_min=least)
        view = view_of("50", (FIRST, tightened, "10", "1000"), ETH="996")
        margin = account_margin(view)
        call = margin_call(view, margin)
        assert (None if call is None else [-part.quantity for part in call.reductions]) == taken


@settings(max_examples=examples(25, 500), deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6), st.data())
def test_what_all_owners_hold_is_what_it_comes_to_one_by_one(
    rows: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """By the tiers of an instrument each owner's margin goes by what the others hold and work beside it."""
    view = view_of("1000000", profile=binance_usdm(leverage=100), ETH="1000", BTC="30000")
    owners = [Owner("acc", "w", f"s{number}") for number in range(len(rows))]
    for owner, (held, buys, sells) in zip(owners, rows, strict=True):
        book = view.book(owner)
        book.ledger.restore(ETH, Position(held * 1_000, ETH.notional(100_000, held * 1_000)))
        for side, size in ((Side.BUY, buys), (Side.SELL, sells)):
            if size:
                book.totals["ETH", side] = OpenOrderTotals(1, size * 10_000, 1, 0, size * 10_000)
    funding, total = view.profile.funding, 0
    for owner in owners:
        beside = sum(_gross(view, other) for other in owners if other != owner)
        assert view.held_beside(owner, ETH) == beside
        total += _worst(view, owner, beside)
    assert view.free("USDT") == view.equity() - total
    newcomer = data.draw(st.sampled_from([*owners, Owner("acc", "w", "new")]))
    more = OpenOrderTotals(1, 5_000, 1, 0, 5_000)
    found = view.held_at_worst(newcomer, ETH, more, Side.BUY)
    book = view.book(newcomer)
    book.totals["ETH", Side.BUY] = book.open_totals("ETH", Side.BUY) + more
    everyone = list(view.books)
    assert found == sum(
        _worst(view, owner, sum(_gross(view, other) for other in everyone if other != owner)) for owner in everyone
    )
    alone = {
        owner: funding.initial(
            Held(ETH, view.book(owner).held("ETH"), ETH.notional(100_000, view.book(owner).held("ETH")), 1, beside)
        )
        for owner in everyone
        for beside in [sum(_gross(view, other) for other in everyone if other != owner)]
        if view.book(owner).totals
    }
    assert view.committed("USDT") == sum(
        _worst(view, owner, sum(_gross(view, other) for other in everyone if other != owner)) - margin
        for owner, margin in alone.items()
    )


def _gross(view: AccountView, owner: Owner) -> int:
    book, held = view.book(owner), view.book(owner).held("ETH")
    up = held + book.open_totals("ETH", Side.BUY).quantity
    down = held - book.open_totals("ETH", Side.SELL).quantity
    return max(abs(ETH.notional(100_000, up)), abs(ETH.notional(100_000, down)))


def _worst(view: AccountView, owner: Owner, beside: int) -> int:
    book = view.book(owner)
    buys, sells = (book.open_totals("ETH", side) for side in Side)
    return view.profile.funding.at_worst(ETH, 100_000, book.held("ETH"), buys, sells, 1, beside)
