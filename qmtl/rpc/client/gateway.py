"""The channel of a client to a gateway, and what to say when that does not answer."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.config.endpoint import Endpoint, not_running
from qmtl.config.home import live_record
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.client.reach import Cause, obstacle


def open_gateway(endpoint: Endpoint, default_timeout_s: float = 10.0) -> MeshChannel:
    """A channel; it connects when first used. Raises InvalidRequest (E_TLS_REQUIRED, E_CONFIG)."""
    return connect(
        endpoint.address,
        user_token=token_source(endpoint),
        ca=endpoint.ca,
        client_pair=None if endpoint.cert is None or endpoint.key is None else (endpoint.cert, endpoint.key),
        default_timeout_s=default_timeout_s,
    )


def token_source(endpoint: Endpoint) -> TokenSource:
    """The token, read again when its file changes."""
    return (lambda: endpoint.token) if endpoint.token_file is None else file_token(endpoint.token_file)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why a gateway cannot be reached, and whether waiting may help."""

    error: QmtlError
    may_pass: bool


async def unreachable(endpoint: Endpoint) -> Unreachable | None:
    """What keeps this client from the gateway; None: nothing that could be seen. Answers within two seconds.

    A local mesh that is meant and does not run is no outage: NotReady (E_NOT_RUNNING); else E_GATEWAY_UNREACHABLE.
    """
    found = await obstacle(endpoint.address, endpoint.ca, endpoint.cert, endpoint.key)
    if found is None:
        return None
    if endpoint.home is not None and live_record(endpoint.home) is None and found.cause is Cause.REFUSED:
        return Unreachable(not_running(endpoint.home, f"nothing answers at {endpoint.address}"), may_pass=False)
    error = Unavailable(
        "E_GATEWAY_UNREACHABLE",
        f"{endpoint} does not answer: {found.text}",
        metadata={"address": endpoint.address, "cause": found.cause.value},
    )
    return Unreachable(error, found.may_pass)
