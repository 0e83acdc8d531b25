"""`qmtl world edge list|off|on|forget`: edges of the graph as one world has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.graphs import plan_nodes
from qmtl.cli.gateway.ids import whole_node_id, whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Reason, WorldId, with_access, with_options
from qmtl.cli.show.formats import short_id
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word, show_json
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_graph_service_pb2_grpc as worldgraphrpc

LIST_MAX = 100


class DomainName(Enum):
    """Where an edge leads; off in one it bars from those above it too."""

    BACKTEST = "backtest"
    DRYRUN = "dryrun"
    LIVE = "live"


FromNode = Annotated[str, typer.Argument(help="Node the edge begins at: its NodeID, or its name with --of.")]
ToNode = Annotated[str, typer.Argument(help="Node it leads to.")]
OfStrategy = Annotated[str, typer.Option("--of", help="Strategy in whose graph the nodes have these names.")]
Domain = Annotated[DomainName, typer.Option("--domain", help="Domain it leads into, and those above it.")]
FromDomain = Annotated[DomainName | None, typer.Option("--from-domain", help="Where it begins. Absent: --domain.")]


@dataclass(frozen=True, slots=True)
class EdgeName:
    """An edge as arguments and options say it."""

    world_id: WorldId
    from_node: FromNode
    to_node: ToNode
    of: OfStrategy = ""
    domain: Domain = DomainName.BACKTEST
    from_domain: FromDomain = None


@with_access
def list_edges(
    access: Access,
    world_id: WorldId,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=100_000)] = LIST_MAX,
) -> None:
    """List the edges that a world switched off or on, and what each comes to."""
    request = worldgraphservicepb.ListEdgeOverridesRequest(world_id=world_id)
    found = ask(
        access,
        lambda channel: listed(
            worldgraphrpc.WorldGraphServiceStub(channel).ListEdgeOverrides,
            request,
            lambda reply: reply.overrides,
            limit,
        ),
    )
    columns = ("from", "in", "to", "in", "standing", "reason")
    show_listing(access, found, f"edges of {world_id}", columns, _override_rows)


def _override_rows(overrides: Sequence[worldgraphpb.EdgeOverride]) -> list[tuple[str, ...]]:
    return [
        (
            short_id(override.from_node_id),
            enum_word(commonpb.ExecutionDomain, override.from_domain),
            short_id(override.to_node_id),
            enum_word(commonpb.ExecutionDomain, override.to_domain),
            enum_word(worldgraphpb.EdgeStanding, override.standing),
            override.message or "-",
        )
        for override in overrides
    ]


@with_access
@with_options(EdgeName)
def off(name: EdgeName, access: Access, reason: Reason = "") -> None:
    """Switch an edge off: strategies that use it leave that domain, and those above, at once."""
    _put(access, _edge(access, name), reason, active=False)


@with_access
@with_options(EdgeName)
def on(name: EdgeName, access: Access, reason: Reason = "") -> None:
    """Switch an edge on; one between two domains waits for an apply.

    Nothing rises by itself.
    """
    _put(access, _edge(access, name), reason, active=True)


@with_access
@with_options(EdgeName)
def forget(name: EdgeName, access: Access) -> None:
    """Forget what a world said of an edge: it is again as the graph has it."""
    named = _edge(access, name)

    async def call(channel: MeshChannel) -> worldgraphpb.EdgeOverride:
        edge = await named.resolved(channel)
        request = worldgraphservicepb.DeleteEdgeOverrideRequest(
            world_id=edge.world_id,
            from_node_id=edge.from_node_id,
            to_node_id=edge.to_node_id,
            to_domain=edge.to_domain,
            from_domain=edge.from_domain,
        )
        await worldgraphrpc.WorldGraphServiceStub(channel).DeleteEdgeOverride(request)
        return edge

    edge = ask(access, call)
    if access.json:
        show_json({})
    else:
        typer.echo(f"{_text(edge)} is as the graph has it")


def _edge(access: Access, name: EdgeName) -> _Edge:
    domains = (name.from_domain or name.domain, name.domain)
    if name.of:
        return _Edge(name.world_id, (name.from_node, name.to_node), whole_strategy_id(access, name.of), domains)
    nodes = whole_node_id(access, name.from_node), whole_node_id(access, name.to_node)
    return _Edge(name.world_id, nodes, "", domains)


@dataclass(frozen=True, slots=True)
class _Edge:
    """An edge as it was typed: NodeIDs, or names in the graph of a strategy."""

    world_id: str
    nodes: tuple[str, str]
    strategy_id: str
    domains: tuple[DomainName, DomainName]

    async def resolved(self, channel: MeshChannel) -> worldgraphpb.EdgeOverride:
        """Raises InvalidRequest (E_EDGE): the strategy has no such node, or none that leads to the other."""
        start, end = await self._named(channel) if self.strategy_id else self.nodes
        return worldgraphpb.EdgeOverride(
            world_id=self.world_id,
            from_node_id=start,
            to_node_id=end,
            from_domain=f"EXECUTION_DOMAIN_{self.domains[0].name}",
            to_domain=f"EXECUTION_DOMAIN_{self.domains[1].name}",
        )

    async def _named(self, channel: MeshChannel) -> tuple[str, str]:
        found = await plan_nodes(planrpc.PlanServiceStub(channel), self.strategy_id, 0)
        nodes = {node.name: node for node in found}
        named = [node.name for node in found]
        for name in self.nodes:
            if named.count(name) > 1:
                raise InvalidRequest("E_EDGE", f"{self.strategy_id} has several nodes {name!r}", hint="use NodeIDs")
            if name not in nodes:
                raise InvalidRequest(
                    "E_EDGE", f"{self.strategy_id} has no node {name!r}, want one of {', '.join(sorted(nodes))}"
                )
        start, end = (nodes[name] for name in self.nodes)
        if start.node_id not in end.spec.dependencies:
            raise InvalidRequest("E_EDGE", f"{start.name} is no input of {end.name}", hint="qmtl graph show draws it")
        return start.node_id, end.node_id


def _put(access: Access, named: _Edge, reason: str, *, active: bool) -> None:
    async def call(channel: MeshChannel) -> worldgraphservicepb.PutEdgeOverrideResponse:
        edge = await named.resolved(channel)
        edge.active, edge.message = active, reason
        return await worldgraphrpc.WorldGraphServiceStub(channel).PutEdgeOverride(
            worldgraphservicepb.PutEdgeOverrideRequest(override=edge)
        )

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    pending = ", fence pending" if reply.fence_pending else ""
    typer.echo(f"{_text(reply.override)} is {enum_word(worldgraphpb.EdgeStanding, reply.override.standing)}{pending}")


def _text(edge: worldgraphpb.EdgeOverride) -> str:
    begins, leads = (enum_word(commonpb.ExecutionDomain, domain) for domain in (edge.from_domain, edge.to_domain))
    between = f" (from {begins})" if begins != leads else ""
    return f"edge {short_id(edge.from_node_id)} -> {short_id(edge.to_node_id)} in {leads}{between}"
