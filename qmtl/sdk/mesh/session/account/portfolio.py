"""The account's portfolio as of a bar that its venue has seen, followed through breaks of the stream."""

from __future__ import annotations

from decimal import Decimal

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import NotReady, QmtlError, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.streams import Newest
from qmtl.wire.instants import ns_from_proto

VENUE_WAIT_S = 30.0
"""How long a decision waits for the venue to see the bar; it follows the same session, so this is an outage."""


class FollowedPortfolio:
    """The newest portfolio of a strategy's account."""

    def __init__(self, retrying: RetryingClient, owner: Owner, venue_wait_s: float = VENUE_WAIT_S) -> None:
        self._retrying = retrying
        self._owner = owner
        self._venue_wait_s = venue_wait_s
        self._newest: Newest[portfoliopb.Portfolio | None] = Newest(None)

    async def follow(self) -> None:
        """Keep it current, for ever; after a break the stream begins with the portfolio of that moment."""
        request = portfolioservicepb.StreamPortfolioRequest(
            account=self._owner.account, world_id=self._owner.world_id, strategy_id=self._owner.strategy_id
        )
        while True:
            try:
                with scoped(self._retrying.client.portfolios.StreamPortfolio(request)) as replies:
                    async for reply in replies:
                        self._retrying.outage.answered()
                        self._newest.put(reply.portfolio)
                raise Unavailable("E_STREAM_ENDED", "the portfolio stream ended")
            except QmtlError as error:
                await self._retrying.outage.failed(error, "portfolio")

    async def at(self, time_ns: int) -> portfoliopb.Portfolio:
        """The portfolio once the venue has seen every bar that closes by then. Raises NotReady (E_VENUE_BEHIND)."""

        def seen(portfolio: portfoliopb.Portfolio | None) -> portfoliopb.Portfolio | None:
            late = portfolio is None or ns_from_proto(portfolio.time, "portfolio.time") < time_ns
            return None if late else portfolio

        try:
            return await self._newest.until(seen, self._venue_wait_s)
        except TimeoutError:
            newest = self._newest.value
            reached = ns_from_proto(newest.time, "portfolio.time") if newest and newest.HasField("time") else 0
            at = timestamp_text(from_ns(reached)) if reached else "none"
            want = f"{timestamp_text(from_ns(time_ns))}, the close that is decided on, within {self._venue_wait_s:g} s"
            message = f"prices of account {self._owner.account} are at {at}, want {want}"
            raise NotReady("E_VENUE_BEHIND", message) from None

    async def read(self) -> portfoliopb.Portfolio:
        """The portfolio of this moment, with every act that was answered before."""
        request = portfolioservicepb.GetPortfolioRequest(
            account=self._owner.account, world_id=self._owner.world_id, strategy_id=self._owner.strategy_id
        )
        reply = await self._retrying.ask(lambda: self._retrying.client.portfolios.GetPortfolio(request), "portfolio")
        self._newest.put(reply.portfolio)
        return reply.portfolio


def quantity_held(portfolio: portfoliopb.Portfolio, owner: Owner, symbol: str) -> Decimal:
    """The signed quantity that a strategy holds of a symbol."""
    positions = [p for p in portfolio.positions if (p.strategy_id, p.symbol) == (owner.strategy_id, symbol)]
    return sum((parse_decimal(p.quantity, "position.quantity") for p in positions), Decimal(0))


def capital_of(portfolio: portfoliopb.Portfolio, owner: Owner) -> Decimal:
    """What new orders of a strategy are sized by: its capital, its world's where no strategy there has one of its own,
    or the account's equity where the account has no shares.
    """
    if not portfolio.capital:
        return parse_decimal(portfolio.equity, "portfolio.equity")
    rows = {row.strategy_id: row.capital for row in portfolio.capital if row.world_id == owner.world_id}
    of_world = rows.pop("", "0")
    return parse_decimal(rows.get(owner.strategy_id, "0" if rows else of_world), "portfolio.capital")
