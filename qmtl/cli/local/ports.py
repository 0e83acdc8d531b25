"""Which ports of this machine are free, kept for who was told so, and the refusal to start on one that is not."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from functools import cache

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
    """Different ports nobody listens on now, kept for this process. Raises Conflict (E_PORT_IN_USE): too few."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if keep(port):
            found.append(port)
    if len(found) < count:
        raise Conflict("E_PORT_IN_USE", f"{len(found)} ports of {PORTS[0]} to {PORTS[-1]} are free, want {count}")
    return found


def keep(port: int) -> bool:
    """Keep a port for this process as long as it lives, whether something listens there yet or not; False: it listens
    already, or is kept, by this process or by another of the same user.

    Raises Conflict (E_PORT_IN_USE): the file of kept ports cannot be opened.
    """
    if port in _kept():
        return False
    register = _register()
    try:
        fcntl.lockf(register, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    if not is_free(f"127.0.0.1:{port}"):
        fcntl.lockf(register, fcntl.LOCK_UN, 1, port)
        return False
    _kept().add(port)
    return True


@cache
def _kept() -> set[int]:
    """Ports that were given out here: a process is never refused its own locks."""
    return set()


@cache
def _register() -> int:
    """The user's file with a byte for each port: who has the lock of a byte has its port. The kernel takes the locks of
    a process back when it ends, and gives none of them to its children.
    """
    path = os.path.join(tempfile.gettempdir(), f"qmtl-ports-{os.getuid()}")
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        text = f"no port can be kept: {path} cannot be opened ({error.strerror})"
        raise Conflict("E_PORT_IN_USE", text, hint="remove it, or set TMPDIR to a folder of your own") from error


def refuse_taken(addresses: Iterable[tuple[str, str]]) -> None:
    """Refuse to start over somebody else's listener. Raises Conflict (E_PORT_IN_USE) naming each."""
    taken = [f"{name} {address}" for name, address in addresses if not is_free(address)]
    if taken:
        raise Conflict(
            "E_PORT_IN_USE",
            f"something listens already: {', '.join(taken)}",
            hint="stop it, or set mesh.addresses and mesh.nats_url in qmtl.toml",
        )
