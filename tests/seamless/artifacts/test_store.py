"""Artifacts in SQL, on SQLite and PostgreSQL: they are only added, and seen by as_of."""

from __future__ import annotations

from dataclasses import replace

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from seamless.artifacts import store as artifacts_store
from seamless.domain.manifests import Manifest, seal
from tests.seamless.samples import judge, raw


def _manifest(opens: list[int], newest: Manifest | None = None, cut_of: str = "") -> Manifest:
    bars, report = judge(raw(opens))
    return replace(seal(bars, report, AlwaysOpen(), producer="test", newest=newest), cut_of=cut_of)


async def test_an_artifact_comes_back_with_its_leaves_and_spans(db: Database) -> None:
    manifest = _manifest([0, 1, 3, 7, 500])
    await db.write(lambda conn: artifacts_store.add_artifact(conn, manifest))
    await db.write(lambda conn: artifacts_store.add_artifact(conn, manifest))
    assert await db.read(lambda conn: artifacts_store.artifact(conn, manifest.fingerprint)) == manifest
    assert await db.read(lambda conn: artifacts_store.artifact(conn, "sha256:other")) is None


async def test_an_as_of_sees_what_was_sealed_by_then_and_never_a_cut(db: Database) -> None:
    first = _manifest([0, 1, 2])
    second = _manifest([0, 1, 2, 3, 4], first)
    part = _manifest([0, 1, 2, 3], cut_of=second.fingerprint)
    for manifest in (first, second, part):
        await db.write(lambda conn, m=manifest: artifacts_store.add_artifact(conn, m))  # type: ignore[misc] # a bound default

    async def seen(as_of_ns: int | None) -> str | None:
        return await db.read(lambda conn: artifacts_store.seen_at(conn, first.dataset, as_of_ns))

    assert await seen(first.as_of_ns - 1) is None
    assert await seen(first.as_of_ns) == first.fingerprint
    assert await seen(second.as_of_ns - 1) == first.fingerprint
    assert await seen(second.as_of_ns) == await seen(None) == second.fingerprint


async def test_artifacts_are_listed_newest_first_in_pages(db: Database) -> None:
    made: list[Manifest] = []
    for count in range(2, 7):
        made.append(_manifest(list(range(count)), made[-1] if made else None))
        await db.write(lambda conn: artifacts_store.add_artifact(conn, made[-1]))
    dataset = made[0].dataset
    page = await db.read(lambda conn: artifacts_store.list_artifacts(conn, dataset, Page(2)))
    after = (page[-1].as_of_ns, page[-1].fingerprint)
    rest = await db.read(lambda conn: artifacts_store.list_artifacts(conn, dataset, Page(2, after)))
    assert page + rest == made[::-1]
