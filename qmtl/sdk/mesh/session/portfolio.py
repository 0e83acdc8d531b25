"""The account's portfolio as of a bar that its venue has seen."""

from __future__ import annotations

import asyncio

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotReady
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.instants import nanoseconds
from qmtl.sdk.mesh.wire.orders import OrderOwner

VENUE_WAIT_S = 30.0
_POLL_S = 0.005


async def portfolio_at(line: RetryingClient, desk: OrderOwner, time_ns: int) -> brokerpb.Portfolio:
    """The book once the venue has seen every bar that closes by an instant. Raises NotReady (E_VENUE_BEHIND)."""
    request = brokerservicepb.GetPortfolioRequest(account=desk.account, world_id=desk.world_id)
    deadline: float | None = None
    while True:
        reply = await line.ask(lambda: line.client.brokerage.GetPortfolio(request), "portfolio")
        if nanoseconds(reply.portfolio.time) >= time_ns:
            return reply.portfolio
        now = line.clock.monotonic()
        deadline = now + VENUE_WAIT_S if deadline is None else deadline
        if now > deadline:
            raise NotReady("E_VENUE_BEHIND", f"the paper venue has not seen the last bar in {VENUE_WAIT_S:g} s")
        await asyncio.sleep(_POLL_S)
