"""Options that many commands share, said once. Nothing heavy is imported here: `qmtl --help` reads it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec, TypeVar, get_type_hints

import typer

P = ParamSpec("P")
V = TypeVar("V")

Home = Annotated[
    Path | None, typer.Option("--home", help="State of the local mesh. Default: mesh.home of the configuration, .qmtl.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Configuration file. Default: $QMTL_CONFIG, else ./qmtl.toml if there.")
]
Address = Annotated[
    str, typer.Option("--address", help="host:port of a gateway. Default: $QMTL_ADDRESS, else the mesh of the home.")
]
Token = Annotated[
    str, typer.Option("--token", help="A token's text; others on this machine see it. Default: $QMTL_TOKEN.")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File of a token. Default: $QMTL_TOKEN_FILE, else the home's own.")
]
Ca = Annotated[
    Path | None, typer.Option("--ca", help="The CA's file, for a gateway over TLS. Default: $QMTL_CA, else plaintext.")
]
ClientCert = Annotated[
    Path | None, typer.Option("--client-cert", help="A client's certificate, if demanded. Default: $QMTL_CLIENT_CERT.")
]
ClientKey = Annotated[Path | None, typer.Option("--client-key", help="And its key. Default: $QMTL_CLIENT_KEY.")]
AllowLive = Annotated[bool, typer.Option("--allow-live", help="Live trading may follow from this, and that is meant.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
WorldId = Annotated[str, typer.Argument(help="World id: lower case letters, digits and dashes.")]
StrategyId = Annotated[str, typer.Argument(help="Strategy id, or as much of it as no other begins with.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]
Limit = Annotated[int, typer.Option(help="At most this many.", min=1, max=100_000)]


class RoleName(Enum):
    """A role as people write it."""

    READER = "reader"
    OPERATOR = "operator"
    OWNER = "owner"


class TokenRoleName(Enum):
    """The role that a token gives in every world it is for; with none, grants decide."""

    NONE = "none"
    READER = "reader"
    OPERATOR = "operator"
    OWNER = "owner"


As = Annotated[RoleName, typer.Option("--as", help="Which of the local tokens to use.")]


@dataclass(frozen=True, slots=True)
class Access:
    """How a command reaches the mesh and shows what it answered."""

    home: Home = None
    config: Config = None
    role: As = RoleName.OPERATOR
    json: Json = False
    address: Address = ""
    token: Token = ""
    token_file: TokenFile = None
    ca: Ca = None
    client_cert: ClientCert = None
    client_key: ClientKey = None


def with_options(cls: type[V]) -> Callable[[Callable[Concatenate[V, P], None]], Callable[..., None]]:
    """Give a command the options that are the fields of a frozen value, handed to it first and as one."""
    hints, keyword = get_type_hints(cls, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(each.name, keyword, default=_default(each), annotation=hints[each.name])
        for each in fields(cls)  # type: ignore[arg-type]  # mypy knows no bound for a class of values
    ]

    def decorated(command: Callable[Concatenate[V, P], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            given = dict(kwargs)
            value = cls(**{each.name: given.pop(each.name) for each in shared})
            command(value, *args, **given)  # type: ignore[arg-type]  # what is left is the command's own

        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        del run.__wrapped__
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # read by typer
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        return run

    return decorated


def _default(each: Field[object]) -> object:
    return inspect.Parameter.empty if each.default is MISSING else each.default


def with_access(command: Callable[Concatenate[Access, P], None]) -> Callable[..., None]:
    """Give a command the options that name mesh, caller and form of the answer, handed to it as one Access."""
    return with_options(Access)(command)
