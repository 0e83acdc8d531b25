"""What an attacker can do: raw calls on connections of its own, bounded in count, and what is seen from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from qmtl.cli.local.supervisor import Mesh

IN_FLIGHT = 60


@dataclass(frozen=True, slots=True)
class Attack:
    """`count` calls of one method with one body, under a token or none."""

    method: str
    body: bytes
    count: int
    token: str = ""


@asynccontextmanager
async def connections(address: str, count: int) -> AsyncIterator[list[Any]]:  # grpc's stubs want serializers
    """Connections that share nothing."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    channels = [aio.insecure_channel(address, options=options) for _ in range(count)]
    try:
        yield channels
    finally:
        for channel in channels:
            await channel.close()


async def attacked(address: str, attack: Attack, over: int = 6) -> Counter[grpc.StatusCode]:
    """How the calls ended."""
    codes: Counter[grpc.StatusCode] = Counter()
    metadata = (("authorization", f"Bearer {attack.token}"),) if attack.token else ()
    free = asyncio.Semaphore(IN_FLIGHT)

    async def one(channel: Any) -> None:
        async with free:
            try:
                await channel.unary_unary(attack.method)(attack.body, metadata=metadata, timeout=60)
                codes[grpc.StatusCode.OK] += 1
            except aio.AioRpcError as error:
                codes[error.code()] += 1

    async with connections(address, over) as channels:
        await asyncio.gather(*(one(channels[number % over]) for number in range(attack.count)))
    return codes


def resident_mb(pid: int) -> int:
    """What a process holds of memory now."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def pids(mesh: Mesh, names: Iterable[str]) -> dict[str, int]:
    """Processes of services by name."""
    found = {each.name: each.pid for each in mesh.running()}
    return {name: found[name] for name in names}


@asynccontextmanager
async def watched(read: Callable[[], dict[str, int]]) -> AsyncIterator[dict[str, int]]:
    """The most of each reading while the body runs."""
    top = read()

    async def watch() -> None:
        while True:
            for name, value in read().items():
                top[name] = max(top[name], value)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(watch())
    try:
        yield top
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
