"""Which ports of this machine are free, and the refusal to start on one that is not."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from qmtl.config.settings import split_address
from qmtl.core.errors import Conflict

PORTS = range(20_000, 32_000)  # below Linux's ephemeral range, so no outgoing connection takes one meanwhile


def is_free(address: str) -> bool:
    """Whether nobody listens at the address."""
    host, port = split_address(address)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different ports nobody listens on now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if is_free(f"127.0.0.1:{port}"):
            found.append(port)
    return found


def refuse_taken(addresses: Iterable[tuple[str, str]]) -> None:
    """Refuse to start over somebody else's listener. Raises Conflict (E_PORT_IN_USE) naming each."""
    taken = [f"{name} {address}" for name, address in addresses if not is_free(address)]
    if taken:
        raise Conflict(
            "E_PORT_IN_USE",
            f"something listens already: {', '.join(taken)}",
            hint="stop it, or set mesh.addresses and mesh.nats_url in qmtl.toml",
        )
