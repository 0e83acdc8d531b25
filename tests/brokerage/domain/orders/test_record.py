"""The order record as a fold: replay equals live on random histories, venue facts are booked, repeats are seen."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.events import EventTime, Fill, Liquidity, OrderEvent, WorkedTerms
from brokerage.domain.orders.order import Order, Side, order_id
from brokerage.domain.orders.record import OrderRecord, accept_fill, advance, born, happened, share_fees
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState, OrderType, OrderView, TimeInForce
from qmtl.core.errors import Conflict
from tests.brokerage.samples import MINUTE, OWNER, STOCK, order

NOW = EventTime(5, 6)


def fill(quantity: int, trade_id: str = "t1") -> Fill:
    return Fill(trade_id, quantity, 100_00, 0, "USD", Liquidity.TAKER, 5)


def working(quantity: int = 10, kind: OrderType = OrderType.MARKET) -> OrderRecord:
    first = OrderEvent("id", 1, EventKind.INITIALIZED, 1, 1, quantity=quantity)
    record = born(replace(order("o1"), type=kind), STOCK, first)
    for step in (EventKind.SUBMITTED, EventKind.ACCEPTED):
        record, _ = happened(record, step, NOW)
    return record


def test_an_order_id_is_the_same_everywhere_and_no_two_scopes_share_one() -> None:
    assert order_id(OWNER, "o1") == "bmxcl45dhnanmts5ojjc65oa6udvf4ic"
    moved = replace(OWNER, world_id=OWNER.world_id + "s", strategy_id=OWNER.strategy_id[1:])
    assert order_id(moved, "o1") != order_id(OWNER, "o1")


def test_a_late_fill_after_a_cancel_is_booked_and_completes_only_when_whole() -> None:
    record, _ = happened(working(), EventKind.CANCELED, NOW)
    record, event = happened(record, EventKind.FILLED, NOW, fill=fill(4))
    assert (record.state, record.filled, event.flag) == (OrderState.CANCELED, 4, None)
    record, event = happened(record, EventKind.FILLED, NOW, fill=fill(6, "t2"))
    assert (record.state, record.filled, record.public) == (OrderState.FILLED, 10, OrderView.FILLED)


def test_an_overfill_and_a_fill_of_a_denied_order_are_booked_and_flagged() -> None:
    record, event = happened(working(), EventKind.FILLED, NOW, fill=fill(11))
    assert (record.state, record.filled, event.flag) == (OrderState.FILLED, 11, FillFlag.OVERFILL)
    denied = born(order("o1"), STOCK, OrderEvent("id", 1, EventKind.INITIALIZED, 1, 1, quantity=10))
    denied, _ = happened(denied, EventKind.DENIED, NOW)
    denied, event = happened(denied, EventKind.FILLED, NOW, fill=fill(1))
    assert (denied.state, denied.filled, event.flag) == (OrderState.DENIED, 1, FillFlag.UNEXPECTED)


def test_a_fill_while_a_larger_quantity_is_asked_for_leaves_open_which_of_the_two_works() -> None:
    """The venue may have made the replace: what fills beyond the old quantity is a part of the new one."""
    asked, _ = happened(working(), EventKind.PENDING_UPDATE, NOW, terms=WorkedTerms(30, None, None, None, 0))
    beyond, event = happened(asked, EventKind.FILLED, NOW, fill=fill(19))
    assert (beyond.state, event.flag, beyond.wanted) == (OrderState.PARTIALLY_FILLED, None, asked.wanted)
    made, _ = happened(beyond, EventKind.UPDATED, NOW, terms=asked.wanted)
    assert (made.state, made.remaining) == (OrderState.PARTIALLY_FILLED, 11)
    whole, _ = happened(asked, EventKind.FILLED, NOW, fill=fill(10))
    refused, _ = happened(whole, EventKind.MODIFY_REJECTED, NOW)
    assert (whole.state, refused.state) == (OrderState.PARTIALLY_FILLED, OrderState.FILLED)
    _, event = happened(asked, EventKind.FILLED, NOW, fill=fill(31))
    assert (event.state, event.flag) == (OrderState.FILLED, FillFlag.OVERFILL)


def test_a_repeated_trade_is_skipped_and_a_changed_one_refused() -> None:
    assert accept_fill(fill(4), None)
    assert not accept_fill(fill(4), fill(4))
    with pytest.raises(Conflict, match="E_TRADE_ID_REUSED"):
        accept_fill(fill(4), fill(5))


@pytest.mark.parametrize(
    ("currency", "fee", "booked", "want"),
    [
        ("USD", 11, [8, -3], [8, 3]),  # by what each traded
        ("BTC", 11, [8, -3], [11, 0]),  # taken from what was bought: its buyers' alone
        ("BTC", 11, [-8, 3], [8, 3]),  # more was sold: nothing that came in to take it from
        ("BNB", 11, [8, -3], [8, 3]),
        ("USD", 7, [-5, 0], [7, 0]),
        ("USD", 7, [0, 0], [0, 0]),
    ],
)
def test_the_fee_of_a_netted_fill_is_shared_by_what_it_brought(
    currency: str, fee: int, booked: list[int], want: list[int]
) -> None:
    coin = instrument("BTC-USD", base="BTC", quote="USD", asset_class=AssetClass.CRYPTO)
    charged = replace(fill(abs(sum(booked))), fee=fee, fee_currency=currency)
    assert share_fees(coin, charged, booked) == want


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (EventKind.MODIFY_REJECTED, False),
        (EventKind.CANCELED, False),
        (EventKind.PENDING_CANCEL, True),
        (EventKind.TRIGGERED, True),
    ],
)
def test_a_replace_is_asked_for_until_it_is_refused_or_its_order_ends(kind: EventKind, left: bool) -> None:
    terms = WorkedTerms(30, None, 90_00, None, 0)
    asked, _ = happened(working(kind=OrderType.STOP_MARKET), EventKind.PENDING_UPDATE, NOW, terms=terms)
    record, _ = happened(asked, kind, NOW)
    assert (record.wanted, record.replaces, record.generation) == (terms if left else None, 1, 0)
    assert record.triggered == (kind is EventKind.TRIGGERED)


def test_a_pending_change_that_is_refused_restores_what_was_before() -> None:
    record, _ = happened(working(), EventKind.FILLED, NOW, fill=fill(4))
    for pending, refused in (
        (EventKind.PENDING_CANCEL, EventKind.CANCEL_REJECTED),
        (EventKind.PENDING_UPDATE, EventKind.MODIFY_REJECTED),
    ):
        record, _ = happened(record, pending, NOW)
        assert record.public is OrderView.PARTIALLY_FILLED
        record, _ = happened(record, refused, NOW)
        assert record.state is OrderState.PARTIALLY_FILLED


def test_a_gap_a_damaged_row_and_a_wrong_beginning_are_refused() -> None:
    record = working()
    _, event = happened(record, EventKind.FILLED, NOW, fill=fill(4))
    with pytest.raises(Conflict, match="E_ORDER_EVENT_GAP"):
        advance(record, replace(event, seq=9))
    with pytest.raises(Conflict, match="E_ORDER_EVENT_DAMAGED"):
        advance(record, replace(event, cumulative=5))
    with pytest.raises(Conflict, match="E_ORDER_EVENT_DAMAGED"):
        advance(record, replace(event, state=OrderState.FILLED))
    with pytest.raises(Conflict, match="E_ORDER_EVENT_ILLEGAL"):
        born(order("o1"), STOCK, event)
    with pytest.raises(Conflict, match="E_ORDER_EVENT_ILLEGAL"):
        happened(record, EventKind.FILLED, NOW)


def test_an_update_changes_what_is_worked_and_may_fill_the_order() -> None:
    record, _ = happened(working(), EventKind.FILLED, NOW, fill=fill(4))
    record, event = happened(record, EventKind.UPDATED, NOW, terms=WorkedTerms(8, 99_00, 98_00, 7))
    assert (record.state, record.quantity, record.remaining) == (OrderState.PARTIALLY_FILLED, 8, 4)
    assert (record.limit, record.stop, record.expire_ns) == (99_00, 98_00, 7)
    pending, _ = happened(record, EventKind.PENDING_CANCEL, NOW)
    for before in (record, pending):
        done, event = happened(before, EventKind.UPDATED, NOW, terms=WorkedTerms(4, None, None, None))
        assert (done.state, done.quantity, done.remaining) == (OrderState.FILLED, 4, 0)
        assert advance(before, event) == done


def test_what_is_said_of_an_order_stands_until_more_is_said_or_it_fills() -> None:
    record, _ = happened(working(), EventKind.UPDATED, NOW, detail="the order rests")
    for kind, one, said in (
        (EventKind.PENDING_CANCEL, None, "the order rests"),
        (EventKind.CANCEL_REJECTED, None, "the order rests"),
        (EventKind.FILLED, fill(4), ""),
    ):
        record, _ = happened(record, kind, NOW, fill=one)
        assert record.detail == said


def test_a_trigger_is_remembered_wherever_it_is_heard() -> None:
    for kinds in ((), (EventKind.PENDING_CANCEL,), (EventKind.FILLED,)):
        record = working(kind=OrderType.STOP_LIMIT)
        for kind in kinds:
            record, _ = happened(record, kind, NOW, fill=fill(1) if kind is EventKind.FILLED else None)
        before = record.state
        record, _ = happened(record, EventKind.TRIGGERED, NOW)
        assert record.triggered
        assert record.state is (OrderState.TRIGGERED if before is OrderState.ACCEPTED else before)


@pytest.mark.parametrize(
    ("kinds", "counts_from"),
    [
        ((EventKind.EMULATED,), 10),
        ((EventKind.EMULATED, EventKind.RELEASED, EventKind.SUBMITTED, EventKind.ACCEPTED), 40),
        ((EventKind.SUBMITTED, EventKind.ACCEPTED, EventKind.PENDING_UPDATE, EventKind.ACCEPTED), 20),
        ((EventKind.SUBMITTED, EventKind.FILLED, EventKind.ACCEPTED), 30),  # the fill was heard first
        ((EventKind.ACCEPTED, EventKind.FILLED, EventKind.ACCEPTED), 10),
    ],
)
def test_bars_count_from_the_first_acceptance_at_the_venue(kinds: tuple[EventKind, ...], counts_from: int) -> None:
    record = born(order("o1"), STOCK, OrderEvent("id", 1, EventKind.INITIALIZED, 1, 1, quantity=10))
    for number, kind in enumerate(kinds, 1):
        time, one = EventTime(10 * number, 10 * number + 1), fill(1) if kind is EventKind.FILLED else None
        record, _ = happened(record, kind, time, fill=one)
    assert record.accepted_ns == counts_from


VENUE = [
    EventKind.ACCEPTED,
    EventKind.TRIGGERED,
    EventKind.PENDING_CANCEL,
    EventKind.UPDATED,
    EventKind.CANCEL_REJECTED,
]


def legal(record: OrderRecord, kind: EventKind) -> bool:
    """Whether the table has an event; what it lacks is refused whole and leaves the order as it was."""
    try:
        happened(record, kind, NOW)
    except Conflict:
        return False
    return True


@given(
    st.lists(st.integers(1, 6), max_size=5),
    st.booleans(),
    st.lists(st.sampled_from(VENUE), max_size=4),
    st.lists(st.integers(0, 8), max_size=5),
    st.integers(0, 2**32),
)
def test_reports_in_any_order_and_repeated_come_to_the_same_order(
    parts: list[int], canceled: bool, others: list[EventKind], repeats: list[int], seed: int
) -> None:
    """Fills, a cancel and what surrounds them, as a venue's stream and its lists may bring them."""
    told: list[tuple[EventKind, Fill | None]] = [
        (EventKind.FILLED, fill(part, f"t{number}")) for number, part in enumerate(parts)
    ]
    told += [(kind, None) for kind in others] + [(EventKind.CANCELED, None)] * canceled
    told += [told[index] for index in repeats if index < len(told)]
    random.Random(seed).shuffle(told)
    first = OrderEvent("id", 1, EventKind.INITIALIZED, 1, 1, quantity=10)
    record, known = born(replace(order("o1"), type=OrderType.STOP_LIMIT), STOCK, first), dict[str, Fill]()
    record, _ = happened(record, EventKind.SUBMITTED, NOW)
    log = [record]
    for kind, part in told:
        if part is not None and not accept_fill(part, known.get(part.trade_id)):
            continue
        if part is None and not legal(record, kind):
            continue
        record, event = happened(record, kind, NOW, fill=part)
        assert advance(log[-1], event) == record
        log.append(record)
        if part is not None:
            known[part.trade_id] = part
    total = sum(parts)
    assert record.filled == total
    assert record.notional == STOCK.notional(100_00, total)
    assert (record.flag is FillFlag.OVERFILL) == (total > 10)
    if total >= 10:
        assert record.state is OrderState.FILLED
    elif canceled:
        assert record.state is OrderState.CANCELED
    else:
        assert not record.closed
    assert record.triggered == (EventKind.TRIGGERED in others) or record.closed


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "cancel", "bar", "bar", "bar"]),
        st.sampled_from(Side),
        st.integers(1, 40),
        st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT]),
        st.sampled_from([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]),
        st.integers(95, 105),
        st.integers(0, 200),
    ),
    min_size=1,
    max_size=60,
)


