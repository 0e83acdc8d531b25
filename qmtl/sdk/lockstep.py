"""A strategy's place in a replay session: the session plays no bar before the orders of the one before are answered.

The runner is a named follower and confirms each bar once it is done with it; the paper venue does the same on its
side. So bar and order meet as in a local replay whatever the machine's speed, and a process that is killed is waited
for. Whoever says nothing for 30 s is not waited for any more, so a long decision says again where it stands.
"""

from __future__ import annotations

import asyncio

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotFound, NotReady
from qmtl.data.v1 import service_pb2 as dataservicepb
from qmtl.sdk.client import Line
from qmtl.sdk.wire import Desk, nanoseconds, stamp

KEEP_S = 5.0
VENUE_WAIT_S = 30.0
_POLL_S = 0.005


class Follower:
    """One follower of one session. `name` is the strategy's id."""

    def __init__(self, line: Line, session_id: str, name: str) -> None:
        self._line = line
        self._session_id = session_id
        self.name = name
        self._through_ns = 0

    async def confirm(self, through_ns: int, *, leave: bool = False) -> None:
        """Done with every bar up to a watermark; `leave` when done for good."""
        self._through_ns = max(self._through_ns, through_ns)
        request = dataservicepb.ConfirmBarsRequest(
            session_id=self._session_id, follower=self.name, through=stamp(self._through_ns), leave=leave
        )
        try:
            await self._line.ask(lambda: self._line.client.data.ConfirmBars(request), "confirm bars")
        except NotFound as error:
            if not leave or error.reason != "E_FOLLOWER_UNKNOWN":
                raise
            # gone already: the answer to an earlier attempt was lost

    async def hold(self) -> None:
        """Keep the place while a bar takes long, for ever."""
        while True:
            before_ns = self._through_ns
            await self._line.clock.sleep(KEEP_S)
            if before_ns and before_ns == self._through_ns:
                await self.confirm(before_ns)

    async def watermark_ns(self) -> int:
        """How far the session has been played; it stays there for a follower that has more to confirm."""
        request = dataservicepb.GetDataSessionRequest(session_id=self._session_id)
        reply = await self._line.ask(lambda: self._line.client.data.GetDataSession(request), "data session")
        return nanoseconds(reply.session.watermark)


async def portfolio_at(line: Line, desk: Desk, time_ns: int) -> brokerpb.Portfolio:
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
