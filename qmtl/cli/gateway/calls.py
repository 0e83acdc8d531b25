"""The CLI's way in: one call through the gateway with a token found by home. Nothing here knows a contract."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from qmtl.cli.options import Access
from qmtl.config.home import find_home, gateway_address, live_record
from qmtl.core.errors import NotReady, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.tokens import file_token, user_token_path
from qmtl.rpc.client.channel import MeshChannel, connect

Answer = TypeVar("Answer")
LIVE_KEY = "x-allow-live"


def ask(access: Access, call: Callable[[MeshChannel], Awaitable[Answer]]) -> Answer:
    """Run one exchange with the gateway. Raises what the gateway answered; Unauthenticated without a token
    file; NotReady (E_NOT_RUNNING) when nothing answers and no mesh runs in the home."""
    return asyncio.run(_ask(access, call))


def token_of(access: Access, home: Path) -> TokenSource:
    """The local token of the role asked for. Raises Unauthenticated (E_TOKEN_MISSING)."""
    path = user_token_path(home, Role[access.role.name])
    if not path.exists():
        raise Unauthenticated("E_TOKEN_MISSING", f"no token at {path}", hint="qmtl up writes it; --home says where")
    return file_token(path)


async def _ask(access: Access, call: Callable[[MeshChannel], Awaitable[Answer]]) -> Answer:
    home = find_home(access.home, access.config)
    address, token = gateway_address(home, access.config), token_of(access, home)
    try:
        async with connect(address, user_token=token) as channel:
            return await call(channel)
    except Unavailable as error:
        if live_record(home) is not None:
            raise
        message = f"no mesh runs in {home}, and nothing answers at {address}"
        raise NotReady("E_NOT_RUNNING", message, hint="qmtl up starts one") from error


def live_metadata(*, is_meant: bool) -> tuple[tuple[str, str], ...]:
    """What the gateway's live guard asks of calls that can lead to live trading."""
    return ((LIVE_KEY, "true"),) if is_meant else ()
