"""`qmtl world evaluate|explain|apply|resume|approve-live|revoke-live`: judging strategies and moving worlds."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.options import Access, AllowLive, with_access

if TYPE_CHECKING:
    from qmtl.cli.show.verdicts import Standing
    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.rpc.client.channel import MeshChannel
    from qmtl.world.v1 import evaluation_pb2 as evaluationpb
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import world_pb2

RUNS_MAX = 20_000
APPLY_S = 120.0
_TARGET = re.compile(r"([^:=@\s]+):(long|short)=([0-9.]+)(?:@(backtest|paper|live))?")
_LIFE = re.compile(r"([1-9][0-9]{0,3})([hd])")

WorldId = Annotated[str, typer.Argument(help="World id.")]
StrategyId = Annotated[str, typer.Argument(help="Strategy id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


class StageName(Enum):
    """Stages a strategy may be evaluated at."""

    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


def attach(app: typer.Typer) -> None:
    """Hang the commands on `qmtl world`."""
    app.command()(evaluate)
    app.command()(explain)
    app.command()(apply)
    app.command()(resume)
    app.command("approve-live")(approve_live)
    app.command("revoke-live")(revoke_live)


@with_access
def evaluate(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key. Default: a new one.")] = "",
    stage: Annotated[StageName, typer.Option(help="Stage the numbers come from.")] = StageName.BACKTEST,
    metric: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE. Repeatable. None: those of the stage's latest run.")
    ] = None,
) -> None:
    """Judge a strategy again under the world's policy, with its latest numbers or those given."""
    import uuid

    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show import verdicts
    from qmtl.cli.show.messages import as_dict, enum_word, show_json
    from qmtl.world.v1 import evaluation_pb2 as evaluationpb
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    request = worldpb.EvaluateRequest(
        world_id=world_id,
        strategy_id=strategy_id,
        run_id=run_id or f"cli-{uuid.uuid4().hex[:12]}",
        stage=f"STAGE_{stage.name}",
        metrics=[_metric(text) for text in metric or []],
    )

    async def call(channel: MeshChannel) -> worldpb.EvaluateResponse:
        return await worldrpc.WorldServiceStub(channel).Evaluate(request)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
        return
    report = reply.run.report
    summary = enum_word(evaluationpb.EvaluationSummary, report.summary)
    typer.echo(f"{strategy_id} in {world_id}: {summary}, run {reply.run.run_id} revision {reply.run.revision}")
    for line in verdicts.verdict_lines(report):
        typer.echo(f"  {line}")
    selected = "selected" if strategy_id in reply.decision.selected else "not selected"
    ceiling = verdicts.CEILINGS.get(reply.decision.effective_mode, "")
    typer.echo(f"it is {selected}; the world {ceiling}")


@with_access
def explain(access: Access, world_id: WorldId) -> None:
    """Why each strategy of a world is in or out, with the numbers and the rule, and what it may do now."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show import verdicts
    from qmtl.cli.show.messages import as_dict, show_json

    async def call(channel: MeshChannel) -> tuple[world_pb2.DecisionEnvelope, list[verdicts.Standing]]:
        return await _read_standings(channel, world_id)

    decision, standings = ask(access, call)
    if not access.json:
        typer.echo("\n".join(verdicts.explain_world(decision, standings)))
        return
    strategies = [
        {
            "strategy_id": one.strategy_id,
            "name": one.name,
            "selected": one.strategy_id in decision.selected,
            "why": verdicts.why_in(one) if one.strategy_id in decision.selected else verdicts.why_out(decision, one),
            "run": as_dict(one.run) if one.run is not None else None,
            "activation": [as_dict(entry) for entry in one.entries],
        }
        for one in standings
    ]
    show_json({"decision": as_dict(decision), "strategies": strategies})


@with_access
def apply(
    access: Access,
    world_id: WorldId,
    target: Annotated[
        list[str] | None, typer.Option(help="STRATEGY:long|short=WEIGHT[@backtest|paper|live]. Repeatable.")
    ] = None,
    from_policy: Annotated[bool, typer.Option("--evaluate", help="Take the targets from the decision.")] = False,
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key; the same again resumes it.")] = "",
    etag: Annotated[str, typer.Option(help="Etag of the activation it was planned against.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Move a world to other targets in two phases: freeze, switch, unfreeze."""
    import uuid

    from qmtl.core.errors import InvalidRequest
    from qmtl.world.v1 import service_pb2 as worldpb

    if bool(target) == from_policy:
        raise InvalidRequest("E_APPLY_OPTIONS", "give either --target or --evaluate")
    request = worldpb.ApplyRequest(world_id=world_id, run_id=run_id or f"cli-{uuid.uuid4().hex[:12]}", etag=etag)
    if from_policy:
        request.evaluate = True
    else:
        request.targets.targets.extend(_target(text) for text in target or [])
    _run(access, request, wait=wait, allow_live=allow_live)


