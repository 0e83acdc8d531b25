"""Shares of a strategy's versions, as dagmanager has them: which symbols each may trade.

Kept current by events, asked again now and then because an event may be missed. While dagmanager is away the last
known shares hold; shares that were never known are unknown, and the gate refuses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from gateway.peers import Peers
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.core.errors import NotFound, QmtlError
from qmtl.core.traffic import version_of
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb

REMEMBERED_MAX = 10_000
FRESH_S = 60.0
CALL_S = 1.0
PAGE = commonpb.PageRequest(page_size=1000)
log = structlog.stdlib.get_logger("qmtl.gateway.orders")


@dataclass(frozen=True, slots=True)
class VersionShares:
    """Weights by version, and until when they need not be asked for again."""

    weights: Mapping[int, float]
    fresh_until: float


class CanaryShares:
    """The shares of the strategies that trade."""

    def __init__(self, peers: Peers, clock: Clock) -> None:
        self._peers = peers
        self._clock = clock
        self._shares: OrderedDict[str, VersionShares] = OrderedDict()

    async def weights(self, strategy_id: str) -> Mapping[int, float] | None:
        """Weights by version, empty for a strategy without sentinels, None when they cannot be known now."""
        known = self._shares.get(strategy_id)
        if known is not None and self._clock.monotonic() < known.fresh_until:
            return known.weights
        request = sentinelservicepb.ListSentinelsRequest(strategy_id=strategy_id, page=PAGE)
        try:
            found = (await self._peers.sentinels.ListSentinels(request, timeout=CALL_S)).sentinels
        except NotFound:
            return self._remember(strategy_id, ())
        except QmtlError as error:
            log.warning("shares_not_known", strategy_id=strategy_id, reason=error.reason)
            return known.weights if known is not None else None
        return self._remember(strategy_id, found)

    async def routed(self, strategy_id: str, symbol: str) -> int:
        """The version that trades a symbol; 0, which a gate reads as the newest: there are no sentinels, no version
        trades it, or that cannot be known now.
        """
        weights = await self.weights(strategy_id)
        return version_of(strategy_id, symbol, weights) or 0 if weights else 0

    def on_event(self, event: controlpb.ControlEvent) -> None:
        """All sentinels of a strategy as they are after a change."""
        changed = event.sentinel_weight_updated
        self._remember(changed.strategy_id, changed.sentinels)

    def _remember(self, strategy_id: str, sentinels: Iterable[sentinelpb.Sentinel]) -> Mapping[int, float]:
        weights = {one.version: float(one.traffic_weight) for one in sentinels}
        self._shares[strategy_id] = VersionShares(weights, self._clock.monotonic() + FRESH_S)
        if len(self._shares) > REMEMBERED_MAX:
            self._shares.popitem(last=False)
        return weights
