"""Sealed artifacts in SQL, with their leaves and the spans they cover. Artifacts are only ever added.

Every function runs inside a caller's transaction.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from qmtl.calendars.spans import Span
from qmtl.core.paging import Page
from qmtl.sql.statements.lists import any_of, bounded
from qmtl.sql.statements.prepared import Prepared
from seamless.domain.fingerprints import Leaf
from seamless.domain.manifests import Manifest
from seamless.schema import integer_column, metadata, text_column

artifacts = sa.Table(
    "artifacts",
    metadata,
    text_column("fingerprint", key=True),
    text_column("dataset"),
    integer_column("as_of_ns"),
    integer_column("start_ns"),
    integer_column("end_ns"),
    integer_column("rows"),
    text_column("rule_version"),
    text_column("policy"),
    text_column("calendar"),
    text_column("calendar_version"),
    text_column("producer"),
    text_column("cut_of"),
    sa.Index("artifacts_as_of", "dataset", "as_of_ns"),
)
leaves = sa.Table(
    "leaves",
    metadata,
    text_column("fingerprint", key=True),
    text_column("month", key=True),
    text_column("digest"),
    integer_column("rows"),
)
spans = sa.Table(
    "spans",
    metadata,
    text_column("fingerprint", key=True),
    integer_column("start_ns", key=True),
    integer_column("end_ns"),
)


store_ids = sa.Table("store_ids", metadata, text_column("id", key=True))


def store_id(conn: Connection, fresh: str) -> str:
    """The id of this store, which is `fresh` if it has none yet. In a write: two that ask first get the same."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("LOCK TABLE store_ids IN EXCLUSIVE MODE"))
    known = conn.scalar(sa.select(store_ids.c.id))
    if known is None:
        conn.execute(sa.insert(store_ids), {"id": fresh})
    return known or fresh


def add_artifact(conn: Connection, manifest: Manifest) -> None:
    """Record a sealed artifact; a known fingerprint is left as it is, but what a run was given may be sealed later."""
    mine = artifacts.c.fingerprint == manifest.fingerprint
    cut_of = conn.scalar(sa.select(artifacts.c.cut_of).where(mine))
    if cut_of is not None:
        if cut_of and not manifest.cut_of:
            conn.execute(sa.update(artifacts).where(mine).values(_artifact_row(manifest)))
        return
    key = {"fingerprint": manifest.fingerprint}
    conn.execute(sa.insert(artifacts), _artifact_row(manifest))
    parts = [{**key, "month": p.month, "digest": p.digest, "rows": p.rows} for p in manifest.leaves]
    conn.execute(sa.insert(leaves), parts)
    conn.execute(sa.insert(spans), [{**key, "start_ns": s.start_ns, "end_ns": s.end_ns} for s in manifest.coverage])


def seen_at(conn: Connection, dataset: str, as_of_ns: int | None = None) -> str | None:
    """The fingerprint of the newest segment sealed at or before an as_of (None: of all); cuts are not seen by time."""
    query = sa.select(artifacts.c.fingerprint).where(artifacts.c.dataset == dataset, artifacts.c.cut_of == "")
    if as_of_ns is not None:
        query = query.where(artifacts.c.as_of_ns <= as_of_ns)
    return conn.scalar(query.order_by(artifacts.c.as_of_ns.desc()).limit(1))


def artifact(conn: Connection, fingerprint: str) -> Manifest | None:
    """The segment of a fingerprint."""
    rows = _ONE.rows(conn, {"of": fingerprint}).mappings().all()
    return next(iter(_manifests(conn, rows)), None)


def list_artifacts(conn: Connection, dataset: str, page: Page[tuple[int, str]]) -> list[Manifest]:
    """Segments of a dataset, newest first, keyed by as_of and fingerprint; one more than the page shows."""
    wanted = {"dataset": dataset, "most": page.size + 1}
    if page.after is None:
        return _manifests(conn, _NEWEST.rows(conn, wanted).mappings().all())
    as_of_ns, fingerprint = page.after
    after = {**wanted, "as_of_ns": as_of_ns, "fingerprint": fingerprint}
    return _manifests(conn, _AFTER.rows(conn, after).mappings().all())


def _artifact_row(manifest: Manifest) -> dict[str, str | int]:
    return {
        "fingerprint": manifest.fingerprint,
        "dataset": manifest.dataset,
        "as_of_ns": manifest.as_of_ns,
        "start_ns": manifest.span.start_ns,
        "end_ns": manifest.span.end_ns,
        "rows": manifest.rows,
        "rule_version": manifest.rule_version,
        "policy": manifest.policy,
        "calendar": manifest.calendar,
        "calendar_version": manifest.calendar_version,
        "producer": manifest.producer,
        "cut_of": manifest.cut_of,
    }


def _manifests(conn: Connection, rows: Sequence[RowMapping]) -> list[Manifest]:
    """The segments of rows, with the leaves and spans of all of them read at once."""
    parts: dict[str, list[Leaf]] = {row["fingerprint"]: [] for row in rows}
    covered: dict[str, list[Span]] = {key: [] for key in parts}
    for keys in bounded(parts):
        held, have = _LEAVES.ask(conn, {"keys": keys}), _SPANS.ask(conn, {"keys": keys})
        for leaf in held.rows():
            parts[leaf.fingerprint].append(Leaf(leaf.month, leaf.digest, leaf.rows))
        for span in have.rows():
            covered[span.fingerprint].append(Span(span.start_ns, span.end_ns))
    return [_manifest(row, covered[row["fingerprint"]], parts[row["fingerprint"]]) for row in rows]


def _manifest(row: RowMapping, covered: Iterable[Span], parts: Iterable[Leaf]) -> Manifest:
    return Manifest(
        dataset=row["dataset"],
        fingerprint=row["fingerprint"],
        as_of_ns=row["as_of_ns"],
        span=Span(row["start_ns"], row["end_ns"]),
        rows=row["rows"],
        coverage=tuple(covered),
        leaves=tuple(parts),
        rule_version=row["rule_version"],
        policy=row["policy"],
        calendar=row["calendar"],
        calendar_version=row["calendar_version"],
        producer=row["producer"],
        cut_of=row["cut_of"],
    )


_ONE = Prepared(sa.select(artifacts).where(artifacts.c.fingerprint == sa.bindparam("of")))
_OF_DATASET = (
    sa.select(artifacts)
    .where(artifacts.c.dataset == sa.bindparam("dataset"))
    .order_by(artifacts.c.as_of_ns.desc(), artifacts.c.fingerprint.desc())
    .limit(sa.bindparam("most"))
)
_NEWEST = Prepared(_OF_DATASET)
_PLACE = sa.tuple_(sa.bindparam("as_of_ns", type_=sa.BigInteger), sa.bindparam("fingerprint", type_=sa.Text))
_AFTER = Prepared(_OF_DATASET.where(sa.tuple_(artifacts.c.as_of_ns, artifacts.c.fingerprint) < _PLACE))
_LEAVES = Prepared(sa.select(leaves).where(leaves.c.fingerprint.in_(any_of("keys"))).order_by(leaves.c.month))
_SPANS = Prepared(sa.select(spans).where(spans.c.fingerprint.in_(any_of("keys"))).order_by(spans.c.start_ns))
