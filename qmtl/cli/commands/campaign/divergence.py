"""`qmtl campaign report`: how paper or live trading differs from the replay of its own decisions, and why."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask, endpoint_options
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.projects.loading import load_strategy
from qmtl.cli.show.drawing.divergence_picture import TERMS, draw_divergence, side_of
from qmtl.cli.show.formats import instant
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import refused
from qmtl.rpc.client.channel import MeshChannel
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.divergence import TradedRun, create_report
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc

PATIENCE_S = 60.0
BLOCKING = frozenset({divergencepb.DIVERGENCE_VERDICT_FAIL, divergencepb.DIVERGENCE_VERDICT_UNKNOWN})


@with_access
def report(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    code: Annotated[
        str,
        typer.Option("--code", metavar="FILE[:CLASS]", help="The strategy's code, replayed for a new report."),
    ] = "",
    session: Annotated[str, typer.Option("--session", help="Data session. Default: the world's, of its kind.")] = "",
    account: Annotated[str, typer.Option("--account", help="Account. Default: that of a runner's session.")] = "",
    live: Annotated[bool, typer.Option("--live", help="Compare live trading, not paper.")] = False,
    capital: Annotated[
        str, typer.Option("--capital", help="With --live: what it sized orders by first. Default: the policy's cash.")
    ] = "",
    days: Annotated[int | None, typer.Option("--days", help="Only the last so many days of the session.")] = None,
    since: Annotated[str, typer.Option("--since", help="Only from this time of the session on.")] = "",
    until: Annotated[str, typer.Option("--until", help="Leave out bars that close after this time.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Also draw the report into this picture file.")] = None,
) -> None:
    """Compare trading with its replay: with --code a new report, else the newest; exit code 1 when it blocks.

    The session's recording is sealed and replayed from the session's start; brokerage says what both sides came to.
    What they held where --days or --since begins counts from its price then.
    """
    chosen = {
        "--session": session,
        "--account": account,
        "--live": live,
        "--capital": capital,
        "--days": days is not None,
        "--since": since,
        "--until": until,
    }
    if not code and (said := [name for name, value in chosen.items() if value]):
        want = "--code FILE[:CLASS] beside them: they choose what a new report is of"
        raise refused("E_FIELD", "options", " ".join(said), want)
    strategy_id = whole_strategy_id(access, strategy_id)
    if code:
        end = instant(until, "--until") if until else None
        money = parse_decimal(capital, "--capital") if capital else None
        start = instant(since, "--since") if since else None
        found = _made(access, code, TradedRun(world_id, strategy_id, session, account, end, live, money, start, days))
    else:
        found = _stored(access, world_id, strategy_id)
    if access.json:
        show_json(as_dict(found))
    else:
        show_report(found)
    if plot is not None:
        draw_divergence(found, plot)
        typer.echo(f"picture  {plot}", err=access.json)
    if found.verdict in BLOCKING:
        raise typer.Exit(1)


def show_report(found: divergencepb.DivergenceReport) -> None:
    """The verdict first, then why, then figures and terms."""
    verdict = enum_word(divergencepb.DivergenceVerdict, found.verdict)
    side = side_of(found)
    typer.echo(
        f"{verdict}: {side} of {found.strategy_id} in {found.world_id}, {when(found.start)} to {when(found.end)}"
    )
    for reason in found.reasons:
        typer.echo(f"  {reason}")
    show_pairs(f"report {found.report_id}", list(_figures(found)))
    if found.HasField("terms"):
        terms = found.terms
        rows = [("replay", terms.replay_pnl), *((name, getattr(terms, name)) for name in TERMS), (side, terms.live_pnl)]
        show_table(f"from the replay's profit to that of {side}", ("term", "amount"), rows)
    for one in found.denials:
        typer.echo(f"denied by {one.rule}: {one.live_count} {side}, {one.replay_count} in the replay")
    for drift in found.drift:
        typer.echo(f"drift of {drift.node}: PSI {drift.psi:.4f}")


def _figures(found: divergencepb.DivergenceReport) -> Iterator[tuple[str, str]]:
    told = found.figures
    yield "made", f"{when(found.created_at)} by {found.created_by}, limits of policy v{found.policy_version}"
    yield (
        "orders",
        (
            f"{told.pair_count} pairs, {told.shifted_count} shifted by a bar; "
            f"{told.only_live_count} only {side_of(found)}, "
            f"{told.only_replay_count} only in the replay"
        ),
    )
    yield "match rate", _number(told.match_rate, ".2%")
    yield "filled of the replay", _number(told.fill_ratio, ".2%")
    yield (
        "slippage",
        f"{_number(told.live_slippage_bps, '.2f')} bp, model {_number(told.replay_slippage_bps, '.2f')} bp",
    )
    yield "tracking error a year", _number(told.tracking_error, ".3%")
    days, mean = told.day_count, _number(10_000 * told.mean_difference, "+.2f")
    yield f"a day, {side_of(found)} less replay", f"{mean} bp over {days} days, t {_number(told.mean_t, '.2f')}"
    yield "session, account", f"{found.session_id}, {found.account}"
    if found.capital:
        yield "capital", f"{found.capital}, which both sides began with"
    if found.weight:
        yield "weight", f"{found.weight} of the replay's quantities, as the strategy traded"
    yield "recordings", "\n".join(found.recordings) or "none"
    yield "bars there", f"{found.coverage_ratio:.2%}"
    yield "version", found.strategy_version or "never told"
    yield "execution model", found.execution_model


def _number(value: float, form: str) -> str:
    return "not measured" if math.isnan(value) else format(value, form)


def _stored(access: Access, world_id: str, strategy_id: str) -> divergencepb.DivergenceReport:
    async def call(channel: MeshChannel) -> divergencepb.DivergenceReport:
        asked = divergenceservicepb.GetDivergenceReportRequest(world_id=world_id, strategy_id=strategy_id)
        return (await divergencerpc.DivergenceServiceStub(channel).GetDivergenceReport(asked)).report

    return ask(access, call)


def _made(access: Access, code: str, run: TradedRun) -> divergencepb.DivergenceReport:
    gateway = Gateway(**asdict(endpoint_options(access)), outage_s_max=PATIENCE_S)
    return asyncio.run(create_report(gateway, load_strategy(code)(), run))
