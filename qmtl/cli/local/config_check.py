"""What `qmtl config validate` looks at: names and shapes, files that must be there, addresses that must answer.

Every finding names the setting it is about. Nothing here changes anything or prints a secret.
"""

from __future__ import annotations

import importlib
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from qmtl.cli.local import logins
from qmtl.cli.local.layout import NATS_URL_VARIABLE
from qmtl.cli.local.logins import Finding, Level, without_password
from qmtl.config.home import live_record
from qmtl.config.settings import SERVICES, MeshSettings, ServiceSettings, Tree, load_mesh, read_tree, violations_of
from qmtl.core.errors import InvalidRequest, Violation

REACH_TIMEOUT_S = 2.0
BUS_USERS = ("gateway", "dagmanager", "worldservice", "brokerage", "controlbus")
DEFAULT_PORTS = {"nats": 4222, "tls": 4222, "postgresql": 5432, "http": 80, "https": 443}


def findings(config: Path | None, *, offline: bool, services: Sequence[str] = ()) -> list[Finding]:
    """Everything there is to say about a configuration; later checks run only where earlier ones passed.

    `services`: whose sections; none: all, but in profile prod those that the file has, for each process has its own.
    """
    try:
        tree = read_tree(config)
    except InvalidRequest as error:
        named = error.violations[0].field if error.violations else "file"
        return [Finding(Level.ERROR, named, error.message)]
    wrong, sections = read_sections(tree, services)
    if wrong:
        return wrong
    mesh = load_mesh(tree)
    found = [Finding(Level.OK, name, "valid") for name in ("mesh", *sections)]
    found.extend(secrets(mesh, sections))
    if "brokerage" in sections:
        found.extend(venues(sections["brokerage"], offline=offline))
    if not offline:
        found.extend(reachability(mesh, sections))
    return list(dict.fromkeys(found))


def refuse_wrong(config: Path | None) -> None:
    """Raises InvalidRequest (E_CONFIG) naming every mistake of every section."""
    wrong, _ = read_sections(read_tree(config))
    if wrong:
        violations = [Violation(finding.setting, "wrong", finding.text) for finding in wrong]
        text = "; ".join(f"{finding.setting}: {finding.text}" for finding in wrong)
        raise InvalidRequest("E_CONFIG", text, hint="qmtl config validate", violations=violations)


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings class of a service: `<service>.config.Settings`, the one import of a service's code here."""
    kind: object = vars(importlib.import_module(f"{service}.config"))["Settings"]
    if not (isinstance(kind, type) and issubclass(kind, ServiceSettings)):
        raise TypeError(f"{service}.config.Settings is not a ServiceSettings")
    return kind


def read_sections(tree: Tree, services: Sequence[str] = ()) -> tuple[list[Finding], dict[str, ServiceSettings]]:
    """Every section's mistakes at once, or every section's settings."""
    try:
        mesh = load_mesh(tree)
    except InvalidRequest as error:
        return [Finding(Level.ERROR, item.field, f"{item.value}: {item.want}") for item in error.violations], {}
    wrong: list[Finding] = []
    sections: dict[str, ServiceSettings] = {}
    given = [name for name in SERVICES if name in tree] if mesh.profile == "prod" else []
    for service in services or given or SERVICES:
        try:
            sections[service] = settings_class(service)(**tree.get(service, {}), mesh=mesh)
        except ValidationError as error:
            found = violations_of(service, error)
            wrong.extend(Finding(Level.ERROR, item.field, f"{item.value}: {item.want}") for item in found)
    return wrong, sections


def secrets(mesh: MeshSettings, sections: dict[str, ServiceSettings]) -> Iterator[Finding]:
    """Files that must exist, and key files others must not read."""
    if mesh.profile == "dev":
        keys = mesh.home.absolute() / "keys" / "issuer.jwk"
        if keys.exists():
            yield _private("mesh.home", keys)
        else:
            yield Finding(Level.NOTE, "mesh.home", f"{keys.parent} is empty: qmtl up makes the dev keys")
    named: dict[str, Path | None] = {"mesh.nats_ca": mesh.nats_ca}
    for issuer in mesh.issuers:
        if "://" not in issuer.jwks:
            named[f"mesh.issuers[{issuer.issuer}].jwks"] = Path(issuer.jwks)
    for service, settings in sections.items():
        credentials, own = settings.mesh.nats_credentials, settings.nats_credentials is not None
        if credentials is not None:
            yield _private(f"{service if own else 'mesh'}.nats_credentials", credentials)
        named[f"{service}.metrics_token"] = settings.metrics_token
        if settings.tls_key is not None:
            yield _private(f"{service}.tls_key", settings.tls_key)
        yield from logins.files(settings)
    for name, path in named.items():
        if path is not None:
            yield logins.readable(name, path)


def reachability(mesh: MeshSettings, sections: dict[str, ServiceSettings]) -> Iterator[Finding]:
    """Whether each service can log in to what it depends on."""
    given = os.environ.get(NATS_URL_VARIABLE, "")
    url, setting = given or mesh.nats_url, NATS_URL_VARIABLE if given else "mesh.nats_url"
    asked = mesh.profile == "prod" or bool(given) or live_record(mesh.home.absolute()) is not None
    if not asked:
        yield Finding(Level.NOTE, "mesh.nats_url", f"{mesh.nats_url} not asked: qmtl up starts it")
    if mesh.otlp_endpoint:
        yield _reachable("mesh.otlp_endpoint", mesh.otlp_endpoint)
    for issuer in mesh.issuers:
        if "://" in issuer.jwks:
            yield _reachable(f"mesh.issuers[{issuer.issuer}].jwks", issuer.jwks)
    for service, settings in sections.items():
        if service in BUS_USERS and asked:
            yield from logins.broker(settings, url, setting)
        if not settings.database_url.startswith("sqlite"):
            yield logins.database(settings)
        if mesh.profile == "prod":
            yield logins.home(settings)
            yield from logins.peers(settings)


def venues(settings: ServiceSettings, *, offline: bool) -> Iterator[Finding]:
    """Whether brokerage gets in at each of its venues: credentials, and unless `offline` clock, rights and lists."""
    check: object = vars(importlib.import_module("brokerage.venues.login"))["check"]
    if not callable(check):
        raise TypeError("brokerage.venues.login.check is no function")
    for one in check(settings, offline=offline):
        yield Finding(Level.OK if one.well else Level.ERROR, one.setting, one.text)


def _private(name: str, path: Path) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return Finding(Level.ERROR, name, f"{path}: {error.strerror}")
    if mode & 0o077:
        return Finding(Level.ERROR, name, f"{path} has mode {mode:04o}, want 0600")
    return Finding(Level.OK, name, f"{path} is private")


def _reachable(name: str, url: str) -> Finding:
    parts = urlsplit(url if "://" in url else f"//{url}")
    kind = parts.scheme.partition("+")[0]
    port = parts.port or DEFAULT_PORTS.get(kind, 0)
    shown = without_password(url)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=REACH_TIMEOUT_S):
            return Finding(Level.OK, name, f"{shown} is reachable")
    except OSError as error:
        return Finding(Level.ERROR, name, f"{shown} is unreachable: {error.strerror or error}")
