"""What a venue's answers come to, and what an order works at after a change."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.events import EventTime, WorkedTerms
from brokerage.domain.orders.order import Contingency, Order, Side
from brokerage.domain.orders.reports import Outcome, VenueAct, VenueAnswer
from brokerage.domain.orders.states import EventKind, OrderState, OrderType, TimeInForce
from brokerage.domain.orders.totals import totals_by_side, totals_of
from brokerage.domain.trading.replacement import Change, judge
from brokerage.domain.trading.reports import answers, lacks_fills
from tests.brokerage.samples import MINUTE, STOCK

NOW = EventTime(5, 6)
TERMS = WorkedTerms(7, 99_00, None, None, 99_00)
RESTING = Order(
    LOCAL,
    "o1",
    "AAPL",
    Side.BUY,
    Decimal(5),
    OrderType.LIMIT,
    TimeInForce.GTD,
    limit_price=Decimal(90),
    expire_at_ns=9 * MINUTE,
)


def desk_with(*orders: Order) -> SimulatedAccount:
    made = SimulatedAccount(margin(2), {"USD": Decimal(100_000)}, instruments=[STOCK])
    made.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 1_000))
    for one in orders:
        made.submit(one, MINUTE)
    return made


def test_the_terms_of_a_replace_are_worked_once_it_is_taken_and_by_no_other_answer() -> None:
    record = replace(desk_with(RESTING).record("o1"), wanted=TERMS, state=OrderState.PENDING_UPDATE)
    [taken] = answers(record, VenueAct.REPLACE, VenueAnswer(Outcome.ACCEPTED), NOW)
    [refused] = answers(record, VenueAct.REPLACE, VenueAnswer(Outcome.REJECTED), NOW)
    assert (taken.kind, taken.terms, refused.kind, refused.terms) == (
        EventKind.UPDATED,
        TERMS,
        EventKind.MODIFY_REJECTED,
        None,
    )
    sent = replace(record, previous=OrderState.SUBMITTED)
    [accepted] = answers(sent, VenueAct.SUBMIT, VenueAnswer(Outcome.ACCEPTED), NOW)
    assert (accepted.kind, accepted.terms) == (EventKind.ACCEPTED, None)


def test_a_cancel_that_a_venue_took_waits_for_the_fills_that_it_tells_of() -> None:
    record = replace(desk_with(RESTING).record("o1"), state=OrderState.PENDING_CANCEL, filled=2)
    for filled, told in ((None, 1), (Decimal(2), 1), (Decimal(3), 0)):
        assert len(answers(record, VenueAct.CANCEL, VenueAnswer(Outcome.ACCEPTED, filled=filled), NOW)) == told
    assert not lacks_fills(replace(record, instrument=None), Decimal(3))


def test_a_change_moves_the_end_of_an_order_only_where_it_names_one() -> None:
    made = desk_with(RESTING)
    record = made.record("o1")
    for change, ends in ((Change(quantity=Decimal(4)), 9 * MINUTE), (Change(expire_at_ns=7 * MINUTE), 7 * MINUTE)):
        judged = judge(made.view, record, change, 2 * MINUTE, RATE_ONE)
        assert isinstance(judged, WorkedTerms)
        assert (judged.expire_ns, judged.limit) == (ends, record.limit)


def test_rivals_of_one_side_count_as_the_one_that_takes_most_and_of_two_sides_each() -> None:
    buy = replace(RESTING, list_id="l", contingency=Contingency.OCO, linked=("o2",))
    for side, price in ((Side.BUY, 80), (Side.SELL, 110)):
        other = replace(buy, client_order_id="o2", side=side, limit_price=Decimal(price), linked=("o1",))
        made = SimulatedAccount(margin(2), {"USD": Decimal(100_000)}, instruments=[STOCK])
        made.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 1_000))
        made.submit_list([buy, replace(other, quantity=Decimal(3))], MINUTE)
        first, second = made.record("o1"), made.record("o2")
        found = totals_by_side([first, second])
        assert found["AAPL", Side.BUY].quantity == 5
        assert found.get(("AAPL", Side.SELL), totals_of(None)).quantity == (3 if side is Side.SELL else 0)
