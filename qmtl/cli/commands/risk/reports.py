"""`qmtl risk`: reports of a scope, stress, candidates, tests of forecasts, and snapshots put from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import ParseDict, ParseError

from qmtl.cli.commands.risk.scopes import ScopeName, Stage, StageName, scope_fields, stage_number
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, with_access
from qmtl.cli.show.drawing import risk_picture
from qmtl.cli.show.formats import instant, share_bar
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.core.errors import refused
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.wire.instants import instant_to_proto

Plot = Annotated[Path | None, typer.Option("--plot", help="Draw it into this file, its kind by the ending.")]
NONE = "-"


@with_access
def show(
    access: Access,
    scope: ScopeName,
    stage: Stage = StageName.ANY,
    at: Annotated[str, typer.Option(help="The report of the snapshot that stood at this time.")] = "",
    plot: Plot = None,
) -> None:
    """Show the risk report of a world or an account."""
    until = instant(at, "--at") if at else None

    async def call(channel: MeshChannel) -> tuple[riskservicepb.GetReportResponse, list[riskpb.ExposureRow]]:
        stub, version = riskrpc.RiskServiceStub(channel), ""
        if until is not None:
            asked = riskservicepb.LookupSnapshotRequest(
                **scope_fields(scope), stage=stage_number(stage), at=instant_to_proto(until)
            )
            version = (await stub.LookupSnapshot(asked)).snapshot.version
        report = await stub.GetReport(
            riskservicepb.GetReportRequest(**scope_fields(scope), stage=stage_number(stage), version=version)
        )
        rows: list[riskpb.ExposureRow] = []
        if until is None:
            exposure = riskservicepb.GetExposureRequest(**scope_fields(scope), stage=stage_number(stage))
            rows = list((await stub.GetExposure(exposure)).rows)
        return report, rows

    reply, rows = ask(access, call)
    if plot is not None:
        risk_picture.draw_report(reply.report, rows, plot)
    if access.json:
        show_json({**as_dict(reply), "exposure": [as_dict(row) for row in rows]})
        return
    _show_report(reply)
    bound = [row for row in rows if row.limit]
    if bound:
        columns = ("group", "name", "gross", "net", "limit", "headroom", "used")
        show_table("limits", columns, [_headroom(row) for row in bound])


@with_access
def stress(access: Access, scope: ScopeName, stage: Stage = StageName.ANY) -> None:
    """Show what a world or an account loses under its scenarios."""
    request = riskservicepb.GetReportRequest(**scope_fields(scope), stage=stage_number(stage))

    async def call(channel: MeshChannel) -> riskpb.RiskReport:
        return (await riskrpc.RiskServiceStub(channel).GetReport(request)).report

    found = ask(access, call).stress
    columns = ("scenario", "loss", "unshocked")
    show_listing(
        access,
        found,
        "stress, of capital",
        columns,
        lambda rows: [(one.name, f"{one.loss:.3%}", ", ".join(one.unshocked)) for one in rows],
    )


@with_access
def explain(
    access: Access,
    scope: ScopeName,
    strategy_id: Annotated[str, typer.Argument(help="Strategy id; in an account world_id/strategy_id.")],
    share: Annotated[float, typer.Option(help="Share of capital it would have, between 0 and 1.")],
    stage: Stage = StageName.LIVE,
) -> None:
    """Show what a strategy with a share of the capital would do to the book's risk. Exits 1 if it breaks a limit."""
    request = riskservicepb.ExplainCandidateRequest(
        **scope_fields(scope), strategy_id=strategy_id, share=share, stage=stage_number(stage)
    )

    async def call(channel: MeshChannel) -> riskservicepb.ExplainCandidateResponse:
        return await riskrpc.RiskServiceStub(channel).ExplainCandidate(request)

    told = ask(access, call)
    if access.json:
        show_json(as_dict(told))
    else:
        before, rises = ({one.name: one.value for one in table} for table in (told.before, told.incremental))
        rows = [
            (one.name, _percent(before.get(one.name)), _percent(one.value), _percent(rises.get(one.name)))
            for one in told.after
        ]
        show_table(f"{strategy_id} at {share:.1%} of {scope}", ("figure", "before", "after", "change"), rows)
        typer.echo(f"correlation to the book {told.correlation:.2f}")
        for one in told.broken:
            typer.echo(f"breaks {one.limit}: {one.value:.3%}, want at most {one.max:.3%}")
    if told.broken:
        raise typer.Exit(1)


@with_access
def backtest(
    access: Access,
    scope: ScopeName,
    stage: Stage = StageName.LIVE,
    window: Annotated[int, typer.Option(help="Days back, 60 to 2000.", min=60, max=2_000)] = 250,
    plot: Plot = None,
) -> None:
    """Test the VaR and ES forecasts of a world or an account against what came."""
    request = riskservicepb.BacktestForecastsRequest(**scope_fields(scope), window=window, stage=stage_number(stage))

    async def call(channel: MeshChannel) -> riskservicepb.BacktestForecastsResponse:
        return await riskrpc.RiskServiceStub(channel).BacktestForecasts(request)

    reply = ask(access, call)
    if plot is not None:
        risk_picture.draw_backtest(reply, plot)
    if shown_as_json(access, reply):
        return
    if not reply.HasField("tests"):
        typer.echo(f"{scope}: no day has both a forecast and a return yet")
        return
    tests = reply.tests
    show_pairs(
        f"forecasts of {scope}",
        [
            ("days", f"{tests.days}, {tests.missing} of the window missing"),
            ("exceptions of VaR 99", f"{tests.exceptions}, expected {tests.days * 0.01:.1f}"),
            ("count (Kupiec)", f"{enum_word(riskpb.ForecastVerdict, tests.verdict)}, {_ratio(tests.unconditional)}"),
            ("clusters (Christoffersen)", _ratio(tests.independence)),
            ("both", _ratio(tests.conditional)),
            ("ES 97.5 (Acerbi, Szekely)", f"Z2 {tests.z2:.3f}, rejected below {tests.z2_critical:.2f}"),
            ("Basel zone", enum_word(riskpb.BaselZone, tests.zone) if tests.zone else "of 250 days only"),
            ("promotions", "stopped: VAR_MODEL_REJECTED" if tests.model_rejected else "not stopped"),
        ],
    )


