"""Settings of seamless: section `[seamless]` of qmtl.toml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qmtl.config.settings import ServiceSettings


class FileFeed(BaseModel):
    """One file to serve as preset `file.ohlcv.<key>`: `[seamless.files.<key>]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    symbol: str
    interval: str
    time: str = "time"
    open: str = "open"
    high: str = "high"
    low: str = "low"
    close: str = "close"
    volume: str = "volume"
    # whether the volume counts the instrument or its value in quote currency
    volume_unit: Literal["base", "quote"] = "base"
    # strptime format of a textual time column; with %z the offset of each row is known
    time_format: str = "%Y-%m-%d %H:%M:%S%z"
    # unit of an integer time column, counted from the epoch in UTC
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    conformance: Literal["strict", "tolerant"] = "strict"
    min_coverage: float = Field(default=0.98, ge=0.0, le=1.0)
    # whether the file ends for good, as of what was delisted: else its newest two bars are held back
    final: bool = False


class ExchangeFeed(BaseModel):
    """One symbol of an exchange to follow: `[seamless.exchanges.<NAME>.feeds.<key>]`, preset `ohlcv.<NAME>.<key>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    interval: str
    # in place of the exchange's
    follow: Literal["poll", "stream"] | None = None


class ExchangeSettings(BaseModel):
    """One exchange that bars are read from: `[seamless.exchanges.<NAME>]`. NAME is the source in its dataset ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # ccxt's id of it
    exchange: str
    # scheme and host in place of the exchange's own: a local or test exchange, a proxy
    address: str = ""
    # what the address is called that the exchange sees: processes behind one share its request weight
    egress: str = "default"
    # how much history is made sure of before bars flow
    history: timedelta = timedelta(days=7)
    # when less is there than should be: serve it flagged, refuse it, or serve it as not to be traded on
    sla: Literal["tolerant-partial", "baseline", "hold"] = "tolerant-partial"
    # how live bars come: asked for when they are due, or told by its websocket
    follow: Literal["poll", "stream"] = "poll"
    feeds: Mapping[str, ExchangeFeed] = Field(default_factory=dict)


class RemoteFeed(BaseModel):
    """One dataset of another seamless: `[seamless.remotes.<NAME>.feeds.<key>]`, preset `remote.<NAME>.<key>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # its id, there and here: "ohlcv:binance:BTC%2FUSDT:1m"
    dataset: str


class RemoteSettings(BaseModel):
    """Another seamless that datasets are taken of: `[seamless.remotes.<NAME>]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # of its mesh's gateway, or its own: host:port
    address: str
    # file with the token of a user of that mesh: what a gateway asks for
    token: Path | None = None
    # file with the token of a service of that mesh: what the service itself asks for
    service_token: Path | None = None
    # CA of that mesh; without one only loopback is called
    ca: Path | None = None
    # certificate and key that the service itself asks for
    cert: Path | None = None
    key: Path | None = None
    feeds: Mapping[str, RemoteFeed] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> RemoteSettings:
        if self.token is None and self.service_token is None:
            raise ValueError("token and service_token are empty, want one of them")
        if (self.cert is None) != (self.key is None):
            raise ValueError("one of cert and key is empty, want both or neither")
        if self.cert is not None and self.ca is None:
            raise ValueError("ca is empty, want the CA of that mesh with cert and key")
        return self


class UniverseSettings(BaseModel):
    """Presets that worlds trade together: `[seamless.universes.<NAME>]`, preset `replay.<NAME>`, or `live.<NAME>` where
    the first is of an exchange.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # presets that are replays, or live feeds of one exchange, each of another symbol or interval
    presets: tuple[str, ...] = Field(min_length=1, max_length=64)
    # CSV of which symbols are members when: symbol,start,end,ticker; without it all are, at all times
    members: Path | None = None


class Settings(ServiceSettings):
    """What seamless needs beside the settings every service has."""

    service: str = "seamless"
    # where sealed Parquet is kept; default <home>/data
    data_dir: Path | None = None
    files: Mapping[str, FileFeed] = Field(default_factory=dict)
    # files that may be added by clients
    uploads_max: int = Field(default=256, ge=0)
    # of them, those that one client may have added
    identity_uploads_max: int = Field(default=64, ge=0)
    exchanges: Mapping[str, ExchangeSettings] = Field(default_factory=dict)
    universes: Mapping[str, UniverseSettings] = Field(default_factory=dict)
    remotes: Mapping[str, RemoteSettings] = Field(default_factory=dict)
    # how long a replay waits for a subscriber that takes nothing
    subscriber_patience_s: float = Field(default=30.0, gt=0.0)
    # sessions that still play: in all, and of one world
    replays_max: int = Field(default=64, ge=1)
    world_replays_max: int = Field(default=8, ge=1)
    # a session that nobody follows and that has not moved for so long gives its place up, and is gone
    replay_idle_s: float = Field(default=3600.0, gt=0.0)
    # features that one world may have
    world_features_max: int = Field(default=4096, ge=0)
    # budget of the storage phase of one fetch
    storage_budget_s: float = Field(default=3.0, gt=0.0)

    @property
    def data_path(self) -> Path:
        return self.data_dir or self.mesh.home / "data"
