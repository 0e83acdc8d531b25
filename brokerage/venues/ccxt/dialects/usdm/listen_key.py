"""The right to listen to a user's stream of Binance USD-M: made, kept alive every minute, made anew once it is lost.

ccxt renews it every twenty minutes only and hears nothing of its end; here its end is known within a minute.
"""

from __future__ import annotations

from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused

KEEP_MS = 60_000


class ListenKey:
    """The key of one account. ccxt holds it under `future`; without one it asks for one, which prolongs one that is."""

    def __init__(self) -> None:
        self._kept_ms: int | None = None

    async def told(self, at: Connection) -> None:
        """Wait for an event. Raises Unavailable (E_VENUE_UNREACHABLE): the key, or the connection, is gone."""
        now_ms = at.now_ms()
        if self._kept_ms is None:
            at.exchange.options["future"] = {}  # what ccxt knows may be dead
            self._kept_ms = now_ms
        elif now_ms - self._kept_ms >= KEEP_MS:
            await self._keep(at, now_ms)
        try:
            await at.exchange.watch_orders()
        except Exception:
            self._kept_ms = None
            raise

    async def _keep(self, at: Connection, now_ms: int) -> None:
        self._kept_ms = None
        try:
            await at.call(at.exchange.fapiprivate_put_listenkey, {}, purpose=Purpose.QUERY)
        except VenueRefused as refused:
            await at.exchange.close()  # its socket is open and tells nothing
            raise Unavailable("E_VENUE_UNREACHABLE", f"the stream's key has ended: {refused}") from refused
        self._kept_ms = now_ms
