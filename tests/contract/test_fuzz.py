"""Every RPC of the contracts, called with odd and broken requests, through the gateway and directly.

Whatever is sent, a service answers with a code that says whose fault it is: never INTERNAL, UNKNOWN or DATA_LOSS, never
later than the deadline; and it neither dies nor grows. What cannot be decoded is INVALID_ARGUMENT, unless the caller is
refused before its body is read.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from qmtl.cli.local.supervisor import Mesh
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from tests.contract.fuzzing import AREAS, Requests, Rpc, rpcs
from tests.mesh.gateway_client import new_world, open_gateway_client
from tests.support.shared.meshes import laid_plan

ROUNDS_SHORT, ROUNDS_SOAK = 2, 10  # of every RPC on both ways: ten are more than 3,200 calls
LEGS, LEGS_FLAT = 10, 7  # of the soak: 32,000 calls, of which memory is to be flat over the last 20,000 and more
FLAT = 1.10
AT_ONCE = 24
CALL_S, STREAM_S, AGAIN_S = 10.0, 0.5, 30.0
SLACK_S = 5.0  # a busy machine is no hang
GROWTH_MAX = 150 * 2**20
SUBJECTS = 20
FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)
BEFORE_THE_BODY = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,  # the gateway sheds load
    grpc.StatusCode.UNIMPLEMENTED,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is to be made: an RPC on one of the two ways to it, and the bodies of its requests."""

    rpc: Rpc
    address: str
    bodies: tuple[bytes, ...]
    metadata: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        way = "directly" if "x-qmtl-service" in dict(self.metadata) else "through the gateway"
        return f"{self.rpc.name} {way} with {[body[:100].hex() for body in self.bodies]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call, and how long it took."""

    call: Call
    code: grpc.StatusCode
    details: str
    took_s: float

    def __str__(self) -> str:
        return f"{self.code.name} ({self.details[:200]}) after {self.took_s:.1f} s: {self.call}"


class Caller:
    """Channels to every address, and calls on them as bytes.

    Streams of requests go through grpc's threads: when a server ends a call while a request is being written, grpc.aio
    tells its caller INTERNAL ("Internal error from Core") instead of the server's status.
    """

    def __init__(self, channels: dict[str, aio.Channel], threaded: dict[str, grpc.Channel]) -> None:
        self._channels = channels
        self._threaded = threaded
        self._free = asyncio.Semaphore(AT_ONCE)

    async def make(self, call: Call, limit_s: float | None = None) -> Outcome:
        """Make one call and take its first replies."""
        limit_s = limit_s or (CALL_S if call.rpc.unary else STREAM_S)
        async with self._free:
            began = time.monotonic()
            try:
                await self._replies(call, limit_s)
            except (aio.AioRpcError, grpc.RpcError) as error:
                return Outcome(call, error.code(), error.details() or "", time.monotonic() - began)
            return Outcome(call, grpc.StatusCode.OK, "", time.monotonic() - began)

    async def _replies(self, call: Call, limit_s: float) -> None:
        channel: Any = self._channels[call.address]  # its stubs want serializers; bytes are bytes
        name, method = call.rpc.name, call.rpc.method
        terms: dict[str, Any] = {"metadata": call.metadata, "timeout": limit_s}
        if method.client_streaming:
            await asyncio.to_thread(_stream, self._threaded[call.address], call, terms)
        elif method.server_streaming:
            await _first(channel.unary_stream(name)(call.bodies[0], **terms))
        else:
            await channel.unary_unary(name)(call.bodies[0], **terms)


def _stream(channel: Any, call: Call, terms: dict[str, Any]) -> None:
    if not call.rpc.method.server_streaming:
        channel.stream_unary(call.rpc.name)(iter(call.bodies), **terms)
        return
    replies = channel.stream_stream(call.rpc.name)(iter(call.bodies), **terms)
    for _ in zip(range(3), replies, strict=False):
        pass
    replies.cancel()


