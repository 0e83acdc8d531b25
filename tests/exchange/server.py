"""Serves an exchange in its dialects on a loopback port, with the troubles that its script asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble

BAN_S = 60


class Dialect(Protocol):
    """How one exchange speaks."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Paths and what answers them."""
        ...

    def unsure(self) -> web.Response:
        """The answer that says the outcome is unknown."""
        ...

    def limited(self, trouble: Trouble) -> web.Response:
        """The answer to who asks too often."""
        ...


def _kind(request: web.Request) -> str:
    """The name of a request in the script: its method and the last word of its path."""
    return f"{request.method} {request.path.rsplit('/', 1)[-1]}"


def _witnessed(exchange: Exchange, request: web.Request, done: bool) -> None:
    if exchange.faults.witness is not None:
        exchange.faults.witness(_kind(request), done)


def _troubled(exchange: Exchange, dialects: Sequence[Dialect]) -> Callable[..., object]:
    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        _witnessed(exchange, request, False)
        trouble = exchange.faults.request(_kind(request))
        if trouble is Trouble.HELD:
            await request.read()  # the connection is gone when it is looked at
            exchange.faults.held.append(partial(handler, request))
        response = await handler(request) if trouble.done else web.Response()
        _witnessed(exchange, request, True)
        if trouble.silent:
            await asyncio.Event().wait()  # until the client goes
        if trouble.cut and request.transport is not None:
            request.transport.abort()
        if trouble in (Trouble.TOO_MANY, Trouble.BANNED):
            return _dialect(dialects, request).limited(trouble)
        if trouble in (Trouble.BROKEN_BEFORE, Trouble.BROKEN_AFTER):
            return web.Response(status=503, text="Service Unavailable")
        if trouble is Trouble.REFUSED:
            return web.json_response({"code": -1013, "msg": "Refused.", "error": ["EOrder:Refused"]}, status=400)
        if trouble is Trouble.FAILED_AFTER:
            return web.json_response({"code": -2010, "msg": "Rejected.", "error": ["EOrder:Rejected"]}, status=500)
        if trouble is Trouble.UNSURE_AFTER:
            return _dialect(dialects, request).unsure()
        return response

    return serve


def limited(trouble: Trouble, ban_s: int = BAN_S) -> web.Response:
    """429 or 418, with the time to wait, as Binance answers."""
    status = 429 if trouble is Trouble.TOO_MANY else 418
    return web.json_response({"code": -1003}, status=status, headers={"Retry-After": str(ban_s)})


def _dialect(dialects: Sequence[Dialect], request: web.Request) -> Dialect:
    return next(one for one in dialects if _serves(one, request))


def _serves(dialect: Dialect, request: web.Request) -> bool:
    return any(request.path == route.path for route in dialect.routes())


@asynccontextmanager
async def serving(exchange: Exchange, *dialects: Dialect) -> AsyncIterator[str]:
    """Serve until the block ends; the server's address."""
    app = web.Application(middlewares=[_troubled(exchange, dialects)])  # type: ignore[list-item]  # one of new style
    for dialect in dialects:
        app.add_routes(dialect.routes())
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        for account in exchange.accounts:
            exchange.streams.cut(account)
        await runner.cleanup()
