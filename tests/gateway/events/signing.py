"""Stream keys for tests that need no store."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from joserfc.jwk import OKPKey

from gateway.events.tokens import StreamKey, StreamKeys
from qmtl.core.clock import Clock, SystemClock
from qmtl.rpc.auth.keys import new_key
from qmtl.sql.instants import instant

EVER = datetime(2000, 1, 1, tzinfo=UTC)


def stream_keys(clock: Clock) -> StreamKeys:
    """Fresh keys that sign at once."""
    return StreamKeys(clock, [StreamKey(1, new_key(), EVER)])


def stored_stream_keys(home: Path) -> StreamKeys:
    """The keys the gateways of this home share; of a home that never ran, keys of their own."""
    store = home / "state" / "gateway.db"
    if not store.exists():
        return stream_keys(SystemClock())
    with closing(sqlite3.connect(store)) as conn:
        rows = conn.execute("SELECT generation, jwk, signs_from_us FROM stream_keys").fetchall()
    keys = [StreamKey(number, OKPKey.import_key(json.loads(jwk)), instant(since)) for number, jwk, since in rows]
    return StreamKeys(SystemClock(), keys)
