"""How a client reaches a gateway: address, token and certificates, by option, environment or the local mesh.

For each of them what is given by option wins over the environment, and the environment over what the home has:

    address       given, QMTL_ADDRESS, the mesh that runs in the home, `mesh.addresses.gateway` of the configuration
    token         given (text or file), QMTL_TOKEN or QMTL_TOKEN_FILE, the home's own token when the address is local
    CA            given, QMTL_CA; without one the connection is plaintext, which only loopback addresses may be
    certificate   given, QMTL_CLIENT_CERT with QMTL_CLIENT_KEY; only for a gateway that demands one

The home's token is never sent to another machine. Nothing here connects.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qmtl.config.home import find_home, gateway_address, live_record, subject_token_path, user_token_path
from qmtl.config.settings import is_loopback, split_address
from qmtl.core.errors import InvalidRequest, NotReady, Unauthenticated, Violation
from qmtl.core.roles import Role

ADDRESS_VARIABLE = "QMTL_ADDRESS"
TOKEN_VARIABLE = "QMTL_TOKEN"
TOKEN_FILE_VARIABLE = "QMTL_TOKEN_FILE"
CA_VARIABLE = "QMTL_CA"
CERT_VARIABLE = "QMTL_CLIENT_CERT"
KEY_VARIABLE = "QMTL_CLIENT_KEY"


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What a caller says itself; an empty field is looked up."""

    address: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    home: Path | None = None
    config: Path | None = None
    role: Role = Role.OPERATOR
    subject: str = ""  # of a machine that has a local token of its own; empty: the role's


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway is and how to speak to it; the `..._from` texts name where each was found.

    `token_file` is set where the token is read from a file, again whenever that changes; else `token` is. `home` is set
    where the local mesh of that home is meant, because nobody names another.
    """

    address: str
    address_from: str
    token: str = field(repr=False)
    token_file: Path | None
    token_from: str
    ca: Path | None
    cert: Path | None
    key: Path | None
    home: Path | None

    def __str__(self) -> str:
        return f"gateway {self.address} ({self.address_from})"


def find_endpoint(given: EndpointOptions, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Look everything up.

    Raises InvalidRequest (E_CONFIG, E_TOKEN_OPTIONS) for what contradicts itself, NotReady (E_NOT_RUNNING) when the
    local mesh is meant and has neither run nor a token, Unauthenticated (E_TOKEN_MISSING) where no token is found.
    """
    address, source, home = _address(given, environ)
    ca = given.ca or _path(environ, CA_VARIABLE)
    cert, key = given.cert or _path(environ, CERT_VARIABLE), given.key or _path(environ, KEY_VARIABLE)
    if (cert is None) != (key is None):
        lacking = f"--client-key or {KEY_VARIABLE}" if key is None else f"--client-cert or {CERT_VARIABLE}"
        raise _config(lacking, "not given", "the other half of the client's certificate and key")
    if ca is None and cert is not None:
        raise _config(f"--ca or {CA_VARIABLE}", "not given", "the CA's file beside a client certificate")
    text, file, token_source = _token(given, environ)
    if not text and file is None:
        file, token_source = _home_token(given, address, source, home)
    return Endpoint(address, source, text, file, token_source, ca, cert, key, home)


def _address(given: EndpointOptions, environ: Mapping[str, str]) -> tuple[str, str, Path | None]:
    """The address, where it was found, and the home it was found by (None: it was said)."""
    told = given.address or environ.get(ADDRESS_VARIABLE, "")
    if told:
        source = "given" if given.address else ADDRESS_VARIABLE
        try:
            split_address(told)
        except ValueError as error:
            raise _config(
                "address" if given.address else ADDRESS_VARIABLE, repr(told), f"host:port ({error})"
            ) from None
        return told, source, None
    home = find_home(given.home, given.config)
    source = f"the mesh of {home}" if live_record(home) is not None else "mesh.addresses.gateway"
    return gateway_address(home, given.config), source, home


def _token(given: EndpointOptions, environ: Mapping[str, str]) -> tuple[str, Path | None, str]:
    for text, file, names in (
        (given.token, given.token_file, ("token", "token file")),
        (environ.get(TOKEN_VARIABLE, ""), _path(environ, TOKEN_FILE_VARIABLE), (TOKEN_VARIABLE, TOKEN_FILE_VARIABLE)),
    ):
        if text and file is not None:
            raise InvalidRequest("E_TOKEN_OPTIONS", f"{names[0]} and {names[1]} are both given, want one of them")
        if text or file is not None:
            return text, file, names[0] if text else names[1]
    return "", None, ""


def _home_token(given: EndpointOptions, address: str, source: str, home: Path | None) -> tuple[Path, str]:
    """The local token of the role asked for, where the address is of this machine."""
    tried = f"--token, --token-file, {TOKEN_VARIABLE}, {TOKEN_FILE_VARIABLE}"
    if not is_loopback(address):
        raise Unauthenticated("E_TOKEN_MISSING", f"no token for {address} ({source}): none of {tried} is given")
    place = home or find_home(given.home, given.config)
    path = subject_token_path(place, given.subject) if given.subject else user_token_path(place, given.role)
    if not path.exists():
        if home is not None and live_record(home) is None:
            raise not_running(home, "no other is named")
        raise Unauthenticated(
            "E_TOKEN_MISSING",
            f"no token for {address} ({source}): none of {tried} is given, and there is no {path}",
            hint="qmtl up writes it; --home says where",
        )
    return path, str(path)


def not_running(home: Path, more: str) -> NotReady:
    """The error for a local mesh that is meant and does not run."""
    hint = f"qmtl up starts one; --address or {ADDRESS_VARIABLE} names one elsewhere"
    return NotReady("E_NOT_RUNNING", f"no mesh runs in {home}, and {more}", hint=hint)


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "")
    return Path(text) if text else None


def _config(setting: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(setting, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])
