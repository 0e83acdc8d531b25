"""World nodes, validations and edge overrides as messages of the contract, and back.

An unset domain in a write means BACKTEST; in InvalidateValidations it means all.
"""

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.identity.keys import EvalFacts
from qmtl.core.modes import ExecutionDomain
from qmtl.wire.fields import enum_from_proto, optional_text
from qmtl.wire.mapping import mapper
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from worldservice.graph.domain.edges import EdgeStanding
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride, NodeStatus, Validation, WorldNode, require_node_id
from worldservice.worlds.wire import domain_from_proto, domain_to_proto


def written_domain(number: commonpb.ExecutionDomain, field: str) -> ExecutionDomain:
    """An unset domain in a write is BACKTEST."""
    return domain_from_proto(number, field) if number else ExecutionDomain.BACKTEST


def node_from_proto(message: worldgraphpb.WorldNode) -> WorldNode:
    """Its ids as they were given, unchecked. Raises InvalidRequest (E_ENUM)."""
    return WorldNode(
        world_id=message.world_id,
        node_id=message.node_id,
        domain=written_domain(message.execution_domain, "node.execution_domain"),
        status=enum_from_proto(
            message.status, worldgraphpb.WorldNodeStatus, "WORLD_NODE_STATUS_", NodeStatus, "node.status"
        ),
        last_eval_key=message.last_eval_key,
        annotations=dict(message.annotations),
    )


node_to_proto = mapper(
    WorldNode,
    worldgraphpb.WorldNode,
    execution_domain=lambda node: domain_to_proto(node.domain),
    status=lambda node: f"WORLD_NODE_STATUS_{node.status.name}",
    annotations=lambda node: dict(node.annotations),
)


def facts_from_proto(parts: worldgraphpb.EvalKeyParts) -> EvalFacts:
    """Raises InvalidRequest (E_NODE_ID, E_FIELD, E_ENUM)."""
    return EvalFacts(
        node_id=require_node_id(parts.node_id, "parts.node_id"),
        world_id=parts.world_id,
        execution_domain=written_domain(parts.execution_domain, "parts.execution_domain"),
        contract_id=optional_text(parts.contract_id, "parts.contract_id"),
        dataset_fingerprint=optional_text(parts.dataset_fingerprint, "parts.dataset_fingerprint"),
        code_version=optional_text(parts.code_version, "parts.code_version"),
        resource_policy=optional_text(parts.resource_policy, "parts.resource_policy"),
    )


validation_to_proto = mapper(
    Validation,
    worldgraphpb.Validation,
    execution_domain=lambda validation: domain_to_proto(validation.domain),
    metrics=lambda validation: dict(validation.metrics),
)


def edge_from_proto(
    message: worldgraphpb.EdgeOverride | worldgraphservicepb.DeleteEdgeOverrideRequest, field: str
) -> EdgeKey:
    """The key of an edge; it begins in the domain it leads into unless it names another. Raises E_ENUM."""
    into = written_domain(message.to_domain, f"{field}to_domain")
    begins = domain_from_proto(message.from_domain, f"{field}from_domain") if message.from_domain else into
    return EdgeKey(message.world_id, message.from_node_id, begins, message.to_node_id, into)


def override_from_proto(message: worldgraphpb.EdgeOverride) -> EdgeOverride:
    """Its ids as they were given, unchecked; what it comes to is not read. Raises InvalidRequest (E_ENUM)."""
    return EdgeOverride(edge_from_proto(message, "override."), message.active, message.message)


def override_to_proto(override: EdgeOverride, standing: EdgeStanding) -> worldgraphpb.EdgeOverride:
    """The override with what it comes to in the world now."""
    key = override.key
    return worldgraphpb.EdgeOverride(
        world_id=key.world_id,
        from_node_id=key.from_node_id,
        to_node_id=key.to_node_id,
        active=override.active,
        message=override.reason,
        to_domain=domain_to_proto(key.to_domain),
        from_domain=domain_to_proto(key.from_domain),
        standing=f"EDGE_STANDING_{standing.name}",
    )
