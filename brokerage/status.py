"""StatusService: what waits, what is open, and whether bars and events get through."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts.access import may_hear_of
from brokerage.accounts.store import worlds_of
from brokerage.feeds.follow import Feed, FeedFollower, FeedStatus, feeds_of_worlds
from brokerage.risk_signals import store as signals_store
from brokerage.risk_signals.store import PutState, RiskPut
from controlbus.outbox.status import StatusSources, dependency_status
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import status_service_pb2_grpc as brokerstatusrpc
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sql.database import Database


class StatusService(brokerstatusrpc.StatusServiceServicer):
    """Reads the parts of the process that know."""

    def __init__(self, db: Database, feeds: FeedFollower, sources: StatusSources) -> None:
        self._db = db
        self._feeds = feeds
        self._sources = sources

    async def GetStatus(
        self, request: brokerstatusservicepb.GetStatusRequest, context: object
    ) -> brokerstatusservicepb.GetStatusResponse:
        """The status now; of the broken feeds only those of worlds that the caller may hear of are named."""
        found = await self._sources.counted(
            self._db, lambda conn: (counts(conn), feeds_of_worlds(conn), failing_signals(conn))
        )
        open_orders, accounts, short, depth = found[0] if found else (0, 0, 0, None)
        feeds = found[1] if found else {}
        signals = found[2] if found else []
        shown = {feed for feed, worlds in feeds.items() if any(may_hear_of(world) for world in worlds)}
        broken = self._feeds.broken()
        return brokerstatusservicepb.GetStatusResponse(
            status=self._sources.status(
                depth,
                [
                    dependency_status("seamless", reachable=not broken, detail=_told(broken, shown)),
                    dependency_status("risk-hub", reachable=not any(map(_is_broken, signals)), detail=_lacks(signals)),
                ],
            ),
            open_orders=open_orders,
            accounts=accounts,
            accounts_short_of_margin=short,
        )


def _told(broken: Sequence[tuple[Feed, FeedStatus]], shown: set[Feed]) -> str:
    named = [f"{feed.preset} {feed.session_id}: {state.detail}" for feed, state in broken if feed in shown]
    others = len(broken) - len(named)
    return "; ".join(named + ([f"{others} feeds of other worlds are broken"] if others else []))


Signal = tuple[RiskPut, tuple[str, ...]]
"""A snapshot that the risk hub does not have, and the worlds that it is about."""


def failing_signals(conn: Connection) -> list[Signal]:
    """Snapshots that the hub refused, that wait for it, or that could not be measured."""
    failing = [put for put in signals_store.load_puts(conn).values() if put.failed_since_ns]
    names = {put.scope: put.scope.partition(":")[2] for put in failing}
    worlds = worlds_of(conn, [names[put.scope] for put in failing if put.scope.startswith("account:")])
    return [(put, worlds.get(names[put.scope], (names[put.scope],))) for put in failing]


def _is_broken(signal: Signal) -> bool:
    return signal[0].state is not PutState.UNMEASURED


def _lacks(signals: Sequence[Signal]) -> str:
    """What the hub lacks and since when; of worlds that the caller may not hear of only how much."""
    shown = [put for put, worlds in signals if any(map(may_hear_of, worlds))]
    named = [
        f"{put.scope} {put.stage} since {timestamp_text(from_ns(put.failed_since_ns))}: {put.detail}" for put in shown
    ]
    others = len(signals) - len(shown)
    return "; ".join(named + ([f"{others} snapshots of other worlds"] if others else []))


def counts(conn: Connection) -> tuple[int, int, int, int]:
    """Open orders, accounts, those whose margin is short, and outbox rows that wait."""
    open_count = conn.execute(sa.select(sa.func.count()).select_from(t.orders).where(t.orders.c.open)).scalar_one()
    every = sa.select(sa.func.count()).select_from(t.accounts)
    account_count = conn.execute(every).scalar_one()
    short = conn.execute(every.where(t.accounts.c.margin_warned_ns > 0)).scalar_one()
    return open_count, account_count, short, t.outbox.backlog(conn).depth
