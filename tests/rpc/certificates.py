"""Throw-away certificate authorities and certificates for tests of TLS."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """A CA: its own certificate as a file, and a signer of others."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def issue(self, subject: str, until: timedelta = timedelta(hours=1)) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key, as files; it ends so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(self.name, self.key, subject, key, authority=False, until=until)
        cert_file, key_file = self.folder / f"{subject}.crt", self.folder / f"{subject}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file


def authority(folder: Path, name: str) -> Authority:
    """A fresh CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = Authority(folder, name, key, _sign(name, key, name, key, authority=True))
    made.file.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return made


def _sign(
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    until: timedelta = timedelta(hours=1),
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(subject)]),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
