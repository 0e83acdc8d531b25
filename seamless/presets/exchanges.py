"""Presets whose bars come from exchanges, live and from their history: the usual ones, and those of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qmtl.calendars.calendars import AlwaysOpen
from seamless.config import ExchangeSettings
from seamless.domain.conformance.policies import TOLERANT
from seamless.domain.datasets import DatasetId, Kind, parse_interval
from seamless.domain.sla import BASELINE, HOLD, TOLERANT_PARTIAL
from seamless.presets.preset import Preset

USUAL = (
    ("ohlcv.binance.spot.1m", "binance", "BTC/USDT"),
    ("ohlcv.binanceusdm.1m", "binanceusdm", "BTC/USDT:USDT"),
    ("ohlcv.kraken.spot.1m", "kraken", "BTC/USD"),
)
MINUTE_S = 60
SLAS = {sla.name: sla for sla in (BASELINE, TOLERANT_PARTIAL, HOLD)}


def exchange_presets(exchanges: Mapping[str, ExchangeSettings]) -> Iterator[Preset]:
    """The usual presets, available where the settings have their exchange, then each feed of the settings.

    Raises InvalidRequest (E_INTERVAL).
    """
    for preset, exchange, symbol in USUAL:
        section = next((name for name, given in exchanges.items() if given.exchange == exchange), "")
        dataset = DatasetId(Kind.OHLCV, section or exchange, symbol, MINUTE_S)
        found = exchanges.get(section)
        sla, follow = (found.sla, found.follow) if found else (TOLERANT_PARTIAL.name, "poll")
        yield _preset(preset, section, exchange, dataset, sla, follow)
    for section, given in exchanges.items():
        for key, feed in given.feeds.items():
            dataset = DatasetId(Kind.OHLCV, section, feed.symbol, parse_interval(feed.interval))
            name, follow = f"ohlcv.{section}.{key}", feed.follow or given.follow
            yield _preset(name, section, given.exchange, dataset, given.sla, follow)


def _preset(name: str, section: str, exchange: str, dataset: DatasetId, sla: str, follow: str) -> Preset:
    return Preset(
        name=name,
        dataset=dataset,
        description=f"{dataset.symbol} from {exchange}, live and from its history",
        policy=TOLERANT,
        calendar=AlwaysOpen(),
        sla=SLAS[sla],
        replay=False,
        source=None,
        detail="" if section else f'no section [seamless.exchanges.NAME] has exchange = "{exchange}"',
        exchange=section,
        stream=follow == "stream",
    )
