"""PortfolioService: positions and cash of accounts, valued at their marks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import AccountAccess
from brokerage.books import portfolio
from brokerage.books.payment_list import list_payments
from brokerage.books.wire import balances_to_proto, marks_to_proto, portfolio_to_proto, position_to_proto
from brokerage.commit_notices import Pulse, either, going_away
from brokerage.domain.accounts.portfolio import PositionView
from brokerage.domain.orders.order import Owner
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.sql.database import Database
from qmtl.wire.paging import page_from_proto, page_of


class PortfolioService(portfoliorpc.PortfolioServiceServicer):
    """Books of accounts as clients read them."""

    def __init__(
        self, db: Database, market: MarketContext, access: AccountAccess, draining: asyncio.Event, poll_s: float
    ) -> None:
        self._db = db
        self._market = market
        self._access = access
        self._draining = draining
        self._poll_s = poll_s
        self._bars = Pulse(db, accounts_store.BARS_SIGNAL)

    async def GetPortfolio(
        self, request: portfolioservicepb.GetPortfolioRequest, context: object
    ) -> portfolioservicepb.GetPortfolioResponse:
        await self._access.readable(request.account, request.world_id)
        whole = not request.world_id  # prices of what another world trades are told to readers of the account
        book = await self._book(request.account, request.world_id, request.strategy_id, marks=whole)
        return portfolioservicepb.GetPortfolioResponse(portfolio=book)

    async def StreamPortfolio(
        self, request: portfolioservicepb.StreamPortfolioRequest, context: object
    ) -> AsyncIterator[portfolioservicepb.StreamPortfolioResponse]:
        account = await self._access.readable(request.account, request.world_id)
        last = None
        while not self._draining.is_set():
            beat = self._bars.next()
            book = await self._book(request.account, request.world_id, request.strategy_id)
            if book != last:
                yield portfolioservicepb.StreamPortfolioResponse(portfolio=book)
            last = book
            await either(beat, self._draining, self._poll_s)
        raise going_away(account.event_sequence)

    async def ListPositions(
        self, request: portfolioservicepb.ListPositionsRequest, context: object
    ) -> portfolioservicepb.ListPositionsResponse:
        await self._access.readable(request.account, request.world_id)

        def read(conn: Connection) -> portfolio.OwnedViews:
            account = accounts_store.account(conn, request.account)
            listed = portfolio.netted if request.netted else portfolio.positions
            return listed(conn, self._market, account, request.world_id, request.strategy_id)

        page = page_from_proto(request, (str, str, str))
        found = sorted(await self._db.read(read), key=_place)
        left = [row for row in found if page.after is None or _place(row) > page.after]
        positions, info = page_of(left, page, _place, lambda row: position_to_proto(*row))
        return portfolioservicepb.ListPositionsResponse(positions=positions, page=info)

    async def GetCash(
        self, request: portfolioservicepb.GetCashRequest, context: object
    ) -> portfolioservicepb.GetCashResponse:
        await self._access.readable(request.account)

        def read(conn: Connection) -> list[portfoliopb.CashBalance]:
            return balances_to_proto(
                portfolio.view_of(conn, self._market, accounts_store.account(conn, request.account))
            )

        return portfolioservicepb.GetCashResponse(balances=await self._db.read(read))

    async def ListPayments(
        self, request: portfolioservicepb.ListPaymentsRequest, context: object
    ) -> portfolioservicepb.ListPaymentsResponse:
        await self._access.readable(request.account, request.world_id)
        return await self._db.read(lambda conn: list_payments(conn, self._market, request))

    async def _book(self, name: str, world_id: str, strategy_id: str, *, marks: bool = False) -> portfoliopb.Portfolio:
        """Everything from one snapshot with the account itself."""

        def read(conn: Connection) -> portfoliopb.Portfolio:
            account = accounts_store.account(conn, name)
            view = portfolio.view_of(conn, self._market, account)
            held = portfolio.positions(conn, self._market, account, world_id, strategy_id)
            book = portfolio_to_proto(account, view, world_id, held)
            if marks:
                book.marks.extend(marks_to_proto(account, view))
            return book

        return await self._db.read(read)


def _place(row: tuple[Owner, PositionView]) -> tuple[str, str, str]:
    owner, view = row
    return owner.world_id, owner.strategy_id, view.symbol
