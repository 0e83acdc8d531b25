"""One paper account over the simulated account of local replays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from google.protobuf import duration_pb2 as durationpb

from brokerage.domain.accounts.portfolio import view_position
from brokerage.domain.market.symbols import Source
from brokerage.market.wire import instrument_to_proto
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal
from qmtl.sdk.mesh.wire.orders import is_open
from qmtl.wire.instants import ns_to_proto
from tests.sdk.mesh.samples import CASH

if TYPE_CHECKING:
    from tests.sdk.mesh.fakes import FakeMesh


class FakeBrokerage:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    def _account(self, name: str) -> accountpb.Account:
        return accountpb.Account(
            account=name,
            base_currency="USD",
            starting_cash=format_decimal(CASH),
            fee_rate="" if self.mesh.profile else "0.001",
            profile=self.mesh.profile,
        )

    async def OpenPaperAccount(
        self, request: accountservicepb.OpenPaperAccountRequest
    ) -> accountservicepb.OpenPaperAccountResponse:
        self.name = request.account
        self.mesh.profile = request.profile
        self.mesh.passed("OpenPaperAccount")
        return accountservicepb.OpenPaperAccountResponse(account=self._account(request.account))

    def _at_exchange(self, name: str) -> accountpb.Account:
        account = self._account(name)
        account.venue, account.starting_cash, account.worlds[:] = "main", "0", ["w"]
        interval = durationpb.Duration(seconds=self.mesh.exchange_feed_s)
        account.feeds.extend(
            accountpb.AccountFeed(symbol=symbol, data_preset="live.hourly", interval=interval)
            for symbol in self.mesh.exchange_accounts[name]
        )
        return account

    async def ListAccounts(
        self, request: accountservicepb.ListAccountsRequest
    ) -> accountservicepb.ListAccountsResponse:
        on_paper = self._account("paper-1")
        on_paper.venue = "paper"
        found = [on_paper, *map(self._at_exchange, self.mesh.exchange_accounts)]
        return accountservicepb.ListAccountsResponse(accounts=found)

    async def AddFeed(self, request: accountservicepb.AddFeedRequest) -> accountservicepb.AddFeedResponse:
        assert not request.data_session_id, "an account at an exchange outlives every session"
        self.mesh.exchange_accounts[request.account].append(self.mesh.preset.symbol)
        return accountservicepb.AddFeedResponse(account=self._at_exchange(request.account))

    async def GetInstrument(
        self, request: instrumentservicepb.GetInstrumentRequest
    ) -> instrumentservicepb.GetInstrumentResponse:
        found = instrument_to_proto(self.mesh.venue.instrument(request.symbol), "paper", Source.TABLE)
        return instrumentservicepb.GetInstrumentResponse(instrument=found)

    async def GetPortfolio(
        self, request: portfolioservicepb.GetPortfolioRequest
    ) -> portfolioservicepb.GetPortfolioResponse:
        self.mesh.passed("GetPortfolio")
        return portfolioservicepb.GetPortfolioResponse(portfolio=self._portfolio())

    async def StreamPortfolio(
        self, request: portfolioservicepb.StreamPortfolioRequest
    ) -> AsyncIterator[portfolioservicepb.StreamPortfolioResponse]:
        while True:
            moved = self.mesh.moved
            before = portfoliopb.Portfolio(equity="1", time=ns_to_proto(self.mesh.watermark_ns - 1))
            while self.mesh.venue_late > 0:
                self.mesh.venue_late -= 1
                yield portfolioservicepb.StreamPortfolioResponse(portfolio=before)
            self.mesh.passed("StreamPortfolio")
            yield portfolioservicepb.StreamPortfolioResponse(portfolio=self._portfolio())
            await moved.wait()

    def _portfolio(self) -> portfoliopb.Portfolio:
        venue = self.mesh.venue
        held = view_position(
            venue.instrument("BTC-USD"), venue.book.ledger.position("BTC-USD"), venue.view.marks.get("BTC-USD")
        )
        return portfoliopb.Portfolio(
            equity=format_decimal(self.mesh.venue.equity("USD")),
            time=ns_to_proto(self.mesh.watermark_ns),
            capital=self.mesh.capital,
            positions=[
                portfoliopb.Position(
                    strategy_id=strategy_id,
                    symbol="BTC-USD",
                    quantity=format_decimal(held.quantity),
                    average_price=format_decimal(held.average_price),
                    unrealized_pnl=format_decimal(held.unrealised),
                )
                for strategy_id in self.mesh.traders
            ],
        )

    async def ListOrders(self, request: orderservicepb.ListOrdersRequest) -> orderservicepb.ListOrdersResponse:
        """Two orders a page, newest first."""
        self.mesh.calls["ListOrders open" if request.open_only else "ListOrders all"] += 1
        first = int(request.page.page_token or 0)
        names = self.mesh.working if request.open_only else self.mesh.orders
        of_symbol = [s for s in map(self.mesh.orders.__getitem__, names) if request.symbol in ("", s.order.symbol)]
        statuses = [status for status in of_symbol if not request.open_only or is_open(status)][::-1]
        more = str(first + 2) if first + 2 < len(statuses) else ""
        page = commonpb.PageInfo(next_page_token=more)
        return orderservicepb.ListOrdersResponse(statuses=statuses[first : first + 2], page=page)

    async def ListFills(self, request: orderservicepb.ListFillsRequest) -> orderservicepb.ListFillsResponse:
        return orderservicepb.ListFillsResponse(fills=self.mesh.fills)

    async def StreamOrderEvents(
        self, request: orderservicepb.StreamOrderEventsRequest
    ) -> AsyncIterator[orderservicepb.StreamOrderEventsResponse]:
        after = request.after_account_event_number
        if not after:
            after = len(self.mesh.fills)
            snapshot = orderservicepb.OrderSnapshot(account_event_number=after)
            yield orderservicepb.StreamOrderEventsResponse(snapshot=snapshot)
            self.mesh.passed("StreamOrderEvents")
        while len(self.mesh.fills) <= after:
            await self.mesh.moved.wait()
        events = [
            orderpb.OrderEvent(
                fill=fill,
                account_event_number=fill.account_fill_number,
                client_order_id=fill.client_order_id,
                kind=orderpb.ORDER_EVENT_KIND_FILLED,
                state=orderpb.ORDER_STATE_FILLED,
                cumulative_quantity=fill.quantity,
                receive_time=fill.account_time,
            )
            for fill in self.mesh.fills[after:]
        ]
        yield orderservicepb.StreamOrderEventsResponse(events=orderpb.OrderEvents(events=events))
