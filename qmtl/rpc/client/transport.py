"""The connections of one channel: where a peer is, how its replicas share the calls, made again with new certificates.

An address is host:port, several of them separated by commas, or dns:///name:port. Several are used in turn (round
robin), each as long as it answers; a name is looked up again when one of them fails. Over TLS the certificate must be
for the host that was named; for several addresses it must be for the peer's service name, for example "worldservice".
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import structlog
from grpc import aio

from qmtl.config.settings import addresses_of, split_address
from qmtl.core.errors import InvalidRequest
from qmtl.core.tasks.ending import end
from qmtl.rpc.tls import ChannelCredentials

RETIRED_S: Final = 600.0  # a stream over an old connection is ended by then; its reader resumes over the new one
DNS_SCHEME: Final = "dns:///"
ROUND_ROBIN: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
DNS_AGAIN_MS: Final = 1_000
Callee = TypeVar("Callee")
Option = tuple[str, int | str]
log: Final = structlog.stdlib.get_logger("qmtl.rpc.client")


class Transport:
    """The present connection and those that only finish what they began."""

    def __init__(self, address: str, peer: str, credentials: ChannelCredentials | None, options: list[Option]) -> None:
        """Raises InvalidRequest (E_CONFIG) for addresses that cannot be used together."""
        self._target, own = target_of(address, peer, secure=credentials is not None)
        self._options = [*options, *own]
        self._credentials = credentials
        self._retiring: dict[asyncio.Task[None], aio.Channel] = {}
        self.channel = self._made()

    def current(self) -> aio.Channel:
        """The channel for the next call: a new one once the certificates are renewed."""
        if self._credentials is not None and self._credentials.renewed():
            old, self.channel = self.channel, self._made()
            log.info("connection_renewed", target=self._target)
            task = asyncio.get_running_loop().create_task(old.close(RETIRED_S))
            self._retiring[task] = old
            task.add_done_callback(lambda done: self._retiring.pop(done, None))
        return self.channel

    async def close(self, grace: float | None) -> None:
        """End the present connection and those that still had streams."""
        retiring = dict(self._retiring)
        await end(*retiring)
        for channel in (*retiring.values(), self.channel):
            await channel.close(grace)

    def _made(self) -> aio.Channel:
        if self._credentials is None:
            return aio.insecure_channel(self._target, options=self._options)
        return aio.secure_channel(self._target, self._credentials.make(), options=self._options)


class Method(Generic[Callee]):
    """grpc's own callable of one method, over the transport's present connection."""

    def __init__(self, transport: Transport, build: Callable[[aio.Channel], Callee]) -> None:
        self._transport = transport
        self._build = build
        self._channel = transport.channel
        self._callee = build(transport.channel)

    def current(self) -> Callee:
        """The callable for the next call."""
        channel = self._transport.current()
        if channel is not self._channel:
            self._channel, self._callee = channel, self._build(channel)
        return self._callee


def target_of(address: str, peer: str, *, secure: bool) -> tuple[str, list[Option]]:
    """gRPC's target and the options that go with it. Raises InvalidRequest (E_CONFIG)."""
    try:
        places = addresses_of(address)
    except ValueError as error:
        raise InvalidRequest("E_CONFIG", f"address of {peer or 'the peer'}: {error}") from None
    options: list[Option] = [("grpc.service_config", ROUND_ROBIN), ("grpc.service_config_disable_resolution", 1)]
    if address.startswith(DNS_SCHEME):
        return address, [*options, ("grpc.dns_min_time_between_resolutions_ms", DNS_AGAIN_MS)]
    if len(places) == 1:
        return places[0], []
    if secure:
        if not peer:
            raise InvalidRequest("E_CONFIG", f"address is {address}, want one address, or dns:///name:port")
        options.append(("grpc.ssl_target_name_override", peer))
    return f"{_family(places)}:{','.join(places)}", options


def _family(places: tuple[str, ...]) -> str:
    return "ipv6" if ipaddress.ip_address(split_address(places[0])[0].strip("[]")).version == 6 else "ipv4"
