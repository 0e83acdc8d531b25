"""Fills: those of external executors on their way to brokerage, and an account's own, read again from the log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

from controlbus.jetstream.connection import Link
from controlbus.jetstream.ordered_reader import Start, TooOld, read
from controlbus.jetstream.subjects import fills_subject
from gateway.peers import Peers
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles

FILLS_PER_MESSAGE = 200
FILLS_STREAM = "FILLS"


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


async def account_of(peers: Peers, name: str) -> accountpb.Account:
    """An account the caller may read. Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    return (await peers.accounts.GetAccount(accountservicepb.GetAccountRequest(account=name))).account


async def replay(link: Link, account: accountpb.Account, after: int) -> AsyncGenerator[list[orderpb.Fill], None]:
    """An account's fills after one of its sequences, up to the newest there is now, in batches. Raises TooOld."""
    fills: list[orderpb.Fill] = []
    expected = after + 1
    async with aclosing(_logged(link, account)) as logged:
        async for fill in logged:
            if fill.account_fill_number < expected:
                continue
            if fill.account_fill_number > expected:
                raise TooOld(after, fill.account_fill_number, fill.account_fill_number)
            expected += 1
            fills.append(fill)
            if len(fills) == FILLS_PER_MESSAGE:
                yield fills
                fills = []
    if fills:
        yield fills


async def _logged(link: Link, account: accountpb.Account) -> AsyncGenerator[orderpb.Fill, None]:
    """The account's fills as they are in the log now."""
    subjects = [fills_subject(world_id, account.account) for world_id in account.worlds]
    ends = [await link.find(link.js.get_last_msg(FILLS_STREAM, subject)) for subject in subjects]
    last = max((end.seq or 0 for end in ends if end is not None), default=0)
    if not last:
        return
    async with aclosing(read(link, subjects, Start.ALL, FILLS_STREAM)) as messages:
        async for sequence, message in messages:
            yield orderpb.Fill.FromString(message.data)
            if sequence >= last:
                return
