"""Settings of dagmanager: section `[dagmanager]` of qmtl.toml."""

from pydantic import Field

from qmtl.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """What dagmanager needs beside the settings every service has."""

    service: str = "dagmanager"
    # diffs looked into at the same time; more wait for their turn within their deadline
    diffs_at_once: int = Field(default=4, ge=1, le=64)
    # seconds between two rounds of forgetting stored answers older than a week
    prune_interval_s: float = Field(default=600.0, gt=0.0)
    # seconds between two rounds of garbage collection
    garbage_interval_s: float = Field(default=60.0, gt=0.0)
    # queues one round drops at most; half of it while broker storage is over 80 %
    garbage_batch: int = Field(default=50, ge=1, le=1_000)
    # what the broker may store; 0: the limit of its account, and none when that states none
    broker_storage_bytes_max: int = Field(default=0, ge=0)
    # fsspec URL under which archives and snapshots lie; empty: data/graph in the home folder
    artifacts_url: str = ""
    # a queue with more bytes of records is kept and reported
    archive_bytes_max: int = Field(default=268_435_456, ge=1)

    @property
    def artifacts_root(self) -> str:
        """Where files made of the graph lie."""
        return self.artifacts_url or str(self.mesh.home.absolute() / "data" / "graph")
