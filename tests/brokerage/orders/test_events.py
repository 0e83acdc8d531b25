"""What leaves for ORDERS: events of one commit together, worlds apart, in the order of the account's log, bounded."""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.states import EventKind
from brokerage.orders.events import BYTES_MAX, Happened, messages
from qmtl.broker.v1 import order_pb2 as orderpb
from tests.brokerage.samples import OWNER, order


def happened(of: Order, number: int, detail: str = "") -> Happened:
    return of, None, OrderEvent(of.client_order_id, number, EventKind.ACCEPTED, 1, 1, detail=detail), number, 0


def told(*done: Happened) -> list[tuple[str, str, list[int]]]:
    """Subject, message id and account event numbers of each message."""
    drafts = messages(done)
    assert {draft.key for draft in drafts} == {"orders/acc"}
    return [(draft.subject, draft.msg_id, numbers(draft.body)) for draft in drafts]


def numbers(body: bytes) -> list[int]:
    return [event.account_event_number for event in orderpb.OrderEvents.FromString(body).events]


def test_events_of_a_world_that_follow_one_another_are_one_message() -> None:
    mine, theirs = order("o1"), order("o2", owner=replace(OWNER, world_id="w2"))
    done = (happened(mine, 1), happened(mine, 2), happened(theirs, 3), happened(mine, 4))
    assert told(*done) == [
        ("qmtl.orders.w1.acc", "order-o1-1", [1, 2]),
        ("qmtl.orders.w2.acc", "order-o2-3", [3]),
        ("qmtl.orders.w1.acc", "order-o1-4", [4]),
    ]


def test_a_message_is_bounded_in_bytes() -> None:
    half = "x" * (BYTES_MAX // 2 - 200)
    parts = told(*(happened(order("o1"), number, half) for number in range(1, 6)))
    assert [found for _, _, found in parts] == [[1, 2], [3, 4], [5]]
    whole = "x" * BYTES_MAX
    assert [found for _, _, found in told(happened(order("o1"), 1, whole), happened(order("o1"), 2))] == [[1], [2]]
