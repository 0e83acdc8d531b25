"""Settings of the gateway, section `[gateway]` of qmtl.toml."""

from __future__ import annotations

from pydantic import Field

from qmtl.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """The gateway's own settings; `database_url` is the submissions database all gateways share."""

    service: str = "gateway"
    gateway_id: str = ""  # empty: host:port it is bound to
    public_address: str = ""  # host:port clients are told; empty: the bound one
    fallback_address: str = ""
    workers: int = Field(default=64, ge=1, le=256)
    warmup_deadline_s: float = Field(default=2.0, gt=0, le=60)
    claim_ttl_s: float = Field(default=15.0, ge=1, le=600)
    pending_max: int = Field(default=10_000, ge=1)  # submissions that wait; of one identity and of one world in bytes:
    pending_identity_bytes_max: int = Field(default=64 * 1024 * 1024, ge=8 * 1024 * 1024)  # a submission at least
    pending_world_bytes_max: int = Field(default=128 * 1024 * 1024, ge=8 * 1024 * 1024)
    pending_counted_from: int = Field(default=64, ge=0)  # with fewer waiting nobody keeps anybody waiting
    stream_token_ttl_s: int = Field(default=300, ge=10, le=3600)
    subscribers_max: int = Field(default=1_000, ge=1)
    subscriber_queue_max: int = Field(default=1_000, ge=10)
    subscriber_write_s: float = Field(default=30.0, gt=0, le=600)
    trade_idle_s: float = Field(default=900.0, gt=0, le=86_400)
    event_gather_s: float = Field(default=0.005, ge=0, le=1)
    feed_max: int = Field(default=20_000, ge=100)
    stream_key_days: float = Field(default=30.0, gt=1)
    bookmark_s: float = Field(default=5.0, gt=0, le=60)
    rate_per_s: float = Field(default=1_000.0, gt=0)
    rate_burst: float = Field(default=2_000.0, ge=1)
    cpu_share_max: float = Field(default=0.85, gt=0)  # of one core
    cpu_sustained_s: float = Field(default=30.0, ge=0)
    gate_margin_s: float = Field(default=1.0, gt=0, le=5)
    window_warn_s: float = Field(default=300.0, gt=0, le=86_400)  # before the end of an activation window
    p99_max_s: float = Field(default=2.0, gt=0)  # of plain calls that do not wait by design; above it: PARTIAL
    probe_s: float = Field(default=1.0, gt=0, le=60)
