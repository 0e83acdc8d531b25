"""The local mesh: nats-server and every service as processes of their own, watched by one supervisor.

`async with Mesh(plan)` for code that has an event loop, `with Mesh(plan)` for code that has none. One home
holds one mesh: a lock file says so, and the kernel drops the lock with the process. A supervisor that was
killed leaves its children behind; the next one stops them before it starts.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from qmtl.cli.local.health import gateway_level
from qmtl.cli.local.layout import Plan
from qmtl.cli.local.nats_server import NATS
from qmtl.cli.local.ports import refuse_taken
from qmtl.cli.local.process import Child
from qmtl.cli.local.shutdown import STOP_GRACE_S, stop_leftovers
from qmtl.cli.local.tokens import prepare_tokens, user_token
from qmtl.config.files import FILE_MODE, close_to_others, private_folder
from qmtl.config.home import Record, Running, process_stamp, record_path, write_record
from qmtl.config.settings import SERVICES
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Conflict, Exhausted, NotReady, Unavailable
from qmtl.core.tasks.ending import end
from qmtl.core.tasks.supervision import Supervised
from qmtl.rpc.disk import disk_fault

START_TIMEOUT_S = 60.0
SETTLE_S = 10.0
SETTLE_POLL_S = 0.1
TOKEN_EVERY_S = 86_400.0
TOKENS = "tokens"
BROKER = "broker"

T = TypeVar("T")


def silent(line: str) -> None:
    """Say nothing: what happens is in run/up.json and the logs."""


class Mesh:
    """A running mesh. `report` gets one line per event: ready, ended, restarted, killed."""

    def __init__(
        self, plan: Plan, *, report: Callable[[str], None] = silent, start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        self.plan = plan
        self.home = plan.home
        self._report = report
        self._start_timeout_s = start_timeout_s
        self._children: dict[str, Child] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._complete = False
        self._thread: _LoopThread | None = None

    async def start(self) -> None:
        """Start everything and wait until all answer.

        Raises Conflict (E_HOME_IN_USE, E_PORT_IN_USE), Unavailable (E_NOT_STARTED) with the end of the log of
        what did not come up in time. After an error nothing is left running.
        """
        self._lock = lock_home(self.home)
        try:
            await stop_leftovers(self.home, self._report)
            forget_clocks(self.home)
            refuse_small_disk(self.plan)
            units = self.plan.units()
            refuse_taken((unit.name, unit.address) for unit in units)
            prepare_tokens(self.home)
            self._children = {unit.name: Child(unit, self._report, self._record) for unit in units}
            self._tasks = [asyncio.create_task(child.run(), name=name) for name, child in self._children.items()]
            self._tasks.append(asyncio.create_task(self._keep_tokens_fresh(), name=TOKENS))
            if self.plan.own_nats and any(place.service == "controlbus" for place in self.plan.places):
                self._tasks.append(asyncio.create_task(self._watch_broker(), name=BROKER))
            await self._all_ready()
            await self.settled()
            self._complete = True
            self._record()
        except BaseException:
            await self.stop()
            raise

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop the gateways, then the other services, then the broker. Safe to call twice."""
        keepers = [task for task in self._tasks if task.get_name() in (TOKENS, BROKER)]
        await end(*keepers)  # first, so that none takes the end of what it keeps for an outage
        gateways = [name for name in self._children if name.startswith("gateway")]
        services = [name for name in self._children if name not in gateways and name != NATS]
        for names in (gateways, services, [name for name in self._children if name == NATS]):
            await asyncio.gather(*(self._children[name].stop(grace_s) for name in names))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._children, self._tasks = {}, []
        if self._lock is not None:
            record_path(self.home).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one process (SIGKILL); the supervisor restarts it. Returns the pid it had."""
        return self._children[name].kill(number)

    async def ready(self, name: str, *, other_than: int | None = None, timeout_s: float = 30.0) -> Running:
        """Wait until a process answers, or, after a kill, until one with another pid does."""
        async with asyncio.timeout(timeout_s):
            return await self._children[name].ready(other_than)

    def wait_ready(self, name: str, *, other_than: int | None = None, timeout_s: float = 30.0) -> Running:
        """`ready` for callers of `with Mesh(...)`; blocks."""
        if self._thread is None:
            raise NotReady("E_NOT_RUNNING", "the mesh was not started by `with`", hint="await ready(...) instead")
        return self._thread.run(self.ready(name, other_than=other_than, timeout_s=timeout_s))

    def address(self, name: str) -> str:
        """host:port of a process: "gateway", "gateway-2", "nats-server", ..."""
        return self._children[name].unit.address

    def running(self) -> list[Running]:
        """Every process as it is now."""
        return [child.running for child in self._children.values() if child.running is not None]

    @property
    def nats_url(self) -> str:
        return self.plan.nats_url

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        self._thread = _LoopThread()
        try:
            self._thread.run(self.start())
        except BaseException:
            self._thread.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            try:
                self._thread.run(self.stop())
            finally:
                self._thread.close()

    async def _all_ready(self) -> None:
        waits = [asyncio.create_task(child.ready()) for child in self._children.values()]
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await asyncio.gather(*waits)
        except TimeoutError:
            late = [child for child in self._children.values() if not child.is_ready]
            tails = "\n".join(f"{child.unit.name}:\n{child.log_tail()}" for child in late)
            raise Unavailable(
                "E_NOT_STARTED", f"not ready after {self._start_timeout_s:g} s: {tails}", hint="see the logs folder"
            ) from None
        finally:
            await end(*waits)

    async def settled(self) -> None:
        """Wait until every gateway has seen its peers: until then it refuses submissions, rightly."""
        if {place.service for place in self.plan.places} < set(SERVICES):
            return
        token = user_token(self.home)
        waiting = [place for place in self.plan.places if place.service == "gateway"]
        deadline = time.monotonic() + SETTLE_S
        level = ""
        while waiting and time.monotonic() < deadline:
            level = await asyncio.to_thread(gateway_level, waiting[0].address, token, 1.0)
            if level == "NORMAL":
                waiting.pop(0)
            else:
                await asyncio.sleep(SETTLE_POLL_S)
        for place in waiting:
            self._report(f"{place.name} is {level or 'silent'} after {SETTLE_S:g} s: see qmtl status")

    async def _watch_broker(self) -> None:
        """Under the same supervision as the background tasks of services: it goes on whatever becomes of a round."""
        from qmtl.cli.local.broker_watch import watch_broker  # half a second of imports that only a mesh pays

        mesh = self.plan.mesh.model_copy(update={"home": self.home})

        async def watch() -> None:
            await watch_broker(mesh, self.nats_url, lambda: self.kill(NATS, signal.SIGTERM), self._report)

        await Supervised(BROKER, watch, SystemClock(), lambda ending: self._report(str(ending))).run()

    async def _keep_tokens_fresh(self) -> None:
        while True:
            await asyncio.sleep(TOKEN_EVERY_S)
            prepare_tokens(self.home)

    def _record(self) -> None:
        own = Running("supervisor", "", os.getpid(), process_stamp(os.getpid()) or "")
        write_record(self.home, Record(own, self.plan.nats_url, self._complete, tuple(self.running())))


class _LoopThread:
    """An event loop in a thread, for callers without one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmtl-mesh", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def forget_clocks(home: Path) -> None:
    """A mesh that starts takes the machine's time; only a service that is restarted in it goes on with its own."""
    for mark in (home / "run").glob("clock-*"):
        mark.unlink(missing_ok=True)


