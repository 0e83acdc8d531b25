"""`qmtl queues`, `qmtl sentinel`, `qmtl gc`: what the graph keeps for its nodes, and what it drops."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.options import Access, with_access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.dag.v1 import dag_pb2 as dagpb
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1.service_pb2_grpc import DagManagerServiceAsyncStub
    from qmtl.rpc.client.channel import MeshChannel

app = typer.Typer(no_args_is_help=True)
sentinel = typer.Typer(no_args_is_help=True)
LIST_MAX = 100
STATS_MAX = 1000  # compute keys in one GetQueueStats
LONG_S = 120.0


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
Limit = Annotated[int, typer.Option(help="At most this many.", min=1, max=100_000)]
Key = Annotated[str, typer.Argument(help="Compute key, with or without blake3:.")]


@app.command("list")
@with_access
def list_queues(
    access: Access,
    world: World = "",
    domain: Domain = None,
    strategy: Strategy = "",
    node: Node = "",
    limit: Limit = LIST_MAX,
) -> None:
    """Queues by world, domain, strategy or node."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.cli.show.tables import show_table
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    async def call(channel: MeshChannel) -> list[dagpb.Queue]:
        return await _collect(dagrpc.DagManagerServiceStub(channel), world, domain, strategy, node, limit)

    queues = ask(access, call)
    if access.json:
        show_json([as_dict(queue) for queue in queues])
        return
    columns = ("topic", "interval", "class", "state", "rows", "last bucket", "plans", "compute key")
    show_table("queues", columns, queue_rows(queues))


def queue_rows(queues: Sequence[dagpb.Queue]) -> list[tuple[str, ...]]:
    """One line per queue."""
    from qmtl.cli.show.formats import span_word
    from qmtl.cli.show.messages import enum_word, when
    from qmtl.dag.v1 import dag_pb2 as dagpb

    return [
        (
            queue.topic,
            span_word(queue.interval_s) or "-",
            enum_word(dagpb.QueueClass, queue.queue_class),
            enum_word(dagpb.QueueState, queue.state),
            f"{queue.rows:,}",
            when(queue.last_bucket),
            str(queue.references),
            queue.compute_key,
        )
        for queue in queues
    ]


@app.command()
@with_access
def show(access: Access, compute_key: Key) -> None:
    """One queue: whose outputs, in which context, how far it is."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.formats import full_id, span_word
    from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
    from qmtl.cli.show.tables import show_pairs
    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.dag.v1 import dag_pb2 as dagpb
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    key = full_id(compute_key)

    async def call(channel: MeshChannel) -> dagpb.Queue:
        request = servicepb.GetQueueRequest(compute_key=key)
        return (await dagrpc.DagManagerServiceStub(channel).GetQueue(request)).queue

    queue = ask(access, call)
    if access.json:
        show_json(as_dict(queue))
        return
    pairs = [
        ("compute key", queue.compute_key),
        ("topic", queue.topic),
        ("node", queue.node_id),
        ("world", queue.world_id),
        ("domain", enum_word(commonpb.ExecutionDomain, queue.execution_domain)),
        ("as of", when(queue.as_of)),
        ("partition", queue.partition or "-"),
        ("interval", span_word(queue.interval_s) or "-"),
        ("class", enum_word(dagpb.QueueClass, queue.queue_class)),
        ("state", enum_word(dagpb.QueueState, queue.state)),
        ("tags", ", ".join(queue.tags) or "-"),
        ("rows", f"{queue.rows:,}"),
        ("buckets", f"{when(queue.first_bucket)} to {when(queue.last_bucket)}"),
        ("live plans", str(queue.references)),
        ("created", when(queue.created_at)),
    ]
    show_pairs("queue", pairs)


@app.command()
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
    """Depth, last sequence and lag of queues, as the broker holds them."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.formats import full_id
    from qmtl.cli.show.messages import as_dict, show_json, when
    from qmtl.cli.show.tables import show_table
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    async def call(channel: MeshChannel) -> tuple[dict[str, str], list[dagpb.QueueStats]]:
        stub = dagrpc.DagManagerServiceStub(channel)
        topics = {full_id(key): full_id(key) for key in compute_keys or []}
        if not topics:
            topics = {q.compute_key: q.topic for q in await _collect(stub, world, domain, strategy, "", limit)}
        keys = list(topics)
        found: list[dagpb.QueueStats] = []
        for start in range(0, len(keys), STATS_MAX):
            request = servicepb.GetQueueStatsRequest(compute_keys=keys[start : start + STATS_MAX])
            found.extend((await stub.GetQueueStats(request)).stats)
        return topics, found

    topics, found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    rows = [
        (
            topics.get(s.compute_key, s.compute_key),
            f"{s.depth:,}",
            str(s.last_sequence),
            when(s.last_bucket),
            f"{s.lag_s:.1f} s",
        )
        for s in found
    ]
    show_table("queue statistics", ("queue", "depth", "last sequence", "last bucket", "lag"), rows)


