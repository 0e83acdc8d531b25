"""Configuration: one qmtl.toml with a section per service, environment on top, read once, then frozen.

An environment name is `QMTL__<SECTION>__<KEY>`, nested keys by a further `__`, lists and tables as
JSON. An unknown key anywhere is an error that names it, so a typing mistake cannot hide. Values here
are checked for shape only; whether a dependency answers is asked by `qmtl config validate`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from qmtl.core.errors import InvalidRequest, Violation

ENV_PREFIX = "QMTL__"
ENV_FILE = "QMTL_CONFIG"
METRICS_PORT_OFFSET = 20
DNS_SCHEME = "dns:///"
DEFAULT_ADDRESSES: Mapping[str, str] = {
    "gateway": "127.0.0.1:7700",
    "dagmanager": "127.0.0.1:7701",
    "worldservice": "127.0.0.1:7702",
    "brokerage": "127.0.0.1:7703",
    "seamless": "127.0.0.1:7704",
    "controlbus": "127.0.0.1:7705",
}
SERVICES: tuple[str, ...] = tuple(DEFAULT_ADDRESSES)
SECTIONS: tuple[str, ...] = ("mesh", *SERVICES)

UNSET = ("", -1, "-1")
"""How a file or the environment says "the default": what `qmtl config generate` prints can be uncommented."""

S = TypeVar("S", bound="ServiceSettings")
Tree = dict[str, Any]  # a parsed TOML document: its leaves are whatever TOML has; pydantic types them


class Issuer(BaseModel):
    """One trusted token issuer: its `iss` claim, where its JWKS is (file path or URL), and the audience."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    jwks: str
    audience: str = "qmtl"

    @field_validator("jwks")
    @classmethod
    def _readable_url(cls, given: str) -> str:
        try:
            if "://" in given:
                _ = urlsplit(given).port  # looks at the host's brackets and at the port
        except ValueError as error:
            raise ValueError(f"{given!r} is no URL ({error}), want an https URL, or a path") from None
        return given


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How large one log file grows and how many are kept, the one being written included."""

    bytes_max: int
    files_max: int


class _Frozen(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` merged: pydantic's own environment source would ignore unknown names."""
        return (init_settings,)


class MeshSettings(_Frozen):
    """Section `[mesh]`: what all services share."""

    profile: Literal["dev", "prod"] = "dev"
    home: Path = Path(".qmtl")
    nats_url: str = "nats://127.0.0.1:7706"
    nats_credentials: Path | None = None
    nats_ca: Path | None = None
    stream_replicas: int = Field(default=1, ge=1, le=5)
    stream_bytes_max: int = Field(default=512 * 1024 * 1024, ge=1024 * 1024)  # of control events, of dead letters
    addresses: Mapping[str, str] = Field(default_factory=dict)
    issuers: tuple[Issuer, ...] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
    disk_free_min: int = Field(default=64 * 1024 * 1024, ge=0)  # bytes; below it a service says that its disk is full
    log_bytes_max: int = Field(default=16 * 1024 * 1024, ge=64 * 1024)
    log_files_max: int = Field(default=5, ge=2, le=100)
    otlp_endpoint: str = ""

    @property
    def log_limits(self) -> LogLimits:
        """How logs rotate: of services that have a `log_file`, and of the nats-server of `qmtl up`."""
        return LogLimits(self.log_bytes_max, self.log_files_max)

    @field_validator("nats_credentials", "nats_ca", mode="before")
    @classmethod
    def _empty_is_unset(cls, given: object) -> object:
        return None if given == "" else given

    @field_validator("addresses")
    @classmethod
    def _complete_addresses(cls, given: Mapping[str, str]) -> Mapping[str, str]:
        for name, address in given.items():
            if name not in DEFAULT_ADDRESSES:
                raise ValueError(f"unknown service {name!r}, want one of {', '.join(SERVICES)}")
            addresses_of(address)
        return {**DEFAULT_ADDRESSES, **given}


