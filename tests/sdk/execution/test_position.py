"""What nodes see of the position, and the exits and entries of a trade rule: by hand, and equal in batch and stream."""

from __future__ import annotations

from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import bars_from_doubles
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.orders.order import Order, Side
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk import (
    AccountTerms,
    Bars,
    Bracket,
    CacheView,
    Limit,
    OrderRole,
    OrderState,
    OrderUpdate,
    Runner,
    Sizing,
    Strategy,
    StreamInput,
    node,
    signals,
    where,
)
from qmtl.sdk import indicators as ta
from qmtl.sdk.decisions.time_exits import max_bars_step
from qmtl.sdk.execution.holdings import Holding, Holdings
from qmtl.sdk.execution.order_updates import order_update, role_of, symbol_of
from qmtl.sdk.graph.vertices import Vertex
from qmtl.sdk.reports.backtest import BacktestResult
from qmtl.sdk.research.look_ahead import find_look_ahead
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.execution.portfolios import Portfolio
from tests.sdk.market import START_NS, STEP_NS, gapped, prices

FREE = AccountTerms(cash=D(1000), profile=spot("0", participation="0"))
COIN = instrument("C", base="C", quote="USD", lot="0.001", price_places=2)


@node(period=3)
def newest(view: CacheView) -> float:
    """The position three rows deep: a window over state."""
    return float(view[0].window(3).sum())


class Watching(Strategy):
    """Leaves a position that has lost, and reads every field of it."""

    def __init__(self, **trade: object) -> None:
        self.trade_options, self.heard = trade, list[OrderUpdate]()

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        held = self.position(price)
        average = ta.ema(price, 5)
        # a stop by hand: below the average price by 1 %, or 12 bars old
        lost = (price < held.average_price * 0.99) * (held.quantity > 0.0)
        old = held.bars_held >= 12.0
        keeps = where(lost + old > 0.0, average * 0.0, average) + newest(held) * 0.0 + held.unrealised * 0.0
        direction = signals.when(long=price > keeps, short=price < average * 0.999)
        target = signals.position_target(direction, long=0.5, short=-0.4, hold=False)
        self.trade(target, price, **self.trade_options)  # type: ignore[arg-type]  # the tests' own options

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append(update)


class Above(Strategy):
    """Long one unit while the close is above 100, with options; hears of its orders."""

    def __init__(self, **trade: object) -> None:
        self.trade_options, self.heard = trade, list[OrderUpdate]()

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        target = signals.position_target(signals.threshold(price, above=100.0, below=100.0), long=1.0)
        self.trade(target, price, sizing=Sizing.UNITS, **self.trade_options)  # type: ignore[arg-type]  # as above

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append(update)


def of_bars(*rows: tuple[float, float, float, float]) -> Bars:
    """Bars of open, high, low, close."""
    times = START_NS + STEP_NS * np.arange(len(rows), dtype=np.int64)
    return Bars("BTC-USD", 900, times, np.array([(*row, 1_000.0) for row in rows]))


