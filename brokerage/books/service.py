"""PortfolioService: positions and cash of accounts, valued at their marks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import AccountAccess
from brokerage.books import portfolio
from brokerage.books.wire import balances_to_proto, portfolio_to_proto, position_to_proto
from brokerage.commit_notices import Pulse, either, going_away
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.sql.database import Database


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
        book = await self._book(request.account, request.world_id)
        return portfolioservicepb.GetPortfolioResponse(portfolio=book)

    async def StreamPortfolio(
        self, request: portfolioservicepb.StreamPortfolioRequest, context: object
    ) -> AsyncIterator[portfolioservicepb.StreamPortfolioResponse]:
        account = await self._access.readable(request.account, request.world_id)
        last = None
        while not self._draining.is_set():
            beat = self._bars.next()
            book = await self._book(request.account, request.world_id)
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

        found = await self._db.read(read)
        return portfolioservicepb.ListPositionsResponse(
            positions=[position_to_proto(owner, view) for owner, view in found]
        )

    async def GetCash(
        self, request: portfolioservicepb.GetCashRequest, context: object
    ) -> portfolioservicepb.GetCashResponse:
        await self._access.readable(request.account)

        def read(conn: Connection) -> list[portfoliopb.CashBalance]:
            return balances_to_proto(
                portfolio.view_of(conn, self._market, accounts_store.account(conn, request.account))
            )

        return portfolioservicepb.GetCashResponse(balances=await self._db.read(read))

    async def _book(self, name: str, world_id: str) -> portfoliopb.Portfolio:
        """Everything from one snapshot with the account itself."""

        def read(conn: Connection) -> portfoliopb.Portfolio:
            account = accounts_store.account(conn, name)
            view = portfolio.view_of(conn, self._market, account)
            held = portfolio.positions(conn, self._market, account, world_id)
            return portfolio_to_proto(account, view, world_id, held)

        return await self._db.read(read)
