"""Processes: they start ready, stop when told, and never live on half dead."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from grpc import aio

from qmtl.rpc.auth.tokens import file_token, service_token_path
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.channel import connect
from qmtl.rpc.server.health import OUTAGES
from tests.rpc.mesh import health_of, services_of, settings_of

ROOT = Path(__file__).parents[2]
SERVICE = Path(__file__).parent / "small_service.py"
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"  # generic in the stubs only
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
    "GRPC_VERBOSITY": "ERROR",  # as the mesh sets it: core's own lines are not JSON
}


class Process:
    """A running small_service; its log lines are kept as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def line(self, event: str) -> dict[str, Any]:
        """The next log line with this event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while raw := await self.process.stderr.readline():
                self.lines.append(json.loads(raw))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"no line {event!r} in {self.lines}")

    async def exit_code(self) -> int:
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def started(home: Path, *words: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVICE), str(home), "127.0.0.1:0", *words, env=ENVIRONMENT, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def get(port: int, path: str) -> str:
    """What an HTTP endpoint of this machine answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_runs_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    async with started(tmp_path) as service:
        port = (await service.line("listening"))["port"]
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await health_of(channel) == "SERVING"
        service.process.send_signal(number)
        await service.line("stopped")
        assert await service.exit_code() == 0


async def test_a_service_that_cannot_be_composed_yet_still_stops(tmp_path: Path) -> None:
    async with started(tmp_path, "hangs") as service:
        await service.line("waiting for a dependency")
        service.process.terminate()
        await service.line("stopped")
        assert await service.exit_code() == 0


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("dies", "the relay is gone"),
        ("ends", "relay ended by itself"),
        ("cancels", "relay was cancelled from within"),
    ],
)
async def test_a_background_task_that_ends_is_told_and_begun_again(tmp_path: Path, way: str, error: str) -> None:
    async with started(tmp_path, way) as service:
        metrics_port = (await service.line("metrics"))["port"]
        port = (await service.line("listening"))["port"]
        line = await service.line("background_task_failed")
        assert line["task"] == "relay"
        assert error in line["exception"]
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await health_of(channel) == "SERVING"
            assert await health_of(channel, OUTAGES) == "NOT_SERVING"
        answer = await get(metrics_port, "/metrics")
        assert 'qmtl_background_task_troubled{task="relay"} 1.0' in answer
        assert re.search(r'qmtl_background_task_endings_total\{kind="error",task="relay"\} [1-9]', answer)
        service.process.terminate()
        assert await service.exit_code() == 0


async def test_a_failed_composition_says_why(tmp_path: Path) -> None:
    async with started(tmp_path, "bug") as service:
        assert "composition is wrong" in (await service.line("failed"))["exception"]
        assert await service.exit_code() == 1


async def test_refused_settings_exit_with_2_and_name_the_setting(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVICE), str(tmp_path), "0.0.0.0:0", env=ENVIRONMENT, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "brokerage.bind is 0.0.0.0:0" in json.loads(errors.splitlines()[-1])["error"]


