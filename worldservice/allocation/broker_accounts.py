"""What brokerage says of an account: whom it serves, its limits, its book. Asks as this service; stores nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.core.errors import NotFound
from qmtl.rpc.auth.call import own_act
from qmtl.wire.instants import instant_from_proto
from worldservice.allocation.domain.amounts import fraction_of
from worldservice.allocation.domain.legs import Held, Mark
from worldservice.allocation.domain.plan import Book
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import Terms

if TYPE_CHECKING:
    from qmtl.broker.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from qmtl.broker.v1.instrument_service_pb2_grpc import InstrumentServiceAsyncStub
    from qmtl.broker.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account: the worlds it serves, its venue, its limits, and whether replays move it."""

    account: str
    worlds: tuple[str, ...]
    venue: str
    leverage_max: Fraction
    limits: accountpb.AccountLimits
    is_replayed: bool
    on_margin: bool = False


@dataclass(frozen=True, slots=True)
class TradedBook:
    """A book with its instruments' own terms by venue and symbol, the time that its marks are counted from, and the
    marks of further symbols that were asked for, as far as they are known.
    """

    book: Book
    instruments: dict[tuple[str, str], Terms]
    now: datetime
    marks: dict[str, Mark]


@dataclass(frozen=True, slots=True)
class BrokerAccounts:
    """Typed stubs of brokerage."""

    accounts: AccountServiceAsyncStub
    portfolios: PortfolioServiceAsyncStub
    instruments: InstrumentServiceAsyncStub

    async def facts(self, account: str) -> AccountFacts:
        """Raises NotFound (E_ACCOUNT_UNKNOWN), Unavailable."""
        with own_act():
            request = accountservicepb.GetAccountRequest(account=account)
            found = (await self.accounts.GetAccount(request, timeout=TIMEOUT_S)).account
        leverage = found.limits.leverage_max or str(found.leverage or 1)
        return AccountFacts(
            found.account,
            tuple(found.worlds),
            found.venue,
            fraction_of(leverage, "leverage_max"),
            found.limits,
            bool(found.feeds) and all(feed.data_session_id for feed in found.feeds),
            found.type == accountpb.ACCOUNT_TYPE_MARGIN,
        )

    async def portfolio(self, account: str) -> portfoliopb.Portfolio:
        """The account's book as it is. Raises NotFound (E_ACCOUNT_UNKNOWN), Unavailable."""
        with own_act():
            request = portfolioservicepb.GetPortfolioRequest(account=account)
            return (await self.portfolios.GetPortfolio(request, timeout=TIMEOUT_S)).portfolio

    async def traded_book(self, facts: AccountFacts, now: datetime, also: Iterable[str] = ()) -> TradedBook:
        """The book to plan on, with the symbols `also`. Raises as `portfolio`. A symbol without instrument keeps no
        terms of its own.
        """
        portfolio = await self.portfolio(facts.account)
        held = [each for each in portfolio.positions if fraction_of(each.quantity or "0", "quantity")]
        also = set(also)
        symbols = sorted({each.symbol for each in held} | also)
        found = dict(zip(symbols, await asyncio.gather(*(self._terms(facts, each) for each in symbols)), strict=True))
        limits = facts.limits
        book = Book(
            facts.account,
            portfolio.account_event_number,
            fraction_of(portfolio.equity or "0", "equity"),
            tuple(_held(each, facts.venue, found[each.symbol][1]) for each in held),
            fraction_of(portfolio.margin.used, "margin.used") if portfolio.HasField("margin") else None,
            fraction_of(limits.gross_max, "gross_max") if limits.gross_max else None,
            fraction_of(limits.net_max, "net_max") if limits.net_max else None,
            facts.on_margin and not portfolio.HasField("margin"),
            ended_symbols(portfolio),
        )
        own_time = facts.is_replayed and portfolio.HasField("time")
        terms = {(facts.venue, symbol): terms for symbol, (terms, _) in found.items()}
        marks = {
            each.symbol: Mark(
                fraction_of(each.price, "price"), found[each.symbol][1], instant_from_proto(each.time, "time")
            )
            for each in portfolio.marks
            if each.symbol in also
        }
        return TradedBook(book, terms, instant_from_proto(portfolio.time, "time") if own_time else now, marks)

    async def _terms(self, facts: AccountFacts, symbol: str) -> tuple[Terms, Fraction]:
        """An instrument's own terms and its multiplier."""
        try:
            with own_act():
                request = instrumentservicepb.GetInstrumentRequest(venue=facts.venue, symbol=symbol)
                found = (await self.instruments.GetInstrument(request, timeout=TIMEOUT_S)).instrument
        except NotFound:
            return Terms(), Fraction(1)
        least = fraction_of(found.quantity_min, "quantity_min") if found.quantity_min else None
        money = fraction_of(found.notional_min, "notional_min") if found.notional_min else None
        most = fraction_of(found.notional_max, "notional_max") if found.notional_max else None
        terms = Terms(fraction_of(found.lot, "lot"), least, money, most)
        return terms, fraction_of(found.multiplier or "1", "multiplier")


def ended_symbols(portfolio: portfoliopb.Portfolio) -> frozenset[str]:
    """Symbols whose session on paper has ended: no order in them fills any more."""
    return frozenset(each.symbol for each in portfolio.marks if each.ended)


def gross_of(portfolio: portfoliopb.Portfolio) -> list[tuple[Owner, Fraction]]:
    """Gross exposure by owner at the marks."""
    rows = []
    for each in portfolio.positions:
        value = fraction_of(each.market_value or "0", "market_value")
        rows.append((Owner(each.world_id, each.strategy_id), abs(value)))
    return rows


def _held(each: portfoliopb.Position, venue: str, multiplier: Fraction) -> Held:
    mark = None
    if each.mark_price and each.HasField("mark_time"):
        price = fraction_of(each.mark_price, "mark_price")
        mark = Mark(price, multiplier, instant_from_proto(each.mark_time, "mark_time"))
    quantity = fraction_of(each.quantity, "quantity")
    return Held(Owner(each.world_id, each.strategy_id), venue, each.symbol, quantity, mark)
