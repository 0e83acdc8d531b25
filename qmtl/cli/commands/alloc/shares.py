"""`qmtl alloc show|set|propose|history`: who may use which share of an account's equity."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, with_access
from qmtl.cli.show.formats import share_bar
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import when
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import InvalidRequest
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc

AccountName = Annotated[str, typer.Argument(help="Name of the account.")]
METHODS = {
    "equal": allocationpb.PROPOSAL_METHOD_EQUAL,
    "inverse-vol": allocationpb.PROPOSAL_METHOD_INVERSE_VOL,
    "erc": allocationpb.PROPOSAL_METHOD_ERC,
    "hrp": allocationpb.PROPOSAL_METHOD_HRP,
    "min-variance": allocationpb.PROPOSAL_METHOD_MIN_VARIANCE,
}


@with_access
def show(
    access: Access,
    account: AccountName,
    at: Annotated[int, typer.Option("--at", help="Revision of the shares. Default: the newest.", min=0)] = 0,
    plot: Annotated[Path | None, typer.Option(help="Also draw the history of shares into this picture file.")] = None,
) -> None:
    """Show an account's shares as a tree: share, capital, gross exposure, budget and how much of it is used."""

    async def call(channel: MeshChannel) -> allocationservicepb.GetAllocationsResponse:
        stub = allocationrpc.AllocationServiceStub(channel)
        return await stub.GetAllocations(allocationservicepb.GetAllocationsRequest(account=account, revision=at))

    found = ask(access, call)
    if plot is not None:
        _draw(access, account, plot)
    if shown_as_json(access, found):
        return
    shares = found.allocations
    rows = [
        (
            each.world_id if not each.strategy_id else f"  {each.strategy_id}",
            each.share,
            each.capital,
            each.gross,
            each.budget,
            share_bar(float(each.utilisation or 0)),
        )
        for each in found.capital
    ]
    pending = ", budgets pending" if found.budgets_pending else ""
    title = (
        f"account {account}, revision {shares.revision} of {when(shares.created_at)}, equity {found.equity}{pending}"
    )
    show_table(title, ("world / strategy", "share", "capital", "gross", "budget", "used"), rows)


@with_access
def set_shares(
    access: Access,
    account: AccountName,
    file: Annotated[Path, typer.Argument(help="YAML: worlds, each with its share and strategies; terms; reason.")],
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key: the same again changes nothing.")],
    expect: Annotated[int, typer.Option(help="Revision that these shares follow. 0: the first.", min=0)],
    reason: Annotated[str, typer.Option("--reason", help="Why. Default: that of the file.")] = "",
) -> None:
    """Set the shares of an account, whole: who is absent from the file has share 0. Trades nothing."""
    request = request_from(document_of(file), account, run_id, expect, reason)

    async def call(channel: MeshChannel) -> allocationservicepb.UpsertAllocationsResponse:
        return await allocationrpc.AllocationServiceStub(channel).UpsertAllocations(request)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    typer.echo(f"account {account} has shares of revision {reply.allocations.revision}")
    if reply.budgets_pending:
        typer.echo("budgets pending: brokerage does not have them yet, they are told again until it does")


@with_access
def propose(
    access: Access,
    account: AccountName,
    covariance: Annotated[
        Path | None,
        typer.Option(
            help="JSON: strategies as [world, strategy], lower: rows of the lower triangle. Absent: the risk hub's."
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="equal, inverse-vol, erc, hrp or min-variance.")] = "erc",
    cap: Annotated[str, typer.Option(help="Most share of a strategy.")] = "",
    floor: Annotated[str, typer.Option(help="Least share of a strategy.")] = "",
    band: Annotated[str, typer.Option(help="A share within it of today's stays.")] = "",
    vol_target: Annotated[str, typer.Option(help="Daily volatility of the whole, a fraction.")] = "",
) -> None:
    """Propose shares from a covariance. Has no expected returns, and stores nothing."""
    if method not in METHODS:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"--method is {method!r}, want one of {', '.join(METHODS)}")
    request = allocationservicepb.ProposeAllocationsRequest(
        account=account, method=METHODS[method], cap=cap, floor=floor, band=band, vol_target=vol_target
    )
    if covariance is not None:
        _read_covariance(covariance, request.covariance)

    async def call(channel: MeshChannel) -> allocationservicepb.ProposeAllocationsResponse:
        return await allocationrpc.AllocationServiceStub(channel).ProposeAllocations(request)

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    rows = [(r.world_id, r.strategy_id, r.today, r.share, f"{r.weight:.6f}") for r in found.strategies]
    title = f"{method} of account {account}: daily volatility {found.daily_vol:.4%}"
    show_table(title, ("world", "strategy", "today", "proposed", "weight"), rows)


