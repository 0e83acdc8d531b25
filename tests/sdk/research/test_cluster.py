"""Sweeps on a dask.distributed cluster of real processes: equal to this process, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import dask
import pytest

from qmtl.core.errors import InvalidRequest, NotReady, Unavailable
from qmtl.sdk import Runner
from tests.sdk.research.crosses import DATA, GRID, Cross, same
from tests.sdk.research.dask_cluster import DaskCluster
from tests.support.nats import free_port


def test_a_sweep_outlives_a_worker_and_is_resumed_after_its_scheduler(tmp_path: Path) -> None:
    here, store = Runner.sweep(Cross, GRID, DATA), tmp_path / "trials.jsonl"
    ended: list[int] = []
    with DaskCluster(2) as cluster:

        def kill_one(done: int, of: int) -> None:
            if done == 1:
                cluster.workers[0].kill()

        first = Runner.sweep(Cross, GRID, DATA, executor="dask", cluster=cluster.address, on_trial=kill_one)
        assert not cluster.workers[0].is_alive()
        assert all(map(same, first.trials, here.trials))

        def kill_scheduler(done: int, of: int) -> None:
            if done == 2:
                cluster.scheduler.kill()

        with pytest.raises(Unavailable, match="E_CLUSTER_LOST"):
            Runner.sweep(
                Cross, GRID, DATA, executor="dask", cluster=cluster.address, store=store, on_trial=kill_scheduler
            )
    kept = store.read_bytes().count(b"\n")
    assert 2 <= kept < len(here.trials)
    with DaskCluster(1) as again:
        resumed = Runner.sweep(
            Cross, GRID, DATA, executor="dask", cluster=again.address, store=store,
            on_trial=lambda done, of: ended.append(done),
        )  # fmt: skip
    assert ended == list(range(kept + 1, len(here.trials) + 1))
    assert all(map(same, resumed.trials, here.trials))
    assert str(resumed) == str(here)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_long_sweep_on_a_cluster_equals_that_of_processes(tmp_path: Path) -> None:
    grid = {"fast": list(range(2, 12)), "slow": list(range(12, 60, 6))}
    pool, store, port = Runner.sweep(Cross, grid, DATA, workers=2), tmp_path / "trials.jsonl", free_port()
    for run in range(3):
        with DaskCluster(2, port) as cluster:

            def disturb(done: int, of: int, run: int = run, cluster: DaskCluster = cluster) -> None:
                if done == 20 * (run + 1):
                    cluster.workers[0].kill()
                if done == 25 * (run + 1) and run < 2:
                    cluster.scheduler.kill()

            with pytest.raises(Unavailable, match="E_CLUSTER_LOST") if run < 2 else nullcontext():
                found = Runner.sweep(
                    Cross, grid, DATA, executor="dask", cluster=cluster.address, store=store, on_trial=disturb
                )
    assert all(map(same, found.trials, pool.trials))
    assert str(found) == str(pool)


def test_what_is_wrong_with_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def swept(**options: str | int) -> None:
        Runner.sweep(Cross, {"fast": [2]}, DATA, **options)  # type: ignore[arg-type]  # on purpose

    with dask.config.set({"distributed.comm.timeouts.connect": "50ms"}), pytest.raises(Unavailable) as away:
        swept(executor="dask", cluster=f"tcp://127.0.0.1:{free_port()}")
    assert away.value.reason == "E_CLUSTER_UNREACHABLE"
    with pytest.raises(InvalidRequest, match="DASK_SCHEDULER_ADDRESS"):
        swept(executor="dask")
    with pytest.raises(InvalidRequest, match="executor is 'ray', want 'process' or 'dask'"):
        swept(executor="ray")
    with pytest.raises(InvalidRequest, match="the cluster has its own"):
        swept(executor="dask", workers=2)
    with pytest.raises(InvalidRequest, match="none with executor='process'"):
        swept(cluster="tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotReady, match="E_NO_DASK"):
        swept(executor="dask", cluster="tcp://127.0.0.1:1")


class Dies(Cross):
    """Takes its process with it."""

    def on_start(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(Unavailable, match="E_WORKER_DIED"):
        Runner.sweep(Dies, {"fast": [2]}, DATA, workers=1)
