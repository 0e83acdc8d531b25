"""Quotes: planned by hand, bounded by inventory and weight on any path, replaced only when they change."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import LOCAL
from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import (
    AccountTerms,
    Bars,
    OrderRole,
    OrderState,
    OrderUpdate,
    Runner,
    Strategy,
    StreamInput,
    signals,
    where,
)
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.port import (
    UNRESTRICTED,
    AskHeldPosition,
    AskPermission,
    AskWorkingOrders,
    Cancel,
    HeldPosition,
    OrderReply,
    Permission,
    Submit,
    Weights,
    WorkingOrder,
    conclude,
)
from qmtl.sdk.execution.quoting import Inventory, Quote, QuoteIntent, QuotePlanner, cancel_replace
from qmtl.sdk.execution.simulated import order_list
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS, gapped, prices

FREE = AccountTerms(cash=D(100_000), profile=margin(10, "0", participation="0"))
INTENT = QuoteIntent(0, D(100), D("0.5"), D(2))


def inventory(held: str, longest: str = "10", shortest: str = "-10") -> Inventory:
    return Inventory(D(held), D(longest), D(shortest), D("0.1"), D("0.01"))


class Maker(Strategy):
    """Quotes around the close."""

    def __init__(self, size: float = 1.0, half_spread: float = 0.002, *, post_only: bool = True, **quote: str) -> None:
        self.size, self.half_spread, self.post_only = size, half_spread, post_only
        self.bounds = {"inventory_max": "3", **quote}
        self.heard: list[OrderUpdate] = []

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        fair = ta.sma(price, 2)
        self.quote(
            signals.quote_intent(fair, self.half_spread, self.size), price, post_only=self.post_only, **self.bounds
        )

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append(update)


@pytest.mark.parametrize(
    ("held", "bid", "ask"),
    [
        ("0", ("99.50", "2"), ("100.50", "-2")),
        ("5", ("99.25", "2"), ("100.25", "-2")),  # half full: half of a half spread lower
        ("9", ("99.05", "1"), ("100.05", "-2")),  # only as much as fits
        ("10", None, ("100.00", "-2")),
        ("-10", ("100.00", "2"), None),
        ("12", None, ("100.00", "-2")),  # beyond the bound it leans no further
    ],
)
def test_quotes_lean_against_what_is_held_and_stop_at_its_bounds(
    held: str, bid: tuple[str, str] | None, ask: tuple[str, str] | None
) -> None:
    wanted = [Quote(D(price), D(size)) for price, size in (one for one in (bid, ask) if one is not None)]
    assert list(QuotePlanner(D(1)).quotes(INTENT, inventory(held))) == wanted


def test_prices_go_away_from_the_fair_price_and_sizes_down_to_the_lot() -> None:
    intent = QuoteIntent(0, D("100.003"), D("0.5"), D("2.19"))
    assert QuotePlanner(D(0)).quotes(intent, inventory("0")) == (
        Quote(D("99.50"), D("2.1")),
        Quote(D("100.51"), D("-2.1")),
    )
    assert QuotePlanner(D(0)).quotes(INTENT, inventory("0", "10", "0")) == (Quote(D("99.50"), D(2)),)
    assert QuotePlanner(D(0)).quotes(QuoteIntent(0, D("0.4"), D("0.5"), D(1)), inventory("0"))[0].quantity == -1


def test_what_quotes_the_same_stays_and_is_not_sent_twice() -> None:
    wanted = (Quote(D("99.50"), D(2)), Quote(D("100.50"), D(-2)))
    same = WorkingOrder("a", D("2.0"), D("99.5"))
    plan = cancel_replace([same, WorkingOrder("b", D(2), D("99.50")), WorkingOrder("c", D(-1), D("100.50"))], wanted)
    assert (plan.keep, plan.cancel, plan.send) == (("a",), ("b", "c"), (Quote(D("100.50"), D(-2)),))
    assert cancel_replace([WorkingOrder("stop", D(2), None)], ()).cancel == ("stop",)


class Venue:
    """Answers by table; what is held may change with the first cancel."""

    def __init__(self, held: str, after: str, working: tuple[WorkingOrder, ...], permission: Permission) -> None:
        self.held, self.after, self.working, self.permission = D(held), D(after), working, permission
        self.acts: list[object] = []

    def answer(self, request: object) -> object:
        match request:
            case AskPermission():
                return self.permission
            case AskWorkingOrders():
                return self.working
            case AskHeldPosition():
                return HeldPosition(self.held, D(1000), D("0.1"), D("0.01"))
            case Cancel(client_order_id=name):
                self.acts.append(name)
                self.held = self.after
                return None
            case Submit(order=order):
                self.acts.append((order.client_order_id, order.quantity, order.limit_price, order.position_target))  # type: ignore[union-attr]  # quotes are limit orders
                return OrderReply()
        raise AssertionError(request)


def acts(venue: Venue, weights: Weights | None = None, sent: frozenset[str] = frozenset()) -> list[object]:
    assembled = assemble(Maker())
    logic, node_id = DecisionLogic(assembled), assembled.rules[0].command.node_id
    logic.recall(sent)
    if weights is not None:
        logic.weigh(weights)
    row = (100.0, 0.5, 2.0, 100.0)
    conclude(logic.decide([Command(node_id, 900 * 10**9, 100.0, 0.5, row)]), venue.answer)
    return venue.acts


def test_a_fill_that_came_before_a_cancel_is_reckoned_with() -> None:
    old = WorkingOrder("old", D(2), D(98))
    sent = acts(Venue("0", "2", (old,), UNRESTRICTED))
    assert sent[0] == "old"
    assert sent[1:] == [("BTC-USD-900-bid", D(1), D("99.16"), D(3)), ("BTC-USD-900-ask", D(-2), D("100.17"), D(-3))]


def test_a_side_that_an_earlier_process_quoted_for_the_bar_stays_as_it_is() -> None:
    left = WorkingOrder("BTC-USD-900-bid", D("0.5"), D("99.5"))  # the rest of it is filled: no other may have its name
    older = WorkingOrder("BTC-USD-840-ask", D(-1), D(105))
    names = frozenset({left.client_order_id, older.client_order_id})
    assert acts(Venue("1.5", "1.5", (left, older), UNRESTRICTED), sent=names) == [
        "BTC-USD-840-ask",
        ("BTC-USD-900-ask", D(-2), D("100.25"), D(-3)),
    ]
    assert acts(Venue("1.5", "1.5", (left,), UNRESTRICTED))[0] == "BTC-USD-900-bid"
    done = frozenset({"BTC-USD-900-bid", "BTC-USD-900-ask"})
    assert acts(Venue("2", "2", (), UNRESTRICTED), sent=done) == []


def test_a_side_that_is_shut_is_not_quoted_and_a_weight_shrinks_the_bounds() -> None:
    shut = Permission(long=False, short=True, reduce_long=True, reduce_short=True)
    assert [act[0] for act in acts(Venue("0", "0", (), shut))] == ["BTC-USD-900-ask"]  # type: ignore[index]  # an order
    nothing = Permission(long=False, short=False, reduce_long=False, reduce_short=False)
    assert acts(Venue("0", "0", (WorkingOrder("old", D(2), D(98)),), nothing)) == []
    half = acts(Venue("0", "0", (), UNRESTRICTED), Weights(D("0.5"), D("0.1")))
    assert [(act[1], act[3]) for act in half] == [(D("1.5"), D(3)), (D("-0.3"), D(-3))]  # type: ignore[index]  # orders


@given(gapped(most=80), st.sampled_from(["0", "-3", ""]), st.sampled_from(["0", "1", "3"]), st.floats(0.1, 4.0))
@settings(max_examples=12, deadline=None)
def test_the_inventory_stays_in_its_bounds_and_batch_is_streaming(
    bars: Bars, least: str, skew: str, size: float
) -> None:
    assume(len(bars))
    made = []
    for every_bar in (False, True):
        strategy = Maker(round(size, 2), 0.001, inventory_min=least, skew=skew)
        found = Runner.backtest(strategy, bars, terms=FREE, every_bar=every_bar).replay
        made.append((found.fills, found.equity_floats.tobytes(), found.denials, list(found.orders), strategy.heard))
        held = D(0)
        for fill in found.fills:
            held += fill.quantity
            assert (D(least or -3)) <= held <= 3
    assert made[0] == made[1]


def test_quotes_are_filled_where_they_stand_and_left_while_they_are_the_same() -> None:
    closes = [100.0, 100.0, 100.0, 100.0]
    columns = [[100.0, 100.1, 99.9, 100.0, 1000.0] for _ in closes]
    columns[3][2] = 99.0  # the low reaches the bid
    times = START_NS + STEP_NS * np.arange(4, dtype=np.int64)
    strategy = Maker(half_spread=0.005)
    result = Runner.backtest(strategy, Bars("BTC-USD", 900, times, np.array(columns)), terms=FREE)
    assert [(fill.quantity, fill.price) for fill in result.replay.fills] == [(D(1), D("99.50"))]
    told = Counter((one.role, one.state) for one in strategy.heard)
    # two at the first intent, which stay through two closes; after the fill both lean, so the ask is replaced
    assert told[OrderRole.QUOTE, OrderState.ACCEPTED] == 4
    assert told[OrderRole.QUOTE, OrderState.CANCELED] == 1
    assert len(order_list(LOCAL, result.replay.orders)) == 4


class Fading(Strategy):
    """No intent while the price is 200 or more."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        self.quote(signals.quote_intent(where(price < 200.0, price, price * 0.0), 0.1, 1.0), price, inventory_max="3")


