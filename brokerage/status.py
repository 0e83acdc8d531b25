"""StatusService: what waits, what is open, and whether bars and events get through."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts.access import may_hear_of
from brokerage.feeds.follow import Feed, FeedFollower, FeedStatus, feeds_of_worlds
from controlbus.bus import Bus
from controlbus.outbox.relay import Relay
from controlbus.outbox.status import counted, dependency_status, service_status
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import status_service_pb2_grpc as brokerstatusrpc
from qmtl.core.clock import Clock
from qmtl.rpc.outages import Outages
from qmtl.sql.database import Database


class StatusService(brokerstatusrpc.StatusServiceServicer):
    """Reads the parts of the process that know."""

    def __init__(
        self, db: Database, bus: Bus, relay: Relay, feeds: FeedFollower, clock: Clock, outages: Outages
    ) -> None:
        self._outages = outages
        self._db = db
        self._bus = bus
        self._relay = relay
        self._feeds = feeds
        self._clock = clock
        self._started_at = clock.now()

    async def GetStatus(
        self, request: brokerstatusservicepb.GetStatusRequest, context: object
    ) -> brokerstatusservicepb.GetStatusResponse:
        """The status now; of the broken feeds only those of worlds that the caller may hear of are named."""
        found = await counted(self._db, self._outages, lambda conn: (counts(conn), feeds_of_worlds(conn)))
        open_orders, accounts, short, depth = found[0] if found else (0, 0, 0, None)
        feeds = found[1] if found else {}
        shown = {feed for feed, worlds in feeds.items() if any(may_hear_of(world) for world in worlds)}
        broken = self._feeds.broken()
        return brokerstatusservicepb.GetStatusResponse(
            status=service_status(
                "brokerage",
                self._started_at,
                self._bus,
                self._relay,
                outages=self._outages.current(),
                clock=self._clock,
                outbox_depth=depth,
                dependencies=[dependency_status("seamless", reachable=not broken, detail=_told(broken, shown))],
            ),
            open_orders=open_orders,
            accounts=accounts,
            accounts_short_of_margin=short,
        )


def _told(broken: Sequence[tuple[Feed, FeedStatus]], shown: set[Feed]) -> str:
    named = [f"{feed.preset} {feed.session_id}: {state.detail}" for feed, state in broken if feed in shown]
    others = len(broken) - len(named)
    return "; ".join(named + ([f"{others} feeds of other worlds are broken"] if others else []))


def counts(conn: Connection) -> tuple[int, int, int, int]:
    """Open orders, accounts, those whose margin is short, and outbox rows that wait."""
    open_count = conn.execute(sa.select(sa.func.count()).select_from(t.orders).where(t.orders.c.open)).scalar_one()
    every = sa.select(sa.func.count()).select_from(t.accounts)
    account_count = conn.execute(every).scalar_one()
    short = conn.execute(every.where(t.accounts.c.margin_warned_ns > 0)).scalar_one()
    return open_count, account_count, short, t.outbox.backlog(conn).depth
