"""Stream keys for tests that need no store."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.events.tokens import StreamKey, StreamKeys
from qmtl.core.clock import Clock
from qmtl.rpc.auth.keys import new_key

EVER = datetime(2000, 1, 1, tzinfo=UTC)


def stream_keys(clock: Clock) -> StreamKeys:
    """Fresh keys that sign at once."""
    return StreamKeys(clock, [StreamKey(1, new_key(), EVER)])
