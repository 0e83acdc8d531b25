"""The decision logic, driven by hand: what it asks, in which order, and what it remembers of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.sdk import Signal, Sizing, Strategy, StreamInput, signals
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.legs import Promotion, permitted_part
from qmtl.sdk.execution.port import (
    UNRESTRICTED,
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    Cancel,
    DeniedOrder,
    HeldPosition,
    MarketOrder,
    OrderReply,
    Permission,
    Request,
    Submit,
    conclude,
    conclude_async,
)
from qmtl.sdk.strategy.assembly import assemble

BAR_NS = 900 * 10**9
NOTHING = Permission(long=False, short=False, reduce_long=False, reduce_short=False)
REDUCING = Permission(long=False, short=False, reduce_long=True, reduce_short=True)


class Units(Strategy):
    """Holds units of one symbol, by a target that the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.signals: list[Signal] = []

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        self.trade(signals.position_target(price, long=1.0), price, sizing=Sizing.UNITS, lot="1")

    def on_signal(self, signal: Signal) -> None:
        self.signals.append(signal)


class Venue:
    """Answers by table and keeps what it was asked."""

    def __init__(self, **answers: object) -> None:
        self.answers: Mapping[type, object] = {
            AskPermission: answers.get("permission", UNRESTRICTED),
            AskOpenOrders: answers.get("open_orders", ()),
            Cancel: None,
            AskHeldPosition: HeldPosition(Decimal(str(answers.get("held", 0))), Decimal(1000), Decimal(1), Decimal(1)),
            Submit: answers.get("reply", OrderReply()),
        }
        self.asked: list[Request[Any]] = []

    def answer(self, request: Request[Any]) -> object:
        self.asked.append(request)
        return self.answers[type(request)]

    @property
    def orders(self) -> list[MarketOrder]:
        submitted = (request.order for request in self.asked if isinstance(request, Submit))
        return [order for order in submitted if isinstance(order, MarketOrder)]


class Decided:
    """One strategy's logic, and commands for its only node."""

    def __init__(self) -> None:
        self.strategy = Units()
        self.logic = DecisionLogic(assemble(self.strategy))
        self.bar = 0

    def command(self, target: float) -> Command:
        self.bar += 1
        return Command(next(iter(self.logic.command_nodes)), self.bar * BAR_NS, target, 100.0)

    def on(self, target: float, venue: Venue) -> list[DeniedOrder]:
        return conclude(self.logic.decide([self.command(target)]), venue.answer)


def test_older_orders_are_cancelled_before_the_position_is_asked() -> None:
    venue = Venue(open_orders=("a", "b"))
    assert Decided().on(3.0, venue) == []
    assert venue.asked == [
        AskPermission("BTC-USD"),
        AskOpenOrders("BTC-USD", BAR_NS),
        Cancel("a", BAR_NS),
        Cancel("b", BAR_NS),
        AskHeldPosition("BTC-USD", BAR_NS),
        Submit(MarketOrder("BTC-USD-900", "BTC-USD", Decimal(3), BAR_NS, Decimal(3))),
    ]


def test_the_same_target_asks_nothing() -> None:
    decided = Decided()
    decided.on(3.0, Venue())
    again = Venue()
    assert decided.on(3.0, again) == []
    assert not again.asked


def test_nothing_is_asked_where_nothing_may_be_sent_and_the_next_bar_tries_again() -> None:
    decided, shut, opened = Decided(), Venue(permission=NOTHING), Venue()
    assert decided.on(3.0, shut) == []
    assert shut.asked == [AskPermission("BTC-USD")]
    decided.on(3.0, opened)
    assert [order.quantity for order in opened.orders] == [3]


@pytest.mark.parametrize(("final", "orders"), [(False, 1), (True, 0)])
def test_a_denial_is_tried_again_unless_it_is_final(final: bool, orders: int) -> None:
    decided, later = Decided(), Venue()
    told = [DeniedOrder("BTC-USD-900", "BTC-USD", "RULE", "why", BAR_NS)]
    assert decided.on(3.0, Venue(reply=OrderReply("RULE", "why", final))) == told
    decided.on(3.0, later)
    assert len(later.orders) == orders


