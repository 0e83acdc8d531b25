"""Fills: those of external executors on their way to brokerage, and an account's own, read again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

from gateway.peers import Peers
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles

FILLS_PER_MESSAGE = 200


async def forward(
    fills: AsyncIterable[reportedfillservicepb.ReportedFill], peers: Peers, roles: WorldRoles
) -> reportedfillservicepb.BookFillsResponse:
    """Send fills of an external executor to brokerage as they come; the answer follows its commit."""
    call = peers.reported_fills.BookFills()
    try:
        async for fill in fills:
            await roles.require_known(fill.key.world_id, Role.OPERATOR)
            await call.write(reportedfillservicepb.BookFillsRequest(fills=[fill]))
        await call.done_writing()
        return await call
    finally:
        call.cancel()


async def replay(peers: Peers, account: str, world_id: str, after: int) -> AsyncGenerator[Sequence[orderpb.Fill], None]:
    """Fills of an account, or of one of its worlds, after a number, up to the newest, in batches.

    From brokerage's books, which have every fill: the log on the bus lacks those by hand, and has what was published.
    Raises as `ListFills`.
    """
    asked = orderservicepb.ListFillsRequest(account=account, world_id=world_id, after_account_fill_number=after)
    asked.page.page_size = FILLS_PER_MESSAGE
    while True:
        found = await peers.orders.ListFills(asked)
        if found.fills:
            yield found.fills
        if not found.page.next_page_token:
            return
        asked.page.page_token = found.page.next_page_token
