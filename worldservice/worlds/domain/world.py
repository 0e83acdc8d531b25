"""Worlds: what they are, which ids are legal, how a world may change."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase

from qmtl.core.errors import Conflict, InvalidRequest, NotReady, Violation

WORLD_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
TEXT_MAX = 200
LABELS_MAX = 64
PRESETS_MAX = 32


class WorldState(Enum):
    """SUSPENDED: nothing in it may trade."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class World:
    """A policy-governed place where strategies are evaluated and may trade."""

    world_id: str
    name: str
    owner: str
    labels: Mapping[str, str]
    state: WorldState
    allow_live: bool
    circuit_breaker: bool
    default_policy_version: int  # 0: none
    data_presets: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int

    @property
    def etag(self) -> str:
        """What a change is guarded by."""
        return f"w{self.revision}"


@dataclass(frozen=True, slots=True)
class WorldChange:
    """What UpdateWorld asks; None keeps."""

    etag: str
    name: str | None = None
    allow_live: bool | None = None
    circuit_breaker: bool | None = None
    state: WorldState | None = None
    data_presets: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What narrowing a world to its decision met and left: the rest of it concerns nobody but `activation`."""

    could_trade: bool  # something in the world could trade before
    fence_pending: bool  # brokerage has yet to be told


def is_replay(world: World, patterns: tuple[str, ...]) -> bool:
    """Whether any of the world's presets replays recorded data; such a world can never be LIVE."""
    return any(fnmatchcase(preset, pattern) for preset in world.data_presets for pattern in patterns)


def new_world(
    world_id: str,
    owner: str,
    now: datetime,
    *,
    name: str = "",
    labels: Mapping[str, str] | None = None,
    data_presets: tuple[str, ...] = (),
    allow_live: bool = False,
) -> World:
    """A world as created. Raises InvalidRequest (E_WORLD_ID, E_WORLD_FIELD)."""
    if WORLD_ID.fullmatch(world_id) is None:
        raise refused_field("E_WORLD_ID", "world_id", world_id, "a slug [a-z0-9][a-z0-9-]{0,62}")
    world = World(
        world_id=world_id,
        name=name or world_id,
        owner=owner,
        labels=dict(labels or {}),
        state=WorldState.ACTIVE,
        allow_live=allow_live,
        circuit_breaker=False,
        default_policy_version=0,
        data_presets=data_presets,
        created_at=now,
        updated_at=now,
        revision=1,
    )
    _check_texts(world)
    return world


def same_request(old: World, new: World) -> bool:
    """Whether creating `new` is a repetition of what made `old`, by the same caller."""
    fields_old = (old.name, dict(old.labels), old.data_presets, old.allow_live, old.owner)
    return fields_old == (new.name, dict(new.labels), new.data_presets, new.allow_live, new.owner)


def change_world(world: World, change: WorldChange, now: datetime) -> World:
    """The world after a change. Raises Conflict (E_ETAG_MISMATCH), InvalidRequest, NotReady (E_WORLD_DELETED)."""
    require_etag(change.etag, world.etag, f"world {world.world_id}")
    if world.state is WorldState.DELETED:
        raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted", hint="create another world")
    if change.state is WorldState.DELETED:
        raise refused_field("E_WORLD_FIELD", "state", "DELETED", "ACTIVE or SUSPENDED; DeleteWorld deletes")
    changed = replace(
        world,
        name=world.name if change.name is None else change.name or world.world_id,
        allow_live=world.allow_live if change.allow_live is None else change.allow_live,
        circuit_breaker=world.circuit_breaker if change.circuit_breaker is None else change.circuit_breaker,
        state=change.state or world.state,
        data_presets=world.data_presets if change.data_presets is None else change.data_presets,
        updated_at=now,
        revision=world.revision + 1,
    )
    _check_texts(changed)
    return changed


def require_etag(given: str, current: str, what: str) -> None:
    """An empty etag asks for no check."""
    if given and given != current:
        raise Conflict(
            "E_ETAG_MISMATCH", f"etag of {what} is {given!r}, want {current!r}", hint="read it again, then decide"
        )


def require_active(world: World) -> None:
    """Raises NotReady (E_WORLD_SUSPENDED, E_WORLD_DELETED)."""
    if world.state is WorldState.SUSPENDED:
        raise NotReady("E_WORLD_SUSPENDED", f"world {world.world_id} is suspended", hint="resume it first")
    if world.state is not WorldState.ACTIVE:
        raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted", hint="create another world")


def _check_texts(world: World) -> None:
    texts = [("name", world.name), *(("data_presets", preset) for preset in world.data_presets)]
    texts += [(f"labels.{key}", value) for key, value in world.labels.items()]
    texts += [("labels", key) for key in world.labels]
    for field, text in texts:
        if not (0 < len(text) <= TEXT_MAX or (field.startswith("labels.") and not text)) or not text.isprintable():
            raise refused_field("E_WORLD_FIELD", field, text[:80], f"1 to {TEXT_MAX} printable characters")
    if len(world.labels) > LABELS_MAX or len(world.data_presets) > PRESETS_MAX:
        raise refused_field("E_WORLD_FIELD", "labels, data_presets", "too many", f"at most {LABELS_MAX}, {PRESETS_MAX}")


def refused_field(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    """The error of a field, with the value it has and what it should be."""
    return InvalidRequest(reason, f"{field} is {value!r}, want {want}", violations=[Violation(field, value, want)])
