"""`qmtl risk limits` and `qmtl risk breaches`: what accounts may at most, and which rules were broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import ParseDict, ParseError

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.cli.commands.risk.scopes import ScopeName, scope_fields
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, Reason, WorldId, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.core.errors import refused
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.client.channel import MeshChannel

Account = Annotated[str, typer.Argument(help="Name of the account.")]
FIELDS = ("gross_max", "net_max", "leverage_max", "symbol_max", "sector_max")


@with_access
def show_limits(access: Access, account: Account) -> None:
    """Show an account's limits, and whether brokerage has them."""
    _show(access, ask(access, lambda channel: _read(channel, account)))


@with_access
def set_limits(
    access: Access,
    account: Account,
    reason: Reason,
    file: Annotated[Path | None, typer.Option("--file", help="All limits as JSON, instead of options.")] = None,
    gross_max: Annotated[str, typer.Option(help="Most gross exposure, in base currency.")] = "",
    net_max: Annotated[str, typer.Option(help="Most net exposure to either side, in base currency.")] = "",
    leverage_max: Annotated[str, typer.Option(help="Most gross exposure as a multiple of equity.")] = "",
    symbol_max: Annotated[str, typer.Option(help="Most net exposure in a symbol, as a share of equity.")] = "",
    sector_max: Annotated[str, typer.Option(help="Most net exposure in a sector, as a share of equity.")] = "",
) -> None:
    """Set all limits of an account; what is left out is not limited. Exits 1 while brokerage has not confirmed them."""
    options = (gross_max, net_max, leverage_max, symbol_max, sector_max)
    given = {name: value for name, value in zip(FIELDS, options, strict=True) if value}
    if file is not None and given:
        raise refused("E_FIELD", "--file", str(file), "either a file or the options")
    limits = accountpb.AccountLimits(**given) if file is None else _parse(file)  # type: ignore[arg-type]  # fields by name

    async def call(channel: MeshChannel) -> riskpb.HubAccountLimits:
        stub = riskrpc.RiskServiceStub(channel)
        request = riskservicepb.PutAccountLimitsRequest(
            account=account, limits=limits, reason=reason, etag=(await _read(channel, account)).etag
        )
        return (await stub.PutAccountLimits(request)).limits

    stored = ask(access, call)
    _show(access, stored)
    if stored.limits_pending:
        raise typer.Exit(1)


@with_access
def list_breaches(access: Access, scope: ScopeName, limit: Limit = 50) -> None:
    """List the risk rules that were broken, newest first, with their numbers and acts."""
    request = riskservicepb.ListBreachesRequest(**scope_fields(scope))
    found = ask(
        access,
        lambda channel: listed(
            riskrpc.RiskServiceStub(channel).ListBreaches, request, lambda reply: reply.breaches, limit
        ),
    )
    columns = ("number", "rule", "target", "state", "act", "since", "detail")
    show_listing(access, found, f"breaches of {scope}", columns, _breaches)


@with_access
def acknowledge(
    access: Access,
    world_id: WorldId,
    number: Annotated[int, typer.Argument(help="Number of the breach.", min=1)],
    reason: Reason,
) -> None:
    """Say that a breach which was acted upon has been seen. What was narrowed stays so."""
    request = riskservicepb.AcknowledgeBreachRequest(world_id=world_id, sequence=number, reason=reason)

    async def call(channel: MeshChannel) -> riskpb.RiskBreach:
        return (await riskrpc.RiskServiceStub(channel).AcknowledgeBreach(request)).breach

    breach = ask(access, call)
    if access.json:
        show_json(as_dict(breach))
    else:
        typer.echo(f"breach {breach.sequence} of {breach.rule}: {enum_word(riskpb.BreachState, breach.state)}")


async def _read(channel: MeshChannel, account: str) -> riskpb.HubAccountLimits:
    request = riskservicepb.GetAccountLimitsRequest(account=account)
    return (await riskrpc.RiskServiceStub(channel).GetAccountLimits(request)).limits


def _parse(file: Path) -> accountpb.AccountLimits:
    """Raises InvalidRequest (E_FIELD) for what holds no limits."""
    try:
        given = json.loads(file.read_text("utf-8"))
        if not isinstance(given, dict):
            raise ValueError(f"a {type(given).__name__}")
        found: accountpb.AccountLimits = ParseDict(given, accountpb.AccountLimits())
    except (ValueError, ParseError, OSError) as error:
        raise refused("E_FIELD", "--file", f"{file}: {error}", "limits of an account as JSON") from error
    return found


def _show(access: Access, stored: riskpb.HubAccountLimits) -> None:
    if shown_as_json(access, stored):
        return
    pending = f"pending: {stored.pending_reason or 'not sent yet'}" if stored.limits_pending else "confirmed"
    pairs = [(name, getattr(stored.limits, name) or "no limit") for name in FIELDS]
    if stored.revision:
        pairs += [
            ("revision", str(stored.revision)),
            ("brokerage", pending),
            ("by", f"{stored.updated_by}, {when(stored.updated_at)}"),
        ]
    show_pairs(f"limits of {stored.account}", pairs)
    if stored.limits.budgets:
        rows = [(one.world_id, one.strategy_id or "whole world", one.gross_max) for one in stored.limits.budgets]
        show_table("budgets", ("world", "strategy", "gross at most"), rows)


def _breaches(found: Sequence[riskpb.RiskBreach]) -> list[tuple[str, ...]]:
    return [
        (
            str(one.sequence),
            one.rule,
            one.target or "whole scope",
            enum_word(riskpb.BreachState, one.state),
            one.act,
            when(one.since),
            one.detail,
        )
        for one in found
    ]
