"""`qmtl token`: tokens of the local issuer, for grpcurl and other clients."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from qmtl.cli.options import Config, Home, TokenRoleName
from qmtl.config.home import find_home
from qmtl.config.settings import load_mesh, read_tree
from qmtl.core.errors import InvalidRequest
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.rules.grants import GRANTS, is_known

_TTL = re.compile(r"([1-9][0-9]{0,5})([smhd])")


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def token(
    home: Home = None,
    config: Config = None,
    role: Annotated[
        TokenRoleName, typer.Option(help="Role of a user token, in every world; none: its grants decide.")
    ] = TokenRoleName.OPERATOR,
    subject: Annotated[str, typer.Option(help="Who the token names. Default: dev-<role>.")] = "",
    world: Annotated[list[str] | None, typer.Option(help="Limit the token to this world. Repeatable.")] = None,
    ttl: Annotated[str, typer.Option(help="Life time: 90s, 30m, 12h, 7d.")] = "1d",
    as_service: Annotated[str, typer.Option(help="Mint a service token instead, for example: operator.")] = "",
) -> None:
    """Print a token of the local issuer, for grpcurl and other clients."""
    if load_mesh(read_tree(config)).profile != "dev":
        raise InvalidRequest("E_CONFIG", "mesh.profile is prod, want dev", hint="ask your issuer for a token")
    place = find_home(home, config)
    life = _life(ttl)
    if as_service:
        _check_service(as_service, subject, world)
        ensure_dev_keys(place)
        typer.echo(mint_service_token(place, as_service, life))
        return
    ensure_dev_keys(place)
    typer.echo(mint_user_token(place, Role[role.name], subject or f"dev-{role.value}", world or None, life))


def _check_service(name: str, subject: str, worlds: list[str] | None) -> None:
    if subject or worlds:
        raise InvalidRequest("E_TOKEN_OPTIONS", "a service token has no --subject and no --world")
    if not is_known(name):
        raise InvalidRequest("E_TOKEN_OPTIONS", f"service is {name!r}, want one of {', '.join(GRANTS)}")


def _life(text: str) -> timedelta:
    match = _TTL.fullmatch(text)
    if not match:
        raise InvalidRequest("E_TOKEN_OPTIONS", f"ttl is {text!r}, want for example 90s, 30m, 12h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
