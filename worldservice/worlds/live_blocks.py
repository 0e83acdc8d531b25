"""How an apply asks every subject what bars a strategy from trading live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from worldservice.worlds.domain.binding import RaisedLive
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World

WeightBlocks = Callable[[Connection, World, Sequence[RaisedLive], datetime], Sequence[Block]]
"""What bars weights that rise live; a read."""


def no_weight_blocks(conn: Connection, world: World, raised: Sequence[RaisedLive], now: datetime) -> Sequence[Block]:
    """Where nothing bounds weights."""
    return ()


class LiveBlocks(Protocol):
    """A subject's blocks of the strategies that an apply newly takes live; a read.

    Asked before the apply is recorded, and again behind its freeze (`switching`) for what may have changed since.
    """

    def __call__(
        self, conn: Connection, world: World, entering: Sequence[EnteringLive], now: datetime, *, switching: bool
    ) -> Sequence[Block]: ...
