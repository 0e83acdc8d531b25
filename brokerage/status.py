"""GetStatus and GetVenueStatus: what waits, what is open, and whether bars and events get through."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts.wire import VENUE, account_to_proto
from brokerage.domain.accounts.account import Account
from brokerage.feeds.follow import Feed, FeedFollower, FeedStatus, feed_of
from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from qmtl.broker.v1 import service_pb2 as pb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.sql.database import Database
from qmtl.wire.instants import instant_to_proto


class StatusReport:
    """Reads the parts of the process that know."""

    def __init__(self, db: Database, bus: Bus, relay: Relay, venue: FeedFollower, clock: Clock) -> None:
        self._db = db
        self._bus = bus
        self._relay = relay
        self._venue = venue
        self._started_at = clock.now()

    async def report(self, shown: Sequence[Account]) -> pb.GetStatusResponse:
        """The status now; of the broken feeds only those of `shown` are named."""
        open_orders, accounts, depth = await self._db.read(counts)
        nats = self._bus.status()
        broken, named = self._broken(), self._named(shown)
        others = f"{len(broken) - len(named)} feeds of other worlds are broken" if len(broken) > len(named) else ""
        return pb.GetStatusResponse(
            status=commonpb.ServiceStatus(
                service="brokerage",
                version=version("qmtl"),
                started_at=instant_to_proto(self._started_at),
                dependencies=[
                    _dependency("nats", nats.connected, "" if nats.connected else nats.detail),
                    _dependency("seamless", not broken, "; ".join(filter(None, [*named, others]))),
                ],
                outbox_depth=depth,
                degraded=not nats.connected or bool(broken) or self._relay.status().degraded,
            ),
            open_orders=open_orders,
            accounts=accounts,
        )

    def venue(self, accounts: list[Account]) -> pb.GetVenueStatusResponse:
        """The paper venue as these accounts see it: connected while no feed of theirs that should run is broken."""
        broken, feeds = self._named(accounts), {feed_of(account) for account in accounts}
        ended = [feed.session_id for feed, state in self._venue.feeds.items() if state.ended and feed in feeds]
        detail = "; ".join(broken + [f"session {session} has ended" for session in ended])
        return pb.GetVenueStatusResponse(
            venue=VENUE,
            state="VENUE_STATE_DISCONNECTED" if broken or not self._venue.leading else "VENUE_STATE_CONNECTED",
            detail=detail if self._venue.leading else "another process drives the venue",
            accounts=[account_to_proto(account) for account in accounts],
        )

    def _named(self, accounts: Sequence[Account]) -> list[str]:
        feeds = {feed_of(account) for account in accounts}
        return [f"{feed.preset} {feed.session_id}: {state.detail}" for feed, state in self._broken() if feed in feeds]

    def _broken(self) -> list[tuple[Feed, FeedStatus]]:
        return [(feed, state) for feed, state in self._venue.feeds.items() if not state.connected and not state.ended]


def _dependency(name: str, reachable: bool, detail: str) -> commonpb.DependencyStatus:
    state = commonpb.DEPENDENCY_STATE_REACHABLE if reachable else commonpb.DEPENDENCY_STATE_UNREACHABLE
    return commonpb.DependencyStatus(name=name, state=state, detail=detail)


def counts(conn: Connection) -> tuple[int, int, int]:
    """Open orders, accounts, and outbox rows that wait."""
    open_count = conn.execute(sa.select(sa.func.count()).select_from(t.orders).where(t.orders.c.open)).scalar_one()
    account_count = conn.execute(sa.select(sa.func.count()).select_from(t.accounts)).scalar_one()
    return open_count, account_count, t.outbox.backlog(conn).depth
