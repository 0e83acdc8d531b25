"""A peer that speaks brokerage's contracts of accounts, books and instruments, and keeps the rule of revisions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.core.errors import Conflict, NotFound, QmtlError, Unavailable
from qmtl.rpc.server.server import Server
from tests.worldservice.accounts import Accounts
from tests.worldservice.harness import stamp

NOBODY = "nobody: an account of the tests"


async def reason_of(call: object) -> str:
    """The reason that a call is refused for."""
    with pytest.raises(QmtlError) as refused:
        await call  # type: ignore[misc]  # an awaitable call
    return refused.value.reason


class AccountsWithBooks(Accounts, portfoliorpc.PortfolioServiceServicer, instrumentrpc.InstrumentServiceServicer):
    """Account "main" of worlds w1 and w2 at 1,000,000 of equity and leverage 2; BTC-USD in lots of .001."""

    def __init__(self) -> None:
        super().__init__()
        self.account = accountpb.Account(account="main", venue="paper", worlds=["w1", "w2"], leverage=2)
        self.equity = "1000000"
        self.held: list[tuple[str, str, str, str]] = []  # world, strategy, symbol, quantity
        self.mark: tuple[str, datetime] | None = None
        self.more_marks: dict[str, tuple[str, datetime]] = {}  # of symbols in which nothing is held
        self.used_margin = ""
        self.away = False
        self.takes_limits = True

    def add(self, server: Server) -> None:
        """Serve all three contracts."""
        for name, add, file, answered in (
            ("AccountService", accountrpc.add_AccountServiceServicer_to_server, accountservicepb, ACCOUNT_RPCS),
            ("PortfolioService", portfoliorpc.add_PortfolioServiceServicer_to_server, portfolioservicepb, BOOK_RPCS),
            ("InstrumentService", instrumentrpc.add_InstrumentServiceServicer_to_server, instrumentservicepb, ONE_RPC),
        ):
            service = file.DESCRIPTOR.services_by_name[name]
            unused = dict.fromkeys(set(service.methods_by_name) - answered, NOBODY)
            server.add(add, self, service, unused)

    async def GetAccount(
        self, request: accountservicepb.GetAccountRequest, context: object
    ) -> accountservicepb.GetAccountResponse:
        self._reachable()
        if request.account != self.account.account:
            raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {request.account}")
        return accountservicepb.GetAccountResponse(account=self.account)

    async def SetAccountLimits(
        self, request: accountservicepb.SetAccountLimitsRequest, context: object
    ) -> accountservicepb.SetAccountLimitsResponse:
        self._reachable()
        if not self.takes_limits:
            raise Unavailable("E_UNREACHABLE", "brokerage takes no limits now")
        if request.revision <= self.account.limits_revision:
            raise Conflict("E_LIMITS_STALE", "another set of limits came before")
        self.account.limits.CopyFrom(request.limits)
        self.account.limits_revision = request.revision
        return accountservicepb.SetAccountLimitsResponse(account=self.account)

    async def GetPortfolio(
        self, request: portfolioservicepb.GetPortfolioRequest, context: object
    ) -> portfolioservicepb.GetPortfolioResponse:
        self._reachable()
        found = portfoliopb.Portfolio(account="main", equity=self.equity, account_event_number=7)
        for world, strategy, symbol, quantity in self.held:
            position = found.positions.add(
                account="main", world_id=world, strategy_id=strategy, symbol=symbol, quantity=quantity
            )
            if self.mark is not None:
                position.mark_price = self.mark[0]
                position.mark_time.CopyFrom(stamp(self.mark[1]))
                position.market_value = str(Decimal(self.mark[0]) * Decimal(quantity))
        for symbol, (price, at) in self.more_marks.items():
            found.marks.add(symbol=symbol, price=price, time=stamp(at))
        if self.used_margin:
            found.margin.used = self.used_margin
        return portfolioservicepb.GetPortfolioResponse(portfolio=found)

    async def GetInstrument(
        self, request: instrumentservicepb.GetInstrumentRequest, context: object
    ) -> instrumentservicepb.GetInstrumentResponse:
        self._reachable()
        found = instrumentpb.Instrument(symbol=request.symbol, lot="0.001", multiplier="1", quantity_min="0.001")
        return instrumentservicepb.GetInstrumentResponse(instrument=found)

    def _reachable(self) -> None:
        if self.away:
            raise Unavailable("E_UNREACHABLE", "brokerage is away")

    def budgets(self) -> dict[tuple[str, str], str]:
        """Budgets as they stand, by world and strategy."""
        return {(each.world_id, each.strategy_id): each.gross_max for each in self.account.limits.budgets}


ACCOUNT_RPCS = {"GetAccount", "SetAccountLimits"}
BOOK_RPCS = {"GetPortfolio"}
ONE_RPC = {"GetInstrument"}