@with_access
def resume(
    access: Access,
    world_id: WorldId,
    run_id: Annotated[str, typer.Argument(help="Run that ended FROZEN.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Lead a frozen world out of its freeze."""
    from qmtl.world.v1 import service_pb2 as worldpb

    _run(access, worldpb.ResumeRequest(world_id=world_id, run_id=run_id), wait=wait, allow_live=allow_live)


@with_access
def approve_live(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    reason: Reason = "",
    life: Annotated[str, typer.Option("--for", help="How long it holds: 12h, 30d. Empty: until revoked.")] = "",
    allow_live: AllowLive = False,
) -> None:
    """Record that a strategy may go live. An owner's act: --as owner --allow-live."""
    from datetime import UTC, datetime, timedelta

    from qmtl.cli.gateway.calls import ask, live_metadata
    from qmtl.core.errors import InvalidRequest
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    found = _LIFE.fullmatch(life)
    if life and not found:
        raise InvalidRequest("E_LIFE", f"--for is {life!r}, want for example 12h or 30d")
    request = worldpb.ApproveLiveRequest(
        world_id=world_id, strategy_id=strategy_id, reason=reason or "qmtl world approve-live"
    )
    if found:
        hours = int(found[1]) * (24 if found[2] == "d" else 1)
        request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))

    async def call(channel: MeshChannel) -> world_pb2.LiveApproval:
        stub = worldrpc.WorldServiceStub(channel)
        return (await stub.ApproveLive(request, metadata=live_metadata(is_meant=allow_live))).approval

    _show_approval(ask(access, call), access.json)


@with_access
def revoke_live(access: Access, world_id: WorldId, strategy_id: StrategyId, reason: Reason = "") -> None:
    """Take an approval back; a live strategy is deactivated first."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    request = worldpb.RevokeLiveRequest(
        world_id=world_id, strategy_id=strategy_id, reason=reason or "qmtl world revoke-live"
    )

    async def call(channel: MeshChannel) -> world_pb2.LiveApproval:
        return (await worldrpc.WorldServiceStub(channel).RevokeLive(request)).approval

    _show_approval(ask(access, call), access.json)


def _run(
    access: Access, request: worldpb.ApplyRequest | worldpb.ResumeRequest, *, wait: bool, allow_live: bool
) -> None:
    """Start or resume a run, follow it, show it; exit code 1 when it did not complete."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import world_pb2

    async def call(channel: MeshChannel) -> world_pb2.ApplyRun:
        return await _follow(channel, request, wait=wait, allow_live=allow_live)

    run = ask(access, call)
    if access.json:
        show_json(as_dict(run))
    else:
        _show_run(run)
    if run.state in (world_pb2.APPLY_STATE_ROLLED_BACK, world_pb2.APPLY_STATE_FROZEN):
        raise typer.Exit(1)


async def _follow(
    channel: MeshChannel, request: worldpb.ApplyRequest | worldpb.ResumeRequest, *, wait: bool, allow_live: bool
) -> world_pb2.ApplyRun:
    from qmtl.cli.gateway.calls import live_metadata
    from qmtl.rpc.client.streams import scoped
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    stub, metadata = worldrpc.WorldServiceStub(channel), live_metadata(is_meant=allow_live)
    if isinstance(request, worldpb.ApplyRequest):
        run = (await stub.Apply(request, timeout=APPLY_S, metadata=metadata)).run
    else:
        run = (await stub.Resume(request, timeout=APPLY_S, metadata=metadata)).run
    if wait:
        asked = worldpb.WatchApplyRunRequest(world_id=request.world_id, run_id=request.run_id)
        with scoped(stub.WatchApplyRun(asked, timeout=APPLY_S)) as replies:
            async for reply in replies:
                run = reply.run
    return run


async def _read_standings(channel: MeshChannel, world_id: str) -> tuple[world_pb2.DecisionEnvelope, list[Standing]]:
    """Decision, bindings, runs, activation and names, each from its owner."""
    from qmtl.cli.gateway.pages import collect
    from qmtl.cli.show.verdicts import as_judged_now, standings_of
    from qmtl.gateway.v1 import service_pb2 as gatewaypb
    from qmtl.gateway.v1 import service_pb2_grpc as gatewayrpc
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    stub, gateway = worldrpc.WorldServiceStub(channel), gatewayrpc.GatewayServiceStub(channel)

    async def bindings(page: commonpb.PageRequest) -> tuple[list[world_pb2.Binding], commonpb.PageInfo]:
        reply = await stub.ListBindings(worldpb.ListBindingsRequest(world_id=world_id, page=page))
        return list(reply.bindings), reply.page

    async def runs(page: commonpb.PageRequest) -> tuple[list[evaluationpb.EvaluationRun], commonpb.PageInfo]:
        reply = await stub.ListEvaluationRuns(worldpb.ListEvaluationRunsRequest(world_id=world_id, page=page))
        return list(reply.runs), reply.page

    async def names(page: commonpb.PageRequest) -> tuple[list[tuple[str, str]], commonpb.PageInfo]:
        reply = await gateway.ListStrategies(gatewaypb.ListStrategiesRequest(world_id=world_id, page=page))
        return [(one.strategy_id, one.meta.name) for one in reply.strategies], reply.page

    decided = await stub.Decide(worldpb.DecideRequest(world_id=world_id, with_reports=True))
    activation = (await stub.GetActivation(worldpb.GetActivationRequest(world_id=world_id))).activation
    bound = await collect(bindings, RUNS_MAX)
    standings = standings_of(bound, await collect(runs, RUNS_MAX), activation, dict(await collect(names, RUNS_MAX)))
    return decided.decision, as_judged_now(standings, decided.reports)


def _show_run(run: world_pb2.ApplyRun) -> None:
    from qmtl.cli.show.messages import enum_word, when
    from qmtl.cli.show.tables import show_table
    from qmtl.world.v1 import world_pb2

    state = enum_word(world_pb2.ApplyState, run.state)
    fence = "confirmed" if run.fence_confirmed else "not confirmed"
    title = f"apply {run.run_id} of {run.world_id}: {state}, epoch {run.epoch}, fence {fence}"
    rows = [(enum_word(world_pb2.ApplyState, step.state), when(step.time), step.detail or "-") for step in run.steps]
    show_table(title, ("step", "time", "detail"), rows)
    if run.reason:
        typer.echo(f"because {run.reason}")


def _show_approval(approval: world_pb2.LiveApproval, json: bool) -> None:
    from qmtl.cli.show.messages import as_dict, show_json, when
    from qmtl.cli.show.tables import show_pairs

    if json:
        show_json(as_dict(approval))
        return
    pairs = [
        ("approved", f"{when(approval.approved_at)} by {approval.approved_by}"),
        ("reason", approval.reason or "-"),
        ("expires", when(approval.expires_at)),
        ("revoked", when(approval.revoked_at)),
    ]
    show_pairs(f"live approval of {approval.strategy_id} in {approval.world_id}", pairs)


def _metric(text: str) -> evaluationpb.Metric:
    from qmtl.core.errors import InvalidRequest
    from qmtl.world.v1 import evaluation_pb2 as evaluationpb

    name, _, value = text.partition("=")
    try:
        return evaluationpb.Metric(name=name, value=float(value))
    except ValueError:
        raise InvalidRequest("E_METRIC_OPTION", f"--metric is {text!r}, want NAME=VALUE") from None


def _target(text: str) -> world_pb2.ApplyTarget:
    from qmtl.core.errors import InvalidRequest
    from qmtl.world.v1 import world_pb2

    found = _TARGET.fullmatch(text)
    if not found:
        raise InvalidRequest("E_TARGET_OPTION", f"--target is {text!r}, want STRATEGY:long|short=WEIGHT[@STAGE]")
    strategy_id, side, weight, stage = found.groups()
    try:
        share = float(weight)
    except ValueError:
        raise InvalidRequest("E_TARGET_OPTION", f"weight is {weight!r}, want a number in 0..1") from None
    return world_pb2.ApplyTarget(
        strategy_id=strategy_id,
        side=f"SIDE_{side.upper()}",
        weight=share,
        stage=f"STAGE_{stage.upper()}" if stage else None,
    )