def test_what_a_venue_rejects_is_sent_again_with_the_next_bar_and_given_up_after_three() -> None:
    decided, told = Decided(), list[DeniedOrder]()
    for bar in range(1, 6):
        venue = Venue()
        decided.on(3.0, venue)
        assert len(venue.orders) == (bar <= 3)
        for order in venue.orders:
            denied = decided.logic.reject(order.client_order_id, "no margin", bar * BAR_NS)
            assert denied is not None
            told.append(denied)
    assert [(one.rule, one.symbol) for one in told] == [("REJECTED", "BTC-USD")] * 3
    assert told[0].message == "no margin"
    assert "given up" in told[2].message
    venue = Venue()
    decided.on(4.0, venue)
    assert decided.logic.reject(venue.orders[0].client_order_id, "no margin", BAR_NS) is not None
    decided.on(4.0, venue)
    assert len(venue.orders) == 2
    assert decided.logic.reject("flatten-BTC-USD", "not this strategy's", BAR_NS) is None


def test_a_position_is_closed_where_it_may_not_be_turned_round() -> None:
    decided, venue = Decided(), Venue(permission=REDUCING, held=2)
    decided.on(-3.0, venue)
    assert [order.quantity for order in venue.orders] == [-2]
    opened = Venue(held=0)
    decided.on(-3.0, opened)
    assert [order.quantity for order in opened.orders] == [-3]


def test_the_strategy_hears_of_each_new_target_once_whatever_the_venue_says() -> None:
    decided = Decided()
    for target in (3.0, 3.0, 0.0, 0.0, 3.0):
        decided.on(target, Venue(permission=NOTHING))
    assert [signal.value for signal in decided.strategy.signals] == [3.0, 0.0, 3.0]


def test_a_remembered_command_is_not_acted_on_again() -> None:
    decided, venue = Decided(), Venue()
    decided.logic.remember(decided.command(3.0))
    assert decided.on(3.0, venue) == []
    assert not venue.asked


@given(st.integers(-5, 5), st.integers(-9, 9).filter(bool))
def test_what_is_permitted_is_the_order_or_what_closes_the_position(held: int, quantity: int) -> None:
    part = permitted_part(Decimal(held), Decimal(quantity), REDUCING)
    if part:
        assert abs(held + part) < abs(held)
        assert part in (quantity, -held)
    assert permitted_part(Decimal(held), Decimal(quantity), UNRESTRICTED) == quantity
    assert permitted_part(Decimal(held), Decimal(quantity), NOTHING) == 0


async def test_a_venue_that_is_waited_for_gets_the_same_requests() -> None:
    at_once, waited = Venue(open_orders=("a",), held=1), Venue(open_orders=("a",), held=1)

    async def answer(request: Request[Any]) -> object:
        return waited.answer(request)

    first, second = Decided(), Decided()
    reply = conclude(first.logic.decide([first.command(3.0)]), at_once.answer)
    assert await conclude_async(second.logic.decide([second.command(3.0)]), answer) == reply
    assert waited.asked == at_once.asked


def kept(target: float, promoted_bar: int) -> Decided:
    """One that has stood at a target since bar 1, and was promoted at the close of a bar."""
    decided = Decided()
    decided.logic.begin()
    stands = decided.command(target)
    decided.logic.standing.stand(stands.node_id, stands.target, stands.time_ns)
    decided.logic.standing.promotion = Promotion(promoted_bar * BAR_NS, 0)
    return decided


def stands_on(decided: Decided, target: float, venue: Venue) -> None:
    command = decided.command(target)
    decided.logic.standing.stand(command.node_id, command.target, command.time_ns)
    conclude(decided.logic.decide([command]), venue.answer)


@pytest.mark.parametrize(
    ("held", "quantity"), [(0, []), (2, []), (5, [Decimal(-2)]), (-1, [Decimal(1)])]
)  # it adds nothing, reduces what is beyond the target and closes what is on the other side
def test_a_target_that_stood_at_the_promotion_only_reduces(held: int, quantity: list[Decimal]) -> None:
    venue = Venue(held=held)
    stands_on(kept(3.0, 1), 3.0, venue)
    assert [order.quantity for order in venue.orders] == quantity


def test_it_acts_at_the_next_change_and_on_what_was_given_after_the_promotion() -> None:
    decided, venue = kept(3.0, 2), Venue()
    for target in (3.0, 3.0, 4.0):
        assert not venue.orders
        stands_on(decided, target, venue)
    assert [order.quantity for order in venue.orders] == [Decimal(4)]
    late, venue = kept(3.0, 0), Venue()
    stands_on(late, 3.0, venue)
    assert [order.quantity for order in venue.orders] == [Decimal(3)]


def test_a_standing_target_of_0_closes_what_an_earlier_session_left() -> None:
    venue = Venue(held=2)
    stands_on(kept(0.0, 9), 0.0, venue)
    assert [order.quantity for order in venue.orders] == [Decimal(-2)]
