"""The servicer over a real wire, with a real nats-server, a feed on a port and the real composition root."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import nats
import pytest
from google.protobuf import field_mask_pb2

from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.orders.states import OrderType
from brokerage.orders.wire import order_to_proto
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from qmtl.core.roles import Role
from tests.brokerage.mesh import Client, Mesh, key, until
from tests.brokerage.orders.entry.test_submit_list import bracket
from tests.brokerage.samples import MINUTE, bar, order, reported


async def test_an_order_goes_from_submission_to_portfolio(mesh: Mesh, client: Client) -> None:
    answer = await client.submit(order("o1"))
    assert answer.status.state == orderpb.ORDER_STATE_ACCEPTED
    assert (await client.submit(order("o1"))).duplicate
    mesh.feed.push(bar(1, 101))
    fills = await until(client.fills, lambda found: len(found) == 1)
    assert (fills[0].price, fills[0].quantity, fills[0].fee, fills[0].fee_currency) == ("101", "10", "1.01", "USD")
    status = await client.status_of("o1")
    assert (status.view, status.average_price, status.fees["USD"]) == (orderpb.ORDER_VIEW_FILLED, "101", "1.01")
    book = await client.portfolio()
    assert (book.equity, book.positions[0].quantity, book.cash[0].settled) == ("100008.99", "10", "98988.99")


async def test_order_events_and_fills_reach_their_streams(mesh: Mesh, client: Client) -> None:
    await client.submit(order("streamed"))
    mesh.feed.push(bar(1))
    await until(client.fills, lambda found: len(found) == 1)
    bus = await nats.connect(mesh.nats_url)
    try:
        stream = bus.jetstream()

        async def last_filled() -> str:
            try:
                found = await stream.get_last_msg("FILLS", "qmtl.fills.w1.acc")
            except nats.js.errors.NotFoundError:
                return ""
            return orderpb.Fill.FromString(found.data or b"").client_order_id

        await until(last_filled, lambda name: name == "streamed")
    finally:
        await bus.close()


async def test_the_event_stream_gives_a_snapshot_then_events_and_resumes(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    call = client.orders.StreamOrderEvents(orderservicepb.StreamOrderEventsRequest(account="acc"))
    kinds: list[int] = []
    sequences: list[int] = []
    async for part in call:
        if part.WhichOneof("part") == "snapshot":
            assert [status.order.client_order_id for status in part.snapshot.statuses] == ["o1"]
            sequences.append(part.snapshot.account_event_number)
            mesh.feed.push(bar(1))
            continue
        kinds += [event.kind for event in part.events.events]
        sequences += [event.account_event_number for event in part.events.events]
        break
    call.cancel()
    assert kinds == [orderpb.ORDER_EVENT_KIND_FILLED]
    assert sequences == [3, 4]
    resumed = client.orders.StreamOrderEvents(
        orderservicepb.StreamOrderEventsRequest(account="acc", after_account_event_number=1)
    )
    async for part in resumed:
        assert [event.account_event_number for event in part.events.events] == [2, 3, 4]
        break
    resumed.cancel()
    with pytest.raises(InvalidRequest, match="E_RESUME_UNKNOWN"):
        async for _ in client.orders.StreamOrderEvents(
            orderservicepb.StreamOrderEventsRequest(account="acc", after_account_event_number=99)
        ):
            pass


async def test_the_portfolio_stream_tells_of_each_change(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    call = client.portfolios.StreamPortfolio(portfolioservicepb.StreamPortfolioRequest(account="acc"))
    books = []
    async for part in call:
        books.append(part.portfolio)
        if len(books) == 1:
            mesh.feed.push(bar(1))
        if books[-1].positions:
            break
    call.cancel()
    assert (books[0].equity, books[-1].equity) == ("100000", "100009")


async def test_listing_pages_newest_first(client: Client) -> None:
    for number in range(5):
        await client.submit(order(f"o{number}"))
    page = commonpb.PageRequest(page_size=2)
    first = await client.orders.ListOrders(orderservicepb.ListOrdersRequest(account="acc", page=page))
    page.page_token = first.page.next_page_token
    second = await client.orders.ListOrders(orderservicepb.ListOrdersRequest(account="acc", page=page))
    names = [status.order.client_order_id for status in (*first.statuses, *second.statuses)]
    assert names == ["o4", "o3", "o2", "o1"]
    page.page_token = "x"
    with pytest.raises(InvalidRequest, match="E_PAGE_TOKEN"):
        await client.orders.ListOrders(orderservicepb.ListOrdersRequest(account="acc", page=page))


async def test_cancel_and_cash_reservations(client: Client) -> None:
    await client.submit(order("o1", type=OrderType.LIMIT, limit_price=Decimal(90)))
    cash = (await client.portfolios.GetCash(portfolioservicepb.GetCashRequest(account="acc"))).balances[0]
    assert (cash.settled, cash.reserved) == ("100000", "900.90000001")
    canceled = await client.entry.CancelOrder(orderentryservicepb.CancelOrderRequest(key=key("o1")))
    assert canceled.status.view == orderpb.ORDER_VIEW_CANCELED
    assert (await client.portfolios.GetCash(portfolioservicepb.GetCashRequest(account="acc"))).balances[
        0
    ].reserved == "0"
    await client.submit(order("o2"))
    swept = await client.entry.CancelAll(orderentryservicepb.CancelAllRequest(account="acc"))
    assert ([status.order.client_order_id for status in swept.statuses], swept.orders) == (["o2"], 1)


async def test_positions_by_strategy_and_netted(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    await client.submit(replace(order("o2", quantity=5), owner=Owner("acc", "w1", "s2")))
    mesh.feed.push(bar(1))
    await until(client.fills, lambda found: len(found) == 2)
    apart = await client.portfolios.ListPositions(portfolioservicepb.ListPositionsRequest(account="acc"))
    assert [(held.strategy_id, held.quantity) for held in apart.positions] == [("s1", "10"), ("s2", "5")]
    one = await client.portfolios.ListPositions(
        portfolioservicepb.ListPositionsRequest(account="acc", strategy_id="s2")
    )
    assert [held.quantity for held in one.positions] == ["5"]
    asked = portfolioservicepb.ListPositionsRequest(account="acc", page=commonpb.PageRequest(page_size=1))
    first = await client.portfolios.ListPositions(asked)
    asked.page.page_token = first.page.next_page_token
    rest = await client.portfolios.ListPositions(asked)
    assert [*first.positions, *rest.positions] == list(apart.positions)
    assert (len(first.positions), rest.page.next_page_token) == (1, "")
    book = portfolioservicepb.GetPortfolioRequest(account="acc", strategy_id="s2")
    whole = (await client.portfolios.GetPortfolio(book)).portfolio
    assert list(whole.positions) == list(one.positions)
    book.world_id = "w1"
    assert (bool(whole.marks), bool((await client.portfolios.GetPortfolio(book)).portfolio.marks)) == (True, False)
    netted = await client.portfolios.ListPositions(portfolioservicepb.ListPositionsRequest(account="acc", netted=True))
    assert [(held.strategy_id, held.quantity) for held in netted.positions] == [("", "15")]
    nothing = portfolioservicepb.ListPaymentsRequest(account="acc", world_id="w1")
    assert not (await client.portfolios.ListPayments(nothing)).payments
    with pytest.raises(PermissionDenied):
        await mesh.client(worlds=["w2"]).portfolios.ListPayments(nothing)


async def test_trading_state_is_set_by_operators_and_obeyed(mesh: Mesh, client: Client) -> None:
    request = accountservicepb.SetTradingStateRequest(
        account="acc", state=accountpb.TRADING_STATE_HALTED, message="test"
    )
    answer = await client.accounts.SetTradingState(request)
    assert answer.account.trading_state == accountpb.TRADING_STATE_HALTED
    assert (await client.submit(order("o1"))).status.denial == orderpb.DENIAL_TRADING_HALTED


async def test_limits_of_an_account_come_from_a_service_bind_and_are_shown(mesh: Mesh, client: Client) -> None:
    limits = accountpb.AccountLimits(gross_max="500", budgets=[accountpb.AccountBudget(world_id="w1", gross_max="300")])
    request = accountservicepb.SetAccountLimitsRequest(account="acc", revision=2, limits=limits)
    with pytest.raises(PermissionDenied):
        await client.accounts.SetAccountLimits(request)
    hub = mesh.client(role=None, service="worldservice")
    for _ in range(2):
        told = (await hub.accounts.SetAccountLimits(request)).account
        assert (told.limits, told.limits_revision) == (limits, 2)
    denied = (await client.submit(order("o1", quantity=4))).status
    assert denied.denial == orderpb.DENIAL_BUDGET_ABOVE_LIMIT
    assert denied.message == "gross exposure of world w1 404 USD would be above its budget 300 USD"
    with pytest.raises(Conflict, match="E_LIMITS_STALE"):
        await hub.accounts.SetAccountLimits(accountservicepb.SetAccountLimitsRequest(account="acc", revision=1))
    found = await client.accounts.GetAccount(accountservicepb.GetAccountRequest(account="acc"))
    assert found.account.limits_revision == 2


async def test_an_order_decided_on_a_bar_the_venue_has_not_seen_waits_for_it(mesh: Mesh, client: Client) -> None:
    mesh.feed.push(bar(1), bar(2))
    answer = await client.submit(order("o1", decided_ns=3 * MINUTE))
    assert answer.status.state == orderpb.ORDER_STATE_ACCEPTED
    assert await client.venue_minute() >= 3
    assert mesh.feed.confirmed[-1] == 3 * MINUTE
    mesh.feed.push(bar(3, 107))
    fills = await until(client.fills, lambda found: len(found) == 1)
    assert fills[0].price == "107"


async def test_an_order_gated_under_a_fence_that_is_on_its_way_waits_for_it(mesh: Mesh, client: Client) -> None:
    answer = asyncio.create_task(client.submit(order("o1"), epoch=2))
    await mesh.client(role=None, service="worldservice").fence(2)
    assert (await answer).status.state == orderpb.ORDER_STATE_ACCEPTED
    never = await client.submit(order("o2"), epoch=3)
    assert never.status.denial == orderpb.DENIAL_FENCED


async def test_a_broken_bar_is_skipped_and_the_feed_goes_on(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    mesh.feed.push(replace(bar(1), open=10**30), bar(2, 103))
    fills = await until(client.fills, lambda found: len(found) == 1)
    assert fills[0].price == "103"


async def test_the_end_of_a_session_is_told_and_nothing_is_lost(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    mesh.feed.push(bar(1))
    mesh.feed.end()
    status = await until(
        lambda: client.venue.GetVenueStatus(venueservicepb.GetVenueStatusRequest()),
        lambda found: "has ended" in found.message,
    )
    assert status.state == venueservicepb.VENUE_STATE_CONNECTED
    assert len(await client.fills()) == 1
    assert (await client.status.GetStatus(brokerstatusservicepb.GetStatusRequest())).accounts == 1


async def test_refusals_name_what_is_wrong(mesh: Mesh, client: Client) -> None:
    good = orderentryservicepb.SubmitOrderRequest(
        order=order_to_proto(order("o1")),
        gate=orderentryservicepb.GateStamp(
            fence_epoch=1, weight="1", execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN
        ),
    )
    changes: list[tuple[str, str, str | int, str]] = [
        ("order", "quantity", "NaN", "E_DECIMAL"),
        ("order", "quantity", "-1", "E_ORDER_MALFORMED"),
        ("order", "limit_price", "5", "E_ORDER_MALFORMED"),
        ("order", "side", 0, "E_ENUM"),
        ("order", "type", 99, "E_ENUM"),
        ("order", "client_order_id", "", "E_FIELD"),
        ("order", "venue", "binance", "E_VENUE_UNKNOWN"),
        ("gate", "weight", "", "E_DECIMAL"),
        ("gate", "weight", "1.1", "E_GATE_STAMP"),
        ("gate", "execution_domain", 0, "E_ENUM"),
    ]
    for part, field, value, reason in changes:
        request = orderentryservicepb.SubmitOrderRequest()
        request.CopyFrom(good)
        setattr(request.order if part == "order" else request.gate, field, value)
        with pytest.raises(InvalidRequest, match=reason):
            await client.entry.SubmitOrder(request)
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await client.portfolio("nobody")
    await client.submit(order("o1"))
    with pytest.raises(Conflict, match="E_ORDER_CONFLICT"):
        await client.submit(order("o1", Side.SELL))
    with pytest.raises(NotFound, match="E_VENUE_UNKNOWN"):
        await client.venue.GetVenueStatus(venueservicepb.GetVenueStatusRequest(venue="mars"))


async def test_who_may_do_what(mesh: Mesh, client: Client) -> None:
    elsewhere = mesh.client(worlds=["w2"])
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await elsewhere.portfolio()
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await elsewhere.submit(order("o1"))
    assert not (await elsewhere.accounts.ListAccounts(accountservicepb.ListAccountsRequest())).accounts
    stranger = mesh.client(service="seamless")
    with pytest.raises(PermissionDenied):
        await stranger.submit(order("o1"))
    nobody = mesh.client(role=None, service="seamless")
    with pytest.raises((PermissionDenied, Unauthenticated)):
        await nobody.portfolio()


async def test_reported_fills_are_booked_once_over_the_wire(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    await client.submit(order("o2"))
    one = reported("t1", quantity="4")
    answer = await client.reported_fills.BookFills(
        iter([reportedfillservicepb.BookFillsRequest(fills=[one]), reportedfillservicepb.BookFillsRequest(fills=[one])])
    )
    assert (answer.booked, answer.duplicates) == (1, 1)
    fills = await client.fills()
    assert [(fill.trade_id, fill.price, fill.fee) for fill in fills] == [("t1", "100.5", "0.25")]
    assert (await client.status_of("o1")).view == orderpb.ORDER_VIEW_PARTIALLY_FILLED
    other = reported("t1", quantity="5")
    with pytest.raises(Conflict, match="E_FILL_CONFLICT"):
        await client.reported_fills.BookFills(iter([reportedfillservicepb.BookFillsRequest(fills=[other])]))
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await mesh.client(worlds=["w2"]).reported_fills.BookFills(
            iter([reportedfillservicepb.BookFillsRequest(fills=[one])])
        )


async def test_a_list_and_a_change_of_it_over_the_wire(mesh: Mesh, client: Client) -> None:
    gate = orderentryservicepb.GateStamp(fence_epoch=1, weight="1", execution_domain="EXECUTION_DOMAIN_DRYRUN")
    request = orderentryservicepb.SubmitOrderListRequest(orders=map(order_to_proto, bracket()), gate=gate)
    taken = await client.entry.SubmitOrderList(request)
    assert [status.order.client_order_id for status in taken.statuses] == ["entry", "stop", "target"]
    assert (taken.duplicate, (await client.entry.SubmitOrderList(request)).duplicate) == (False, True)
    change = orderentryservicepb.ReplaceOrderRequest(
        key=key("target"),
        terms=orderentryservicepb.OrderTerms(limit_price="106"),
        update_mask=field_mask_pb2.FieldMask(paths=["limit_price"]),
        gate=gate,
        request_id="r1",
    )
    answer = await client.entry.ReplaceOrder(change)
    assert (answer.denial, answer.status.state) == (orderpb.DENIAL_UNSPECIFIED, orderpb.ORDER_STATE_INITIALIZED)
    held = (await client.fences.GetFence(fenceservicepb.GetFenceRequest(world_id="w1"))).held
    assert [name.client_order_id for name in held] == ["stop", "target"]
    mesh.feed.push(bar(1))
    await until(client.venue_minute, lambda minute: minute >= 2)
    assert (await client.status_of("stop")).state == orderpb.ORDER_STATE_ACCEPTED
    keeper = mesh.client(role=None, service="worldservice")
    assert (await keeper.fence(2, "FROZEN")).held == []
    request.orders.pop()
    with pytest.raises(InvalidRequest, match="E_ORDER_LIST_MALFORMED"):
        await client.entry.SubmitOrderList(request)
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await mesh.client(worlds=["w2"]).entry.ReplaceOrder(change)


async def test_the_books_of_a_paper_account_are_compared_with_its_events(mesh: Mesh, client: Client) -> None:
    await client.submit(order("o1"))
    mesh.feed.push(bar(1))
    await until(client.fills, lambda found: len(found) == 1)
    found = await client.venue.ReconcileVenue(venueservicepb.ReconcileVenueRequest(account="acc"))
    assert (found.orders_resolved, found.fills_booked, list(found.differences)) == (0, 0, [])
    for account, venue, reason in (("acc", "mars", "E_VENUE_UNKNOWN"), ("nobody", "", "E_ACCOUNT_UNKNOWN")):
        with pytest.raises(NotFound, match=reason):
            await client.venue.ReconcileVenue(venueservicepb.ReconcileVenueRequest(account=account, venue=venue))


async def test_a_reader_without_the_role_is_not_let_to_change(mesh: Mesh, client: Client) -> None:
    """worldservice is not there to say that the reader was granted more, so the answer is no."""
    reader = mesh.client(role=Role.READER)
    assert (await reader.portfolio()).account == "acc"
    request = accountservicepb.SetTradingStateRequest(account="acc", state=accountpb.TRADING_STATE_HALTED)
    with pytest.raises((Unavailable, DeadlineExceeded)):
        await reader.accounts.SetTradingState(request, timeout=1.0)
    assert (await client.submit(order("o1"))).status.state == orderpb.ORDER_STATE_ACCEPTED
