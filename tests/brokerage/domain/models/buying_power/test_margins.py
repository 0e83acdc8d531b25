"""Margins of brokers and exchanges through the simulated account: what may be opened, and when positions are closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.buying_power.margins import ContractMargins, Held, RateMargins
from brokerage.domain.models.buying_power.model import BuyingPower, BuyingPowerModel
from brokerage.domain.models.buying_power.requirements import ContractMargin
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.crypto import binance_usdm
from brokerage.domain.models.profiles.ibkr import ibkr_day_trader, ibkr_futures, ibkr_reg_t
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, OpenOrderTotals
from qmtl.core.errors import NotFound
from qmtl.core.instants import to_ns

MINUTE = 60_000_000_000
STOCK = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
FUTURE = instrument("ES", base="ES", quote="USD", price_places=2, multiplier="50", asset_class=AssetClass.FUTURE)
PERPETUAL = instrument(
    "P",
    base="P",
    quote="USDT",
    price_places=2,
    asset_class=AssetClass.CRYPTO,
    tiers=[("50000", 125, "0.004", ""), ("120000", 10, "0.01", "300")],
)
NO_FEE = {"fee": PercentFee(0, 0), "participation": 0, "loans": None}


def at(hour: int, minute: int = 0) -> int:
    """An instant of Wednesday 2024-12-04, on which New York trades from 14:30 to 21:00 UTC."""
    return to_ns(datetime(2024, 12, 4, hour, minute, tzinfo=UTC))


def desk(profile: BrokerageProfile, traded: Instrument, cash: int = 10_000) -> SimulatedAccount:
    free = replace(profile, **NO_FEE)  # type: ignore[arg-type]  # real fields
    return SimulatedAccount(free, {traded.quote: Decimal(cash)}, instruments=[traded])


def show(account: SimulatedAccount, symbol: str, end_ns: int, price: int = 100) -> None:
    cents = price * 100
    account.on_bar(symbol, Bar(end_ns - MINUTE, end_ns, cents, cents, cents, cents, 10**9))


def opens(account: SimulatedAccount, symbol: str, quantity: int, at_ns: int, price: int = 100) -> Denial | None:
    """Trade at a price; the denial, if there is one."""
    show(account, symbol, at_ns, price)
    side = Side.BUY if quantity > 0 else Side.SELL
    order = Order(LOCAL, f"o{at_ns}{quantity}", symbol, side, Decimal(abs(quantity)))
    denial = account.submit(order, at_ns)[-1].denial
    show(account, symbol, at_ns + MINUTE, price)
    return denial


def called(account: SimulatedAccount, symbol: str, at_ns: int, price: int) -> bool:
    show(account, symbol, at_ns, price)
    return account.margin_call(at_ns) is not None


@pytest.mark.parametrize(("sign", "kept", "lost"), [(1, 65, 64), (-1, 117, 118)])
def test_regulation_t_asks_for_half_to_open_and_less_to_keep(sign: int, kept: int, lost: int) -> None:
    """200 at 100 with 10,000. At 65: equity 3,000, 25 % are 3,250, within 110 %; at 64: 2,800 and 3,200. The short at
    117: equity 6,600, 30 % are 7,020; at 118: 6,400 and 7,080.
    """
    account = desk(ibkr_reg_t(), STOCK)
    assert opens(account, "X", sign * 201, at(15)) is Denial.BALANCE_INSUFFICIENT
    assert opens(account, "X", sign * 200, at(16)) is None
    assert opens(account, "X", sign, at(17)) is Denial.BALANCE_INSUFFICIENT
    assert not called(account, "X", at(18), kept)
    assert called(account, "X", at(19), lost)


def test_regulation_t_counts_orders_at_their_own_prices_and_a_turn_by_what_it_opens() -> None:
    account = desk(ibkr_reg_t(), STOCK)
    assert opens(account, "X", 100, at(15)) is None  # holds 5,000
    limit = Order(LOCAL, "l", "X", Side.BUY, Decimal(125), type=OrderType.LIMIT, limit_price=Decimal(80))
    assert account.submit(limit, at(15, 5))[-1].denial is None  # 10,000 of value: 5,000
    assert account.free("USD") == 0
    account.cancel("l", at(15, 6))
    assert account.free("USD") == 5_000
    assert opens(account, "X", -301, at(16)) is Denial.BALANCE_INSUFFICIENT
    assert opens(account, "X", -300, at(17)) is None
    assert account.free("USD") == 0
    assert opens(account, "X", 50, at(18)) is None
    assert account.free("USD") == 2_500


def test_a_day_trader_has_four_times_the_equity_until_ten_minutes_before_the_close() -> None:
    account = desk(ibkr_day_trader(), STOCK)
    assert opens(account, "X", 401, at(15)) is Denial.BALANCE_INSUFFICIENT
    assert opens(account, "X", 400, at(16)) is None
    assert not called(account, "X", at(20, 50) - 1, 100)
    assert called(account, "X", at(20, 50), 100)  # 20,000 by now, of 10,000
    late = desk(ibkr_day_trader(), STOCK)
    assert opens(late, "X", 201, at(20, 50)) is Denial.BALANCE_INSUFFICIENT
    assert opens(late, "X", 200, at(20, 55)) is None
    early = desk(ibkr_day_trader(), STOCK)
    assert opens(early, "X", 201, at(14, 29)) is Denial.BALANCE_INSUFFICIENT
    assert opens(early, "X", 201, at(14, 30)) is None


def test_a_day_traders_margin_needs_the_hours_of_its_exchange() -> None:
    profile, bare = ibkr_day_trader(), replace(STOCK, calendar="")
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*calendar"):
        opens(desk(profile, bare), "X", 1, at(15))
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*calendar"):
        profile.require(bare)
    profile.require(STOCK)
    ibkr_reg_t().require(bare)
    replace(profile, buying_power=BuyingPower.CASH).require(bare)


def test_futures_hold_the_margin_of_their_contract() -> None:
    table = {"ES": ContractMargin(12_000 * 10**8, 11_000 * 10**8)}
    account = desk(ibkr_futures(margins=ContractMargins(table)), FUTURE, 100_000)
    assert opens(account, "ES", -9, at(15), 5_000) is Denial.BALANCE_INSUFFICIENT
    assert opens(account, "ES", -8, at(16), 5_000) is None
    assert account.free("USD") == 4_000
    # 8 of 11,000 are 88,000: within 110 % of 80,000, not of 79,600
    assert not called(account, "ES", at(17), 5_050)
    assert called(account, "ES", at(18), 5_051)
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*contract_margins.*ES"):
        ibkr_futures(margins=ContractMargins({})).require(FUTURE)
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*contract_margins.*ES"):
        opens(desk(ibkr_futures(margins=ContractMargins({})), FUTURE), "ES", 1, at(15))


def test_perpetuals_hold_the_margin_of_their_tier() -> None:
    """Beyond 50,000 no more than 10 times, and 1 % of what is beyond instead of 0.4 %; nothing beyond 120,000."""
    account = desk(binance_usdm(), PERPETUAL)
    assert opens(account, "P", 500, at(15)) is None  # 50,000 at 20 times
    assert account.free("USDT") == 10_000 - 2_500
    assert opens(account, "P", 1, at(16)) is None  # 50,100 at 10 times
    assert account.free("USDT") == 4_990
    assert opens(account, "P", 500, at(17)) is Denial.BALANCE_INSUFFICIENT
    assert opens(account, "P", 499, at(18)) is None
    assert opens(account, "P", 201, at(18, 30)) is Denial.POSITION_ABOVE_LIMIT
    # 100,000 at 90: equity 0; at 91: 1,000, and 0.4 % of 50,000 and 1 % of 41,000 are 610
    assert not called(account, "P", at(19), 91)
    # at 90.05 equity is 50 and 600.5 are to be kept: everything that is missing is closed
    account.on_bar("P", Bar(at(20), at(20) + MINUTE, 9005, 9005, 9005, 9005, 10**9))
    call = account.margin_call(at(20) + MINUTE)
    assert call is not None
    assert not call.ruined
    assert "600.5 USDT" in call.message


def test_the_margin_of_a_side_is_its_own() -> None:
    margins = RateMargins()
    for sign, kept in ((1, 25), (-1, 30)):
        held = Held(STOCK, sign, sign * 100 * 10**8, 0)
        assert (margins.initial(held), margins.maintenance(held)) == (50 * 10**8, kept * 10**8)


@pytest.mark.parametrize(
    ("price", "opened", "kept"),
    [
        ("20", "10", "6"),
        ("16", "8", "5"),
        ("6", "5", "5"),
        ("5.5", "5", "5"),
        ("5", "5", "5"),
        ("4.99", "4.99", "4.99"),
        ("1", "2.5", "2.5"),
    ],
)
def test_a_short_of_cheap_shares_keeps_so_much_a_share(price: str, opened: str, kept: str) -> None:
    """FINRA rule 4210(c)(2) and (3); (b): what is opened must cover at least what is kept."""
    shares, margins = 30, RateMargins()
    held = Held(STOCK, -shares * 10**STOCK.quantity_scale, -int(Decimal(price) * 10**8) * shares, 0)
    wanted = [int(Decimal(each) * 10**8) * shares for each in (opened, kept)]
    assert [margins.initial(held), margins.maintenance(held)] == wanted
    long = replace(held, quantity=-held.quantity, value=-held.value)
    assert margins.maintenance(long) == -(-long.value // 4)
    assert margins.maintenance(replace(held, instrument=replace(STOCK, quote="EUR"))) == -(-long.value * 3 // 10)


@pytest.mark.parametrize("side", list(Side))
def test_the_opening_part_of_an_order_that_turns_round_is_valued_up(side: Side) -> None:
    """Of 7 at 100 each that close 3, 4 open: 4 / 7 of a value that is no multiple of 7."""
    model = BuyingPowerModel(BuyingPower.MARGIN, 1, PercentFee(0, 0))
    value = STOCK.notional(100_00, 7) + 1
    order = OpenOrderTotals(orders=1, quantity=7, taking=1, priced=value)
    buys, sells = (order, NO_OPEN_ORDERS) if side is Side.BUY else (NO_OPEN_ORDERS, order)
    assert model.at_worst(STOCK, 100_00, -3 * side.sign, buys, sells) == -(-value * 4 // 7)
    closing = OpenOrderTotals(orders=1, quantity=3, taking=1, priced=value)
    buys, sells = (closing, NO_OPEN_ORDERS) if side is Side.BUY else (NO_OPEN_ORDERS, closing)
    assert model.at_worst(STOCK, 100_00, -3 * side.sign, buys, sells) == STOCK.notional(100_00, 3)


@pytest.mark.parametrize("side", list(Side))
def test_of_a_turn_the_contracts_that_it_opens_hold_their_margin(side: Side) -> None:
    margins = ContractMargins({"ES": ContractMargin(12_000 * 10**8, 11_000 * 10**8)})
    model = BuyingPowerModel(BuyingPower.MARGIN, 1, PercentFee(0, 0), margins)
    order = OpenOrderTotals(orders=1, quantity=7, taking=1, priced=FUTURE.notional(5_000_00, 7))
    buys, sells = (order, NO_OPEN_ORDERS) if side is Side.BUY else (NO_OPEN_ORDERS, order)
    assert model.at_worst(FUTURE, 5_000_00, -3 * side.sign, buys, sells) == 4 * 12_000 * 10**8