@pytest.mark.parametrize("every_bar", [True, False])
def test_quotes_of_an_older_intent_do_not_stay_where_there_is_none_any_more(every_bar: bool) -> None:
    bars = prices(100.0, 100.0, 210.0, 210.0, 150.0)
    result = Runner.backtest(Fading(), bars, terms=FREE, every_bar=every_bar).replay
    assert [(fill.quantity, fill.time_ns) for fill in result.fills] == [(D(-1), int(bars.open_ns[2]))]
    assert [(one.client_order_id[-3:], one.orders_before) for one in result.cancels] == [("bid", 2)]
    assert len(result.orders) == 4  # at the first close, and at the last


def test_quotes_rest_or_are_refused_unless_they_may_take() -> None:
    bars = prices(100.0, 100.0, 104.0, 104.0)  # the mean of two closes is 102 at the third: its ask would take there
    resting = Runner.backtest(Maker(), bars, terms=FREE).replay
    assert [(one.client_order_id[-4:], one.rule) for one in resting.denials] == [("-ask", "POST_ONLY_CROSSES")]
    taking = Runner.backtest(Maker(post_only=False), bars, terms=FREE).replay
    assert not taking.denials
    sent = [order_list(LOCAL, found.orders) for found in (resting, taking)]
    assert [{order.post_only for order in orders} for orders in sent] == [{True}, {False}]


