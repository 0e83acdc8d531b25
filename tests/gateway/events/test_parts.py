"""What is larger than one message: snapshots come in several frames, events in as many as it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

from controlbus.bus import Bus
from controlbus.events.control_event import ControlEventDraft, number
from gateway.events.feed import Feed, Source
from gateway.events.snapshots import Snapshots
from gateway.events.tokens import Scope
from gateway.peers import Peers
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.paging import PAGE_BYTES_MAX
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ORDERS = Scope("ada", "w", "", (eventpb.TOPIC_ORDERS,))


class Brokerage:
    """Accounts of a world and their open orders, two to a page, three of which are too large for one message."""

    async def ListAccounts(
        self, request: accountservicepb.ListAccountsRequest
    ) -> accountservicepb.ListAccountsResponse:
        if not request.page.page_token:
            page = commonpb.PageInfo(next_page_token="b")
            return accountservicepb.ListAccountsResponse(accounts=[accountpb.Account(account="a")], page=page)
        return accountservicepb.ListAccountsResponse(accounts=[accountpb.Account(account="b")])

    async def ListOrders(self, request: orderservicepb.ListOrdersRequest) -> orderservicepb.ListOrdersResponse:
        first = int(request.page.page_token or 0)
        orders = [
            orderpb.OrderStatus(order_id=f"{request.account}{number}", message="x" * (PAGE_BYTES_MAX // 3))
            for number in range(first, min(first + 2, 3))
        ]
        page = commonpb.PageInfo(next_page_token="2" if first == 0 else "")
        return orderservicepb.ListOrdersResponse(statuses=orders, page=page)


async def test_a_snapshot_of_many_orders_comes_in_several_frames() -> None:
    brokerage = Brokerage()
    peers = cast("Peers", SimpleNamespace(accounts=brokerage, orders=brokerage))
    found = await Snapshots(cast("Database", None), peers).of(eventpb.TOPIC_ORDERS, ORDERS)
    assert [[order.order_id for order in part.orders] for part in found] == [["a0", "a1"], ["a2", "b0"], ["b1", "b2"]]
    assert [part.more for part in found] == [True, True, False]
    assert len({part.state_hash for part in found}) == 1
    assert all(part.truncated for part in found)


async def test_a_snapshot_of_nothing_is_one_frame() -> None:
    found = await Snapshots(cast("Database", None), cast("Peers", None)).of(eventpb.TOPIC_REBALANCING, ORDERS)
    assert [(list(part.states), part.more) for part in found] == [([], False)]


async def worlds(event: controlpb.ControlEvent) -> tuple[str, ...]:
    return (event.key,)


def large(revision: int, size: int) -> bytes:
    draft = ControlEventDraft("worldservice", "w", controlpb.PolicyUpdated(checksum="x" * size), NOW)
    return number(draft, revision).SerializeToString()


async def test_events_are_taken_as_far_as_a_frame_reaches_and_one_at_least() -> None:
    source = Source("S", "s", controlpb.ControlEvent.FromString, lambda event: (event.key, event.revision), worlds)
    feed = Feed(cast("Bus", None), source, 100)
    for revision, size in ((1, 200), (2, 300), (3, 900), (4, 100)):
        await feed.add(revision, large(revision, size * 1024))
    taken: list[list[int]] = []
    place = 0
    while place < 4:
        found, place = feed.since("w", place, bytes_max=512 * 1024)
        taken.append([event.revision for _, event in found])
    assert taken == [[1, 2], [3], [4]]
    assert [event.revision for _, event in feed.since("w", 0)[0]] == [1, 2, 3, 4]
