"""Run a service: everything around its composition root.

`main(runtime)` composes and calls `runtime.serve(server)`, which returns after a graceful stop; what the
composition opened with `async with` is then closed in order. Background tasks are supervised: one that ends is
told and begun again (qmtl.core.tasks.supervision), and no outage of a dependency ends the process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from qmtl.config.files import PRIVATE_UMASK
from qmtl.config.settings import ServiceSettings, load, split_address
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, InvalidRequest, QmtlError, Unavailable
from qmtl.core.tasks.ending import end
from qmtl.core.tasks.supervision import AGAIN_FIRST_S, AGAIN_MAX_S
from qmtl.rpc import disk, tls
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.key_mirror import KeyMirror
from qmtl.rpc.auth.tokens import ensure_service_token, file_token, service_token_path
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.client.breaker import Breaker
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.credentials import OwnCredentials
from qmtl.rpc.outages import Check, Outages
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.server.interceptor import Admit
from qmtl.rpc.server.server import Server
from qmtl.rpc.steady import SteadyClock, mark_path, read_mark
from qmtl.rpc.telemetry import logs, traces
from qmtl.rpc.telemetry.clock_watch import ClockWatch
from qmtl.rpc.telemetry.loop_watch import LoopWatch
from qmtl.rpc.telemetry.metrics import Metrics, MetricsEndpoint
from qmtl.rpc.telemetry.rotation import RotatingOutput

TOKEN_CHECK_S: Final = 3600.0
GRACE_S: Final = 5.0
YOUNG_MAX: Final = 5_000  # objects between collections of the young; a call makes a few thousand and keeps few
S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")


class Runtime:
    """What a composition root is given: settings, clock, authenticator, metrics, channels, background tasks."""

    def __init__(self, settings: ServiceSettings, service: str, clock: Clock | None = None) -> None:
        self.settings = settings
        self.service = service
        self.clock = clock or SteadyClock(before=read_mark(mark_path(settings.mesh.home, service)))
        self.metrics = Metrics()
        self.log = structlog.stdlib.get_logger(f"qmtl.{service}")
        self.authenticator = Authenticator.from_settings(settings, self.clock)
        self.service_token: TokenSource = file_token(service_token_path(settings.mesh.home, service))
        self.stopping = asyncio.Event()
        self._channels: dict[tuple[str, float], MeshChannel] = {}
        self.outages = Outages(self.clock, self.metrics)
        self.credentials = OwnCredentials(
            settings, self.authenticator, self.clock, self.metrics.registry, self.outages.note
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._serving = False

    def server(self, limits: Limits | None = None, admit: Admit | None = None) -> Server:
        """A server of this service, not yet started: add contracts to it, then `serve` it.

        `admit` may refuse an authorised call by raising.
        """
        return Server(
            self.settings,
            service=self.service,
            authenticator=self.authenticator,
            clock=self.clock,
            metrics=self.metrics,
            limits=limits,
            admit=admit,
            outages=self.outages,
        )

    def channel(self, peer: str, default_timeout_s: float = 10.0, breaker: Breaker | None = None) -> MeshChannel:
        """The channel to another service of the mesh; one per peer and timeout, closed when the service stops.

        The breaker is that of the first who asks.
        """
        key = (peer, default_timeout_s)
        if key not in self._channels:
            self._channels[key] = connect(
                self.settings.mesh.addresses[peer],
                settings=self.settings,
                service_token=self.service_token,
                default_timeout_s=default_timeout_s,
                metrics=self.metrics,
                breaker=breaker,
                peer=peer,
            )
        return self._channels[key]

    def background(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run what `work` makes beside the server until the service stops; one that ends is told and begun again."""
        supervised = self.outages.supervised(name, work)
        self._tasks.append(asyncio.get_running_loop().create_task(supervised.run(), name=name))

    def watch(self, name: str, check: Check, *, vital: bool = False) -> None:
        """Do a piece of real work every second; while it fails the service says so. `vital`: it does not serve then."""
        self.background(f"check {name}", partial(self.outages.watch, name, check, vital=vital))

    def watch_disk(self, name: str, folder: Path) -> None:
        """Watch a folder for space, rights and a write that is taken."""
        self.watch(name, partial(disk.checked, folder.absolute(), self.settings.mesh.disk_free_min))

    async def patiently(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """What a call of the composition gives, once what it needs is there; each failure before that is told."""
        wait_s = AGAIN_FIRST_S
        while True:
            try:
                found = await call()
            except (Unavailable, Exhausted) as error:
                self.outages.note(name, error.message, vital=True)
            else:
                self.outages.note(name, "")
                return found
            await self.clock.sleep(wait_s)
            wait_s = min(2 * wait_s, AGAIN_MAX_S)

    def stop(self) -> None:
        """Begin the graceful stop."""
        self.stopping.set()

    async def serve(self, server: Server, grace_s: float = GRACE_S) -> None:
        """Start the server, wait for SIGTERM or SIGINT, stop gracefully and return."""
        self._serving = True
        try:
            await server.start()
            self.watch_disk("disk", self.settings.mesh.home)
            _keep_what_is_loaded()
            self.background("loop", LoopWatch(self.metrics.registry).run)
            await self.stopping.wait()
            self.log.info("stopping")
        finally:
            await server.stop(grace_s)
            await self._end_tasks()

    async def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a composition root to its end; told to stop before it serves, it is cancelled where it waits.

        Raises what the composition died of.
        """
        composing = asyncio.create_task(main)
        told = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({composing, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if self.stopping.is_set() and not self._serving:
            composing.cancel()
        await asyncio.wait({composing})
        if not composing.cancelled():
            composing.result()

    async def close(self) -> None:
        """Close the channels; `run_service` does this last."""
        await self._end_tasks()
        for channel in self._channels.values():
            await channel.close()

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        await end(*tasks)


def start(compose: Callable[[Runtime, S], Coroutine[Any, Any, None]], cls: type[S], service: str) -> None:
    """What `python -m <service> [--config qmtl.toml]` does: read the settings and run.

    Settings that are refused are one line in the log, naming each, and exit code 2.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("--config", type=Path, help="configuration file (default: qmtl.toml in this folder, if there)")
    config: Path | None = parser.parse_args().config
    os.umask(PRIVATE_UMASK)
    try:
        settings = load(service, cls, config)
    except InvalidRequest as error:
        sys.exit(_refused(service, error))
    run_service(lambda runtime: compose(runtime, settings), settings, service)


def run_service(main: Callable[[Runtime], Coroutine[Any, Any, None]], settings: ServiceSettings, service: str) -> None:
    """Run a service until it is told to stop. Exits with 1 when it fails and 2 when its settings are refused."""
    output = RotatingOutput(settings.log_file, settings.mesh.log_limits) if settings.log_file else None
    logs.configure(service, level=settings.log_level or "INFO", style=settings.mesh.log_format, output=output)
    traces.configure(service, settings.mesh.otlp_endpoint)
    log = structlog.stdlib.get_logger(f"qmtl.{service}")
    try:
        asyncio.run(_run(main, settings, service))
    except QmtlError as error:
        log.critical("failed", reason=error.reason, error=error.message, hint=error.hint)
        sys.exit(2 if error.reason == "E_CONFIG" else 1)
    except Exception as error:
        log.critical("failed", exc_info=error)
        sys.exit(1)
    finally:
        traces.shut_down()
    log.info("stopped")


def _keep_what_is_loaded() -> None:
    """Take modules, contracts and what was composed out of the collector's sight.

    They live as long as the process; a full collection that walks them stops the loop for some 50 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])


def _refused(service: str, error: InvalidRequest) -> int:
    """Settings that do not load say how to log neither: the line goes out with the defaults."""
    logs.configure(service)
    structlog.stdlib.get_logger(f"qmtl.{service}").critical("failed", reason=error.reason, error=error.message)
    return 2


async def _run(main: Callable[[Runtime], Coroutine[Any, Any, None]], settings: ServiceSettings, service: str) -> None:
    if settings.mesh.profile == "dev":
        ensure_service_token(settings.mesh.home, service)
    keys = KeyMirror.of(settings.mesh.issuers, settings.mesh.home)
    runtime = Runtime(settings, service)
    await keys.begin(runtime.outages.note)
    runtime.credentials.check()
    runtime.metrics.add_process_collectors()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, runtime.stop)
    async with AsyncExitStack() as stack:
        endpoint = metrics_endpoint(runtime)
        stack.callback(endpoint.close)
        runtime.log.info("metrics", port=endpoint.port)
        stack.push_async_callback(runtime.close)
        if settings.mesh.profile == "dev":
            runtime.background("service-token", partial(_keep_token_fresh, runtime))
        runtime.background("credentials", runtime.credentials.run)
        if settings.mesh.otlp_endpoint:
            runtime.watch("collector", traces.check)
        if keys.urls:
            runtime.background("jwks", partial(keys.run, runtime.clock, runtime.outages.note))
        if isinstance(runtime.clock, SteadyClock):
            mark = mark_path(settings.mesh.home, service)
            runtime.background("clock", ClockWatch(runtime.clock, runtime.metrics.registry, mark).run)
        await runtime.run(main(runtime))


def metrics_endpoint(runtime: Runtime) -> MetricsEndpoint:
    """Where Prometheus asks: over TLS where the service has a certificate, with a token where one is configured."""
    settings = runtime.settings
    context = None if settings.tls_cert is None else tls.http_context(settings)
    token = None if settings.metrics_token is None else file_token(settings.metrics_token)
    host = split_address(settings.bind)[0].strip("[]")
    return MetricsEndpoint(runtime.metrics, host, settings.metrics_port, context=context, token=token)


async def _keep_token_fresh(runtime: Runtime) -> None:
    """Dev only: renew the service's own token file before it expires."""
    while True:
        await runtime.clock.sleep(TOKEN_CHECK_S)
        ensure_service_token(runtime.settings.mesh.home, runtime.service)
