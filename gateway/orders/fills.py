"""Fills: those of external executors on their way to brokerage, and an account's own, read again from the log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

from controlbus.jetstream.connection import Link
from controlbus.jetstream.ordered_reader import Start, TooOld, read
from controlbus.jetstream.subjects import fills_subject
from gateway.peers import Peers
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import NotFound
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles

FILLS_PER_MESSAGE = 200
FILLS_STREAM = "FILLS"


async def forward(
    fills: AsyncIterable[brokerpb.Fill], peers: Peers, roles: WorldRoles
) -> brokerservicepb.BookFillsResponse:
    """Send fills of an external executor to brokerage as they come; the answer follows its commit."""
    call = peers.broker.BookFills()
    try:
        async for fill in fills:
            await roles.require_known(fill.world_id, Role.OPERATOR)
            await call.write(brokerservicepb.BookFillsRequest(fills=[fill]))
        await call.done_writing()
        return await call
    finally:
        call.cancel()


async def account_of(peers: Peers, name: str) -> brokerpb.Account:
    """An account the caller may read. Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    venue = await peers.broker.GetVenueStatus(brokerservicepb.GetVenueStatusRequest())
    found = next((account for account in venue.accounts if account.account == name), None)
    if found is None:
        raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {name!r} that you may read")
    return found


async def replay(link: Link, account: brokerpb.Account, after: int) -> AsyncGenerator[list[brokerpb.Fill], None]:
    """An account's fills after one of its sequences, up to the newest there is now, in batches. Raises TooOld."""
    fills: list[brokerpb.Fill] = []
    expected = after + 1
    async with aclosing(_logged(link, account)) as logged:
        async for fill in logged:
            if fill.sequence < expected:
                continue
            if fill.sequence > expected:
                raise TooOld(after, fill.sequence, fill.sequence)
            expected += 1
            fills.append(fill)
            if len(fills) == FILLS_PER_MESSAGE:
                yield fills
                fills = []
    if fills:
        yield fills


async def _logged(link: Link, account: brokerpb.Account) -> AsyncGenerator[brokerpb.Fill, None]:
    """The account's fills as they are in the log now."""
    subject = fills_subject(account.world_id, account.account)
    last = await link.find(link.js.get_last_msg(FILLS_STREAM, subject))
    if last is None:
        return
    async with aclosing(read(link, [subject], Start.ALL, FILLS_STREAM)) as messages:
        async for sequence, message in messages:
            yield brokerpb.Fill.FromString(message.data)
            if sequence >= (last.seq or 0):
                return
