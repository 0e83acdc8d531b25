"""The gateway as the SDK uses it: one channel, five stubs, tokens and address found by themselves.

Each method builds a request, sends it and returns the reply as the owner gave it; errors are those of
qmtl.core.errors. A `Line` is for what must outlive a restart: it repeats an idempotent call until it is
answered or the patience ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qmtl.broker.v1 import service_pb2_grpc as brokerrpc
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, QmtlError, Unavailable
from qmtl.core.home import find_home, gateway_address
from qmtl.dag.v1 import service_pb2_grpc as dagrpc
from qmtl.data.v1 import service_pb2_grpc as datarpc
from qmtl.gateway.v1 import service_pb2_grpc as gatewayrpc
from qmtl.rpc.auth import Role, TokenSource
from qmtl.rpc.channel import connect
from qmtl.rpc.tokens import file_token, user_token_path
from qmtl.sdk.words import refused
from qmtl.world.v1 import service_pb2_grpc as worldrpc

ADDRESS_VARIABLE = "QMTL_ADDRESS"
TOKEN_VARIABLE = "QMTL_TOKEN"
CALL_S = 15.0
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.1, 2.0

T = TypeVar("T")
log = logging.getLogger("qmtl.sdk")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a mesh is and who asks. Empty fields are found: environment, then the running mesh of the home.

    `patience_s` is how long an unreachable mesh is waited for before a run gives up.
    """

    address: str = ""
    token: str = ""
    home: Path | None = None
    ca: Path | None = None
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Client:
    """Stubs on one channel, all through the gateway."""

    gateway: gatewayrpc.GatewayServiceAsyncStub
    world: worldrpc.WorldServiceAsyncStub
    brokerage: brokerrpc.BrokerageServiceAsyncStub
    data: datarpc.DataServiceAsyncStub
    dag: dagrpc.DagManagerServiceAsyncStub
    address: str


@asynccontextmanager
async def open_client(gateway: Gateway, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Client]:
    """Open the channel to a gateway; it connects when first used, and again after every break."""
    address = gateway.address or environ.get(ADDRESS_VARIABLE) or gateway_address(find_home(gateway.home))
    token = token_source(gateway, environ)
    async with connect(address, user_token=token, ca=gateway.ca, default_timeout_s=CALL_S) as channel:
        yield Client(
            gatewayrpc.GatewayServiceStub(channel),
            worldrpc.WorldServiceStub(channel),
            brokerrpc.BrokerageServiceStub(channel),
            datarpc.DataServiceStub(channel),
            dagrpc.DagManagerServiceStub(channel),
            address,
        )


def token_source(gateway: Gateway, environ: Mapping[str, str] = os.environ) -> TokenSource:
    """The token given, that of the environment, or the local operator token, read again when its file changes."""
    told = gateway.token or environ.get(TOKEN_VARIABLE, "")
    return (lambda: told) if told else file_token(user_token_path(find_home(gateway.home), Role.OPERATOR))


class Patience:
    """Counts how long nothing has answered; raises the last error once that exceeds the limit."""

    def __init__(self, limit_s: float, clock: Clock) -> None:
        if limit_s <= 0.0:
            raise refused("E_PATIENCE", "patience_s", limit_s, "more than 0")
        self.limit_s = limit_s
        self._clock = clock
        self._since: float | None = None
        self._pause_s = _PAUSE_FIRST_S
        self.retries = 0

    def answered(self) -> None:
        """Something came: start counting anew."""
        self._since, self._pause_s = None, _PAUSE_FIRST_S

    async def failed(self, error: QmtlError, what: str) -> None:
        """Wait before the next attempt, or raise the error when it is none that waiting helps, or patience ended."""
        if not isinstance(error, Unavailable | DeadlineExceeded | Exhausted):
            raise error
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > self.limit_s:
            error.add_note(f"{what}: no answer for {self.limit_s:g} s")
            raise error
        self.retries += 1
        log.warning("%s: %s; trying again", what, error)
        await asyncio.sleep(max(error.retry_after_s or 0.0, self._pause_s * random.uniform(0.5, 1.0)))
        self._pause_s = min(2.0 * self._pause_s, _PAUSE_MAX_S)


@dataclass(frozen=True, slots=True)
class Line:
    """A client with patience: what must outlive restarts calls through it. One per thing that goes on by itself."""

    client: Client
    patience: Patience
    clock: Clock

    @staticmethod
    def open(client: Client, patience_s: float, clock: Clock) -> Line:
        return Line(client, Patience(patience_s, clock), clock)

    def beside(self) -> Line:
        """Another line of the same patience, counting for itself."""
        return Line.open(self.client, self.patience.limit_s, self.clock)

    async def ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """Repeat an idempotent call until it answers. Raises what is no outage, and an outage that lasts too long."""
        while True:
            try:
                reply = await call()
            except QmtlError as error:
                await self.patience.failed(error, what)
            else:
                self.patience.answered()
                return reply