def test_a_spot_account_quotes_no_shorts_where_its_inventory_ends_at_nothing() -> None:
    strategy = Maker(inventory_min="0", post_only=False)
    spot_terms = AccountTerms(profile=spot("0", participation="0"))
    result = Runner.backtest(strategy, prices(*(100.0 + (i * 7) % 11 for i in range(60))), terms=spot_terms)
    assert len(result.replay.fills) > 5
    assert not result.replay.denials


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"inventory_max": "x"}, "E_FIELD: inventory_max is 'x', want decimal text of at least 0"),
        ({"inventory_max": "-1"}, "E_FIELD: inventory_max is '-1'"),
        ({"inventory_min": "1"}, "E_FIELD: inventory_min is 1, want 0 or less"),
        ({"inventory_max": "0", "inventory_min": "0"}, "E_FIELD: inventory_min is 0"),
        ({"skew": "-1"}, "E_FIELD: skew is '-1'"),
    ],
)
def test_bounds_that_are_none_are_refused_by_name(bounds: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        assemble(Maker(1.0, 0.002, post_only=True, **bounds))


def test_an_intent_needs_a_spread() -> None:
    with pytest.raises(InvalidRequest, match="E_FIELD: half_spread is 0"):
        signals.quote_intent(StreamInput("BTC-USD"), 0, 1.0)