def fills(result: BacktestResult) -> list[tuple[int, D, D]]:
    """Bar, quantity and price of each fill."""
    return [((fill.booked_ns - START_NS) // STEP_NS - 1, fill.quantity, fill.price) for fill in result.replay.fills]


EXITS = st.fixed_dictionaries(
    {},
    optional={
        "stop_loss": st.sampled_from(["0.002", "0.01"]),
        "take_profit": st.sampled_from(["0.003", "0.02"]),
        "trailing": st.sampled_from(["0.002", "0.008"]),
        "max_bars": st.integers(2, 6),
        "order": st.sampled_from([Limit(), Limit(offset="0.002")]),
    },
)


@given(gapped(most=90), EXITS, st.sampled_from([margin(2), spot("0.001")]))
@settings(max_examples=10, deadline=None)
def test_batch_and_streaming_see_one_position_and_send_the_same(
    bars: Bars, options: dict[str, object], profile: BrokerageProfile
) -> None:
    assume(len(bars))
    made = []
    for streaming, every_bar in ((False, False), (True, False), (False, True)):
        strategy = Watching(**options)
        found = Runner.backtest(
            strategy, bars, terms=AccountTerms(profile=profile), streaming=streaming, every_bar=every_bar
        ).replay
        made.append((found.fills, found.equity_floats.tobytes(), found.denials, list(found.orders), strategy.heard))
    assert made[0] == made[1] == made[2]
    assert profile.name != "spot" or sum(fill.quantity for fill in made[0][0]) >= 0


def test_a_position_is_that_of_the_close_before() -> None:
    """Long above 100 until it has lost 3 at a close: the close that shows it is one later, the sale one after that."""

    class Losing(Strategy):
        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            held = self.position(price)
            level = where(held.unrealised <= -3.0, price * 2.0, price * 0.0 + 100.0)
            target = signals.position_target(signals.when(long=price > level), long=1.0, hold=False)
            self.trade(target, price, sizing=Sizing.UNITS)

    result = Runner.backtest(Losing(), prices(99, 101, 105, 104, 102, 101, 101, 101), terms=FREE)
    # decided at 101, bought at 105; at 102 it has lost 3, seen at the next close, sold at the open after that,
    # and bought again: at that close the position of the close before is still there, at the next it is flat
    assert fills(result) == [(2, D(1), D(105)), (6, D(-1), D(101))]
    assert result.replay.path == "every bar: it quotes, or nodes read the position"


def test_rows_are_quantity_average_profit_and_closes_on_a_side() -> None:
    held = Holdings()
    assert held.row("C") == [0.0, 0.0, 0.0, 0.0]
    for quantity, bars in ((2, 1.0), (1, 2.0), (-1, 1.0), (-3, 2.0)):
        held.observe("C", Holding(D(quantity), D("10.5"), D(-2)))
        assert held.row("C") == [float(quantity), 10.5, -2.0, bars]
    held.observe("C", Holding(D(0), D(0), D(0)))
    assert held.row("C") == [0.0, 0.0, 0.0, 0.0]
    assert held.row("D") == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("bars", [2, 3, 5])
def test_what_is_held_for_so_many_closes_is_closed_at_the_next_open_until_the_target_changes(bars: int) -> None:
    closes = [99.0, *[101.0] * 9, 99.0, 99.0, 101.0, 101.0, 101.0]
    result = Runner.backtest(Above(max_bars=bars), prices(*closes), terms=FREE)
    again = 13  # decided at bar 12
    expected = [(2, D(1)), (2 + bars, D(-1)), (again, D(1))]
    assert [(at, quantity) for at, quantity, _ in fills(result)] == expected
    assert result.trade_rows[0].bars_held == bars


def folded(bars: float, *rows: tuple[float, float, float]) -> list[float]:
    """Targets after rows of target, quantity and bars held."""
    state, out, made = [0.0] * 5, [0.0], list[float]()
    for row in rows:
        assert max_bars_step(state, [bars], list(row), out)
        made.append(out[0])
    return made


def test_a_new_target_right_after_the_time_is_over_is_not_ended_by_the_old_position() -> None:
    rows = [(1, 0, 0), (1, 0, 0), (1, 1, 1), (2, 1, 2), (2, 0, 0), (2, 2, 1), (2, 2, 2)]
    assert folded(2, *rows) == [1, 1, 0, 2, 2, 0, 0]
    unsold = [(1, 1, 1), (2, 1, 2), (2, 1, 3), (2, 1, 4)]  # what should have closed it did not fill
    assert folded(2, *unsold) == [0, 2, 0, 0]
    assert folded(3, (1, 1, 1), (2, 1, 2), (2, 2, 3)) == [1, 0, 0]  # another size is not another position
    assert folded(2, (-1, -1, 1), (1, -1, 2)) == [0, 1]  # the time of one side is not the other's


def test_a_trailing_stop_follows_the_high_and_fills_where_it_stands() -> None:
    strategy = Above(trailing="0.02")
    bars = of_bars(
        (99, 99, 99, 99), (101, 101, 101, 101), (101, 101, 101, 101), (101, 110, 101, 109), (109, 109, 90, 95)
    )
    result = Runner.backtest(strategy, bars, terms=FREE)
    # sent once the entry has filled, behind 101: 98.98; the next bar's high of 110 moves it to 107.80
    assert fills(result) == [(2, D(1), D(101)), (4, D(-1), D("107.80"))]
    assert [row.ended_by for row in result.trade_rows] == ["trailing stop"]
    assert [(one.role, one.state) for one in strategy.heard] == [
        (OrderRole.TARGET, OrderState.ACCEPTED),
        (OrderRole.TARGET, OrderState.FILLED),
        (OrderRole.TRAILING, OrderState.ACCEPTED),
        (OrderRole.TRAILING, OrderState.FILLED),
    ]


def test_three_exits_take_each_other_off() -> None:
    strategy = Above(stop_loss="0.05", take_profit="0.08", trailing="0.02")
    bars = of_bars(
        (99, 99, 99, 99), (101, 101, 101, 101), (101, 101, 101, 101), (101, 120, 101, 110), (110, 110, 90, 95)
    )
    result = Runner.backtest(strategy, bars, terms=FREE)
    assert fills(result) == [(2, D(1), D(101)), (3, D(-1), D("109.08"))]  # the target, which is a limit
    ended = {one.role: one.state for one in strategy.heard}
    assert ended == {
        OrderRole.TARGET: OrderState.FILLED,
        OrderRole.TAKE_PROFIT: OrderState.FILLED,
        OrderRole.STOP_LOSS: OrderState.CANCELED,
        OrderRole.TRAILING: OrderState.CANCELED,
    }


def test_an_entry_by_a_limit_rests_below_the_close_and_ends_with_its_target() -> None:
    strategy = Above(order=Limit(offset="0.01"))
    bars = of_bars(
        (99, 99, 99, 99), (102, 102, 102, 102), (102, 103, 101, 102), (101, 101, 100.5, 101), (101, 101, 99, 99)
    )
    result = Runner.backtest(strategy, bars, terms=FREE)
    assert fills(result) == [(3, D(1), D("100.98"))]
    unfilled = Above(order=Limit(offset="0.1"))
    Runner.backtest(unfilled, prices(99, 105, 104, 99, 99), terms=FREE)
    assert [one.state for one in unfilled.heard] == [OrderState.ACCEPTED, OrderState.CANCELED]


def test_exits_of_a_limit_entry_are_measured_from_its_limit() -> None:
    strategy = Above(order=Limit(offset="0.01"), stop_loss="0.10", take_profit="0.10")
    result = Runner.backtest(strategy, prices(99, 200, 198, 198), terms=FREE)
    entry, stop, target = result.replay.orders[0].orders  # type: ignore[union-attr]  # it is a list
    assert (entry.limit_price, stop.stop_price, target.limit_price) == (D("198.00"), D("178.20"), D("217.80"))


def test_a_denied_order_is_heard_of_with_its_rule() -> None:
    strategy = Above()
    Runner.backtest(strategy, prices(99, 5000, 5000), terms=FREE)
    assert strategy.heard
    assert {(one.state, one.rule) for one in strategy.heard} == {(OrderState.DENIED, "BALANCE_INSUFFICIENT")}
    assert all(one.symbol == "BTC-USD" and one.message for one in strategy.heard)


@pytest.mark.parametrize("name", ["margin-call-BTC-USD-900", "MARGIN_CALL-BTC-USD-900"])
def test_an_order_of_a_margin_call_is_told_as_one(name: str) -> None:
    assert role_of(name) is OrderRole.MARGIN_CALL
    assert symbol_of(name, ()) == "BTC-USD"
    assert symbol_of("somebody's", ()) == ""


def test_an_update_says_what_its_event_was_wherever_its_order_is_by_now() -> None:
    account = SimulatedAccount(margin(1, "0", participation="1"), {"USD": D(1000)})
    times, columns = START_NS + STEP_NS * np.arange(2, dtype=np.int64), tuple(np.array([[100.0] * 4 + [1.0]] * 2).T)
    first, second = bars_from_doubles(account.instrument("BTC-USD"), times, STEP_NS, columns)
    account.on_bar("BTC-USD", first)
    account.submit(Order(LOCAL, "a", "BTC-USD", Side.BUY, D(3)), first.end_ns)
    events = [*account.on_bar("BTC-USD", second), account.cancel("a", second.end_ns)]
    told = [order_update(account, event) for event in events if event is not None]
    assert [(one.state, one.filled) for one in told if one is not None] == [
        (OrderState.PARTIALLY_FILLED, D(1)),
        (OrderState.CANCELED, D(1)),
    ]


@given(
    st.lists(st.integers(-50, 50).map(lambda target: target / 10), min_size=1, max_size=12),
    st.lists(st.integers(0, 100), min_size=12, max_size=12),
    st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_a_weight_bounds_what_limits_and_exits_hold(targets: list[float], weights: list[int], with_exits: bool) -> None:
    options: dict[str, object] = {"order": Limit()}
    if with_exits:
        options |= {"stop_loss": "0.1", "trailing": "0.2"}
    made = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, Sizing.UNITS, options=options)
    for target, weight in zip(targets, weights, strict=False):
        made.weigh(D(weight) / 100)
        made.play({"C": target}, bars=4)
        assert abs(made.account.position("C")) <= abs(D(repr(target))) * weight / 100 + made.account.lot("C")


def test_what_reads_a_position_is_this_strategys_alone() -> None:
    price = StreamInput("BTC-USD")
    strategy = Above()
    held = strategy.position(price)
    for made in (held * 2.0, price / held.average_price, newest(held), ta.sma(held, 3, field="unrealised")):
        assert isinstance(made, Vertex)
        assert made.kind is SemanticKind.MUTABLE_EXECUTION_STATE
    with pytest.raises(
        InvalidRequest, match="E_FIELD: position is ETH-USD at 900 s, want bars that the strategy trades"
    ):
        assemble(Elsewhere())


class Elsewhere(Strategy):
    def setup(self) -> None:
        price, other = StreamInput("BTC-USD"), StreamInput("ETH-USD")
        empty = self.position(other).quantity < 1.0
        self.trade(signals.position_target(signals.when(long=empty), long=0.5), price)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_bars": 1}, "E_FIELD: max_bars is 1, want a whole number of bars, 2 to"),
        ({"max_bars": 2.0}, "E_FIELD: max_bars is 2.0"),
        ({"stop_loss": "2"}, "E_BRACKET: bracket.stop is 2, want a fraction between 0 and 1"),
        ({"trailing": "x"}, "E_BRACKET: bracket.trailing is x"),
        ({"stop_loss": 0.02}, 'E_BRACKET: bracket.stop is 0.02, want decimal text, "0.02"'),
        ({"bracket": Bracket(stop="0.1"), "trailing": "0.1"}, "E_BRACKET: bracket is given beside"),
    ],
)
def test_what_makes_no_exit_is_refused_by_name(options: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        assemble(Above(**options))


def test_an_offset_that_is_a_float_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r'E_BRACKET: order\.offset is 0\.001, want decimal text, "0.001"'):
        Limit(offset=0.001)  # type: ignore[arg-type]  # what an author may write


@pytest.mark.parametrize("offset", ["1", "-0.1", "", "x", "NaN"])
def test_an_offset_is_a_fraction(offset: str) -> None:
    with pytest.raises(InvalidRequest, match=r"E_BRACKET: order\.offset"):
        Limit(offset=offset)


def test_the_checks_of_a_graph_run_nodes_over_state_too() -> None:
    bars = prices(*(100.0 + (i * 7) % 11 for i in range(40)))
    assert find_look_ahead(assemble(Watching()).dag, bars, cuts=2) == ()
