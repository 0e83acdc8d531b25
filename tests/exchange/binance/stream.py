"""The websocket API of Binance spot, as far as the user's stream needs it: one subscription, by signature."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from tests.exchange.binance import words
from tests.exchange.binance.signing import signed_message
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.streams import Stream
from tests.exchange.core.values import Event, Refused

SUBSCRIBE = "userDataStream.subscribe.signature"


async def serve_websocket(exchange: Exchange, request: web.Request) -> web.StreamResponse:
    """Answer requests and tell events until either side goes."""
    socket = web.WebSocketResponse(timeout=0.5)
    await socket.prepare(request)
    streams: list[Stream[Event]] = []
    telling: list[asyncio.Task[None]] = []
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                opened = await _answer(exchange, socket, json.loads(message.data))
                if opened is not None:
                    streams.append(opened)
                    telling.append(asyncio.create_task(_tell(socket, opened, len(streams) - 1)))
    finally:
        for task in telling:
            task.cancel()
        for stream in streams:
            exchange.streams.close(stream)
    return socket


async def _answer(exchange: Exchange, socket: web.WebSocketResponse, asked: dict[str, object]) -> Stream[Event] | None:
    try:
        params = asked.get("params")
        if asked.get("method") != SUBSCRIBE or not isinstance(params, dict):
            raise Refused("PARAMETERS", f"no method {asked.get('method')} here")
        stream = exchange.streams.open(signed_message(exchange, params).name)
    except Refused as refused:
        failed = {"code": words.CODES[refused.rule], "msg": str(refused)}
        await socket.send_json({"id": asked.get("id"), "status": 400, "error": failed})
        return None
    await socket.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []})
    return stream


async def _tell(socket: web.WebSocketResponse, stream: Stream[Event], subscription: int) -> None:
    while (event := await stream.next()) is not None:
        for told in words.event(event):
            await socket.send_json({"subscriptionId": subscription, "event": told})
    await socket.close()
