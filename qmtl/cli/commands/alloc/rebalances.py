"""`qmtl alloc plan|apply|execute|watch|cancel|runs`: what a change of shares trades, and what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from qmtl.cli.commands.alloc.shares import AccountName
from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, AllowLive, Limit, Reason, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.output_files import write_whole
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import InvalidRequest
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import rebalance_pb2 as rebalancepb


class Approach(StrEnum):
    """What a change of shares trades."""

    SCALE = "scale"
    OVERLAY = "overlay"
    HYBRID = "hybrid"


FOLLOW_S = 24 * 3600.0
RunId = Annotated[str, typer.Argument(help="Id of the run.")]
_SCALE = re.compile(r"([^/=\s]+)(?:/([^/=\s]+))?=([0-9.]+)")


@with_access
def plan(
    access: Access,
    account: AccountName,
    before: Annotated[int, typer.Option("--from", help="Revision of the shares before. 0: none.", min=0)] = 0,
    after: Annotated[int, typer.Option("--to", help="Revision of the shares after.", min=0)] = 0,
    scale: Annotated[list[str] | None, typer.Option(help="WORLD=G or WORLD/STRATEGY=G. Repeatable.")] = None,
    netted: Annotated[bool, typer.Option("--netted", help="One order a symbol.")] = False,
    approach: Annotated[Approach, typer.Option(help="Trade positions, a hedge a world, or by cost.")] = Approach.SCALE,
    proxy: Annotated[list[str] | None, typer.Option(help="WORLD=SYMBOL that hedges it. Repeatable.")] = None,
    markets: Annotated[Path | None, typer.Option(help="JSON list of SymbolMarket, for costs and betas.")] = None,
    band: Annotated[str, typer.Option(help="Legs whose scale is within it of 1 are dropped.")] = "",
    slippage: Annotated[str, typer.Option(help="Farthest limit from the mark, basis points. Default: 20.")] = "",
    save: Annotated[Path | None, typer.Option(help="Write request and hash, for alloc apply.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw exposure before and after by symbol.")] = None,
) -> None:
    """Show what a change of shares would trade: legs, what is dropped and why, cost. Changes nothing."""
    if bool(after) == bool(scale):
        raise InvalidRequest("E_ALLOCATION_OPTION", "give either --to (and --from) or --scale")
    request = rebalancepb.RebalanceRequest(account=account, band=band, slippage_max_bps=slippage)
    if after:
        request.revisions.before_revision, request.revisions.after_revision = before, after
    for text in scale or []:
        add_scale(request, text)
    request.approach = getattr(rebalancepb, f"REBALANCE_APPROACH_{approach.name}")
    for text in proxy or []:
        add_proxy(request, text)
    if markets is not None:
        add_markets(request, markets)
    if netted:
        request.execution = rebalancepb.REBALANCE_EXECUTION_NETTED

    async def call(channel: MeshChannel) -> rebalancepb.RebalancePlan:
        stub = allocationrpc.AllocationServiceStub(channel)
        return (await stub.PlanRebalance(allocationservicepb.PlanRebalanceRequest(rebalance=request))).plan

    found = ask(access, call)
    if save is not None:
        told = {"request": MessageToDict(request), "plan_hash": found.plan_hash}
        write_whole(save, json.dumps(told, indent=1).encode(), "--save")
    if plot is not None:
        from qmtl.cli.show.drawing.share_pictures import draw_plan

        draw_plan(found, plot)
    if access.json:
        show_json(as_dict(found))
    else:
        show_plan(found)


@with_access
def apply(
    access: Access,
    file: Annotated[Path, typer.Argument(help="What alloc plan saved.")],
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key, part of the ids of orders.")],
    reason: Reason,
    closes: Annotated[
        list[str] | None,
        typer.Option(
            help="WORLD or WORLD/STRATEGY that the plan closes as the set after does not name it. Repeatable."
        ),
    ] = None,
) -> None:
    """Record a saved plan as a run. Planned again, it must trade the same. Sends no order."""
    request = saved_plan(file)
    request.run_id, request.reason = run_id, reason
    request.closes.extend(closes or [])

    async def call(channel: MeshChannel) -> rebalancepb.RebalanceRun:
        return (await allocationrpc.AllocationServiceStub(channel).ApplyRebalance(request)).run

    _show(access, ask(access, call))


@with_access
def execute(
    access: Access,
    account: AccountName,
    run_id: RunId,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Send the orders of a recorded run. Exit code 1 unless it completes."""

    async def call(channel: MeshChannel) -> rebalancepb.RebalanceRun:
        stub = rebalancingrpc.RebalancingServiceStub(channel)
        request = rebalancingservicepb.ExecuteRebalanceRequest(account=account, run_id=run_id)
        run = (await stub.ExecuteRebalance(request, metadata=live_metadata(is_meant=allow_live))).run
        return await _followed(channel, account, run_id) if wait else run

    run = ask(access, call)
    _show(access, run)
    if wait and run.state != rebalancepb.REBALANCE_STATE_COMPLETED:
        raise typer.Exit(1)


