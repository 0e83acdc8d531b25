"""VenueService: whether orders and bars get through."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import AccountAccess
from brokerage.accounts.wire import VENUE
from brokerage.domain.accounts.account import Account
from brokerage.feeds.follow import FeedFollower, feeds_of_worlds
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.broker.v1 import venue_service_pb2_grpc as venuerpc
from qmtl.core.errors import NotFound
from qmtl.sql.database import Database

DIFFERENCES_MAX = 100
Differences = Callable[[Connection, Account], list[str]]
"""Where the stored books of an account are not what its events come to."""


class VenueService(venuerpc.VenueServiceServicer):
    """The paper venue, as the feeds of the worlds that the caller may read show it."""

    def __init__(self, db: Database, access: AccountAccess, feeds: FeedFollower, differences: Differences) -> None:
        self._db = db
        self._differences = differences
        self._access = access
        self._feeds = feeds

    async def GetVenueStatus(
        self, request: venueservicepb.GetVenueStatusRequest, context: object
    ) -> venueservicepb.GetVenueStatusResponse:
        if request.venue not in ("", VENUE):
            raise NotFound("E_VENUE_UNKNOWN", f"no venue {request.venue!r}, there is {VENUE!r}")
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
        )

    async def ReconcileVenue(
        self, request: venueservicepb.ReconcileVenueRequest, context: object
    ) -> venueservicepb.ReconcileVenueResponse:
        known = await self._access.operable(request.account)
        if request.venue not in ("", known.venue):
            raise NotFound("E_VENUE_UNKNOWN", f"account {known.account} is at {known.venue!r}, not {request.venue!r}")

        def compare(conn: Connection) -> list[str]:
            return self._differences(conn, accounts_store.account(conn, known.account))

        return venueservicepb.ReconcileVenueResponse(differences=(await self._db.read(compare))[:DIFFERENCES_MAX])
