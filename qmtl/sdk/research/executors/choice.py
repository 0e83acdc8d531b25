"""Which executor runs trials, as a caller names it."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.core.errors import refused

PROCESS, DASK = "process", "dask"


@dataclass(frozen=True, slots=True)
class Executor:
    """`process`: `workers` processes of their own, 0 for this one. `dask`: the workers of the cluster whose scheduler
    has the address `cluster`, or of dask's own configuration (DASK_SCHEDULER_ADDRESS).

    Raises InvalidRequest (E_FIELD) for another name, and for options of the executor that was not chosen.
    """

    name: str = PROCESS
    workers: int = 0
    cluster: str = ""

    def __post_init__(self) -> None:
        if self.name not in (PROCESS, DASK):
            raise refused("E_FIELD", "executor", repr(self.name), f"{PROCESS!r} or {DASK!r}")
        if self.workers < 0:
            raise refused("E_FIELD", "workers", self.workers, "0 or more")
        if self.name == DASK and self.workers:
            raise refused("E_FIELD", "workers", self.workers, "0 with executor='dask': the cluster has its own")
        if self.name == PROCESS and self.cluster:
            raise refused("E_FIELD", "cluster", self.cluster, "none with executor='process'")