@with_access
def watch(access: Access, account: AccountName, run_id: RunId) -> None:
    """Follow a run to its end. Exit code 1 unless it completes."""
    run = ask(access, lambda channel: _followed(channel, account, run_id))
    _show(access, run)
    if run.state != rebalancepb.REBALANCE_STATE_COMPLETED:
        raise typer.Exit(1)


@with_access
def cancel(access: Access, account: AccountName, run_id: RunId) -> None:
    """Stop a run: no further orders, open ones are closed, what filled stays."""

    async def call(channel: MeshChannel) -> rebalancepb.RebalanceRun:
        stub = rebalancingrpc.RebalancingServiceStub(channel)
        request = rebalancingservicepb.CancelRebalanceRequest(account=account, run_id=run_id)
        return (await stub.CancelRebalance(request)).run

    _show(access, ask(access, call))


@with_access
def runs(access: Access, account: AccountName, limit: Limit = 50) -> None:
    """List the rebalancing runs of an account, newest first: who applied and executed them, and why."""
    request = allocationservicepb.ListRebalancesRequest(account=account)
    found = ask(
        access,
        lambda channel: listed(
            allocationrpc.AllocationServiceStub(channel).ListRebalances, request, lambda reply: reply.runs, limit
        ),
    )
    columns = ("run", "state", "time", "applied by", "executed by", "reason", "because")
    show_listing(access, found, "rebalances", columns, _run_rows)


def show_plan(found: rebalancepb.RebalancePlan) -> None:
    """Print a plan for people: first what it closes without having been asked by name."""
    closing = [warning for warning in found.warnings if warning.startswith("CLOSES:")]
    for warning in closing:
        typer.echo(f"warning {warning}")
    rows = [
        (
            leg.world_id,
            leg.strategy_id,
            leg.symbol,
            leg.quantity,
            f"x {leg.scale}",
            leg.rounded,
            leg.notional,
            leg.cost_bps or "-",
            ", ".join(enum_word(rebalancepb.LegReason, reason) for reason in leg.reasons) or "-",
        )
        for leg in found.legs
    ]
    columns = ("world", "strategy", "symbol", "held", "scale", "trade", "notional", "cost bps", "because")
    show_table(f"plan of account {found.account} until {when(found.valid_until)}", columns, rows)
    if found.choices:
        show_table("ways", ("world", "strategy", "symbol", "way", "scaled bps", "hedged bps"), _choice_rows(found))
    totals = [
        ("gross", found.before.gross, found.after.gross),
        ("net", found.before.net, found.after.net),
    ]
    if found.before.headroom:
        totals.append(("headroom", found.before.headroom, found.after.headroom))
    show_table(f"{len(found.orders)} orders, {found.plan_hash}", ("exposure", "before", "after"), totals)
    if found.risk_before:
        after = {figure.name: figure.value for figure in found.risk_after}
        told = [one for one in found.risk_before if one.name in after]
        figures = [(one.name, f"{one.value:.6f}", f"{after[one.name]:.6f}") for one in told]
        show_table(f"risk by snapshot {found.risk_snapshot}", ("of capital", "before", "after"), figures)
    for warning in found.warnings[len(closing) :]:
        typer.echo(f"warning {warning}")


