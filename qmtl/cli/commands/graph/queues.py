"""`qmtl queues`: the queues of the graph, one of them, and how far they are at the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_compute_key, whole_node_id, whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, with_access
from qmtl.cli.show.formats import span_word
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.tables import show_pairs
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.rpc.client.channel import MeshChannel

if TYPE_CHECKING:
    from qmtl.dag.v1.queue_catalogue_service_pb2_grpc import QueueCatalogueServiceAsyncStub

LIST_MAX = 100
STATS_MAX = 1000  # compute keys in one GetQueueStats


class DomainName(Enum):
    """Execution domains as people write them."""

    BACKTEST = "backtest"
    DRYRUN = "dryrun"
    LIVE = "live"
    SHADOW = "shadow"


World = Annotated[str, typer.Option("--world", help="Only queues of this world.")]
Domain = Annotated[DomainName | None, typer.Option("--domain", help="Only queues of this execution domain.")]
Strategy = Annotated[str, typer.Option("--strategy", help="Only queues this strategy's plans refer to.")]
Node = Annotated[str, typer.Option("--node", help="Only queues of this node.")]
Key = Annotated[
    str, typer.Argument(help="Compute key, or as much of it as no other begins with; with or without blake3:.")
]


@with_access
def list_queues(
    access: Access,
    world: World = "",
    domain: Domain = None,
    strategy: Strategy = "",
    node: Node = "",
    limit: Limit = LIST_MAX,
) -> None:
    """List queues by world, domain, strategy or node."""
    node = whole_node_id(access, node)
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> list[queuepb.Queue]:
        return await _collect(
            queuecataloguerpc.QueueCatalogueServiceStub(channel), world, domain, strategy, node, limit
        )

    queues = ask(access, call)
    columns = ("topic", "interval", "class", "state", "rows", "last bucket", "plans", "compute key")
    show_listing(access, queues, "queues", columns, queue_rows)


def queue_rows(queues: Sequence[queuepb.Queue]) -> list[tuple[str, ...]]:
    """One line per queue."""
    return [
        (
            queue.topic,
            span_word(queue.interval.seconds) or "-",
            enum_word(dagpb.QueueClass, queue.queue_class),
            enum_word(queuepb.QueueState, queue.state),
            f"{queue.rows:,}",
            when(queue.last_bucket),
            str(queue.references),
            queue.compute_key,
        )
        for queue in queues
    ]


@with_access
def show(access: Access, compute_key: Key) -> None:
    """Show a queue: whose outputs it holds, in which context, and how far it is."""
    key = whole_compute_key(access, compute_key)

    async def call(channel: MeshChannel) -> queuepb.Queue:
        request = queuecatalogueservicepb.GetQueueRequest(compute_key=key)
        return (await queuecataloguerpc.QueueCatalogueServiceStub(channel).GetQueue(request)).queue

    queue = ask(access, call)
    if shown_as_json(access, queue):
        return
    pairs = [
        ("compute key", queue.compute_key),
        ("topic", queue.topic),
        ("node", queue.node_id),
        ("world", queue.world_id),
        ("domain", enum_word(commonpb.ExecutionDomain, queue.execution_domain)),
        ("as of", when(queue.as_of)),
        ("partition", queue.partition or "-"),
        ("interval", span_word(queue.interval.seconds) or "-"),
        ("class", enum_word(dagpb.QueueClass, queue.queue_class)),
        ("state", enum_word(queuepb.QueueState, queue.state)),
        ("tags", ", ".join(queue.tags) or "-"),
        ("rows", f"{queue.rows:,}"),
        ("buckets", f"{when(queue.first_bucket)} to {when(queue.last_bucket)}"),
        ("live plans", str(queue.references)),
        ("created", when(queue.created_at)),
    ]
    if queue.HasField("lost_last_bucket"):
        pairs.append(("lost by the broker", f"{when(queue.lost_first_bucket)} to {when(queue.lost_last_bucket)}"))
    show_pairs("queue", pairs)


@with_access
def stats(
    access: Access,
    compute_keys: Annotated[
        list[str] | None, typer.Argument(help="Compute keys. None: those the options find.")
    ] = None,
    world: World = "",
    domain: Domain = None,
    strategy: Strategy = "",
    limit: Limit = LIST_MAX,
) -> None:
    """Show depth, last sequence and lag of queues, as the broker holds them."""
    strategy = whole_strategy_id(access, strategy)
    keys = [whole_compute_key(access, key) for key in compute_keys or []]

    async def call(channel: MeshChannel) -> tuple[dict[str, str], list[queuecatalogueservicepb.QueueStats]]:
        stub = queuecataloguerpc.QueueCatalogueServiceStub(channel)
        topics = dict(zip(keys, keys, strict=True))
        if not topics:
            topics = {q.compute_key: q.topic for q in await _collect(stub, world, domain, strategy, "", limit)}
        asked = list(topics)
        found: list[queuecatalogueservicepb.QueueStats] = []
        for start in range(0, len(asked), STATS_MAX):
            request = queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=asked[start : start + STATS_MAX])
            found.extend((await stub.GetQueueStats(request)).stats)
        return topics, found

    topics, found = ask(access, call)
    columns = ("queue", "depth", "last sequence", "last bucket", "lag")
    show_listing(access, found, "queue statistics", columns, partial(_stats_rows, topics))


def _stats_rows(
    topics: Mapping[str, str], found: Sequence[queuecatalogueservicepb.QueueStats]
) -> list[tuple[str, ...]]:
    return [
        (
            topics.get(s.compute_key, s.compute_key),
            f"{s.depth:,}",
            str(s.last_queue_sequence),
            when(s.last_bucket),
            f"{s.lag.ToTimedelta().total_seconds():.1f} s",
        )
        for s in found
    ]


async def _collect(
    stub: QueueCatalogueServiceAsyncStub, world: str, domain: DomainName | None, strategy: str, node: str, limit: int
) -> list[queuepb.Queue]:
    number = f"EXECUTION_DOMAIN_{domain.name}" if domain else None
    request = queuecatalogueservicepb.ListQueuesRequest(
        world_id=world, execution_domain=number, strategy_id=strategy, node_id=node
    )
    return await listed(stub.ListQueues, request, lambda reply: reply.queues, limit)