@with_access
def history(access: Access, scope: ScopeName, stage: Stage = StageName.ANY, limit: Limit = 50) -> None:
    """List snapshots, newest first, with their figures."""
    request = riskservicepb.ListSnapshotsRequest(**scope_fields(scope), stage=stage_number(stage))
    found = ask(
        access,
        lambda channel: listed(
            riskrpc.RiskServiceStub(channel).ListSnapshots, request, lambda reply: reply.snapshots, limit
        ),
    )
    columns = ("version", "as of", "stage", "state", "by", "VaR 99", "ES 97.5", "drawdown")
    show_listing(access, found, f"snapshots of {scope}", columns, _headers)


@with_access
def put(
    access: Access,
    file: Annotated[Path, typer.Argument(help="Snapshot as JSON, as `history --json` names it.", exists=True)],
    scope: Annotated[str, typer.Option(help="What it is about. Default: `scope` of the file.")] = "",
) -> None:
    """Put a snapshot from a file; the same file again changes nothing."""
    message = _read(file)
    request = riskservicepb.PutSnapshotRequest(**scope_fields(scope or message.scope), snapshot=message)

    async def call(channel: MeshChannel) -> riskservicepb.PutSnapshotResponse:
        return await riskrpc.RiskServiceStub(channel).PutSnapshot(request)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    again = " again" if reply.deduplicated else ""
    typer.echo(f"snapshot {reply.header.version}{again}, revision {reply.header.revision}, {reply.header.hash}")


def _read(file: Path) -> riskpb.RiskSnapshot:
    """Raises InvalidRequest (E_FIELD) for what is no snapshot."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}")
        message: riskpb.RiskSnapshot = ParseDict(found, riskpb.RiskSnapshot())
    except (ValueError, ParseError, OSError) as error:
        raise refused("E_FIELD", "FILE", f"{file}: {error}", "a risk snapshot as JSON") from error
    return message


def _show_report(reply: riskservicepb.GetReportResponse) -> None:
    report, header = reply.report, reply.header
    age_s = (datetime.now(UTC) - header.as_of.ToDatetime(tzinfo=UTC)).total_seconds()
    stored = "" if reply.same_as_stored else ", NOT what was stored with it"
    state = enum_word(riskpb.SnapshotState, header.state)
    stage = enum_word(riskpb.RiskStage, header.stage)
    typer.echo(
        f"{report.scope} {stage}: snapshot {header.version} of {when(header.as_of)}, {age_s:.0f} s old, {state}, "
        f"by {header.actor}{stored}"
    )
    rows = [
        (name, *map(_percent, (tail.var_99, tail.es_99, tail.var_975, tail.es_975)))
        for name, tail, there in (
            ("normal", report.normal, report.HasField("normal")),
            ("historical", report.historical, report.HasField("historical")),
        )
        if there
    ]
    show_table("one day, of capital", ("method", "VaR 99", "ES 99", "VaR 97.5", "ES 97.5"), rows)
    columns = ("strategy", "weight", "vol a day", "component", "share of risk", "drawdown")
    show_table("strategies", columns, [_strategy(one) for one in report.strategies])
    figures = {one.name: one.value for one in report.figures}
    for name in ("vol", "drawdown", "stress_loss", "leverage"):
        if name in figures:
            value = f"{figures[name]:.3f}" if name == "leverage" else f"{figures[name]:.3%}"
            typer.echo(f"{name} {value}")
    for one in report.missing:
        typer.echo(f"{one.reason}: {one.detail}")


def _strategy(one: riskpb.StrategyRisk) -> tuple[str, ...]:
    known = [
        _percent(one.vol if one.HasField("vol") else None),
        _percent(one.component if one.HasField("component") else None),
    ]
    share = share_bar(one.component_share) if one.HasField("component_share") else NONE
    return (
        one.strategy_id,
        f"{one.weight:.2%}",
        *known,
        share,
        _percent(one.drawdown if one.HasField("drawdown") else None),
    )


def _headroom(row: riskpb.ExposureRow) -> tuple[str, ...]:
    limit, left = float(row.limit), float(row.headroom)
    used = share_bar((limit - left) / limit) if limit > 0 else NONE
    return enum_word(riskpb.ExposureGroup, row.group), row.name, row.gross, row.net, row.limit, row.headroom, used


def _headers(found: Sequence[riskpb.SnapshotHeader]) -> list[tuple[str, ...]]:
    rows = []
    for one in found:
        figures = {each.name: each.value for each in one.figures}
        rows.append(
            (
                one.version,
                when(one.as_of),
                enum_word(riskpb.RiskStage, one.stage),
                enum_word(riskpb.SnapshotState, one.state),
                one.actor,
                *(_percent(figures.get(name)) for name in ("var_99", "es_975", "drawdown")),
            )
        )
    return rows


def _ratio(one: riskpb.LikelihoodRatio) -> str:
    return f"LR {one.statistic:.3f}, p {one.p:.4f}"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.3%}"
