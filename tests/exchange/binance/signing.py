"""Who a request is from: its key, its HMAC-SHA256 signature over what was sent, and its time.

Source: developers.binance.com, "Request Security" of the spot REST API and of the websocket API.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from tests.exchange.core.account import Account
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.values import Refused

AHEAD_MS = 1_000
WINDOW_MS = 5_000
WINDOW_MS_MAX = 60_000

Params = Mapping[str, str]


async def keyed(exchange: Exchange, request: web.Request) -> tuple[Account, Params]:
    """The account by its key alone, and what it sent. Raises Refused."""
    return _account(exchange, request.headers.get("X-MBX-APIKEY", "")), dict(parse_qsl(await _sent(request)))


async def signed(exchange: Exchange, request: web.Request) -> tuple[Account, Params]:
    """The account that signed a request, and its parameters. Raises Refused."""
    account = _account(exchange, request.headers.get("X-MBX-APIKEY", ""))
    text, _, signature = (await _sent(request)).rpartition("&signature=")
    params = dict(parse_qsl(text, keep_blank_values=True))
    require_signature(exchange, account, text, signature, params)
    return account, params


def signed_message(exchange: Exchange, params: Params) -> Account:
    """The account that signed a request of the websocket API: over its parameters in order of name. Raises Refused."""
    account = _account(exchange, params.get("apiKey", ""))
    rest = {name: str(value) for name, value in sorted(params.items()) if name != "signature"}
    text = "&".join(f"{name}={value}" for name, value in rest.items())
    require_signature(exchange, account, text, params.get("signature", ""), rest)
    return account


def require_signature(exchange: Exchange, account: Account, text: str, signature: str, params: Params) -> None:
    """Raises Refused for a signature that is not the account's, or a time outside of the window."""
    want = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(want, signature):
        raise Refused("SIGNATURE", "Signature for this request is not valid.")
    window = int(params.get("recvWindow", WINDOW_MS))
    behind = exchange.clock() - int(params["timestamp"])
    if not 0 < window <= WINDOW_MS_MAX or not -AHEAD_MS <= behind <= window:
        raise Refused("TIMESTAMP", "Timestamp for this request is outside of the recvWindow.")


async def _sent(request: web.Request) -> str:
    """What was signed, as it was sent: the query, then the body."""
    return request.raw_path.partition("?")[2] + await request.text()


def _account(exchange: Exchange, api_key: str) -> Account:
    found = exchange.by_key(api_key)
    if found is None:
        raise Refused("KEY", "Invalid API-key, IP, or permissions for action.")
    return found
