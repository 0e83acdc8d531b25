"""Trials on the workers of a dask.distributed cluster.

Workers import the strategy from what is installed there. Each trial says which nodes, data and terms it is of and which
versions made its numbers, and a worker that has others refuses it: results are those of this process or none.
"""

from __future__ import annotations

import logging
import pickle
import platform
import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from qmtl.core.errors import NotReady, Unavailable, refused
from qmtl.sdk.research.executors.importing import check_importable
from qmtl.sdk.research.trials import Params, Trial, Trials

if TYPE_CHECKING:
    from distributed import Client, Future

RESULT_S = 30.0
NO_WORKER_S = 60.0
"""How long a cluster may have no worker before the search gives it up."""
_POLL_S = 0.5
_PACKAGES = ("qmtl", "numpy", "numba")
RESUME = "start it again once the cluster is back; a store keeps what had ended"
log = logging.getLogger("qmtl.sdk.research.executors")


class Cluster:
    """A connection to a scheduler. Trials whose worker dies are run by another.

    Raises NotReady (E_NO_DASK), Unavailable (E_CLUSTER_UNREACHABLE), InvalidRequest (E_FIELD) without an address, and
    for a strategy that workers cannot import.
    """

    def __init__(self, trials: Trials, address: str) -> None:
        check_importable(trials.make, script=False)
        self._trials = trials
        self._client = _connected(address)
        self._quiet_since = time.monotonic()
        given = pickle.dumps(trials.shared(max(1, len(self._client.scheduler_info()["workers"]))))
        with _any_size():
            self._given = self._client.submit(pickle.loads, given, pure=False)

    def each(self, tries: Sequence[Params]) -> Iterator[tuple[int, Trial]]:
        """Trials as they end, with their place among the tries. Raises Unavailable (E_CLUSTER_LOST, E_WORKER_DIED)."""
        keys = [self._trials.key(params) for params in tries]
        futures = self._client.map(
            _run, list(tries), keys, given=self._given, versions=_versions(), pure=False, batch_size=1_000
        )
        left = {future.key: at for at, future in enumerate(futures)}
        ended: queue.SimpleQueue[Future[Trial]] = queue.SimpleQueue()
        for future in futures:
            future.add_done_callback(ended.put)
        while left:
            future = self._next(ended)
            yield left.pop(future.key), self._result(future)

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()

    def stop(self) -> None:
        """Leave the cluster; trials that no worker has begun are dropped by the scheduler."""
        self._client.close()

    def _next(self, ended: queue.SimpleQueue[Future[Trial]]) -> Future[Trial]:
        while True:
            try:
                return ended.get(timeout=_POLL_S)
            except queue.Empty:
                self._check_alive()

    def _check_alive(self) -> None:
        if self._client.status != "running":
            raise Unavailable("E_CLUSTER_LOST", "the scheduler of the cluster does not answer any more", hint=RESUME)
        now = time.monotonic()
        if self._client.scheduler_info()["workers"]:
            self._quiet_since = now
        elif now - self._quiet_since > NO_WORKER_S:
            raise Unavailable("E_CLUSTER_LOST", f"the cluster has had no worker for {NO_WORKER_S:g} s", hint=RESUME)

    def _result(self, future: Future[Trial]) -> Trial:
        from distributed import CancelledError, KilledWorker

        try:
            found = future.result(timeout=RESULT_S)
        except KilledWorker as error:
            raise Unavailable("E_WORKER_DIED", f"several workers died of one trial: {error}", hint=RESUME) from None
        except (CancelledError, TimeoutError, OSError) as error:
            why = f"the scheduler of the cluster does not answer any more ({type(error).__name__})"
            raise Unavailable("E_CLUSTER_LOST", why, hint=RESUME) from None
        assert isinstance(found, Trial)
        return found


def _connected(address: str) -> Client:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise NotReady("E_NO_DASK", "a cluster needs dask.distributed", hint="pip install 'qmtl[cluster]'") from error
    where = address or dask.config.get("scheduler-address", None)
    if not where:
        want = "the scheduler's address, such as tcp://host:8786, here or in DASK_SCHEDULER_ADDRESS"
        raise refused("E_FIELD", "cluster", repr(address), want)
    try:
        return Client(where, set_as_default=False, name="qmtl")
    except (OSError, TimeoutError, ValueError) as error:
        raise Unavailable("E_CLUSTER_UNREACHABLE", f"no scheduler answers at {where}: {error}") from None


@contextmanager
def _any_size() -> Iterator[None]:
    """Bars are sent once, in one piece; dask warns of that from 10 MB on."""
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
        yield


def _versions() -> dict[str, str]:
    """What a number depends on beside code and data."""
    found = {package: version(package) for package in _PACKAGES}
    major, minor, _ = platform.python_version_tuple()
    return {"python": f"{major}.{minor}", "machine": platform.machine(), **found}


def _run(params: Params, key: str, given: Trials, versions: dict[str, str]) -> Trial:
    """On a worker: one trial, if it is the one that was asked for."""
    here = _versions()
    for name, wanted in versions.items():
        if here[name] != wanted:
            raise refused("E_FIELD", f"{name} of worker {platform.node()}", here[name], f"{wanted}, as here")
    if given.key(params) != key:
        value = "other code of the strategy than here"
        raise refused("E_FIELD", f"make on worker {platform.node()}", value, "the same code on every worker")
    return given.run(params)
