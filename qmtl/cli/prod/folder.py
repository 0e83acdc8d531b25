"""The operator's folder of a mesh: what signs, and a folder for each process, every file of mode 0600.

mesh.json                   the processes; read again to renew
ca.pem ca.key               the certificate authority; the key stays here
issuer.jwk jwks.json        the issuer of tokens of services and, until you have your own, of users
keys/nats/<service>.nk      each service's key at the broker
databases.sql               one database per service
<process>/                  all that the process needs: copy it to its machine
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from joserfc.jwk import OKPKey

from controlbus.jetstream.permissions import seed_path, write_seeds
from qmtl.cli.prod import authority, documents
from qmtl.cli.prod.authority import Authority
from qmtl.cli.prod.topology import FILE, NATS, Process, Topology, topology_text
from qmtl.config.files import private_folder, write_private
from qmtl.core.errors import Conflict, NotFound
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import SERVICE_AUDIENCE, USER_AUDIENCE, new_key
from qmtl.rpc.auth.tokens import mint, service_token_path


def make(folder: Path, mesh: Topology, now: datetime, certificates: timedelta, tokens: timedelta) -> None:
    """Write everything. Raises Conflict (E_FILE_EXISTS) where a mesh is: its CA would be lost."""
    if (folder / FILE).exists() or (folder / "ca.key").exists():
        raise Conflict("E_FILE_EXISTS", f"{folder} has a mesh", hint="qmtl prod certs renew, or choose another --dir")
    private_folder(folder)
    root = authority.new_authority("qmtl mesh CA", now)
    write_private(folder / "ca.pem", root.pem)
    write_private(folder / "ca.key", authority.key_pem(root.key))
    signing = new_key()
    write_private(folder / "issuer.jwk", _json(signing.as_dict(private=True)))
    jwks = _json({"keys": [signing.as_dict(private=False)]})
    write_private(folder / "jwks.json", jwks)
    write_private(folder / "databases.sql", documents.databases_sql())
    write_private(folder / "metrics.token", secrets.token_urlsafe(32) + "\n")
    public_keys = write_seeds(folder)
    for process in mesh.processes:
        _make_process(folder, mesh, process, public_keys, jwks)
    renew_certificates(folder, mesh, now, certificates, new_keys=True)
    renew_service_tokens(folder, mesh, now, tokens)
    write_private(folder / FILE, topology_text(mesh))  # last: with it the folder is whole


def renew_certificates(
    folder: Path, mesh: Topology, now: datetime, life: timedelta, *, new_keys: bool = False
) -> dict[str, datetime]:
    """A new certificate for every process, over its old key unless `new_keys`; when each ends.

    With the old key one file is replaced in one step, so nobody ever sees a pair that does not match.
    """
    root = _authority(folder)
    for process in mesh.processes:
        place = folder / process.name
        kept = place / "tls.key"
        key = authority.new_key() if new_keys else authority.read_key(kept.read_bytes())
        certificate = authority.issue(root, process.name, [process.host, process.kind], key, now, life)
        if new_keys:
            write_private(kept, authority.key_pem(key))
        write_private(place / "tls.crt", certificate)
    return {process.name: now + life for process in mesh.processes}


def renew_service_tokens(folder: Path, mesh: Topology, now: datetime, life: timedelta) -> dict[str, datetime]:
    """A new token for every service process; when each ends."""
    key = _issuer(folder)
    services = [process for process in mesh.processes if process.kind != NATS]
    for process in services:
        claims = {"sub": f"service:{process.kind}", "aud": SERVICE_AUDIENCE}
        token = _mint(key, claims, now, life)
        write_private(service_token_path(folder / process.name / "home", process.kind), token)
    return {process.name: now + life for process in services}


def user_token(folder: Path, role: Role, subject: str, worlds: list[str] | None, now: datetime, life: timedelta) -> str:
    """A user's token of the mesh's own issuer."""
    claims: dict[str, object] = {"sub": subject, "aud": USER_AUDIENCE, "role": role.name.lower()}
    if worlds:
        claims["worlds"] = sorted(worlds)
    return _mint(_issuer(folder), claims, now, life)


def _make_process(folder: Path, mesh: Topology, process: Process, public_keys: Mapping[str, str], jwks: str) -> None:
    place = private_folder(folder / process.name)
    write_private(place / "ca.pem", (folder / "ca.pem").read_text(encoding="ascii"))
    if process.kind == NATS:
        write_private(place / "nats.conf", documents.nats_conf(mesh, process, public_keys))
        return
    private_folder(place / "home")
    write_private(place / "jwks.json", jwks)
    write_private(place / "nats.nk", seed_path(folder, process.kind).read_text(encoding="ascii"))
    write_private(place / "metrics.token", (folder / "metrics.token").read_text(encoding="ascii"))
    write_private(place / "qmtl.toml", documents.service_toml(mesh, process))


def _authority(folder: Path) -> Authority:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        return Authority(certificate, authority.read_key((folder / "ca.key").read_bytes()))
    except (OSError, ValueError) as error:
        raise NotFound("E_PROD_FOLDER", f"{folder} has no CA: {error}", hint="qmtl prod init --dir makes one") from None


def _issuer(folder: Path) -> OKPKey:
    try:
        return OKPKey.import_key(json.loads((folder / "issuer.jwk").read_bytes()))
    except (OSError, ValueError) as error:
        raise NotFound(
            "E_PROD_FOLDER", f"{folder} has no issuer: {error}", hint="qmtl prod init --dir makes one"
        ) from None


def _mint(key: OKPKey, claims: Mapping[str, object], now: datetime, life: timedelta) -> str:
    times = {"iat": int(now.timestamp()), "nbf": int(now.timestamp()), "exp": int((now + life).timestamp())}
    return mint(key, {"iss": documents.ISSUER, **claims, **times, "jti": secrets.token_hex(8)})


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
