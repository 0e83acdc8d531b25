"""The catalogue on SQLite and PostgreSQL: artifacts are only added, watermarks only grow, migrations make it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from seamless import schema
from seamless.artifacts import store as artifacts_store
from seamless.conformance import store as conformance_store
from seamless.domain.manifests import Manifest, seal
from seamless.domain.playback import Replay
from seamless.replay import store as replay_store
from tests.seamless.samples import START, STEP, judge, raw


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.migrate("seamless:migrations")
    yield database
    await database.close()


def _manifest(opens: list[int], newest: Manifest | None = None, cut_of: str = "") -> Manifest:
    bars, report = judge(raw(opens))
    return replace(seal(bars, report, AlwaysOpen(), producer="test", newest=newest), cut_of=cut_of)


def _replay(name: str = "s1") -> Replay:
    span = Span(START, START + 4 * STEP)
    return Replay(name, "w1", "p", "d", "sha256:x", "sha256:h", span, STEP, 0.5, 7, 7, START)


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


async def test_the_newest_report_is_kept(db: Database) -> None:
    await db.write(lambda conn: conformance_store.save_report(conn, "d", b"one"))
    await db.write(lambda conn: conformance_store.save_report(conn, "d", b"two"))
    assert await db.read(lambda conn: conformance_store.load_report(conn, "d")) == b"two"
    assert await db.read(lambda conn: conformance_store.load_report(conn, "e")) is None


async def test_a_session_is_opened_once_and_its_watermark_only_grows(db: Database) -> None:
    replay = _replay()
    assert await db.write(lambda conn: replay_store.add_replay(conn, replay)) == replay
    other = replace(replay, preset="q")
    assert await db.write(lambda conn: replay_store.add_replay(conn, other)) == replay
    ahead = replace(replay, watermark_ns=START + 2 * STEP, advanced_at_ns=9)
    await db.write(lambda conn: replay_store.advance_replay(conn, ahead))
    await db.write(lambda conn: replay_store.advance_replay(conn, replace(replay, watermark_ns=START + STEP)))
    assert await db.read(lambda conn: replay_store.load_replay(conn, "s1")) == ahead


async def test_sessions_with_bars_left_are_counted(db: Database) -> None:
    for name in ("a", "b"):
        await db.write(lambda conn, n=name: replay_store.add_replay(conn, _replay(n)))  # type: ignore[misc] # a bound default
    done = replace(_replay("a"), watermark_ns=_replay().span.end_ns)
    await db.write(lambda conn: replay_store.advance_replay(conn, done))
    assert await db.read(replay_store.unfinished_replays) == 1


async def test_followers_are_remembered_once_until_they_leave(db: Database) -> None:
    for names in (["b", "a"], ["b", "c"]):
        await db.write(lambda conn, n=names: replay_store.add_followers(conn, "s1", n))  # type: ignore[misc] # a bound default
    await db.write(lambda conn: replay_store.remove_follower(conn, "s1", "b"))
    assert await db.read(lambda conn: replay_store.followers_of(conn, "s1")) == ["a", "c"]
    assert await db.read(lambda conn: replay_store.followers_of(conn, "s2")) == []


async def test_the_tables_are_those_the_migrations_make(db: Database) -> None:
    def differences(conn: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), schema.metadata))

    assert await db.read(differences) == []
