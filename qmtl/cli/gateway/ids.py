"""Ids as people type them: whole, or as much of one as no other begins with.

A whole id goes to the service as it is; only what is shorter is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access
from qmtl.core.errors import Conflict
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import graph_service_pb2_grpc as graphrpc
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.rpc.client.channel import MeshChannel

LOOKED_AT_MAX = 20_000
SHOWN_MAX = 5
_STRATEGY = re.compile(r"s-[0-9a-f]{20}")
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{1,64}")


def whole_strategy_id(access: Access, text: str) -> str:
    """The strategy id that begins so. Raises Conflict (E_ID_AMBIGUOUS)."""
    if not text or _STRATEGY.fullmatch(text):
        return text
    return the_one(text, ask(access, _strategy_ids))


def whole_sentinel_id(access: Access, text: str) -> str:
    """A sentinel id whose strategy may be given by its beginning: `s-d1@2`. Raises Conflict (E_ID_AMBIGUOUS)."""
    strategy, mark, version = text.partition("@")
    return f"{whole_strategy_id(access, strategy)}{mark}{version}"


def whole_node_id(access: Access, text: str) -> str:
    """The node id that begins so, `blake3:` or not. Raises Conflict (E_ID_AMBIGUOUS)."""
    return _whole_digest(access, text, _node_ids)


def whole_compute_key(access: Access, text: str) -> str:
    """The compute key that begins so, `blake3:` or not. Raises Conflict (E_ID_AMBIGUOUS)."""
    return _whole_digest(access, text, _compute_keys)


def _whole_digest(access: Access, text: str, ids: Callable[[MeshChannel], Awaitable[list[str]]]) -> str:
    digest = digest_of(text)
    if not digest or _DIGEST.fullmatch(digest):
        return digest or text
    return the_one(digest, ask(access, ids))


async def _strategy_ids(channel: MeshChannel) -> list[str]:
    call, request = strategyrpc.StrategyServiceStub(channel).ListStrategies, strategyservicepb.ListStrategiesRequest()
    return await listed(call, request, lambda reply: [one.strategy_id for one in reply.strategies], LOOKED_AT_MAX)


async def _node_ids(channel: MeshChannel) -> list[str]:
    call, request = graphrpc.GraphServiceStub(channel).ListNodes, graphservicepb.ListNodesRequest()
    return await listed(call, request, lambda reply: [node.node_id for node in reply.nodes], LOOKED_AT_MAX)


async def _compute_keys(channel: MeshChannel) -> list[str]:
    stub, request = queuecataloguerpc.QueueCatalogueServiceStub(channel), queuecatalogueservicepb.ListQueuesRequest()
    return await listed(stub.ListQueues, request, lambda reply: [q.compute_key for q in reply.queues], LOOKED_AT_MAX)


def digest_of(text: str) -> str:
    """The beginning of a digest with its algorithm; "" when the text can be none."""
    return text if text.startswith("blake3:") else f"blake3:{text}" if _HEX.fullmatch(text) else ""


def the_one(beginning: str, ids: Iterable[str]) -> str:
    """The only id that begins so, or what was given when none does: its owner says best that it is unknown."""
    found = [one for one in dict.fromkeys(ids) if one.startswith(beginning)]
    if beginning in found or not found:
        return beginning
    if len(found) > 1:
        shown = ", ".join([*found[:SHOWN_MAX], *["..."] * (len(found) > SHOWN_MAX)])
        raise Conflict("E_ID_AMBIGUOUS", f"{beginning} begins {len(found)} ids: {shown}", hint="give more of it")
    return found[0]
