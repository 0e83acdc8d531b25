"""VenueService: whether orders and bars get through."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import AccountAccess
from brokerage.accounts.wire import VENUE
from brokerage.domain.accounts.account import Account
from brokerage.feeds.follow import FeedFollower, feeds_of_worlds
from brokerage.venues import states
from brokerage.venues.connections import VenueConnections
from brokerage.venues.driver import LinkState
from brokerage.venues.states import VenueRecord
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.broker.v1 import venue_service_pb2_grpc as venuerpc
from qmtl.core.errors import NotFound, NotReady
from qmtl.sql.database import Database
from qmtl.wire.instants import ns_to_proto

DIFFERENCES_MAX = 100
Differences = Callable[[Connection, Account], list[str]]
"""Where the stored books of an account are not what its events come to."""


class VenueService(venuerpc.VenueServiceServicer):
    """The paper venue, as the feeds of the worlds that the caller may read show it, and the venues of the settings."""

    def __init__(
        self,
        db: Database,
        access: AccountAccess,
        feeds: FeedFollower,
        differences: Differences,
        connections: VenueConnections,
    ) -> None:
        self._connections = connections
        self._db = db
        self._differences = differences
        self._access = access
        self._feeds = feeds

    async def GetVenueStatus(
        self, request: venueservicepb.GetVenueStatusRequest, context: object
    ) -> venueservicepb.GetVenueStatusResponse:
        if request.venue not in ("", VENUE):
            return await self._exchange(request.venue)
        known = await self._db.read(feeds_of_worlds)
        readable = set(
            await self._access.readable_worlds(sorted({world for worlds in known.values() for world in worlds}))
        )
        shown = {feed for feed, worlds in known.items() if worlds & readable}
        broken = [
            f"{feed.preset} {feed.session_id}: {state.detail}" for feed, state in self._feeds.broken() if feed in shown
        ]
        ended = [
            f"session {feed.session_id} has ended"
            for feed, state in self._feeds.feeds.items()
            if state.ended and feed in shown
        ]
        leading = self._feeds.leading
        return venueservicepb.GetVenueStatusResponse(
            venue=VENUE,
            state="VENUE_STATE_DISCONNECTED" if broken or not leading else "VENUE_STATE_CONNECTED",
            message="; ".join([*broken, *ended]) if leading else "another process drives the venue",
            stage=VENUE,
        )

    async def ListVenues(
        self, request: venueservicepb.ListVenuesRequest, context: object
    ) -> venueservicepb.ListVenuesResponse:
        return venueservicepb.ListVenuesResponse(venues=sorted([VENUE, *self._connections.venues]))

    async def _exchange(self, venue: str) -> venueservicepb.GetVenueStatusResponse:
        """A venue of the settings, with its account for who may read one of its worlds."""
        entry = self._connections.venues.get(venue)
        if entry is None:
            names = ", ".join(sorted([VENUE, *self._connections.venues]))
            raise NotFound("E_VENUE_UNKNOWN", f"no venue {venue[:80]!r}, there are {names}")
        found = await self._db.read(partial(states.records, venue=venue))
        message = venueservicepb.GetVenueStatusResponse(
            venue=venue, state="VENUE_STATE_IDLE", stage=entry.stage, live=entry.live, message="no account is at it"
        )
        for record in found:
            readable = await self._access.readable_worlds(await self._access.worlds(record.account))
            status_to_proto(record, message, told=bool(readable))
        return message

    async def ReconcileVenue(
        self, request: venueservicepb.ReconcileVenueRequest, context: object
    ) -> venueservicepb.ReconcileVenueResponse:
        known = await self._access.operable(request.account)
        if request.venue not in ("", known.venue):
            raise NotFound("E_VENUE_UNKNOWN", f"account {known.account} is at {known.venue!r}, not {request.venue!r}")

        if known.venue != VENUE:
            return await self._compare(known.account)

        def compare(conn: Connection) -> list[str]:
            return self._differences(conn, accounts_store.account(conn, known.account))

        return venueservicepb.ReconcileVenueResponse(differences=(await self._db.read(compare))[:DIFFERENCES_MAX])

    async def _compare(self, account: str) -> venueservicepb.ReconcileVenueResponse:
        """Have an account at an exchange compared, by whoever drives it."""
        (record,) = await self._db.read(partial(states.records, account_name=account))
        if record.venue not in self._connections.venues:
            raise NotReady(
                "E_VENUE_UNCONFIGURED", f"account {account} is at {record.venue!r}, which is not set up here"
            )
        found = await self._connections.compare(record)
        return venueservicepb.ReconcileVenueResponse(
            orders_resolved=found.orders_resolved,
            fills_booked=found.fills_booked,
            differences=found.differences[:DIFFERENCES_MAX],
        )


_STATES = {
    LinkState.ELSEWHERE.value: "VENUE_STATE_IDLE",
    LinkState.RECONCILING.value: "VENUE_STATE_RECONCILING",
    LinkState.CONNECTED.value: "VENUE_STATE_CONNECTED",
    LinkState.CLOCK_APART.value: "VENUE_STATE_CLOCK_APART",
    LinkState.BROKEN.value: "VENUE_STATE_DISCONNECTED",
}


def status_to_proto(record: VenueRecord, message: venueservicepb.GetVenueStatusResponse, *, told: bool) -> None:
    """What is stored of a venue's account; `told`: its name and what differs too, which are its worlds' to read."""
    message.MergeFrom(
        venueservicepb.GetVenueStatusResponse(
            state=_STATES[record.state],
            lease_epoch=record.epoch,
            lease_holder=record.holder,
            compared_at=ns_to_proto(record.compared_ns) if record.compared_ns else None,
            weight_used=record.weight_used if record.weight_used >= 0 else None,
            clock_ahead_ms=record.ahead_ms,
        )
    )
    message.message = ""
    if told:
        message.account, message.message = record.account, record.detail
        message.differences[:] = record.differences