def _choice_rows(found: rebalancepb.RebalancePlan) -> list[tuple[str, ...]]:
    return [
        (
            one.world_id,
            one.strategy_id,
            one.symbol,
            enum_word(rebalancepb.RebalanceWay, one.way),
            one.scale_bps or "-",
            one.hedge_bps or "-",
        )
        for one in found.choices
    ]


def _show(access: Access, run: rebalancepb.RebalanceRun) -> None:
    if shown_as_json(access, run):
        return
    state = enum_word(rebalancepb.RebalanceState, run.state)
    typer.echo(f"rebalance {run.run_id} of account {run.account}: {state}")
    if run.progress and run.plan.legs:
        rows = [
            (leg.world_id, leg.strategy_id, leg.symbol, leg.rounded, done.filled, done.notional, done.reason or "-")
            for leg, done in zip(run.plan.legs, run.progress, strict=True)
        ]
        show_table("legs", ("world", "strategy", "symbol", "planned", "filled", "notional", "because"), rows)
    for reason in run.reasons:
        typer.echo(f"because {reason}")


def _run_rows(found: Sequence[rebalancepb.RebalanceRun]) -> list[tuple[str, ...]]:
    return [
        (
            run.run_id,
            enum_word(rebalancepb.RebalanceState, run.state),
            when(run.created_at),
            run.applied_by,
            run.executed_by or "-",
            run.reason,
            "; ".join(run.reasons) or "-",
        )
        for run in found
    ]


async def _followed(channel: MeshChannel, account: str, run_id: str) -> rebalancepb.RebalanceRun:
    run = rebalancepb.RebalanceRun()
    stub = allocationrpc.AllocationServiceStub(channel)
    asked = allocationservicepb.WatchRebalanceRequest(account=account, run_id=run_id)
    with scoped(stub.WatchRebalance(asked, timeout=FOLLOW_S)) as replies:
        async for reply in replies:
            if (line := _progress(reply.run)) != _progress(run):
                typer.echo(line, err=True)
            run = reply.run
    return run


def _progress(run: rebalancepb.RebalanceRun) -> str:
    """How far a run has come. One that stands still waits for fills, on paper for the next bar."""
    legs = zip(run.plan.legs, run.progress, strict=False)
    whole = sum(Decimal(done.filled or 0) == Decimal(leg.rounded or 0) for leg, done in legs)
    return f"{enum_word(rebalancepb.RebalanceState, run.state)}: {whole} of {len(run.plan.legs)} legs are whole"


def add_proxy(request: rebalancepb.RebalanceRequest, text: str) -> None:
    """Raises InvalidRequest (E_ALLOCATION_OPTION)."""
    world_id, _, symbol = text.partition("=")
    if not world_id or not symbol:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"--proxy is {text!r}, want WORLD=SYMBOL")
    request.proxies.add(world_id=world_id, symbol=symbol)


def add_markets(request: rebalancepb.RebalanceRequest, file: Path) -> None:
    """Raises InvalidRequest (E_ALLOCATION_OPTION) for a file that is no list of SymbolMarket."""
    try:
        for row in json.loads(file.read_text(encoding="utf-8")):
            ParseDict(row, request.markets.add())
    except (OSError, ValueError, TypeError, ParseError) as error:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"{file} is no list of symbol markets: {error}") from None


def saved_plan(file: Path) -> allocationservicepb.ApplyRebalanceRequest:
    """Raises InvalidRequest (E_ALLOCATION_OPTION) for a file that alloc plan did not write."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        request = allocationservicepb.ApplyRebalanceRequest(plan_hash=told["plan_hash"])
        ParseDict(told["request"], request.rebalance)
    except (OSError, ValueError, KeyError, TypeError, ParseError) as error:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"{file} is no saved plan: {error}") from None
    return request


def add_scale(request: rebalancepb.RebalanceRequest, text: str) -> None:
    found = _SCALE.fullmatch(text)
    if not found:
        raise InvalidRequest("E_ALLOCATION_OPTION", f"--scale is {text!r}, want WORLD=G or WORLD/STRATEGY=G")
    world_id, strategy_id, factor = found.groups()
    if strategy_id:
        request.explicit.strategies.add(world_id=world_id, strategy_id=strategy_id, share=factor)
    else:
        request.explicit.worlds.add(world_id=world_id, share=factor)
