"""The plane of features: published once under a key, found again by what the reader may see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, Exhausted, NotReady, refused
from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from seamless.artifacts.inventory import Inventory
from seamless.domain.features import (
    Feature,
    FeatureKey,
    check_key,
    check_rows,
    feature_digest,
    require_writer,
    sees_until,
)
from seamless.domain.row_schemas import InForce
from seamless.features import store
from seamless.features.arrow import rows_of_arrow
from seamless.features.files import FeatureFiles


@dataclass(frozen=True, slots=True)
class FeatureContext:
    """Where a feature is published or read: the world, its execution domain, and the snapshot it is pinned to."""

    world_id: str
    domain: ExecutionDomain
    as_of_ns: int | None


@dataclass(frozen=True, slots=True)
class Publication:
    """Rows to be kept: their key, the sealed artifact that their data is of, one Arrow stream, a schema or none."""

    key: FeatureKey
    artifact: str
    arrow: bytes
    schema: str


@dataclass(frozen=True, slots=True)
class Published:
    """A feature, and what the version of its schema in canary would refuse."""

    feature: Feature
    warnings: tuple[str, ...]


class FeaturePlane:
    """Features of the store."""

    def __init__(self, inventory: Inventory, db: Database, files: FeatureFiles, world_max: int) -> None:
        self._inventory = inventory
        self._db = db
        self.files = files
        self._world_max = world_max

    async def publish(self, context: FeatureContext, given: Publication, subject: str, now_ns: int) -> Published:
        """Keep the rows of a key; the same rows again change nothing.

        Raises InvalidRequest (E_FIELD, E_INTERVAL, E_FEATURE_ROWS, E_FEATURE_SCHEMA, E_AS_OF_REQUIRED), NotReady
        (E_FEATURE_READ_ONLY, E_ARTIFACT_MISSING), Conflict (E_FEATURE_CONFLICT), Exhausted (E_FEATURES_FULL,
        E_DISK_SMALL).
        """
        require_writer(context.domain)
        check_key(given.key)
        key, seen_ns = given.key, sees_until(context.domain, context.as_of_ns)
        as_of_ns, until_ns = await self._data_of(given.artifact, seen_ns)
        rows, kinds = await asyncio.to_thread(rows_of_arrow, given.arrow)
        check_rows(rows, until_ns)
        compared = await self._inventory.schemas.in_force(given.schema) if given.schema else InForce()
        faults = compared.refusals(kinds)
        if faults:
            raise refused("E_FEATURE_SCHEMA", "arrow_ipc", "; ".join(faults)[:150], f"rows of {compared.strict}")
        fingerprint = await asyncio.to_thread(feature_digest, key, rows)
        known = await self._db.read(lambda conn: store.of_key(conn, context.world_id, key))
        if known is None:
            await self._require_room(context.world_id)
            sha256 = await asyncio.to_thread(self.files.write, context.world_id, fingerprint, rows)
            made = Feature(
                world_id=context.world_id,
                fingerprint=fingerprint,
                key=key,
                as_of_ns=as_of_ns,
                first_ns=int(rows.time_ns[0]),
                last_ns=int(rows.time_ns[-1]),
                rows=len(rows.time_ns),
                columns=tuple(rows.columns),
                schema=str(compared.strict or ""),
                domain=context.domain,
                published_by=subject,
                published_at_ns=now_ns,
                sha256=sha256,
            )
            known = await self._db.write(lambda conn: self._added(conn, made))
        if known.fingerprint != fingerprint:
            raise Conflict(
                "E_FEATURE_CONFLICT",
                f"{key.text} has other rows: it was published as {known.fingerprint}, these are {fingerprint}",
                hint="name the version of the code in params, or find what makes the node differ",
            )
        return Published(known, compared.warnings(kinds))

    async def find(self, context: FeatureContext, key: FeatureKey) -> Feature:
        """The feature that a context sees; a key without a fingerprint is that of the newest data.

        Raises InvalidRequest (E_FIELD, E_INTERVAL, E_AS_OF_REQUIRED), NotReady (E_FEATURE_MISSING).
        """
        check_key(key)
        seen_ns = sees_until(context.domain, context.as_of_ns)
        found = await self._db.read(lambda conn: store.newest(conn, context.world_id, key, seen_ns))
        if found is None:
            raise NotReady(
                "E_FEATURE_MISSING", f"world {context.world_id} has no {key.text} that {context.domain.value} sees"
            )
        return found

    async def listed(self, world_id: str, factor: str, page: Page[tuple[str, str, str]]) -> list[Feature]:
        """Features of a world; one more than the page shows."""
        return await self._db.read(lambda conn: store.list_features(conn, world_id, factor, page))

    async def _data_of(self, artifact: str, seen_ns: int | None) -> tuple[int, int]:
        """As_of and end of the data that a feature says it is made of. Raises NotReady (E_ARTIFACT_MISSING)."""
        manifest = await self._inventory.artifact(artifact)
        if manifest is None or (seen_ns is not None and manifest.as_of_ns > seen_ns):
            raise NotReady("E_ARTIFACT_MISSING", f"the context sees no artifact {artifact[:80]!r}")
        return manifest.as_of_ns, manifest.watermark_ns

    async def _require_room(self, world_id: str) -> None:
        kept = await self._db.read(lambda conn: store.count(conn, world_id))
        self._check_room(world_id, kept)

    def _check_room(self, world_id: str, kept: int) -> None:
        """Raises Exhausted (E_FEATURES_FULL)."""
        if kept >= self._world_max:
            raise Exhausted("E_FEATURES_FULL", f"world {world_id} has {kept} features, want at most {self._world_max}")

    def _added(self, conn: Connection, made: Feature) -> Feature:
        """The feature, or the one that was published under its key meanwhile."""
        store.lock(conn)
        known = store.of_key(conn, made.world_id, made.key)
        if known is None:
            self._check_room(made.world_id, store.count(conn, made.world_id))
            store.add_feature(conn, made)
        return known or made
