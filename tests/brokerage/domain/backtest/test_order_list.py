"""Order lists over bars: past quiet bars as over every bar, for every type of order, profile and number of symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.backtest.order_list import Cancel, OrderListReplay, ReplayedOrders, acts_of
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import BarColumns, Units, bar_columns
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.fills.trailing import Trail, stop_behind
from brokerage.domain.models.financing import IBKR_LOANS, BorrowRate
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.models.source import Dated
from brokerage.domain.orders.order import Contingency, Order, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderType, TimeInForce
from tests.support.shared.examples import examples

HOUR_NS = 3_600 * 10**9
BEGIN_NS = 1_650_000_000 // 3_600 * HOUR_NS
TRADED = {
    "X": instrument("X", base="X", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO, quantity_places=4),
    "Y": instrument("Y", base="Y", quote="USD", tick="0.05", lot="1", asset_class=AssetClass.CRYPTO),
    "F": instrument("F", base="F", quote="USD", tick="0.25", multiplier="5", asset_class=AssetClass.FUTURE),
}


@dataclass(frozen=True)
class Case:
    """A random list over random bars."""

    seed: int
    bars: int
    orders: int
    spread: float
    missing: float
    profile: BrokerageProfile
    cash: int
    resting: bool = False


def columns_of(case: Case) -> list[BarColumns]:
    """Bars of an hour on ticks of a quarter, so that prices are touched exactly; with gaps, and bars without trades."""
    made: list[BarColumns] = []
    for number, traded in enumerate(TRADED.values()):
        random = np.random.default_rng((case.seed, number))
        close = np.round(100 * np.exp(np.cumsum(random.normal(0, case.spread, case.bars))), 2)
        opened = np.round(
            np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, case.spread / 3, case.bars)), 2
        )
        high = np.round(np.maximum(opened, close) * (1 + random.uniform(0, case.spread, case.bars)), 2)
        low = np.round(np.minimum(opened, close) * (1 - random.uniform(0, case.spread, case.bars)), 2)
        volume = np.where(random.uniform(size=case.bars) < 0.1, 0.0, np.round(random.uniform(1, 300, case.bars), 2))
        kept = random.uniform(size=case.bars) >= case.missing
        start = BEGIN_NS + HOUR_NS * np.arange(case.bars, dtype=np.int64)
        prices = tuple(one[kept] for one in (opened, high, low, close, volume))
        made.append(bar_columns(traded, start[kept], HOUR_NS, prices))  # type: ignore[arg-type]  # five columns
    return made


def quarters(prices: np.ndarray) -> np.ndarray:
    """Prices on ticks of a quarter."""
    return np.asarray(np.maximum(np.round(prices * 4), 1) / 4)


def orders_of(case: Case) -> tuple[list[Order], list[Cancel]]:
    """Orders of every type and time in force near 100, some cancelled later, some in a bracket."""
    random = np.random.default_rng((case.seed, 99))
    orders, cancels = list[Order](), list[Cancel]()
    for number, step in enumerate(sorted(random.integers(-1, case.bars, case.orders).tolist())):
        at_ns = BEGIN_NS + (step + 1) * HOUR_NS + int(random.choice([0, 0, 0, HOUR_NS // 2]))
        if not case.resting and random.uniform() < 0.15:
            orders += bracket(random, number, at_ns)
            continue
        order = one_order(random, f"o{number}", at_ns, resting=case.resting)
        orders.append(order)
        if random.uniform() < 0.3:
            cancels.append(Cancel(order.client_order_id, at_ns + HOUR_NS * int(random.integers(1, 30))))
    orders.sort(key=lambda order: order.decided_ns or 0)
    return orders, sorted(cancels, key=lambda one: one.decided_ns)


def tick(random: np.random.Generator, far: int) -> D:
    """A price near 100 on every tick."""
    return D(int(random.integers(-far, far + 1))) * D("0.25") + 100


RESTING = [OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT]
CARRIED = [TimeInForce.GTC, TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD]


def one_order(random: np.random.Generator, name: str, at_ns: int, *, resting: bool) -> Order:
    """One order of a random type, or of those that wait for a price for long."""
    symbol, side = str(random.choice(["X", "Y", "F"])), Side.BUY if random.uniform() < 0.55 else Side.SELL
    kinds, far = (RESTING, 6) if resting else (list(OrderType), 24)
    kind = kinds[int(random.integers(len(kinds)))]
    made = Order(LOCAL, name, symbol, side, D(int(random.integers(1, 20))), kind, decided_ns=at_ns)
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED):
        made = replace(made, limit_price=tick(random, far))
    if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED):
        made = replace(made, stop_price=tick(random, far))
    if kind in (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT):
        made = replace(made, trail_offset=D("1.5"), trail_offset_type=TrailOffsetType.PRICE)
    if kind is OrderType.TRAILING_STOP_LIMIT:
        made = replace(made, limit_offset=D("0.5"))
    tif = CARRIED if resting else [*CARRIED, TimeInForce.IOC, TimeInForce.FOK]
    chosen = tif[int(random.integers(len(tif)))]
    expires = at_ns + int(random.integers(1, 40)) * HOUR_NS // 2 if chosen is TimeInForce.GTD else None
    return replace(made, tif=chosen, expire_at_ns=expires, reduce_only=bool(random.uniform() < 0.15))


def bracket(random: np.random.Generator, number: int, at_ns: int) -> list[Order]:
    """A market entry with a stop and a target, of which one cancels the other."""
    names = [f"b{number}-{part}" for part in ("entry", "stop", "target")]
    entry = Order(LOCAL, names[0], "X", Side.BUY, D(10), decided_ns=at_ns, list_id=f"l{number}")
    entry = replace(entry, contingency=Contingency.OTO, linked=(names[1], names[2]))
    exits = replace(entry, side=Side.SELL, parent=names[0], contingency=Contingency.OCO)
    exits = replace(exits, reduce_only=bool(random.uniform() < 0.5))
    down, up = tick(random, 4) - 6, tick(random, 4) + 6
    stop = replace(exits, client_order_id=names[1], type=OrderType.STOP_MARKET, stop_price=down, linked=(names[2],))
    target = replace(exits, client_order_id=names[2], type=OrderType.LIMIT, limit_price=up, linked=(names[1],))
    return [entry, stop, target]


def with_time(profile: BrokerageProfile) -> BrokerageProfile:
    """Loans, shorts and perpetual positions cost."""
    rates = tuple(Dated(BEGIN_NS + 7 * HOUR_NS * n + 1, 40_000 * (-1) ** n) for n in range(30))
    return replace(
        profile,
        loans=IBKR_LOANS,
        borrow={"X": (Dated(0, BorrowRate(fee=9_000_000, rebate=100_000, available=2_500_000)),)},
        funding_rates={"Y": rates},
    )


PROFILES = st.sampled_from(
    [
        spot("0.001"),
        spot("0.002", slippage="0.0005", participation="0"),
        margin(1, "0.001"),
        margin(4, "0.0005", participation="0.5"),
        with_time(margin(4, "0.001")),
        profile_named("binance_spot"),
        profile_named("kraken_spot"),
    ]
)
CASES = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 160),
    orders=st.integers(0, 25),
    resting=st.just(False),
    spread=st.sampled_from([0.001, 0.01, 0.04]),
    missing=st.sampled_from([0.0, 0.1, 0.4]),
    profile=PROFILES,
    cash=st.sampled_from([900, 5_000, 1_000_000]),
)


def run(case: Case, *, every: bool) -> tuple[ReplayedOrders, SimulatedAccount]:
    """The case over all bars, or past quiet ones."""
    account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
    orders, cancels = orders_of(case)
    acts = acts_of(orders, cancels)
    return OrderListReplay(account, Timeline(columns_of(case)), acts, "USD", every=every).run(), account


def told(found: ReplayedOrders) -> tuple[object, ...]:
    """All that a replay says, but for the closes it looked at."""
    calls = found.fills, found.denials, found.margin_calls, found.carried, found.ended
    return (*calls, found.times.tolist(), found.equity.tolist())


QUIET = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 120),
    orders=st.integers(1, 5),
    spread=st.sampled_from([0.002, 0.006, 0.02]),
    missing=st.sampled_from([0.0, 0.0, 0.3]),
    profile=st.sampled_from([margin(4, "0.001"), margin(2, "0", participation="0")]),
    cash=st.just(100_000),
    resting=st.just(True),
)


@given(case=st.one_of(CASES, QUIET))
@settings(deadline=None, max_examples=examples(100, 300))
def test_a_list_past_quiet_bars_is_the_list_over_every_bar(case: Case) -> None:
    (fast, one), (slow, other) = run(case, every=False), run(case, every=True)
    assert told(fast) == told(slow)
    assert one.portfolio() == other.portfolio()
    assert one.book.records == other.book.records


@pytest.mark.parametrize("seed", range(12))
def test_a_margin_call_comes_at_the_close_that_makes_it(seed: int) -> None:
    case = Case(seed, 200, 0, 0.02, 0.1, margin(4, "0.001", participation="0"), 1_000)
    symbol, side = ("F", Side.SELL) if seed % 3 else ("X", Side.BUY)
    size = D(7 if symbol == "F" else 35)
    begin = [one.start_ns[1] for one in columns_of(case) if one.instrument.symbol == symbol]
    order = Order(LOCAL, "one", symbol, side if seed % 2 else Side.BUY, size, decided_ns=int(begin[0]))

    def replayed(every: bool) -> ReplayedOrders:
        account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
        return OrderListReplay(account, Timeline(columns_of(case)), acts_of([order], []), "USD", every=every).run()

    fast, slow = replayed(every=False), replayed(every=True)
    assert told(fast) == told(slow)
    assert (len(fast.margin_calls) > 0) == ("MARGIN" in fast.visited)
    assert fast.fills


def test_a_resting_limit_is_looked_at_where_the_price_comes_to_it() -> None:
    case = Case(5, 5_000, 0, 0.002, 0.0, spot("0.001", participation="0"), 100_000)
    columns = columns_of(case)
    lows = np.array(columns[0].low.listed()) / 10.0**24
    limit = D(str(float(np.min(lows)) + 0.01)).quantize(D("0.01"))
    order = Order(LOCAL, "low", "X", Side.BUY, D(1), OrderType.LIMIT, limit_price=limit, decided_ns=BEGIN_NS + HOUR_NS)
    account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
    found = OrderListReplay(account, Timeline(columns), acts_of([order], []), "USD").run()
    assert len(found.fills) == 1
    assert found.visited == {"BEGIN": 1, "ORDER": 1}


def test_exits_go_at_the_close_of_the_bar_that_fills_their_entry_however_long_nothing_traded() -> None:
    case = Case(5, 40, 0, 0.0001, 0.0, margin(1, "0.001", participation="0"), 100_000)
    entry, stop, target = bracket(np.random.default_rng(1), 0, BEGIN_NS + 2 * HOUR_NS)
    orders = [entry, replace(stop, reduce_only=True), replace(target, reduce_only=True)]

    def replayed(every: bool) -> SimulatedAccount:
        account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
        thin, full, _ = columns_of(case)
        few, rest = np.r_[0:2, 21:22, 30:40], np.r_[0:21, 22:40]  # between its bars the other symbol trades
        columns = [some(thin, few), some(full, rest)]
        OrderListReplay(account, Timeline(columns), acts_of(orders, []), "USD", every=every).run()
        return account

    one, other = replayed(every=False), replayed(every=True)
    assert one.book.records == other.book.records
    assert [one.record(order.client_order_id).accepted_ns for order in orders[1:]] == [BEGIN_NS + 22 * HOUR_NS] * 2


def some(columns: BarColumns, kept: np.ndarray) -> BarColumns:
    """Some rows of them."""
    prices = columns.open, columns.high, columns.low, columns.close, columns.volume
    chosen = [Units(one.whole[kept], one.factor) for one in prices]
    return BarColumns(columns.instrument, columns.start_ns[kept], columns.interval_ns, *chosen)


def trailed(order: Order) -> tuple[SimulatedAccount, Timeline, Mapping[str, int]]:
    """One trailing order over 100 quiet bars, and at how many closes it was looked at."""
    case = Case(5, 100, 0, 0.0001, 0.0, margin(1, "0.001"), 100_000)
    account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
    timeline = Timeline(columns_of(case))
    found = OrderListReplay(account, timeline, acts_of([order], []), "USD").run()
    return account, timeline, found.visited


TRAIL = Order(LOCAL, "trail", "X", Side.SELL, D(1), OrderType.TRAILING_STOP, decided_ns=BEGIN_NS + HOUR_NS)
TRAIL = replace(TRAIL, trail_offset=D(50), trail_offset_type=TrailOffsetType.PRICE)


def test_a_trailing_stop_is_looked_at_where_it_follows_the_price() -> None:
    account, timeline, visited = trailed(TRAIL)
    assert visited["ORDER"] < 20
    columns = timeline.columns["X"]
    met = [columns.high.at(row) for row in range(1, 100)]
    best = stop_behind(Side.SELL, max(met), Trail(D(50), TrailOffsetType.PRICE), columns.instrument)
    assert account.record("trail").stop == best


def test_a_stop_limit_that_follows_the_price_is_looked_at_bar_by_bar_and_named() -> None:
    _, _, visited = trailed(replace(TRAIL, type=OrderType.TRAILING_STOP_LIMIT, limit_offset=D(1)))
    assert visited == {"BEGIN": 1, "ORDER_BY_BAR": 99}


@pytest.mark.parametrize(("orders_before", "taken"), [(None, True), (1, True), (2, False)])
def test_orders_and_cancels_of_one_instant_come_as_they_were_sent(orders_before: int | None, *, taken: bool) -> None:
    case = Case(5, 10, 0, 0.0001, 0.0, spot("0", participation="0"), 1_000)
    at_ns = BEGIN_NS + 2 * HOUR_NS
    resting = Order(LOCAL, "old", "X", Side.BUY, D(9), OrderType.LIMIT, limit_price=D(90), decided_ns=at_ns - HOUR_NS)
    order = replace(resting, client_order_id="new", decided_ns=at_ns)  # its money is that of the older one
    account = SimulatedAccount(case.profile, {"USD": D(case.cash)}, instruments=TRADED.values())
    acts = acts_of([resting, order], [Cancel("old", at_ns, orders_before)])
    found = OrderListReplay(account, Timeline(columns_of(case)), acts, "USD").run()
    assert [step.order.client_order_id for step in found.denials] == ([] if taken else ["new"])
    assert account.record("old").closed
