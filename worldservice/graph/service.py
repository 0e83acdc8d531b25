"""RPCs of the World View Graph: nodes, validations by EvalKey, edge overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import NotFound
from qmtl.core.identity.keys import eval_key
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_graph_service_pb2_grpc as worldgraphrpc
from worldservice.graph.domain.edges import EdgeStanding, standing
from worldservice.graph.domain.nodes import (
    EdgeKey,
    EdgeOverride,
    Validation,
    WorldNode,
    check_edge,
    check_node,
    check_override,
    check_validation,
    require_node_id,
)
from worldservice.graph.store import edges, nodes
from worldservice.graph.store.edges import opened_now
from worldservice.graph.wire import (
    edge_from_proto,
    facts_from_proto,
    node_from_proto,
    node_to_proto,
    override_from_proto,
    override_to_proto,
    validation_to_proto,
    written_domain,
)
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.wire import domain_from_proto
from worldservice.worlds.writes import AuditedServicer, audited


class WorldGraphServicer(AuditedServicer, worldgraphrpc.WorldGraphServiceServicer):
    """How a world sees the graph. Reads need reader, writes operator."""

    @audited
    async def UpsertWorldNode(
        self, request: worldgraphservicepb.UpsertWorldNodeRequest, act: Act
    ) -> worldgraphservicepb.UpsertWorldNodeResponse:
        node = node_from_proto(request.node)
        check_node(node)

        def work(conn: Connection) -> None:
            world_to_write(conn, act, Role.OPERATOR)
            nodes.save_node(conn, node)
            audit_write(conn, act, f"{node.node_id} is {node.status.value} in {node.domain.value}")

        await self.writes.db.write(work)
        return worldgraphservicepb.UpsertWorldNodeResponse(node=node_to_proto(node))

    async def ListWorldNodes(
        self, request: worldgraphservicepb.ListWorldNodesRequest, context: object
    ) -> worldgraphservicepb.ListWorldNodesResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (str, str))

        def work(conn: Connection) -> list[WorldNode]:
            return nodes.list_nodes(conn, world_to_read(conn, caller, request.world_id).world_id, page)

        shown, info = page_of(await self.writes.db.read(work), page, nodes.node_key, node_to_proto)
        return worldgraphservicepb.ListWorldNodesResponse(nodes=shown, page=info)

    @audited
    async def DeleteWorldNode(
        self, request: worldgraphservicepb.DeleteWorldNodeRequest, act: Act
    ) -> worldgraphservicepb.DeleteWorldNodeResponse:
        node_id = require_node_id(request.node_id, "node_id")
        domain = written_domain(request.execution_domain, "execution_domain")

        def work(conn: Connection) -> None:
            world = world_to_write(conn, act, Role.OPERATOR)
            nodes.delete_node(conn, world.world_id, node_id, domain)
            audit_write(conn, act, f"no view of {node_id} in {domain.value}")

        await self.writes.db.write(work)
        return worldgraphservicepb.DeleteWorldNodeResponse()

    async def LookupValidation(
        self, request: worldgraphservicepb.LookupValidationRequest, context: object
    ) -> worldgraphservicepb.LookupValidationResponse:
        caller, facts = caller_of(current_call()), facts_from_proto(request.parts)
        key = eval_key(facts)

        def work(conn: Connection) -> Validation:
            world = world_to_read(conn, caller, facts.world_id)
            found = nodes.find_validation(conn, world.world_id, key)
            if found is None:
                raise NotFound("E_VALIDATION_UNKNOWN", f"nothing is stored under {key}", hint="validate, then put it")
            return found

        return worldgraphservicepb.LookupValidationResponse(
            validation=validation_to_proto(await self.writes.db.read(work))
        )

    @audited
    async def PutValidation(
        self, request: worldgraphservicepb.PutValidationRequest, act: Act
    ) -> worldgraphservicepb.PutValidationResponse:
        facts = facts_from_proto(request.parts)
        validation = Validation(
            eval_key(facts),
            facts.world_id,
            facts.node_id,
            facts.execution_domain,
            request.valid,
            dict(request.metrics),
            act.now,
        )
        check_validation(validation)

        def work(conn: Connection) -> None:
            world_to_write(conn, act, Role.OPERATOR)
            nodes.save_validation(conn, validation)
            audit_write(conn, act, f"{validation.eval_key} {'valid' if validation.valid else 'invalid'}")

        await self.writes.db.write(work)
        return worldgraphservicepb.PutValidationResponse(validation=validation_to_proto(validation))

    @audited
    async def InvalidateValidations(
        self, request: worldgraphservicepb.InvalidateValidationsRequest, act: Act
    ) -> worldgraphservicepb.InvalidateValidationsResponse:
        domain = domain_from_proto(request.execution_domain, "execution_domain") if request.execution_domain else None
        node_id = require_node_id(request.node_id, "node_id") if request.node_id else ""

        def work(conn: Connection) -> int:
            world = world_to_write(conn, act, Role.OPERATOR)
            dropped = nodes.drop_validations(conn, world.world_id, node_id, domain)
            audit_write(conn, act, f"{dropped} validations dropped")
            return dropped

        return worldgraphservicepb.InvalidateValidationsResponse(invalidated=await self.writes.db.write(work))

    @audited
    async def PutEdgeOverride(
        self, request: worldgraphservicepb.PutEdgeOverrideRequest, act: Act
    ) -> worldgraphservicepb.PutEdgeOverrideResponse:
        override = override_from_proto(request.override)
        check_override(override)

        def work(conn: Connection) -> tuple[EdgeStanding, Effect]:
            world = world_to_write(conn, act, Role.OPERATOR)
            edges.save_override(conn, override)
            effect = self.writes.narrow(conn, world, act)
            audit_write(conn, act, f"edge {override.key} is {'on' if override.active else 'off'}: {override.reason}")
            return _standings(conn, world, [override])[override.key], effect

        stands, effect = await self.writes.db.write(work)
        pending = await self.writes.enforce(act.world_id, effect)
        return worldgraphservicepb.PutEdgeOverrideResponse(
            override=override_to_proto(override, stands), fence_pending=pending
        )

    async def ListEdgeOverrides(
        self, request: worldgraphservicepb.ListEdgeOverridesRequest, context: object
    ) -> worldgraphservicepb.ListEdgeOverridesResponse:
        caller, asked = caller_of(current_call()), page_from_proto(request, (str, str, str, str))
        page = replace(asked, size=min(asked.size, edges.PAGE_MAX))

        def work(conn: Connection) -> tuple[list[EdgeOverride], Mapping[EdgeKey, EdgeStanding]]:
            world = world_to_read(conn, caller, request.world_id)
            found = edges.list_overrides(conn, world.world_id, page)
            return found, _standings(conn, world, found)

        found, stands = await self.writes.db.read(work)
        overrides, info = page_of(
            found, page, edges.override_key, lambda each: override_to_proto(each, stands[each.key])
        )
        return worldgraphservicepb.ListEdgeOverridesResponse(overrides=overrides, page=info)

    @audited
    async def DeleteEdgeOverride(
        self, request: worldgraphservicepb.DeleteEdgeOverrideRequest, act: Act
    ) -> worldgraphservicepb.DeleteEdgeOverrideResponse:
        key = edge_from_proto(request, "")
        check_edge(key, "")

        def work(conn: Connection) -> Effect:
            world = world_to_write(conn, act, Role.OPERATOR)
            edges.delete_override(conn, key)
            effect = self.writes.narrow(conn, world, act)
            audit_write(conn, act, f"edge {key} as the graph has it")
            return effect

        await self.writes.enforce(act.world_id, await self.writes.db.write(work))
        return worldgraphservicepb.DeleteEdgeOverrideResponse()


def _standings(conn: Connection, world: World, overrides: Sequence[EdgeOverride]) -> Mapping[EdgeKey, EdgeStanding]:
    """What each edge comes to; only of those between two domains has anything to be asked."""
    waiting = [each.key for each in overrides if each.active and each.key.from_domain is not each.key.to_domain]
    opened = edges.opened_edges(conn, waiting, opened_now(conn, world)) if waiting else frozenset[EdgeKey]()
    return {each.key: standing(each, each.key in opened) for each in overrides}
