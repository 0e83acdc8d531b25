"""Which version of a strategy a symbol belongs to: the one function that gate, SDK and dagmanager share.

A stable hash of the symbol falls on the line of cumulative weights. Weights that sum to less than 1 leave
symbols to nobody, because a missing share must not widen what another version trades.
"""

from __future__ import annotations

from collections.abc import Mapping

import blake3

PARTS = 1_000_000


def version_of(strategy_id: str, symbol: str, weights: Mapping[int, float]) -> int | None:
    """The version that owns the symbol, or None. `weights` are shares 0..1 by version.

    Versions stand on the line in ascending order and weights count in millionths. A sum above 1 is scaled
    down. Raising the newest version's weight inside a sum of 1 only adds symbols to it.
    """
    parts = {version: _parts(weight) for version, weight in weights.items()}
    total = max(PARTS, sum(parts.values()))
    point = _hash(strategy_id, symbol) * total >> 64
    reached = 0
    for version in sorted(parts):
        reached += parts[version]
        if point < reached:
            return version
    return None


def _hash(strategy_id: str, symbol: str) -> int:
    digest = blake3.blake3(b"qmtl-split:1\n" + strategy_id.encode() + b"\n" + symbol.encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _parts(weight: float) -> int:
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"weight is {weight}, want 0 to 1")
    return round(weight * PARTS)
