"""Snapshots: one hash for one graph, whatever store or compression; any changed byte is noticed."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dagmanager.plans import release
from dagmanager.queues.events import Cause
from dagmanager.sentinels import weights
from dagmanager.snapshots import snapshot
from qmtl.core.errors import DataLoss, InvalidRequest, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.sql.database import Database
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import NOW, chain, context, node
from tests.dagmanager.serving import Served, asking, diff_request


async def filled(graph_store: GraphStore) -> GraphStore:
    """Two strategies that share nodes, one of them released, with odd names."""
    await graph_store.diff(chain(3, tags=["btc"]), "s1", [context("w1"), context("Ωmega_w")])
    await graph_store.diff([*chain(3, tags=["btc"]), node("Z", tags=["a"])], "S2", [context("w1")])
    await graph_store.write(lambda conn: release.release_plan(conn, "S2", 1, "w1", Cause(NOW)))
    return graph_store


async def hash_of(graph_store: GraphStore) -> str:
    return await graph_store.db.read(snapshot.current_hash)


async def test_a_round_trip_says_what_was_exported(graph_store: GraphStore, tmp_path: Path) -> None:
    await filled(graph_store)
    made = await graph_store.db.read(lambda conn: snapshot.export(conn, str(tmp_path), "snapshots/a.gz"))
    assert snapshot.read(str(tmp_path), "snapshots/a.gz") == made.content_hash == await hash_of(graph_store)
    text = gzip.decompress((tmp_path / "snapshots" / "a.gz").read_bytes()).decode()
    assert chain(3)[1].node_id in text
    assert "dag_body" in text


async def test_stores_with_one_graph_have_one_hash(graph_store: GraphStore, tmp_path: Path) -> None:
    """Also PostgreSQL and SQLite, whose numbers and sort orders differ."""
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    await other.migrate("dagmanager:migrations")
    twin = GraphStore(other)
    await twin.diff([node("dropped later")], "elsewhere", decline=True)  # shifts every number of the store
    await twin.write(_emptied)
    assert await hash_of(await filled(graph_store)) == await hash_of(await filled(twin))
    await other.close()


def _emptied(conn: Connection) -> None:
    for table in ("nodes", "dags", "dag_nodes", "plans", "plan_contexts", "queues"):
        conn.exec_driver_sql(f"DELETE FROM {table}")


async def test_every_change_of_the_graph_changes_the_hash(graph_store: GraphStore) -> None:
    await filled(graph_store)
    hashes = [await hash_of(graph_store)]
    await graph_store.diff([node("one more")], "s1")
    hashes.append(await hash_of(graph_store))
    await graph_store.write(lambda conn: weights.set_weight(conn, "s1@1", 0.5, "", Cause(NOW)))
    hashes.append(await hash_of(graph_store))
    await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", Cause(NOW)))
    hashes.append(await hash_of(graph_store))
    assert len(set(hashes)) == 4


async def test_a_changed_byte_is_data_loss(graph_store: GraphStore, tmp_path: Path) -> None:
    await filled(graph_store)
    made = await graph_store.db.read(lambda conn: snapshot.export(conn, str(tmp_path), "a"))
    raw = await graph_store.db.read(lambda _: (tmp_path / "a").read_bytes())
    assert snapshot.content_hash_of(raw, "a") == made.content_hash
    places = {0, 4, 9, len(raw) - 1, *random.Random(1).sample(range(len(raw)), 200), *range(len(raw) - 120, len(raw))}
    for place in sorted(places):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(DataLoss):
            snapshot.content_hash_of(bytes(changed), "a")
    for cut in (b"", raw[:-1], raw[1:], raw + b"\0"):
        with pytest.raises(DataLoss):
            snapshot.content_hash_of(cut, "a")


async def test_another_encoding_has_the_same_hash_and_other_content_none(
    graph_store: GraphStore, tmp_path: Path
) -> None:
    await filled(graph_store)
    made = await graph_store.db.read(lambda conn: snapshot.export(conn, str(tmp_path), "a"))
    raw = await graph_store.db.read(lambda _: (tmp_path / "a").read_bytes())
    body = gzip.decompress(raw).rpartition(b'{"bytes"')[0]
    slow = gzip.compress(body, compresslevel=9)
    assert snapshot.content_hash_of(slow + snapshot.seal(slow), "a") == made.content_hash
    forged = gzip.compress(body.replace(b'"traffic', b'"Traffic').replace(b'"ACTIVE"', b'"GONE"'))
    with pytest.raises(DataLoss):
        snapshot.content_hash_of(forged + snapshot.seal(forged), "a")


async def test_snapshots_over_the_wire(served: Served) -> None:
    async with served.stub(role=Role.OPERATOR) as stub:
        assert [reply async for reply in stub.diffs.Diff(asking(diff_request(chain(3), "r", "s")))]
        made = await stub.maintenance.ExportSnapshot(maintenanceservicepb.ExportSnapshotRequest(url="snapshots/a"))
        found = await stub.maintenance.VerifySnapshot(
            maintenanceservicepb.VerifySnapshotRequest(url=made.artifact.path)
        )
        assert (found.content_hash, found.current) == (made.content_hash, True)
        assert made.artifact.size_bytes > 0
        assert [reply async for reply in stub.diffs.Diff(asking(diff_request(chain(4), "r2", "s")))]
        assert not (
            await stub.maintenance.VerifySnapshot(maintenanceservicepb.VerifySnapshotRequest(url="snapshots/a"))
        ).current
        with pytest.raises(NotFound, match="E_SNAPSHOT_UNKNOWN"):
            await stub.maintenance.VerifySnapshot(maintenanceservicepb.VerifySnapshotRequest(url="snapshots/b"))
        for url in ("/etc/passwd", "file:///etc/passwd", "../keys/issuer.jwk", ""):
            with pytest.raises(InvalidRequest):
                await stub.maintenance.ExportSnapshot(maintenanceservicepb.ExportSnapshotRequest(url=url))
            with pytest.raises(InvalidRequest):
                await stub.maintenance.VerifySnapshot(maintenanceservicepb.VerifySnapshotRequest(url=url))
        path = served.home / "data" / "graph" / "snapshots" / "a"
        damage(path)
        with pytest.raises(DataLoss) as caught:
            await stub.maintenance.VerifySnapshot(maintenanceservicepb.VerifySnapshotRequest(url="snapshots/a"))
        assert caught.value.reason == "E_SNAPSHOT_DAMAGED"


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    path.write_bytes(raw)


async def test_the_whole_graph_is_for_operators_of_the_mesh(served: Served) -> None:
    for role, worlds in ((Role.READER, None), (Role.OPERATOR, ["w1"]), (Role.OWNER, ["w1"])):
        async with served.stub(role=role, worlds=worlds) as stub:
            with pytest.raises(PermissionDenied):
                await stub.maintenance.ExportSnapshot(maintenanceservicepb.ExportSnapshotRequest(url="a"))
            with pytest.raises(PermissionDenied):
                await stub.maintenance.VerifySnapshot(maintenanceservicepb.VerifySnapshotRequest(url="a"))