@given(ACTS)
def test_replay_equals_live_and_the_books_balance(
    acts: list[tuple[str, Side, int, OrderType, TimeInForce, int, int]],
) -> None:
    account = SimulatedAccount(margin(3), {"USD": Decimal(10_000)}, instruments=[STOCK], owner=OWNER)
    log: dict[str, list[OrderEvent]] = {}
    orders: dict[str, Order] = {}
    account.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 10))
    for minute, (act, side, quantity, kind, tif, price, volume) in enumerate(acts, start=1):
        at = minute * MINUTE
        events: list[OrderEvent] = []
        if act == "submit":
            wanted = order(
                f"o{minute}",
                side,
                quantity,
                type=kind,
                tif=tif,
                limit_price=Decimal(price) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
                stop_price=Decimal(price) if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT) else None,
            )
            orders[order_id(OWNER, wanted.client_order_id)] = wanted
            events = account.submit(wanted, at)
        elif act == "cancel" and orders:
            canceled = account.cancel(orders[next(reversed(orders))].client_order_id, at)
            events = [canceled] if canceled else []
        elif act == "bar":
            spread = 100 * (quantity % 4)
            events = account.on_bar(
                "AAPL", Bar(at, at + MINUTE, price * 100, price * 100 + spread, price * 100 - spread, 100_00, volume)
            )
        for event in events:
            log.setdefault(event.order_id, []).append(event)
    for identity, events in log.items():
        record = born(orders[identity], STOCK, events[0])
        for event in events[1:]:
            record = advance(record, event)
        assert record == account.book.records[identity]
        assert record.filled <= record.quantity
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert record.closed == (record not in account.open_orders())
    book = account.portfolio()
    profit = sum((held.realised + held.unrealised - held.fees for held in book.positions), Decimal(0))
    assert book.equity["USD"] == Decimal(10_000) + profit
    assert book.equity["USD"] == book.cash["USD"] + sum((held.value for held in book.positions), Decimal(0))


def test_only_an_event_with_terms_says_what_is_worked() -> None:
    record = replace(working(), worst=5, limit=4, stop=3, expire_ns=2)
    for kind, want in ((EventKind.PENDING_CANCEL, (0, None, None, None, 0)), (EventKind.UPDATED, (10, 4, 3, 2, 5))):
        event = happened(record, kind, NOW)[1]
        assert (event.quantity, event.limit, event.stop, event.expire_ns, event.worst) == want


def test_a_new_order_is_the_fold_of_nothing_yet() -> None:
    record = born(order("o1"), STOCK, OrderEvent("id", 1, EventKind.INITIALIZED, 5, 6, quantity=10))
    counts = (record.filled, record.notional, record.replaces, record.generation, record.worst, record.accepted_ns)
    assert (counts, record.created_ns, record.updated_ns) == ((0,) * 6, 6, 6)
