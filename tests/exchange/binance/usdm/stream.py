"""The user's stream of Binance USD-M: a listen key gives the right to it for an hour from when it was last kept alive.

An expired key is told of on the stream, which then stays open and tells nothing any more.
Source: developers.binance.com, USDS-Margined Futures, User Data Streams.
"""

from __future__ import annotations

from aiohttp import web

from tests.exchange.binance.usdm import words
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.streams import Stream
from tests.exchange.core.values import Event, Refused, StreamEnded

VALID_MS = 3_600_000


class ListenKeys:
    """The keys of one exchange: at most one of an account at a time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._keys: dict[str, tuple[str, int]] = {}  # account and until when, by key
        self._made = 0

    def start(self, account: str) -> str:
        """The account's key, made anew if it has none, good for an hour from now."""
        key = self._of(account)
        if key is None:
            self._made += 1
            key = f"listen-{account}-{self._made}"
        self._keys[key] = (account, self._exchange.clock() + VALID_MS)
        return key

    def keep(self, account: str) -> str:
        """Prolong the account's key. Raises Refused."""
        key = self._of(account)
        if key is None:
            raise Refused("LISTEN_KEY", "This listenKey does not exist.")
        return self.start(account)

    def expire(self, account: str) -> None:
        """End the account's key now, and tell of it."""
        self._keys = {key: one for key, one in self._keys.items() if one[0] != account}
        self._exchange.streams.tell(account, StreamEnded(self._exchange.clock()))
        for stream in self._exchange.streams.of(account):
            self._exchange.streams.close(stream)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Tell the events of the account of a key."""
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        held = self._keys.get(request.query.get("listenKey", ""))
        if held is None:
            async for _ in socket:  # a dead key is taken, and nothing comes
                pass
            return socket
        stream = self._exchange.streams.open(held[0])
        try:
            await self._tell(socket, stream)
        finally:
            self._exchange.streams.close(stream)
        return socket

    async def _tell(self, socket: web.WebSocketResponse, stream: Stream[Event]) -> None:
        while (event := await stream.next()) is not None and not socket.closed:
            await socket.send_json(words.event(event))
        await socket.close()

    def _of(self, account: str) -> str | None:
        now = self._exchange.clock()
        return next((key for key, (name, until) in self._keys.items() if name == account and until > now), None)
