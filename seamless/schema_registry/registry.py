"""The registry of one store: register, promote, and what is in force. Each act and its log row are one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted, NotFound
from qmtl.sql.database import Database
from seamless.domain.row_schemas import (
    OHLCV,
    Column,
    InForce,
    Promotion,
    SchemaVersion,
    Stage,
    check_columns,
    in_force,
    next_version,
    stages,
)
from seamless.schema_registry import store
from seamless.schema_registry.store import Registered, VersionKey

_ITSELF = Registered(OHLCV, "seamless", 0)
_FIRST = Promotion(OHLCV.major, OHLCV.minor, Stage.REGISTERED, Stage.STRICT, "seamless", 0, "built in")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: schemas, and of one schema its versions and promotions."""

    schemas: int = 256
    versions: int = 256
    promotions: int = 4096


class SchemaRegistry:
    """Named schemas of the store."""

    def __init__(self, db: Database, bounds: Bounds = Bounds()) -> None:
        self._db = db
        self._bounds = bounds

    async def in_force(self, name: str) -> InForce:
        """What rows of a name are compared with; nothing, for a name that is not registered."""
        return await self._db.read(lambda conn: _in_force(conn, name))

    async def versions(self, after: VersionKey | None, count: int) -> list[tuple[Registered, Stage]]:
        """So many versions after one of a key (None: from the first), with their stages, by name, the oldest first."""
        return await self._db.read(lambda conn: _versions_after(conn, after, count))

    async def promotions(self, name: str) -> list[Promotion]:
        """Who promoted what when. Raises NotFound (E_SCHEMA_UNKNOWN)."""

        def read(conn: Connection) -> list[Promotion]:
            _known(conn, name)
            return _promotions(conn, name)

        return await self._db.read(read)

    async def register(
        self, name: str, columns: Sequence[Column], subject: str, at_ns: int
    ) -> tuple[Registered, Stage]:
        """The version that these columns are, made if need be; what is registered is in force nowhere yet.

        Raises InvalidRequest (E_FIELD), Exhausted (E_SCHEMAS_FULL).
        """
        check_columns(name, columns)

        def write(conn: Connection) -> tuple[Registered, Stage]:
            store.lock(conn)
            known = _versions(conn, name)
            version = next_version(name, columns, [one.version for one in known])
            found = next((one for one in known if one.version == version), None)
            if found is None:
                self._require_room(conn, name, known)
                found = Registered(version, subject, at_ns)
                store.add_version(conn, found)
            return found, _stage(_promotions(conn, name), version)

        return await self._db.write(write)

    async def promote(
        self, name: str, number: tuple[int, int], stage: Stage, subject: str, at_ns: int, cause: str
    ) -> tuple[Registered, Stage]:
        """Put a version in a stage; the one that was there leaves it. One that is in it stays, and nothing is logged.

        Raises NotFound (E_SCHEMA_UNKNOWN), Exhausted (E_SCHEMAS_FULL).
        """

        def write(conn: Connection) -> tuple[Registered, Stage]:
            store.lock(conn)
            known = {(one.version.major, one.version.minor): one for one in _known(conn, name)}
            if number not in known:
                shown = ", ".join(one.version.number for one in known.values())
                raise NotFound("E_SCHEMA_UNKNOWN", f"{name} has no version {number[0]}.{number[1]}, it has {shown}")
            log = _promotions(conn, name)
            before = _stage(log, known[number].version)
            if before is not stage:
                if len(log) >= self._bounds.promotions:
                    raise Exhausted("E_SCHEMAS_FULL", f"{name} was promoted {len(log)} times, that is the most")
                store.add_promotion(conn, name, Promotion(*number, before, stage, subject, at_ns, cause))
            return known[number], stage

        return await self._db.write(write)

    def _require_room(self, conn: Connection, name: str, known: Sequence[Registered]) -> None:
        """Raises Exhausted (E_SCHEMAS_FULL)."""
        if len(known) >= self._bounds.versions:
            raise Exhausted("E_SCHEMAS_FULL", f"{name} has {len(known)} versions, want at most {self._bounds.versions}")
        if not known and len(store.names(conn)) >= self._bounds.schemas:
            raise Exhausted("E_SCHEMAS_FULL", f"{self._bounds.schemas} schemas are registered, want no more")


def _versions(conn: Connection, name: str) -> list[Registered]:
    """The versions of a schema, oldest first; what is built in before all others."""
    return [*([_ITSELF] if name == OHLCV.name else []), *store.versions_of(conn, name)]


def _promotions(conn: Connection, name: str) -> list[Promotion]:
    return [*([_FIRST] if name == OHLCV.name else []), *store.promotions_of(conn, name)]


def _known(conn: Connection, name: str) -> list[Registered]:
    """Raises NotFound (E_SCHEMA_UNKNOWN)."""
    found = _versions(conn, name)
    if not found:
        raise NotFound("E_SCHEMA_UNKNOWN", f"no schema {name!r}")
    return found


def _in_force(conn: Connection, name: str) -> InForce:
    return in_force([one.version for one in _versions(conn, name)], _promotions(conn, name))


def _versions_after(conn: Connection, after: VersionKey | None, count: int) -> list[tuple[Registered, Stage]]:
    """Rows of as many schemas are read as the page needs; a store may have its names in another order than ours."""
    found: list[tuple[Registered, Stage]] = []
    for one in sorted({OHLCV.name, *store.names(conn)}):
        if after is not None and one < after[0]:
            continue
        log = _promotions(conn, one)
        found += [
            (version, _stage(log, version.version))
            for version in _versions(conn, one)
            if after is None or version.key > after
        ]
        if len(found) >= count:
            break
    return found[:count]


def _stage(log: Sequence[Promotion], version: SchemaVersion) -> Stage:
    return stages(log).get((version.major, version.minor), Stage.REGISTERED)
