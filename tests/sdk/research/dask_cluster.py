"""A dask.distributed cluster of the tests: a scheduler and workers, each a process, on 127.0.0.1.

They are forked from a server that has imported dask and the SDK once, so that a cluster is up in a second.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.context import ForkServerProcess
from types import TracebackType

from distributed import Client, Scheduler, Worker

from tests.support.nats import free_port

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "qmtl.sdk.research.runs"])
START_S = 60.0


class DaskCluster:
    """One scheduler and some workers of one thread each."""

    def __init__(self, workers: int, port: int = 0) -> None:
        self.address = f"tcp://127.0.0.1:{port or free_port()}"
        self.scheduler = _started(_schedule, self.address)
        self.workers = [_started(_work, self.address) for _ in range(workers)]

    def __enter__(self) -> DaskCluster:
        try:
            with Client(self.address, timeout=START_S, set_as_default=False) as client:
                client.wait_for_workers(len(self.workers), timeout=START_S)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill whatever of it runs."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.join()
            process.close()


def _started(target: object, address: str) -> ForkServerProcess:
    process = CONTEXT.Process(target=target, args=(address,), daemon=True)  # type: ignore[arg-type]  # a function below
    process.start()
    return process


def _schedule(address: str) -> None:
    asyncio.run(_run_scheduler(address))


def _work(address: str) -> None:
    asyncio.run(_run_worker(address))


async def _run_scheduler(address: str) -> None:
    port = int(address.rpartition(":")[2])
    async with Scheduler(host="127.0.0.1", port=port, dashboard=False) as scheduler:
        await scheduler.finished()


async def _run_worker(address: str) -> None:
    async with Worker(address, nthreads=1, host="127.0.0.1", dashboard=False) as worker:
        await worker.finished()
