"""The real process: ready in seconds, and `kill -9` in the middle of a replay takes nothing back and loses nothing."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.core.errors import Unavailable
from qmtl.core.roles import Role
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.client.channel import connect
from tests.seamless.asking import A_DAY
from tests.seamless.serving import Stubs, fetch_all, stubs_of
from tests.support.processes import python_env

DEMO = "demo.btc.15m"
READY_S = 20.0


class Process:
    """`python -m seamless` in a home that outlives its kills."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._log = home / "seamless.log"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it; the port it listens on."""
        self._log.write_bytes(b"")
        settings = {"QMTL__MESH__HOME": str(self.home), "QMTL__SEAMLESS__BIND": "127.0.0.1:0"}
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "seamless"], cwd=self.home, env=python_env() | settings, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_S
        while not (found := re.search(rb'"port": (\d+), "services"', self._log.read_bytes())):
            assert self._running.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < deadline, "seamless did not listen in time"
            time.sleep(0.02)
        return int(found[1])

    def end(self, number: int = signal.SIGKILL) -> int:
        assert self._running is not None
        self._running.send_signal(number)
        return self._running.wait(timeout=15)

    def close(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self._running is not None and self._running.poll() is None:
            self.end()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    ensure_dev_keys(tmp_path)
    made = Process(tmp_path)
    yield made
    made.close()


@asynccontextmanager
async def _client(process: Process, port: int) -> AsyncIterator[Stubs]:
    user = mint_user_token(process.home, Role.OPERATOR, "alice")
    peer = mint_service_token(process.home, "gateway")
    async with connect(f"127.0.0.1:{port}", user_token=lambda: user, service_token=lambda: peer) as channel:
        yield stubs_of(channel)


async def _take(stub: Stubs, start: Timestamp, wanted: int) -> tuple[list[barspb.Bar], Timestamp, bool]:
    """Bars from an instant until there are enough or the session ends: the bars, the watermark, whether it ended."""
    request = dataservicepb.SubscribeRequest(dataset=DEMO, session_id="s")
    request.start_time.CopyFrom(start)
    bars: list[barspb.Bar] = []
    stream = stub.data.Subscribe(request, timeout=60)
    try:
        async for reply in stream:
            bars.extend(reply.bars)
            if reply.end_of_session or len(bars) >= wanted:
                return bars, reply.watermark, reply.end_of_session
    finally:
        stream.cancel()
    raise AssertionError("the stream ended without saying so")


async def _ready(stub: Stubs) -> dataservicepb.FetchMetadata:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                return (await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO)))[1]
            except Unavailable as error:
                if error.reason != "E_DATASET_INGESTING":
                    raise
                await asyncio.sleep(error.retry_after_s or 0.1)


@pytest.mark.soak
async def test_kills_during_a_replay_lose_and_repeat_nothing(process: Process) -> None:
    async with _client(process, process.start()) as stub:
        whole = await _ready(stub)
        opening = datasessionservicepb.OpenDataSessionRequest(
            world_id="w1", session_id="s", preset=DEMO, span=A_DAY, bars_per_second=200
        )
        session = (await stub.sessions.OpenDataSession(opening)).session
        bars, watermark, ended = await _take(stub, session.start_time, 20)
    for wanted in (20, 1000):
        assert not ended
        process.end()
        async with _client(process, process.start()) as stub:
            again = (
                await stub.sessions.GetDataSession(datasessionservicepb.GetDataSessionRequest(session_id="s"))
            ).session
            assert again.watermark.ToNanoseconds() >= watermark.ToNanoseconds()
            more, watermark, ended = await _take(stub, watermark, wanted)
            bars.extend(more)
            assert (await _ready(stub)).artifact_fingerprint == whole.artifact_fingerprint
    assert ended
    step = 900 * 10**9
    begin = session.start_time.ToNanoseconds()
    assert [bar.open_time.ToNanoseconds() for bar in bars] == [begin + i * step for i in range(96)]
    assert watermark == session.end_time


def test_a_term_signal_ends_it_cleanly(process: Process) -> None:
    process.start()
    assert process.end(signal.SIGTERM) == 0