def refuse_small_disk(plan: Plan) -> None:
    """Raises Exhausted (E_DISK_SMALL) unless the disk of the home has room for what the streams reserve and more."""
    from controlbus.jetstream.streams import reserved_bytes

    store = plan.home / "nats" / "store"
    used = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    reserved = reserved_bytes(plan.mesh.stream_bytes_max) if plan.own_nats else 0
    want = max(reserved - used, 0) + plan.mesh.disk_free_min
    if fault := disk_fault(plan.home, want):
        raise Exhausted(
            "E_DISK_SMALL",
            f"{fault}: {reserved} are for streams (2 x mesh.stream_bytes_max), "
            f"{plan.mesh.disk_free_min} to work with (mesh.disk_free_min)",
            hint="free space, choose another --home, or lower mesh.stream_bytes_max",
        )


def lock_home(home: Path) -> IO[str]:
    """Hold the home for one supervisor. Raises Conflict (E_HOME_IN_USE) naming the one that has it."""
    path = home / "run" / "up.lock"
    try:
        private_folder(path.parent)
        close_to_others(home)
        lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "r+", encoding="utf-8")
    except OSError as error:
        raise _unusable(home, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise Conflict(
            "E_HOME_IN_USE",
            f"a mesh runs in {home} already, supervisor pid {owner}",
            hint="qmtl down stops it; --home starts another one elsewhere",
        ) from None
    try:
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    except OSError as error:
        with suppress(OSError):  # what could not be written is tried again at the close
            lock.close()
        raise _unusable(home, error) from None
    return lock


def _unusable(home: Path, error: OSError) -> Exhausted:
    return Exhausted("E_DISK_SMALL", f"{home} cannot be used: {error.strerror}", hint="choose another --home")