@with_access
def history(access: Access, account: AccountName, limit: Limit = 50) -> None:
    """List the sets of shares of an account, newest first: who set them and why."""
    found = _sets(access, account, limit)
    columns = ("revision", "time", "worlds", "strategies", "by", "run", "reason")
    show_listing(access, found, "shares", columns, _history_rows)


def request_from(
    document: dict[str, Any], account: str, run_id: str, expect: int, reason: str
) -> allocationservicepb.UpsertAllocationsRequest:
    """A request from a document. Raises InvalidRequest (E_ALLOCATION_OPTION) for one of another shape."""
    request = allocationservicepb.UpsertAllocationsRequest(
        account=account, run_id=run_id, expected_revision=expect, reason=reason or str(document.get("reason", ""))
    )
    if strange := sorted(set(document) - {"worlds", "terms", "reason"}):
        raise InvalidRequest("E_ALLOCATION_OPTION", f"the file has {strange[0]!r}, want worlds, terms and reason")
    worlds, terms = document.get("worlds"), document.get("terms", {})
    if not isinstance(worlds, dict) or not isinstance(terms, dict):
        raise InvalidRequest("E_ALLOCATION_OPTION", "the file has no worlds, want worlds: {w1: {share: 0.3}}")
    for world_id, told in worlds.items():
        if not isinstance(told, dict) or "share" not in told or not isinstance(told.get("strategies", {}), dict):
            raise InvalidRequest(
                "E_ALLOCATION_OPTION", f"world {world_id} is {told!r}, want share and perhaps strategies"
            )
        request.worlds.add(world_id=world_id, share=str(told["share"]))
        for strategy_id, share in told.get("strategies", {}).items():
            request.strategies.add(world_id=world_id, strategy_id=strategy_id, share=str(share))
    request.terms.cash_buffer = str(terms.get("cash_buffer", ""))
    request.terms.two_person = str(terms.get("two_person", "false")).lower() == "true"
    return request


def document_of(file: Path) -> dict[str, Any]:
    """All scalars as text, so that no share is ever a float."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # text only, no objects
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"{file} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequest("E_ALLOCATION_OPTION", f"{file} has no mapping, want worlds, terms and reason")
    return found


def _read_covariance(file: Path, message: allocationpb.StrategyCovariance) -> None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        for world_id, strategy_id in told["strategies"]:
            message.strategies.add(world_id=world_id, strategy_id=strategy_id)
        message.lower.extend(told["lower"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(
            "E_ALLOCATION_OPTION", f"{file} is no covariance: {error}, want strategies and lower"
        ) from None


def _sets(access: Access, account: str, limit: int) -> list[allocationpb.AllocationSet]:
    request = allocationservicepb.ListAllocationsRequest(account=account)
    return ask(
        access,
        lambda channel: listed(
            allocationrpc.AllocationServiceStub(channel).ListAllocations,
            request,
            lambda reply: reply.allocations,
            limit,
        ),
    )


def _history_rows(found: Sequence[allocationpb.AllocationSet]) -> list[tuple[str, ...]]:
    return [
        (
            str(one.revision),
            when(one.created_at),
            ", ".join(f"{row.world_id} {row.share}" for row in one.worlds),
            str(len(one.strategies)),
            one.actor,
            one.run_id,
            one.reason,
        )
        for one in found
    ]


def _draw(access: Access, account: str, path: Path) -> None:
    from qmtl.cli.show.drawing.share_pictures import draw_history

    draw_history(list(reversed(_sets(access, account, 200))), f"shares of account {account}", path)