class ServiceSettings(_Frozen):
    """What every service's section has; a service's own `Settings` adds to it."""

    service: str = ""
    mesh: MeshSettings = Field(default_factory=MeshSettings)
    bind: str = ""
    metrics_port: int = Field(default=-1, ge=-1, le=65535)
    metrics_token: Path | None = None
    database_url: str = ""
    sqlite_synchronous: Literal["", "NORMAL", "FULL"] = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    nats_credentials: Path | None = None
    log_level: Literal["", "DEBUG", "INFO", "WARNING", "ERROR"] = ""
    log_file: Path | None = None
    # Bounds of the server, see docs/hardening.md; 0 is the default of `qmtl.rpc.server.inbound.Limits`.
    calls_max: int = Field(default=0, ge=0)
    streams_max: int = Field(default=0, ge=0)
    reserve_max: int = Field(default=0, ge=0)
    identity_calls_max: int = Field(default=0, ge=0)
    identity_streams_max: int = Field(default=0, ge=0)
    identity_reserve_max: int = Field(default=0, ge=0)
    body_bytes_max: int = Field(default=0, ge=0)
    identity_body_bytes_max: int = Field(default=0, ge=0)
    connection_body_bytes_max: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, data: Tree) -> Tree:
        service = data.get("service") or cls.model_fields["service"].default
        given = data.get("mesh", {})
        mesh = given if isinstance(given, MeshSettings) else MeshSettings(**given)
        mesh = _with_credentials(mesh, service, data.get("nats_credentials"))
        bind = data.get("bind") or _own_address(mesh.addresses.get(service, "127.0.0.1:0"))
        port = split_address(bind)[1]
        defaults: Tree = {
            "bind": bind,
            "metrics_port": port + METRICS_PORT_OFFSET if port else 0,
            "database_url": f"sqlite:///{mesh.home.absolute() / 'state' / f'{service}.db'}",
            "sqlite_synchronous": "NORMAL" if mesh.profile == "dev" else "FULL",
            "log_level": mesh.log_level,
        }
        given_own = {key: value for key, value in data.items() if value not in UNSET}
        return {**defaults, **given_own, "mesh": mesh}

    @field_validator(
        "tls_cert", "tls_key", "tls_client_ca", "log_file", "nats_credentials", "metrics_token", mode="before"
    )
    @classmethod
    def _empty_is_unset(cls, given: object) -> object:
        return None if given == "" else given

    @model_validator(mode="after")
    def _complete_in_prod(self) -> ServiceSettings:
        if self.mesh.profile == "prod" and (missing := missing_in_prod(self)):
            raise ValueError(f"profile prod needs {', '.join(missing)}")
        return self


def _own_address(address: str) -> str:
    """Where a service listens that is not told: at its own address, if it has one only."""
    if len(addresses_of(address)) > 1 or address.startswith(DNS_SCHEME):
        raise ValueError(f"bind is not set and mesh.addresses names {address}: want the one this process listens at")
    return address


def _with_credentials(mesh: MeshSettings, service: str, own: Path | str | None) -> MeshSettings:
    """The service's own credentials at the broker, else the shared ones.

    In dev the broker knows the service by the file `qmtl up` wrote for it; without the file it asks for none.
    """
    if own:
        return mesh.model_copy(update={"nats_credentials": Path(own)})
    seed = mesh.home.absolute() / "keys" / "nats" / f"{service}.nk"
    if mesh.profile != "dev" or mesh.nats_credentials is not None or not seed.exists():
        return mesh
    return mesh.model_copy(update={"nats_credentials": seed})


def missing_in_prod(settings: ServiceSettings) -> list[str]:
    """The settings profile prod requires and this section lacks, by their full names."""
    section = settings.service
    wants = {
        f"{section}.tls_cert": settings.tls_cert,
        f"{section}.tls_key": settings.tls_key,
        f"{section}.tls_client_ca": settings.tls_client_ca,
        f"{section}.database_url (postgresql)": not settings.database_url.startswith("sqlite"),
        f"{section}.nats_credentials": settings.mesh.nats_credentials,
        "mesh.issuers": settings.mesh.issuers,
    }
    return [name for name, value in wants.items() if not value]


