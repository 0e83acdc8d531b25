"""The weight that a strategy traded at over a window, of which a replay knows nothing: it is sized whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.core.decimals import parse_decimal
from qmtl.core.instants import timestamp_text
from qmtl.wire.contexts import MODES
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from worldservice.activation.domain.activation import TRADING
from worldservice.activation.store.activations import history_before, load_activation
from worldservice.worlds.domain.world import World

ONE = Decimal(1)
BEFORE = 100
"""Revisions of an activation that are read at a time."""


@dataclass(frozen=True, slots=True)
class Traded:
    """The weight that the replay is scaled by, since when where that is known, and why no one weight is that of the
    whole window, as sentences.
    """

    weight: Decimal = ONE
    since: datetime | None = None
    unequal: tuple[str, ...] = ()


def traded_at(conn: Connection, world: World, strategy_id: str, start: datetime, end: datetime) -> Traded:
    """By the activation as it is, and at a weight of 1 as it was in the window."""
    activation = load_activation(conn, world.world_id, world.created_at)
    mine = [e for e in activation.entries if e.strategy_id == strategy_id and e.active and not _is(e.weight, 0.0)]
    weights = sorted({e.weight for e in mine})
    if all(_is(weight, 1.0) for weight in weights):
        if activation.time <= start:
            return Traded()
        return _until_one(_weights(conn, activation.world_id, activation.revision, strategy_id), start, end)
    if len(weights) > 1:
        told = " and ".join(f"{weight:g}" for weight in weights)
        return Traded(unequal=(f"the strategy trades at weights {told} on its sides, the replay at one",))
    changed = max(e.changed_at for e in mine)
    if changed > start:
        told = f"the strategy trades at weight {weights[0]:g}, and its entry last changed at {timestamp_text(changed)}"
        return Traded(since=changed, unequal=(f"{told}: begin the window then or later",))
    return Traded(Decimal(repr(weights[0])), changed)


def _until_one(revisions: Iterator[tuple[datetime, tuple[Decimal, ...]]], start: datetime, end: datetime) -> Traded:
    """At a weight of 1 now. Revisions newest first: when each was made, and the weights that it let the strategy trade
    at.
    """
    until: datetime | None = None
    for at, weights in revisions:
        other = [weight for weight in weights if not _is(float(weight), 1.0)]
        if other and until is not None and at < end:
            told = f"the strategy traded at weight {other[0]:f} until {timestamp_text(until)}, the replay at 1"
            return Traded(since=until, unequal=(f"{told}: begin the window then or later",))
        if at <= start:
            break
        until = at
    return Traded()


def _weights(
    conn: Connection, world_id: str, revision: int, strategy_id: str
) -> Iterator[tuple[datetime, tuple[Decimal, ...]]]:
    while rows := history_before(conn, world_id, revision + 1, BEFORE):
        for row in rows:
            told = activationpb.ActivationEnvelope.FromString(row)
            revision = told.world_revision - 1
            yield (
                instant_from_proto(told.time, "time"),
                tuple(
                    weight
                    for entry in told.entries
                    if entry.strategy_id == strategy_id and entry.active and MODES.get(entry.effective_mode) in TRADING
                    if (weight := parse_decimal(entry.weight, "weight"))
                ),
            )


def _is(weight: float, value: float) -> bool:
    return math.isclose(weight, value, abs_tol=1e-12)
