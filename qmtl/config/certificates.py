"""Certificate files: read together, checked against each other and the clock before anybody uses them.

gRPC says "Failed to bind" or "handshake failed" where a key belongs to another certificate or a certificate has ended;
here the setting and the true cause are named. Nothing connects, nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from qmtl.core.errors import InvalidRequest, Violation

Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A pair and the CA it trusts, each optional, with the names of the settings they come from."""

    cert: Path | None
    key: Path | None
    ca: Path | None
    cert_setting: str = "tls_cert"
    key_setting: str = "tls_key"
    ca_setting: str = "tls_client_ca"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The content of the files: PEM as gRPC takes it, and when the first of the pair's certificates ends."""

    cert: bytes | None
    key: bytes | None = field(repr=False)
    ca: bytes | None
    expires_at: datetime | None

    @property
    def expires_text(self) -> str:
        return "" if self.expires_at is None else self.expires_at.isoformat()


def stamp_of(files: CertificateFiles) -> Stamp:
    """Changes when one of the files is written or replaced."""
    return tuple(_stamp(path) for path in (files.cert, files.key, files.ca))


def load(files: CertificateFiles, now: datetime | None = None) -> Loaded:
    """Read and check the files.

    Raises InvalidRequest (E_CONFIG) naming the setting: not readable, no PEM, a key that belongs to another
    certificate, a certificate that is not valid now. A CA that has ended is refused, too.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    at = now or datetime.now(UTC)
    cert, key, ca = (
        None if path is None else _read(path, name)
        for path, name in (
            (files.cert, files.cert_setting),
            (files.key, files.key_setting),
            (files.ca, files.ca_setting),
        )
    )
    if ca is not None:
        try:
            roots = x509.load_pem_x509_certificates(ca)
        except ValueError as error:
            raise _wrong(files.ca_setting, files.ca, f"PEM certificates ({error})") from None
        if all(root.not_valid_after_utc <= at for root in roots):
            ended = max(root.not_valid_after_utc for root in roots)
            raise _wrong(files.ca_setting, files.ca, f"a CA that is valid now: it ended at {ended.isoformat()}")
    if cert is None or key is None:
        return Loaded(cert, key, ca, None)
    try:
        chain = x509.load_pem_x509_certificates(cert)
    except ValueError as error:
        raise _wrong(files.cert_setting, files.cert, f"PEM certificates ({error})") from None
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise _wrong(files.key_setting, files.key, f"a PEM private key without a password ({error})") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise _wrong(files.key_setting, files.key, f"the key of {files.cert}: it belongs to another certificate")
    ends, begins = min(one.not_valid_after_utc for one in chain), chain[0].not_valid_before_utc
    if ends <= at:
        raise _wrong(files.cert_setting, files.cert, f"a certificate that is valid now: it ended at {ends.isoformat()}")
    if begins > at:
        raise _wrong(files.cert_setting, files.cert, f"a certificate that is valid now: it begins {begins.isoformat()}")
    return Loaded(cert, key, ca, ends)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(setting, f"{path} ({error.strerror})", "a readable file") from None


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        stat = path.stat() if path is not None else None
    except OSError:
        return None
    return None if stat is None else (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _wrong(setting: str, value: object, want: str) -> InvalidRequest:
    violation = Violation(setting, str(value), want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])