async def _first(replies: Any) -> None:
    """Up to three replies of a stream, which is left then."""
    for _ in range(3):
        if await replies.read() is aio.EOF:
            break
    replies.cancel()


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh of its own: what the calls leave behind meets no other test."""
    with Mesh(laid_plan(tmp_path_factory.mktemp("fuzz") / "home")) as running:
        yield running


def _calls(mesh: Mesh, seed: int, rounds: int) -> list[Call]:
    requests, order = Requests(seed), random.Random(seed)
    users = [mint_user_token(mesh.home, Role.OWNER, f"fuzz-{number}") for number in range(SUBJECTS)]
    callers = {"gateway": "worldservice", "controlbus": "operator"}
    peers = {name: mint_service_token(mesh.home, callers.get(name, "gateway")) for name in AREAS.values()}
    calls: list[Call] = []
    for rpc in list(rpcs()) * rounds:
        user = ("authorization", f"Bearer {order.choice(users)}")
        peer = ("x-qmtl-service", f"Bearer {peers[rpc.service]}")
        for address, tokens in ((mesh.address("gateway"), (user,)), (mesh.address(rpc.service), (user, peer))):
            bodies = tuple(requests.bodies(rpc))
            calls.append(Call(rpc, address, bodies, (*tokens, *requests.metadata(rpc, bodies))))
    order.shuffle(calls)
    return calls


def _memory(mesh: Mesh) -> dict[str, tuple[int, int]]:
    """Process id and resident bytes of every process of the mesh."""
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        process.name: (process.pid, int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page)
        for process in mesh.running()
    }


async def _play(mesh: Mesh, seed: int, rounds: int) -> tuple[list[Outcome], Counter[str]]:
    """Make the calls; those that ran out of time are made once more, alone and with more of it."""
    calls = _calls(mesh, seed, rounds)
    async with AsyncExitStack() as stack:
        channels = {
            address: await stack.enter_async_context(aio.insecure_channel(address))
            for address in {call.address for call in calls}
        }
        threaded = {address: stack.enter_context(grpc.insecure_channel(address)) for address in channels}
        caller = Caller(channels, threaded)
        outcomes = await asyncio.gather(*map(caller.make, calls))
        late = [o for o in outcomes if o.code is grpc.StatusCode.DEADLINE_EXCEEDED and _ends(o.call)]
        again = [await caller.make(outcome.call, AGAIN_S) for outcome in late]
    return [o for o in outcomes if o not in late] + again, Counter(outcome.code.name for outcome in outcomes)


def _wrong(outcomes: Iterable[Outcome]) -> list[str]:
    found: list[str] = []
    for outcome in outcomes:
        allowed_s = AGAIN_S if _ends(outcome.call) else STREAM_S
        hung = outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED and _ends(outcome.call)
        if outcome.code in FAULTS or hung or outcome.took_s > allowed_s + SLACK_S:
            found.append(str(outcome))
        elif _undecodable(outcome.call) and outcome.code not in (grpc.StatusCode.INVALID_ARGUMENT, *BEFORE_THE_BODY):
            found.append(f"cannot be decoded: {outcome}")
    return found


def _ends(call: Call) -> bool:
    """Whether a call ends by itself: a stream of replies may wait for events until its deadline."""
    return call.rpc.unary or _undecodable(call)


def _undecodable(call: Call) -> bool:
    return not call.rpc.method.client_streaming and not call.rpc.decodes(call.bodies[0])


async def _begun(mesh: Mesh, seed: int) -> dict[str, tuple[int, int]]:
    """Memory once what is loaded and cached at first use is there: that is no growth."""
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as client:
        await new_world(client, "demo.btc.15m")
    await _play(mesh, seed, 1)
    return _memory(mesh)


async def _refused(mesh: Mesh, seed: int, rounds: int) -> tuple[dict[str, tuple[int, int]], Counter[str]]:
    """Memory after so many rounds of which everything was answered as it should be, and how often each code."""
    before = _memory(mesh)
    outcomes, codes = await _play(mesh, seed, rounds)
    after = _memory(mesh)
    wrong = _wrong(outcomes)
    assert wrong == [], f"seed {seed}, {dict(codes)}, {len(wrong)} of {len(outcomes)}"
    assert {name: pid for name, (pid, _) in after.items()} == {name: pid for name, (pid, _) in before.items()}
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as client:
        await new_world(client)
    return after, codes


@pytest.mark.timeout(300)
async def test_odd_and_broken_requests_are_refused_by_every_rpc(mesh: Mesh) -> None:
    before = await _begun(mesh, seed=8)
    after, _ = await _refused(mesh, seed=7, rounds=ROUNDS_SHORT)
    grown = {name: after[name][1] - before[name][1] for name in after}
    assert all(growth < GROWTH_MAX for growth in grown.values()), grown


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_tens_of_thousands_of_odd_and_broken_requests(mesh: Mesh) -> None:
    seed, codes = random.randrange(2**32), Counter[str]()
    await _begun(mesh, seed)
    legs = []
    for leg in range(1, LEGS + 1):
        memory, found = await _refused(mesh, seed + leg, ROUNDS_SOAK)
        codes += found
        legs.append({name: size for name, (_, size) in memory.items()})
        shown = {name: size >> 20 for name, size in legs[-1].items()}
        sys.stdout.write(f"leg {leg}: {codes.total()} calls, MiB {shown}\n")
    sys.stdout.write(f"seed {seed}: {dict(codes)}\n")
    grown = {name: legs[-1][name] / size for name, size in legs[LEGS - LEGS_FLAT - 1].items()}
    assert all(ratio <= FLAT for ratio in grown.values()), grown