async def test_a_service_of_profile_prod_without_tls_files_names_them(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "brokerage",
        cwd=tmp_path,
        env={**ENVIRONMENT, "QMTL__MESH__PROFILE": "prod"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    (line,) = [json.loads(line) for line in errors.splitlines()]
    assert line["reason"] == "E_CONFIG"
    for name in ("brokerage.tls_cert", "brokerage.tls_key", "brokerage.tls_client_ca", "mesh.issuers"):
        assert name in line["error"]


async def test_a_service_in_dev_has_its_own_token(tmp_path: Path) -> None:
    async with started(tmp_path) as service:
        await service.line("listening")
        token = file_token(service_token_path(tmp_path, "brokerage"))()
        assert Authenticator.from_settings(settings_of(tmp_path)).service(token).name == "brokerage"


async def test_metrics_are_served_over_http(tmp_path: Path) -> None:
    async with started(tmp_path) as service:
        metrics_port = (await service.line("metrics"))["port"]
        port = (await service.line("listening"))["port"]
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await health_of(channel)
        answer = await get(metrics_port, "/metrics")
    assert answer.startswith("HTTP/1.0 200")
    assert re.search(r'qmtl_rpc_server_handled_total\{code="OK",method="/grpc.health.v1.Health/Check"\} 1', answer)
    assert "process_resident_memory_bytes" in answer


async def test_a_running_service_asks_for_tokens(tmp_path: Path) -> None:
    async with started(tmp_path) as service:
        port = (await service.line("listening"))["port"]
        token = file_token(service_token_path(tmp_path, "brokerage"))
        async with connect(f"127.0.0.1:{port}", service_token=token) as channel:
            assert "grpc.health.v1.Health" in await services_of(channel)


HEAVY = ("ccxt", "matplotlib", "numpy", "opentelemetry", "polars", "pyarrow", "sqlalchemy")


async def test_the_room_imports_nothing_heavy() -> None:
    """Each service starts with it: what only some need is imported where it is needed."""
    code = f"import sys, qmtl.rpc.run; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.split()) == (0, [])


class Collector(grpc.GenericRpcHandler):
    """Takes spans as an OTLP collector does and keeps the raw requests."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        if not handler_call_details.method.endswith(".TraceService/Export"):
            return None

        async def export(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            self.received.append(request)
            return b""

        return grpc.unary_unary_rpc_method_handler(export)


async def test_spans_reach_a_collector_before_the_process_ends(tmp_path: Path) -> None:
    collector = Collector()
    server = aio.server(handlers=[collector])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with started(tmp_path, f"otlp=http://127.0.0.1:{port}") as service:
            own = (await service.line("listening"))["port"]
            token = file_token(service_token_path(tmp_path, "brokerage"))
            async with connect(f"127.0.0.1:{own}", service_token=token) as channel:
                await services_of(channel)
            service.process.terminate()
            assert await service.exit_code() == 0
    finally:
        await server.stop(0)
    spans = b"".join(collector.received)
    assert b"qmtl-brokerage" in spans
    assert b"ServerReflectionInfo" in spans


@pytest.mark.soak
async def test_a_collector_that_goes_away_is_told_and_that_it_is_back(tmp_path: Path, unused_tcp_port: int) -> None:
    at = f"127.0.0.1:{unused_tcp_port}"
    async with started(tmp_path, f"otlp=http://{at}") as service:
        port = (await service.line("listening"))["port"]
        told = [line for line in service.lines if line["event"] == "outage"]
        line = told[0] if told else await service.line("outage")
        assert (line["subject"], line["vital"]) == ("collector", False)
        assert f"http://{at} takes no spans" in line["detail"]
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert [await health_of(channel), await health_of(channel, OUTAGES)] == ["SERVING", "NOT_SERVING"]
            server = aio.server(handlers=[Collector()])
            server.add_insecure_port(at)
            await server.start()
            try:
                assert (await service.line("outage_over"))["subject"] == "collector"
                assert await health_of(channel, OUTAGES) == "SERVING"
            finally:
                await server.stop(0)
            assert (await service.line("outage"))["subject"] == "collector"
        service.process.terminate()
        assert await service.exit_code() == 0
    assert not [line for line in service.lines if "opentelemetry" in line.get("logger", "")]


async def test_a_collector_that_is_away_does_not_hold_up_a_stop(tmp_path: Path, unused_tcp_port: int) -> None:
    async with started(tmp_path, f"otlp=http://127.0.0.1:{unused_tcp_port}") as service:
        own = (await service.line("listening"))["port"]
        token = file_token(service_token_path(tmp_path, "brokerage"))
        async with connect(f"127.0.0.1:{own}", service_token=token) as channel:
            await services_of(channel)
        service.process.terminate()
        async with asyncio.timeout(8):
            assert await service.process.wait() == 0