@sentinel.command("list")
@with_access
def list_sentinels(
    access: Access,
    strategy_id: Annotated[str, typer.Argument(help="Strategy whose versions to list.")],
    limit: Limit = LIST_MAX,
) -> None:
    """Versions of a strategy and the share of traffic each gets, newest first."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.gateway.pages import collect
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    async def call(channel: MeshChannel) -> list[dagpb.Sentinel]:
        stub = dagrpc.DagManagerServiceStub(channel)

        async def page(asked: commonpb.PageRequest) -> tuple[Sequence[dagpb.Sentinel], commonpb.PageInfo]:
            reply = await stub.ListSentinels(servicepb.ListSentinelsRequest(strategy_id=strategy_id, page=asked))
            return reply.sentinels, reply.page

        return await collect(page, limit)

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
    else:
        _show_sentinels(found)


@sentinel.command("set")
@with_access
def set_weight(
    access: Access,
    sentinel_id: Annotated[str, typer.Argument(help="Sentinel, as `qmtl sentinel list` names it.")],
    weight: Annotated[
        float, typer.Argument(help="Share of symbols routed to this version; 0 rolls it back.", min=0, max=1)
    ],
    etag: Annotated[str, typer.Option(help="Refuse if it is not this any more. Empty: no check.")] = "",
) -> None:
    """Set the share of traffic of one version."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    async def call(channel: MeshChannel) -> dagpb.Sentinel:
        request = servicepb.SetTrafficWeightRequest(sentinel_id=sentinel_id, traffic_weight=weight, etag=etag)
        return (await dagrpc.DagManagerServiceStub(channel).SetTrafficWeight(request)).sentinel

    found = ask(access, call)
    if access.json:
        show_json(as_dict(found))
    else:
        _show_sentinels([found])


@with_access
def gc(
    access: Access,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be dropped, and why not more.")
    ] = False,
    compute_keys: Annotated[list[str] | None, typer.Option("--key", help="Only this compute key. Repeatable.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List every queue that stays, not only counts.")] = False,
) -> None:
    """Drop queues past their time to live; what is worth it is archived and verified first."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.formats import full_id
    from qmtl.cli.show.messages import as_dict, show_json, when
    from qmtl.cli.show.tables import show_table
    from qmtl.dag.v1 import service_pb2 as servicepb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc

    keys = [full_id(key) for key in compute_keys or []]

    async def call(channel: MeshChannel) -> servicepb.CollectGarbageResponse:
        request = servicepb.CollectGarbageRequest(compute_keys=keys, dry_run=dry_run)
        return await dagrpc.DagManagerServiceStub(channel).CollectGarbage(request, timeout=LONG_S)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
        return
    typer.echo(garbage_line(reply, dry_run=dry_run))
    show_table("why queues stay", ("reason", "queues"), skip_rows(reply.skipped))
    if every:
        show_table("queues that stay", ("compute key", "reason"), [(s.compute_key, s.reason) for s in reply.skipped])
    if reply.archives:
        archived = [(a.path, f"{a.size_bytes:,}", a.checksum, when(a.created_at)) for a in reply.archives]
        show_table("archives", ("path", "bytes", "checksum", "written"), archived)


def garbage_line(reply: servicepb.CollectGarbageResponse, *, dry_run: bool) -> str:
    """What a collection came to, in one line."""
    seen = f"{reply.observed} queues looked at, {reply.candidates} past their time"
    return f"{seen}; dry run, nothing was dropped" if dry_run else f"{seen}, {reply.processed} dropped"


def skip_rows(skipped: Sequence[servicepb.GarbageSkip]) -> list[tuple[str, str]]:
    """Reasons with counts, most frequent first."""
    counts = Counter(skip.reason for skip in skipped)
    return [(reason, f"{count:,}") for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def _show_sentinels(found: Sequence[dagpb.Sentinel]) -> None:
    from qmtl.cli.show.messages import when
    from qmtl.cli.show.tables import show_table

    rows = [
        (s.sentinel_id, str(s.version), f"{s.traffic_weight:g}", s.commit_hash or "-", when(s.created_at), s.etag)
        for s in found
    ]
    show_table("sentinels", ("sentinel", "version", "weight", "commit", "created", "etag"), rows)


async def _collect(
    stub: DagManagerServiceAsyncStub, world: str, domain: DomainName | None, strategy: str, node: str, limit: int
) -> list[dagpb.Queue]:
    from qmtl.cli.gateway.pages import collect
    from qmtl.cli.show.formats import full_id
    from qmtl.dag.v1 import service_pb2 as servicepb

    number = f"EXECUTION_DOMAIN_{domain.name}" if domain else None

    async def page(asked: commonpb.PageRequest) -> tuple[Sequence[dagpb.Queue], commonpb.PageInfo]:
        request = servicepb.ListQueuesRequest(
            world_id=world, execution_domain=number, strategy_id=strategy, node_id=full_id(node), page=asked
        )
        reply = await stub.ListQueues(request)
        return reply.queues, reply.page

    return await collect(page, limit)
