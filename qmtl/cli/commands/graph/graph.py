"""`qmtl graph show|node`: draw a strategy's graph, or one node with what is next to it."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.graphs import assignments_of, plan_nodes
from qmtl.cli.gateway.ids import whole_node_id, whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, StrategyId, with_access
from qmtl.cli.show.drawing import strategy_graph
from qmtl.cli.show.drawing.strategy_graph import NodeView
from qmtl.cli.show.formats import span_word
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.core.errors import NotFound
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import graph_service_pb2_grpc as graphrpc
from qmtl.dag.v1 import plan_pb2 as planpb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.client.channel import MeshChannel

Width = Annotated[int, typer.Option("--width", help="Columns to draw in. 0: those of the terminal.", min=0)]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")]
Dot = Annotated[bool, typer.Option("--dot", help="Print Graphviz DOT instead.")]
WIDTH_UNKNOWN = 100


@with_access
def show(
    access: Access,
    strategy_id: StrategyId,
    version: Annotated[int, typer.Option(help="Plan version. 0: the newest.", min=0)] = 0,
    dot: Dot = False,
    ids: Annotated[bool, typer.Option("--ids", help="List the node ids below the drawing.")] = False,
    width: Width = 0,
    ascii_only: Ascii = False,
) -> None:
    """Draw a strategy's graph, sources above and orders below, with what is reused and shared."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> tuple[planpb.Plan, list[strategy_graph.NodeView]]:
        return await _read_strategy(channel, strategy_id, version)

    plan, nodes = ask(access, call)
    if access.json:
        show_json({"strategy_id": strategy_id, "version": plan.version, "nodes": strategy_graph.as_json(nodes)})
        return
    if dot:
        typer.echo(strategy_graph.dot(strategy_id, nodes))
        return
    worlds = f", live in {', '.join(plan.live_worlds)}" if plan.live_worlds else ", not live"
    typer.echo(f"{strategy_id} plan version {plan.version}, {len(nodes)} nodes{worlds}\n")
    typer.echo(strategy_graph.drawing(nodes, width or _columns(), ascii_only=ascii_only or not _is_unicode()))
    if ids:
        show_table("nodes", ("name", "node id"), [(node.name, node.node_id) for node in nodes])


@with_access
def node(
    access: Access,
    node_id: Annotated[
        str, typer.Argument(help="Node id, or as much of it as no other begins with; with or without blake3:.")
    ],
    depth: Annotated[int, typer.Option(help="Steps around the node to draw.", min=1, max=10)] = 1,
    dot: Dot = False,
    width: Width = 0,
    ascii_only: Ascii = False,
) -> None:
    """Show a node of the global graph: what it computes, who uses it, what is next to it."""
    wanted = whole_node_id(access, node_id)

    async def call(channel: MeshChannel) -> tuple[graphservicepb.GraphNode, list[graphservicepb.GraphNode]]:
        found = (await graphrpc.GraphServiceStub(channel).GetNode(graphservicepb.GetNodeRequest(node_id=wanted))).node
        return found, await _graph(channel, graphservicepb.GetGraphRequest(node_id=wanted, depth=depth))

    found, graph = ask(access, call)
    nodes = strategy_graph.view_of_graph(graph)
    if access.json:
        show_json({"node": as_dict(found), "around": strategy_graph.as_json(nodes)})
        return
    if dot:
        typer.echo(strategy_graph.dot(wanted, nodes))
        return
    show_pairs("node", _node_pairs(found))
    typer.echo(strategy_graph.drawing(nodes, width or _columns(), ascii_only=ascii_only or not _is_unicode()))


async def _read_strategy(channel: MeshChannel, strategy_id: str, version: int) -> tuple[planpb.Plan, list[NodeView]]:
    """The plan from the graph's owner; what was new and reused, from the gateway when it still knows."""
    plans = planrpc.PlanServiceStub(channel)
    asked = planservicepb.GetPlanRequest(strategy_id=strategy_id, version=version)
    plan = (await plans.GetPlan(asked)).plan
    nodes = await plan_nodes(plans, strategy_id, plan.version)
    stored = await _graph(channel, graphservicepb.GetGraphRequest(strategy_id=strategy_id))
    assignments: list[diffpb.QueueAssignment] = []
    strategies = strategyrpc.StrategyServiceStub(channel)
    try:
        submitted = (
            await strategies.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id=strategy_id))
        ).strategy
        for world_id in submitted.world_ids:
            assignments += await assignments_of(strategies, strategy_id, world_id)
    except NotFound:
        pass  # released from the gateway's memory; the graph still has the plan
    return plan, strategy_graph.view_of_plan(strategy_id, nodes, stored, assignments)


async def _graph(channel: MeshChannel, asked: graphservicepb.GetGraphRequest) -> list[graphservicepb.GraphNode]:
    stub = graphrpc.GraphServiceStub(channel)
    return await listed(stub.GetGraph, asked, lambda reply: reply.nodes)


def _node_pairs(found: graphservicepb.GraphNode) -> list[tuple[str, str]]:
    return [
        ("node id", found.node_id),
        ("type", found.spec.node_type),
        ("interval", span_word(found.spec.interval_s) or "-"),
        ("period", f"{found.spec.period} bars" if found.spec.period else "-"),
        ("parameters", MessageToJson(found.spec.params, indent=None)),
        ("code", found.spec.code_hash),
        ("kind", enum_word(dagpb.SemanticKind, found.kind)),
        ("queue class", enum_word(dagpb.QueueClass, found.queue_class)),
        ("tags", ", ".join(found.tags) or "-"),
        ("first submitted", f"{when(found.created_at)} by {found.owner}"),
        ("recomputing since", when(found.buffering_since)),
        ("used by", ", ".join(found.strategies) or "no live strategy"),
    ]


def _columns() -> int:
    return shutil.get_terminal_size((WIDTH_UNKNOWN, 0)).columns


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
