"""Who a request is from: its key, its HMAC-SHA512 signature over path, nonce and body, and a nonce above the last.

Source: docs.kraken.com, Spot REST Authentication.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from tests.exchange.core.account import Account
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.values import Refused

Params = Mapping[str, str]


class Signing:
    """Checks the requests of one exchange, and remembers the last nonce of each key."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.nonces: dict[str, int] = {}

    async def signed(self, request: web.Request) -> tuple[Account, Params]:
        """The account that signed a request, and its parameters. Raises Refused."""
        key, body = request.headers.get("API-Key", ""), await request.text()
        account = self._exchange.by_key(key)
        if account is None:
            raise Refused("KEY")
        params = dict(parse_qsl(body, keep_blank_values=True))
        nonce = params.get("nonce", "")
        covered = request.path.encode() + hashlib.sha256((nonce + body).encode()).digest()
        want = base64.b64encode(hmac.new(base64.b64decode(account.secret), covered, hashlib.sha512).digest()).decode()
        if not hmac.compare_digest(want, request.headers.get("API-Sign", "")):
            raise Refused("SIGNATURE")
        if not nonce.isdecimal() or int(nonce) <= self.nonces.get(key, 0):
            raise Refused("NONCE")
        self.nonces[key] = int(nonce)
        return account, params
