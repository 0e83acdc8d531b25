"""`qmtl strategy`: what was submitted and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.graphs import assignments_of
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, StrategyId, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.client.channel import MeshChannel

PAGE_SIZE = 100
Assignments = Mapping[str, Sequence[diffpb.QueueAssignment]]  # by world


@with_access
def list_strategies(
    access: Access,
    world: Annotated[str, typer.Option(help="Only strategies of this world.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many, newest first.", min=1, max=1000)] = PAGE_SIZE,
) -> None:
    """List submitted strategies, newest first."""
    request = strategyservicepb.ListStrategiesRequest(world_id=world)
    found = ask(
        access,
        lambda channel: listed(
            strategyrpc.StrategyServiceStub(channel).ListStrategies, request, lambda reply: reply.strategies, limit
        ),
    )
    columns = ("strategy", "name", "state", "worlds", "nodes", "by", "submitted")
    show_listing(access, found, "strategies", columns, _strategy_rows)


def _strategy_rows(strategies: Sequence[strategypb.Strategy]) -> list[tuple[str, ...]]:
    return [
        (
            strategy.strategy_id,
            strategy.meta.name,
            enum_word(controlpb.StrategyState, strategy.state),
            ", ".join(strategy.world_ids),
            str(strategy.nodes),
            strategy.submitted_by,
            when(strategy.created_at),
        )
        for strategy in strategies
    ]


@with_access
def show(
    access: Access,
    strategy_id: StrategyId,
    with_history: Annotated[bool, typer.Option("--history", help="Every step of its life.")] = False,
) -> None:
    """Show a strategy: its state, its context in each world, which nodes are new or reused."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(
        channel: MeshChannel,
    ) -> tuple[strategypb.Strategy, Assignments, list[strategypb.StrategyHistoryEntry]]:
        stub = strategyrpc.StrategyServiceStub(channel)
        reply = await stub.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id=strategy_id))
        found = {one.world_id: await assignments_of(stub, strategy_id, one.world_id) for one in reply.strategy.outcomes}
        if not with_history:
            return reply.strategy, found, []
        steps = await stub.GetStrategyHistory(strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id))
        return reply.strategy, found, list(steps.entries)

    strategy, assignments, steps = ask(access, call)
    if access.json:
        document = as_dict(strategy)
        document["assignments"] = [as_dict(one) for found in assignments.values() for one in found]
        show_json({**document, "history": [as_dict(step) for step in steps]} if with_history else document)
        return
    _show_strategy(strategy)
    for outcome in strategy.outcomes:
        _show_outcome(outcome, assignments[outcome.world_id])
    if with_history:
        _show_history(steps)


@with_access
def history(access: Access, strategy_id: StrategyId) -> None:
    """List every step of a strategy's life."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> list[strategypb.StrategyHistoryEntry]:
        request = strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
        return list((await strategyrpc.StrategyServiceStub(channel).GetStrategyHistory(request)).entries)

    steps = ask(access, call)
    if access.json:
        show_json([as_dict(step) for step in steps])
    else:
        _show_history(steps)


@with_access
def cancel(
    access: Access,
    strategy_id: StrategyId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Cancel a strategy: deactivate it, unbind it and release its plan."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> strategypb.Strategy:
        request = strategyservicepb.CancelStrategyRequest(
            strategy_id=strategy_id, message=reason or "qmtl strategy cancel"
        )
        return (await strategyrpc.StrategyServiceStub(channel).CancelStrategy(request)).strategy

    strategy = ask(access, call)
    if access.json:
        show_json(as_dict(strategy))
    else:
        _show_strategy(strategy)


def _show_strategy(strategy: strategypb.Strategy) -> None:
    pairs = [
        ("name", strategy.meta.name),
        ("state", enum_word(controlpb.StrategyState, strategy.state)),
        ("reason", strategy.message or strategy.reason or "-"),
        ("worlds", ", ".join(strategy.world_ids)),
        ("nodes", str(strategy.nodes)),
        ("dag", strategy.dag_digest),
        ("plan version", str(strategy.plan_version)),
        ("sentinel", strategy.sentinel_id or "-"),
        ("submitted", f"{when(strategy.created_at)} by {strategy.submitted_by}"),
    ]
    show_pairs(f"strategy {strategy.strategy_id}", pairs)


def _show_outcome(outcome: strategypb.WorldOutcome, assignments: Sequence[diffpb.QueueAssignment]) -> None:
    context = outcome.context
    domain = enum_word(commonpb.ExecutionDomain, context.execution_domain)
    lowered = (
        f", lowered: {enum_word(commonpb.DowngradeReason, context.downgrade_reason)}" if context.downgraded else ""
    )
    rows = [
        (
            assignment.name,
            enum_word(diffpb.Disposition, assignment.disposition),
            "shared" if assignment.queue_reused else "own",
            str(assignment.shared_with),
            assignment.topic,
        )
        for assignment in assignments
    ]
    title = f"world {outcome.world_id}: {domain} as of {when(context.as_of)}{lowered}"
    show_table(title, ("node", "graph", "queue", "also used by", "topic"), rows)


def _show_history(steps: list[strategypb.StrategyHistoryEntry]) -> None:
    rows = [
        (
            str(step.strategy_revision),
            enum_word(controlpb.StrategyState, step.state),
            step.actor,
            when(step.time),
            step.message or step.reason,
        )
        for step in steps
    ]
    show_table("history", ("step", "state", "by", "time", "reason"), rows)
