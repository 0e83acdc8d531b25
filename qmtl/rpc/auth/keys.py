"""Key files: the one algorithm, the dev profile's own issuer, and files that only their owner reads.

Whatever is written here appears whole or not at all, so that several processes may start at once.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Final

from joserfc import jws
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwa import EdDSAAlgorithm, JWSAlgModel
from joserfc.jwk import OKPKey

from qmtl.config.files import create_once, private_folder, write_private
from qmtl.config.settings import Issuer

ALGORITHM: Final = "EdDSA"
USER_AUDIENCE: Final = "qmtl"
SERVICE_AUDIENCE: Final = "qmtl-service"
DEV_ISSUER: Final = "qmtl-dev"


class _EdDsaOnly(jws.JWSRegistry):
    """The one algorithm. joserfc warns on each use that RFC 9864 renames it; issuers in the field say EdDSA."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != ALGORITHM:
            raise UnsupportedAlgorithmError(f"algorithm is {name!r}, want {ALGORITHM}")
        return _EDDSA


_EDDSA: Final = EdDSAAlgorithm()
REGISTRY: Final = _EdDsaOnly()


def dev_issuers(home: Path) -> list[Issuer]:
    """The local issuer, trusted for users and for services."""
    jwks = str(keys_folder(home) / "jwks.json")
    return [
        Issuer(issuer=DEV_ISSUER, jwks=jwks, audience=USER_AUDIENCE),
        Issuer(issuer=DEV_ISSUER, jwks=jwks, audience=SERVICE_AUDIENCE),
    ]


def ensure_dev_keys(home: Path) -> None:
    """Make the local issuer's key and its JWKS unless they are there; safe when several processes start at once."""
    folder = private_folder(keys_folder(home))
    private = folder / "issuer.jwk"
    if not private.exists():
        create_once(private, _json(new_key().as_dict(private=True)))
    if not (folder / "jwks.json").exists():
        create_once(folder / "jwks.json", _json({"keys": [issuer_key(home).as_dict(private=False)]}))


def rotate_dev_key(home: Path) -> None:
    """Sign with a new key from now on; tokens of the previous one stay valid until they expire."""
    ensure_dev_keys(home)
    previous, fresh = issuer_key(home), new_key()
    public = [fresh.as_dict(private=False), previous.as_dict(private=False)]
    # Readers learn the new key before anything is signed with it.
    write_private(keys_folder(home) / "jwks.json", _json({"keys": public}))
    write_private(keys_folder(home) / "issuer.jwk", _json(fresh.as_dict(private=True)))


def new_key() -> OKPKey:
    """A fresh Ed25519 signing key with a key id."""
    return OKPKey.generate_key("Ed25519", {"kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"}, private=True)


def issuer_key(home: Path) -> OKPKey:
    """The key the local issuer signs with."""
    return OKPKey.import_key(json.loads((keys_folder(home) / "issuer.jwk").read_bytes()))


def keys_folder(home: Path) -> Path:
    """Where keys and copies of key sets are."""
    return home / "keys"


def _json(value: object) -> str:
    return json.dumps(value, indent=1)
