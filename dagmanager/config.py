"""Settings of dagmanager: section `[dagmanager]` of qmtl.toml."""

from pydantic import Field

from qmtl.core.settings import ServiceSettings


class Settings(ServiceSettings):
    """What dagmanager needs beside the settings every service has."""

    service: str = "dagmanager"
    # diffs looked into at the same time; more wait for their turn within their deadline
    diffs_at_once: int = Field(default=4, ge=1, le=64)
    # seconds between two rounds of forgetting stored answers older than a week
    prune_interval_s: float = Field(default=600.0, gt=0.0)