def addresses_of(text: str) -> tuple[str, ...]:
    """The host:port of a peer's replicas: one, several IP addresses separated by commas, or the name of dns:///name:port.

    ValueError naming what is wrong.
    """
    if text.startswith(DNS_SCHEME):
        name = text.removeprefix(DNS_SCHEME)
        split_address(name)
        return (name,)
    places = tuple(part.strip() for part in text.split(","))
    for place in places:
        host = split_address(place)[0].strip("[]")
        if len(places) > 1:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise ValueError(f"{place!r} is one of several, want an IP address, or dns:///name:port") from None
    if len({":" in split_address(place)[0] for place in places}) > 1:
        raise ValueError(f"addresses are {text!r}, want either IPv4 or IPv6 ones")
    return places


def split_address(address: str) -> tuple[str, int]:
    """Split "host:port"; ValueError naming what is wrong."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"address is {address!r}, want host:port")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Whether a peer's address, or each of several, never leaves this machine."""
    return all(_is_local_host(split_address(place)[0].strip("[]")) for place in addresses_of(address))


def _is_local_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tree(path: Path | None, environ: Mapping[str, str] | None = None) -> Tree:
    """The merged document: the file, then the environment on top.

    The file is `path`, else what QMTL_CONFIG names, else qmtl.toml in the working directory if it is there.
    Raises InvalidRequest (E_CONFIG) for an unreadable file or an unknown section.
    """
    given = os.environ if environ is None else environ
    tree = _read_file(path or (Path(given[ENV_FILE]) if given.get(ENV_FILE) else None))
    for name, text in given.items():
        if name.startswith(ENV_PREFIX):
            _put(tree, name[len(ENV_PREFIX) :].lower().split("__"), name, text)
    unknown = [section for section in tree if section not in SECTIONS]
    if unknown:
        raise _refused([Violation(unknown[0], "an unknown section", f"one of {', '.join(SECTIONS)}")])
    return tree


def load(section: str, cls: type[S], path: Path | None, environ: Mapping[str, str] | None = None) -> S:
    """Read one service's settings, with `[mesh]` beside it.

    Raises InvalidRequest (E_CONFIG) whose violations name each key that is unknown, missing or wrong.
    """
    tree = read_tree(path, environ)
    mesh = load_mesh(tree)
    own = tree.get(section, {})
    reserved = [key for key in ("service", "mesh") if key in own]
    if reserved:
        raise _refused([Violation(f"{section}.{reserved[0]}", "set", "nothing: this key is not configurable")])
    try:
        return cls(**own, service=section, mesh=mesh)
    except ValidationError as error:
        raise _refused(violations_of(section, error)) from None


def load_mesh(tree: Tree) -> MeshSettings:
    """The `[mesh]` section of a merged document. Raises InvalidRequest (E_CONFIG)."""
    try:
        return MeshSettings(**tree.get("mesh", {}))
    except ValidationError as error:
        raise _refused(violations_of("mesh", error)) from None


def violations_of(section: str, error: ValidationError) -> list[Violation]:
    """One violation per problem pydantic found, by full key name; the values of secrets never show."""
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        key = ".".join([section, *(str(part) for part in detail["loc"])])
        if detail["type"] == "extra_forbidden":
            found.append(Violation(key, "an unknown key", "a known key"))
        else:
            found.append(Violation(key, "not valid", detail["msg"]))
    return found


def _read_file(path: Path | None) -> Tree:
    file = path or Path("qmtl.toml")
    if path is None and not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest("E_CONFIG", f"{file}: {error}") from error


def _put(tree: Tree, keys: list[str], name: str, text: str) -> None:
    if len(keys) < 2 or not all(keys):
        raise _refused([Violation(name, "not a setting", f"{ENV_PREFIX}<SECTION>__<KEY>")])
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise _refused([Violation(name, "nested below a value", "a table above it")])
    tree[keys[-1]] = _env_value(name, text)


def _env_value(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise _refused([Violation(name, "not valid JSON", "a JSON list or table")]) from None


def _refused(violations: list[Violation]) -> InvalidRequest:
    return InvalidRequest("E_CONFIG", "; ".join(str(violation) for violation in violations), violations=violations)
