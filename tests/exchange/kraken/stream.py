"""The user's channel of Kraken's websockets v2: a token gives the right to subscribe to it for fifteen minutes.

Source: docs.kraken.com, Websockets v2, executions; Spot REST, GetWebSocketsToken.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from tests.exchange.core.exchange import Exchange
from tests.exchange.core.streams import Stream
from tests.exchange.core.values import Event, OrderUpdate
from tests.exchange.kraken import words

VALID_S = 900


class Tokens:
    """The tokens of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tokens: dict[str, tuple[str, int]] = {}  # account and until when, by token

    def make(self, account: str) -> str:
        token = f"token-{account}-{len(self._tokens)}"
        self._tokens[token] = (account, self._exchange.clock() + VALID_S * 1_000)
        return token

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer subscriptions and tell events until either side goes."""
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        streams: list[Stream[Event]] = []
        telling: list[asyncio.Task[None]] = []
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    opened = await self._subscribe(socket, json.loads(message.data))
                    if opened is not None:
                        streams.append(opened)
                        telling.append(asyncio.create_task(_tell(socket, opened)))
        finally:
            for task in telling:
                task.cancel()
            for stream in streams:
                self._exchange.streams.close(stream)
        return socket

    async def _subscribe(self, socket: web.WebSocketResponse, asked: dict[str, object]) -> Stream[Event] | None:
        params = asked.get("params")
        if asked.get("method") == "ping":
            await socket.send_json({"method": "pong", "req_id": asked.get("req_id")})
        if asked.get("method") != "subscribe" or not isinstance(params, dict):
            return None
        account, until = self._tokens.get(str(params.get("token")), ("", 0))
        named = {"method": "subscribe", "req_id": asked.get("req_id")}
        if params.get("channel") != "executions" or until <= self._exchange.clock():
            await socket.send_json({**named, "success": False, "error": "ESession:Invalid session"})
            return None
        stream = self._exchange.streams.open(account)
        await socket.send_json({**named, "success": True, "result": {"channel": "executions"}})
        await socket.send_json({"channel": "executions", "type": "snapshot", "data": [], "sequence": 1})
        return stream


async def _tell(socket: web.WebSocketResponse, stream: Stream[Event]) -> None:
    sequence = 1
    while (event := await stream.next()) is not None:
        for told in words.execution(event) if isinstance(event, OrderUpdate) else []:
            sequence += 1
            await socket.send_json({"channel": "executions", "type": "update", "data": [told], "sequence": sequence})
    await socket.close()
