"""Settings of worldservice; section [worldservice] of qmtl.toml."""

from datetime import timedelta

from pydantic import Field, model_validator

from qmtl.config.settings import ServiceSettings
from worldservice.timing import GATE_MARGIN, GATE_TTL


class Settings(ServiceSettings):
    """Frozen; seconds are of the service's clock."""

    service: str = "worldservice"
    decision_ttl_s: float = Field(default=300.0, gt=0, le=3600)
    redecide_interval_s: float = Field(default=15.0, gt=0)
    gate_skew_max_s: float = Field(default=3.0, gt=0)
    freeze_timeout_s: float = Field(default=30.0, gt=0)
    # How long a freeze waits for venues to answer what was on the wire before it is flagged UNKNOWN.
    intents_wait_s: float = Field(default=5.0, ge=0)
    fence_timeout_s: float = Field(default=2.0, gt=0, le=10)
    fence_retry_s: float = Field(default=0.5, gt=0, le=60)
    # Folder or fsspec URL below which snapshots may refer to Parquet files. Empty: <home>/worldservice/risk.
    risk_root: str = ""
    risk_keep_whole_days: float = Field(default=30.0, gt=0)
    risk_keep_daily_days: float = Field(default=2557.0, gt=0)
    # Presets that play recorded data: a world on one is measured against its watermark and can never be LIVE.
    replay_presets: tuple[str, ...] = ("demo.*", "replay.*", "file.*")

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.redecide_interval_s > self.decision_ttl_s / 2:
            raise ValueError("redecide_interval_s must be at most decision_ttl_s / 2")
        if timedelta(seconds=self.freeze_timeout_s) <= GATE_TTL + 2 * GATE_MARGIN:
            raise ValueError("freeze_timeout_s must be longer than a gate session's ttl and two margins (7 s)")
        if self.intents_wait_s >= self.freeze_timeout_s:
            raise ValueError("intents_wait_s must be shorter than freeze_timeout_s")
        return self
