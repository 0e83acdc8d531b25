"""`qmtl world evaluate|explain|decide`: how strategies are judged, and what a world may do."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from enum import Enum
from typing import Annotated

import typer

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.show import verdicts
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs
from qmtl.cli.show.verdicts import Standing, as_judged_now, standings_of
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc

RUNS_MAX = 20_000


class StageName(Enum):
    """Stages a strategy may be evaluated at."""

    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


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
    """Judge a strategy by the world's policy, with its latest numbers or those given."""
    strategy_id = whole_strategy_id(access, strategy_id)

    request = evaluationservicepb.EvaluateRequest(
        world_id=world_id,
        strategy_id=strategy_id,
        run_id=run_id or f"cli-{uuid.uuid4().hex[:12]}",
        stage=f"STAGE_{stage.name}",
        metrics=[_metric(text) for text in metric or []],
    )

    async def call(channel: MeshChannel) -> evaluationservicepb.EvaluateResponse:
        return await evaluationrpc.EvaluationServiceStub(channel).Evaluate(request)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    report = reply.run.report
    summary = enum_word(evaluationpb.EvaluationSummary, report.summary)
    typer.echo(f"{strategy_id} in {world_id}: {summary}, run {reply.run.run_id} revision {reply.run.run_revision}")
    for line in verdicts.evidence_lines(reply.run):
        typer.echo(f"  {line}")
    for line in verdicts.verdict_lines(report):
        typer.echo(f"  {line}")
    selected = "selected" if strategy_id in reply.decision.selected else "not selected"
    ceiling = verdicts.CEILINGS.get(reply.decision.effective_mode, "")
    typer.echo(f"it is {selected}; the world {ceiling}")


@with_access
def explain(access: Access, world_id: WorldId) -> None:
    """Explain why each strategy of a world is in or out: rule, numbers, what it may do."""

    async def call(channel: MeshChannel) -> tuple[decisionpb.DecisionEnvelope, list[verdicts.Standing]]:
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
            "unsettled": as_dict(one.unsettled) if one.unsettled is not None else None,
            "activation": [as_dict(entry) for entry in one.entries],
            "closings": [as_dict(closing) for closing in one.closings],
        }
        for one in standings
    ]
    show_json({"decision": as_dict(decision), "strategies": strategies})


async def _read_standings(channel: MeshChannel, world_id: str) -> tuple[decisionpb.DecisionEnvelope, list[Standing]]:
    """Decision, bindings, runs, activation and names, each from its owner."""
    evaluation = evaluationrpc.EvaluationServiceStub(channel)
    decided: list[decisionpb.DecisionEnvelope] = []
    unsettled: list[evaluationpb.EvaluationRun] = []

    def reports(reply: evaluationservicepb.ListReportsResponse) -> Iterable[evaluationpb.EvaluationReport]:
        decided.append(reply.decision)
        unsettled.extend(reply.unsettled)
        return reply.reports

    of_world = evaluationservicepb.ListReportsRequest(world_id=world_id)
    judged = await listed(evaluation.ListReports, of_world, reports, RUNS_MAX)
    found = await activationrpc.ActivationServiceStub(channel).GetActivation(
        activationservicepb.GetActivationRequest(world_id=world_id)
    )
    bound = await listed(
        bindingrpc.BindingServiceStub(channel).ListBindings,
        bindingservicepb.ListBindingsRequest(world_id=world_id),
        lambda reply: reply.bindings,
        RUNS_MAX,
    )
    runs = await listed(
        evaluation.ListEvaluationRuns,
        evaluationservicepb.ListEvaluationRunsRequest(world_id=world_id),
        lambda reply: reply.runs,
        RUNS_MAX,
    )
    names = await listed(
        strategyrpc.StrategyServiceStub(channel).ListStrategies,
        strategyservicepb.ListStrategiesRequest(world_id=world_id),
        lambda reply: [(one.strategy_id, one.meta.name) for one in reply.strategies],
        RUNS_MAX,
    )
    standings = standings_of(bound, runs, found.activation, dict(names), found.closings)
    return decided[-1], as_judged_now(standings, judged, unsettled)


def _metric(text: str) -> evaluationpb.Metric:
    name, _, value = text.partition("=")
    try:
        return evaluationpb.Metric(name=name, value=float(value))
    except ValueError:
        raise InvalidRequest("E_METRIC_OPTION", f"--metric is {text!r}, want NAME=VALUE") from None


@with_access
def decide(access: Access, world_id: WorldId) -> None:
    """Show what a world may do now, and what keeps it from more."""

    async def call(channel: MeshChannel) -> decisionpb.DecisionEnvelope:
        return (
            await evaluationrpc.EvaluationServiceStub(channel).Decide(
                evaluationservicepb.DecideRequest(world_id=world_id)
            )
        ).decision

    decision = ask(access, call)
    if shown_as_json(access, decision):
        return
    pairs = [
        ("effective mode", enum_word(commonpb.EffectiveMode, decision.effective_mode)),
        ("reasons", ", ".join(enum_word(decisionpb.DecisionReason, one) for one in decision.reasons) or "-"),
        ("policy version", str(decision.policy_version)),
        ("as of", when(decision.as_of)),
        ("data end", when(decision.data_end)),
        ("coverage", f"{decision.coverage_ratio:.4f}"),
        ("selected", ", ".join(decision.selected) or "-"),
        ("good for", f"{decision.ttl.ToTimedelta().total_seconds():g} s from {when(decision.decided_at)}"),
        ("evidence", enum_word(decisionpb.EvidenceRule, decision.evidence) if decision.evidence else "-"),
        ("account", _account(decision.account_model) if decision.HasField("account_model") else "-"),
        ("backtests assume", _assumed(decision.execution_model)),
        ("stale", "yes" if decision.stale else "no"),
    ]
    show_pairs(f"decision of {world_id}", pairs)


def _account(model: accountpb.AccountModel) -> str:
    """The account of backtests and paper, in few words."""
    kind = enum_word(accountpb.AccountType, model.type) if model.type else "as the profile is"
    leverage = f", leverage {model.leverage}" if model.leverage else ""
    return f"{kind}{leverage}, cash {model.starting_cash}"


def _assumed(model: decisionpb.ExecutionModel) -> str:
    """What backtests have to assume at least, in the policy's terms."""
    return ", ".join(f"{field.name} {value}" for field, value in model.ListFields() if field.name != "fill") or "-"
