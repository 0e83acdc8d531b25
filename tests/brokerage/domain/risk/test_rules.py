"""Every named refusal of the pre-trade check, met through a simulated account."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.money import RATE_ONE, rate
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.limits import Limits
from brokerage.domain.risk.sizing import weigh
from qmtl.core.errors import Conflict, InvalidRequest

HOUR = 3_600_000_000_000
COIN = replace(
    instrument(
        "COIN",
        base="COIN",
        quote="USD",
        lot="0.01",
        tick="0.05",
        asset_class=AssetClass.CRYPTO,
        notional_min="5",
        price_places=2,
    ),
    quantity_max=100_000_00,
    notional_max=50_000 * 10**8,
)
BASE = Order(LOCAL, "o1", "COIN", Side.BUY, Decimal(1))
LIMIT = replace(BASE, type=OrderType.LIMIT, limit_price=Decimal("9.50"))
STOP = replace(BASE, type=OrderType.STOP_MARKET, stop_price=Decimal(11))
TRAIL = replace(
    BASE,
    type=OrderType.TRAILING_STOP_LIMIT,
    trail_offset=Decimal(1),
    trail_offset_type=TrailOffsetType.PRICE,
    limit_offset=Decimal(1),
)


def account(profile: BrokerageProfile | None = None, cash: int = 1_000) -> SimulatedAccount:
    made = SimulatedAccount(profile or spot(), {"USD": Decimal(cash)}, instruments=[COIN])
    made.on_bar("COIN", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    return made


def verdict(made: SimulatedAccount, order: Order, at_ns: int = HOUR, weight: int = RATE_ONE) -> Denial | None:
    last = made.submit(order, at_ns, weight=weight)[-1]
    assert last.kind is (EventKind.DENIED if last.denial else EventKind.ACCEPTED)
    return last.denial


def holding(quantity: int, profile: BrokerageProfile | None = None, cash: int = 1_000) -> SimulatedAccount:
    made = account(profile, cash)
    side = Side.BUY if quantity > 0 else Side.SELL
    assert verdict(made, replace(BASE, client_order_id="hold", side=side, quantity=Decimal(abs(quantity)))) is None
    made.on_bar("COIN", Bar(HOUR, 2 * HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    assert made.position("COIN") == quantity
    return made


@pytest.mark.parametrize(
    ("order", "want"),
    [
        (BASE, None),
        (LIMIT, None),
        (replace(BASE, symbol="NOSUCH"), Denial.INSTRUMENT_UNKNOWN),
        (replace(BASE, tif=TimeInForce.AT_CLOSE), Denial.TIME_IN_FORCE_UNSUPPORTED),
        (replace(BASE, quantity=Decimal("1.001")), Denial.PRECISION),
        (replace(BASE, quantity=Decimal(10**18)), Denial.QUANTITY_ABOVE_MAXIMUM),
        (replace(BASE, quantity=Decimal("100000.01")), Denial.QUANTITY_ABOVE_MAXIMUM),
        (replace(LIMIT, limit_price=Decimal("9.501")), Denial.PRECISION),
        (replace(LIMIT, limit_price=Decimal("9.52")), Denial.TICK),
        (replace(LIMIT, limit_price=Decimal("-1")), Denial.PRICE_INSANE),
        (replace(LIMIT, limit_price=Decimal("0.95")), Denial.PRICE_INSANE),
        (replace(LIMIT, limit_price=Decimal("100.05")), Denial.PRICE_INSANE),
        (replace(LIMIT, quantity=Decimal("0.50")), Denial.NOTIONAL_BELOW_MINIMUM),
        (replace(BASE, quantity=Decimal(6000)), Denial.NOTIONAL_ABOVE_LIMIT),
        (replace(BASE, quantity=Decimal(100)), Denial.BALANCE_INSUFFICIENT),
        (replace(BASE, side=Side.SELL), Denial.SHORT_UNAVAILABLE),
        (replace(BASE, reduce_only=True), Denial.REDUCE_ONLY_INCREASES),
        (replace(LIMIT, post_only=True), None),
        (replace(LIMIT, post_only=True, limit_price=Decimal(10)), Denial.POST_ONLY_CROSSES),
        (replace(BASE, post_only=True), Denial.POST_ONLY_CROSSES),
        (replace(BASE, tif=TimeInForce.GTD, expire_at_ns=HOUR), Denial.EXPIRED_ON_ARRIVAL),
        (replace(BASE, tif=TimeInForce.GTD, expire_at_ns=HOUR + 1), None),
        (replace(BASE, tif=TimeInForce.GTD, expire_at_ns=-HOUR), Denial.EXPIRED_ON_ARRIVAL),
        (replace(BASE, quantity=Decimal("1e-30000")), Denial.PRECISION),
        (replace(BASE, quantity=Decimal("1e30000")), Denial.QUANTITY_ABOVE_MAXIMUM),
        (replace(BASE, position_target=Decimal("9" * 38)), Denial.PRECISION),
        (replace(LIMIT, limit_price=Decimal("9" * 38)), Denial.PRICE_INSANE),
        (replace(LIMIT, limit_price=Decimal("1e-30000")), Denial.PRECISION),
        (replace(TRAIL, trail_offset=Decimal("9" * 38)), Denial.PRICE_INSANE),
        (replace(TRAIL, limit_offset=Decimal("9" * 38)), Denial.NOTIONAL_ABOVE_LIMIT),
    ],
    ids=str,
)
def test_named_refusals(order: Order, want: Denial | None) -> None:
    assert verdict(account(), order) is want


def test_a_venue_takes_the_types_and_times_in_force_that_it_lists() -> None:
    made = account()
    few = replace(PAPER, types=frozenset({OrderType.MARKET}), times_in_force=frozenset({TimeInForce.GTC}))
    made.view.venue = few
    assert verdict(made, LIMIT) is Denial.ORDER_TYPE_UNSUPPORTED
    assert verdict(made, replace(BASE, client_order_id="o2", tif=TimeInForce.IOC)) is Denial.TIME_IN_FORCE_UNSUPPORTED
    made.view.venue = replace(PAPER, post_only=False)
    assert verdict(made, replace(LIMIT, client_order_id="o3", post_only=True)) is Denial.POST_ONLY_UNSUPPORTED
    assert verdict(made, replace(LIMIT, client_order_id="o4")) is None


def test_a_stock_with_lot_size_refuses_a_broken_lot() -> None:
    hundreds = replace(instrument("HKS", base="HKS", quote="USD", price_places=2), lot=100)
    made = SimulatedAccount(spot(), {"USD": Decimal(10**6)}, instruments=[hundreds])
    made.on_bar("HKS", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    assert verdict(made, replace(BASE, symbol="HKS", quantity=Decimal(150))) is Denial.LOT
    small = replace(hundreds, quantity_min=300)
    made = SimulatedAccount(spot(), {"USD": Decimal(10**6)}, instruments=[small])
    made.on_bar("HKS", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    assert verdict(made, replace(BASE, symbol="HKS", quantity=Decimal(200))) is Denial.QUANTITY_BELOW_MINIMUM
    assert verdict(
        made, replace(BASE, client_order_id="d", symbol="HKS", quantity=Decimal(300), tif=TimeInForce.DAY)
    ) is (Denial.TIME_IN_FORCE_UNSUPPORTED)


def test_what_a_fee_in_coins_left_in_hand_makes_no_order_of_a_broken_lot() -> None:
    coin = instrument("BTC/USDT", base="BTC", quote="USDT", lot="0.01", quantity_places=8, price_places=2)
    made = SimulatedAccount(profile_named("binance_spot"), {"USDT": Decimal(10**6)}, instruments=[coin])

    def send(name: str, side: Side, quantity: str, target: str, hour: int) -> Decimal:
        order = Order(LOCAL, name, "BTC/USDT", side, Decimal(quantity), position_target=Decimal(target))
        made.submit(order, hour * HOUR)
        taken = next(one for one in made.book.records.values() if one.order.client_order_id == name)
        sent = coin.quantity_decimal(taken.remaining)
        made.on_bar("BTC/USDT", Bar(hour * HOUR, (hour + 1) * HOUR, 10_00, 10_00, 10_00, 10_00, 10**12))
        return sent

    made.on_bar("BTC/USDT", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**12))
    assert send("in", Side.BUY, "1", "1", 1) == 1
    assert send("out", Side.SELL, "0.99", "0", 2) == Decimal("0.99")
    assert made.position("BTC/USDT") == Decimal("0.009")
    assert send("again", Side.BUY, "1", "1", 3) == Decimal("0.99")


def test_a_symbol_without_a_price_or_with_an_old_one_is_not_traded() -> None:
    never = SimulatedAccount(spot(), {"USD": Decimal(1000)}, instruments=[COIN])
    assert verdict(never, BASE) is Denial.PRICE_STALE
    assert verdict(account(), BASE, at_ns=2 * HOUR) is None
    assert verdict(account(), BASE, at_ns=2 * HOUR + 1) is Denial.PRICE_STALE


def test_own_limits() -> None:
    limits = Limits(open_orders_max=1, order_notional_max=20 * 10**8)
    made = account()
    made.view.limits = limits
    assert verdict(made, replace(BASE, quantity=Decimal("2.01"))) is Denial.NOTIONAL_ABOVE_LIMIT
    assert verdict(made, replace(LIMIT, client_order_id="a")) is None
    assert verdict(made, replace(LIMIT, client_order_id="b")) is Denial.OPEN_ORDERS_ABOVE_LIMIT


def test_open_buys_reserve_the_cash_they_may_take_with_fees() -> None:
    made = account(spot(fee="0.01"), cash=100)
    assert verdict(made, replace(LIMIT, quantity=Decimal(5))) is None
    assert made.free("USD") == Decimal("52.02499999")
    second = replace(LIMIT, client_order_id="b", quantity=Decimal("5.50"))
    assert verdict(made, second) is Denial.BALANCE_INSUFFICIENT
    made.cancel("o1", HOUR)
    assert verdict(made, replace(second, client_order_id="c")) is None


def test_open_sells_together_may_not_oversell() -> None:
    made = holding(10)
    sell = replace(LIMIT, side=Side.SELL, limit_price=Decimal(11), quantity=Decimal(6))
    assert verdict(made, replace(sell, client_order_id="a"), 2 * HOUR) is None
    assert verdict(made, replace(sell, client_order_id="b"), 2 * HOUR) is Denial.SHORT_UNAVAILABLE
    assert verdict(made, replace(sell, client_order_id="c", quantity=Decimal(4)), 2 * HOUR) is None


def test_margin_allows_shorts_up_to_leverage_and_always_lets_risk_be_reduced() -> None:
    made = account(margin(2, fee="0"))
    sell = replace(BASE, side=Side.SELL)
    assert verdict(made, replace(sell, client_order_id="a", quantity=Decimal(201))) is Denial.BALANCE_INSUFFICIENT
    made = holding(-199, margin(2, fee="0"))
    assert verdict(made, replace(sell, client_order_id="b"), 2 * HOUR) is None
    assert verdict(made, replace(sell, client_order_id="d"), 2 * HOUR) is Denial.BALANCE_INSUFFICIENT
    assert verdict(made, replace(BASE, client_order_id="c", quantity=Decimal(199)), 2 * HOUR) is None


def test_trading_states() -> None:
    made = holding(10)
    sell = replace(BASE, side=Side.SELL)
    made.view.trading = TradingState.REDUCING
    assert verdict(made, replace(BASE, client_order_id="a"), 2 * HOUR) is Denial.TRADING_REDUCING
    assert verdict(made, replace(sell, client_order_id="b", quantity=Decimal(6)), 2 * HOUR) is None
    assert verdict(made, replace(sell, client_order_id="c", quantity=Decimal(6)), 2 * HOUR) is Denial.TRADING_REDUCING
    made.view.trading = TradingState.HALTED
    assert verdict(made, replace(sell, client_order_id="d"), 2 * HOUR) is Denial.TRADING_HALTED


def test_weight_scales_only_what_adds_risk() -> None:
    half = RATE_ONE // 2
    assert weigh(10, Side.BUY, 0, half, 1) == 5
    assert weigh(10, Side.BUY, 5, half, 1) == 5
    assert weigh(10, Side.SELL, 10, half, 1) == 10
    assert weigh(15, Side.SELL, 10, half, 1) == 12
    made = account()
    assert verdict(made, replace(BASE, quantity=Decimal("1.11")), weight=half) is None
    assert made.record("o1").quantity == 55
    assert verdict(made, replace(BASE, client_order_id="b"), weight=0) is Denial.SCALED_TO_ZERO


def test_a_position_is_reduced_unscaled_once_however_many_orders_work() -> None:
    made, tenth = holding(10, margin(2)), RATE_ONE // 10
    sell = replace(BASE, side=Side.SELL, quantity=Decimal(10))
    assert verdict(made, replace(sell, client_order_id="a"), 2 * HOUR, tenth) is None
    assert verdict(made, replace(sell, client_order_id="b"), 2 * HOUR, tenth) is None
    guard = replace(sell, client_order_id="c", reduce_only=True, quantity=Decimal(4))
    assert verdict(made, guard, 2 * HOUR, tenth) is None
    assert [made.record(name).quantity for name in ("a", "b", "c")] == [10_00, 1_00, 4_00]
    made.on_bar("COIN", Bar(2 * HOUR, 3 * HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    assert made.position("COIN") == -1


@given(st.integers(1, 10**12), st.sampled_from(Side), st.integers(-(10**12), 10**12), st.integers(0, RATE_ONE))
def test_weight_never_enlarges_and_never_touches_the_reducing_part(
    quantity: int, side: Side, held: int, weight: int
) -> None:
    weighted = weigh(quantity, side, held, weight, 1)
    reducing = min(quantity, abs(held)) if held * side.sign < 0 else 0
    assert reducing <= weighted <= quantity


@pytest.mark.parametrize(
    "order",
    [
        replace(BASE, quantity=Decimal(0)),
        replace(BASE, quantity=Decimal(-1)),
        replace(BASE, limit_price=Decimal(10)),
        replace(BASE, type=OrderType.LIMIT),
        replace(BASE, type=OrderType.STOP_LIMIT, limit_price=Decimal(10)),
        replace(BASE, expire_at_ns=5),
        replace(BASE, client_order_id=""),
        *(replace(BASE, quantity=Decimal(text)) for text in ("NaN", "sNaN", "Infinity", "-Infinity")),
        *(replace(BASE, position_target=Decimal(text)) for text in ("NaN", "-Infinity")),
        *(replace(LIMIT, limit_price=Decimal(text)) for text in ("NaN", "Infinity", "1e38", "1e30000")),
        *(replace(STOP, stop_price=Decimal(text)) for text in ("sNaN", "-Infinity", "1e30000")),
        *(replace(TRAIL, trail_offset=Decimal(text)) for text in ("NaN", "Infinity", "1e30000", "0", "-1")),
        *(replace(TRAIL, limit_offset=Decimal(text)) for text in ("NaN", "Infinity", "1e30000", "-1")),
        replace(TRAIL, limit_offset=None),
        replace(TRAIL, trail_offset_type=TrailOffsetType.FRACTION),
        *(replace(BASE, tif=TimeInForce.GTD, expire_at_ns=at_ns) for at_ns in (2**63, -(10**30))),
        replace(BASE, decided_ns=2**63),
    ],
    ids=str,
)
def test_a_malformed_order_is_an_error_and_leaves_no_trace(order: Order) -> None:
    made = account()
    with pytest.raises(InvalidRequest, match="E_ORDER_MALFORMED"):
        made.submit(order, HOUR)
    assert made.book.records == {}


def test_a_client_order_id_is_used_once() -> None:
    made = account()
    made.submit(BASE, HOUR)
    with pytest.raises(Conflict, match="E_CLIENT_ORDER_ID_USED"):
        made.submit(BASE, HOUR)


def test_rates_are_exact_text() -> None:
    assert rate("0.001") == 100_000
    with pytest.raises(InvalidRequest):
        rate("0.000000001")


def test_an_order_whose_worth_no_amount_holds_is_refused_as_such() -> None:
    boundless = replace(COIN, quantity_max=0, notional_max=0)
    made = SimulatedAccount(margin(1), {"USD": Decimal(1_000)}, instruments=[boundless])
    made.on_bar("COIN", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    last = made.submit(replace(BASE, quantity=Decimal(10**10)), HOUR)[-1]  # 10^11 dollars of 10^-8
    assert last.denial is Denial.NOTIONAL_ABOVE_LIMIT
    assert last.detail == "the notional of BUY 10000000000 COIN is too large to count"
