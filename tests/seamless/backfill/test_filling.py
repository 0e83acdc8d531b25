"""A range that is filled on demand: its progress is told, what cannot be had is named, and what is stored is sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from prometheus_client import CollectorRegistry

from controlbus.bus import Bus, connected
from qmtl.calendars.spans import Span
from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.sql.database import Database
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.filling import BARS_MAX, Filled, Filling
from seamless.backfill.flights import Flights
from seamless.config import ExchangeSettings
from seamless.metrics import SeamlessMetrics
from seamless.presets.exchanges import exchange_presets
from seamless.presets.preset import Presets
from seamless.storage.storage import Storage
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import MINUTE_MS, Market, bars_of, market
from tests.support.disks import SmallDisk

MINUTE_NS = 60_000_000_000
FIRST_MS = 1_700_000_000_000 // (1_000 * MINUTE_MS) * 1_000 * MINUTE_MS
NOW_MS = FIRST_MS + 2_500 * MINUTE_MS
WHOLE = Span(FIRST_MS * 1_000_000, NOW_MS * 1_000_000)
PRESET = next(iter(exchange_presets({"binance": ExchangeSettings(exchange="binance")})))


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="seamless") as ready:
        yield ready


@asynccontextmanager
async def filling(
    bus: Bus,
    db: Database,
    folder: Path,
    registry: CollectorRegistry | None = None,
    first_ms: int = FIRST_MS,
    now: Callable[[], int] = lambda: NOW_MS,
) -> AsyncIterator[tuple[Filling, Market, Inventory]]:
    clock, metrics = SystemClock(), SeamlessMetrics(registry or CollectorRegistry())
    storage = Storage(folder / "stored", db)
    inventory = Inventory(Presets((PRESET,)), db, Archive(folder), metrics)
    backfiller = Backfiller(storage, Flights(bus, clock, lease_s=2), clock, metrics, Random(1))
    async with market(now, first_ms=first_ms) as there, bars_of(there) as source:
        yield Filling({PRESET.name: source}, backfiller, storage, inventory), there, inventory


async def filled(one: Filling, span: Span = WHOLE) -> list[Filled]:
    async with aclosing(one.fill(PRESET, span)) as told:
        return [each async for each in told]


async def test_progress_is_told_from_nothing_to_a_sealed_whole(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with filling(bus, db, tmp_path) as (one, there, inventory):
        there.exchange.faults.plan("GET klines", Trouble.BROKEN_BEFORE)
        told = await filled(one, Span(WHOLE.start_ns, WHOLE.end_ns + 5 * MINUTE_NS))
        assert told[0].progress.present == 0
        assert sorted(each.progress.windows_done for each in told[1:]) == [1, 2, 3, 3]
        last = told[-1]
        assert (last.done, last.progress.span, last.progress.ratio, last.progress.failures) == (True, WHOLE, 1.0, ())
        sealed = await inventory.newest(PRESET)
        assert sealed is not None
        assert (sealed.fingerprint, sealed.rows) == (last.fingerprint, 2_498), "the newest two may still be revised"
        assert last.held_back == 2
        asked = len(there.told.asked)
        again = await filled(one)
        assert [each.done for each in again] == [False, True]
        assert again[-1].fingerprint == last.fingerprint
        assert len(there.told.asked) == asked, "what is there is not fetched again"


async def test_bars_of_long_ago_are_settled_and_none_is_held_back(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with filling(bus, db, tmp_path) as (one, _, inventory):
        for end, rows, held in ((2_000, 2_000, 0), (2_499, 2_498, 1)):
            last = (await filled(one, Span(WHOLE.start_ns, WHOLE.start_ns + end * MINUTE_NS)))[-1]
            sealed = await inventory.newest(PRESET)
            assert sealed is not None
            assert (sealed.fingerprint, sealed.rows, last.held_back) == (last.fingerprint, rows, held)


async def test_what_was_held_back_is_asked_for_again_before_it_is_sealed(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    until, held = Span(WHOLE.start_ns, WHOLE.end_ns + 100 * MINUTE_NS), NOW_MS - MINUTE_MS
    async with filling(bus, db, tmp_path) as (one, _, _):
        assert (await filled(one, until))[-1].held_back == 2
    async with filling(bus, db, tmp_path, now=lambda: NOW_MS + 10 * MINUTE_MS) as (one, there, inventory):
        there.tape.correct(held)
        last = (await filled(one, until))[-1]
        assert (last.progress.failures, last.progress.present) == ((), 2_510)
        sealed = await inventory.newest(PRESET)
        assert sealed is not None
        assert sealed.rows == 2_508
        for nth, open_ms in ((-1, held), (-2, held - MINUTE_MS)):
            values = [column.item(nth) for column in inventory.archive.bars(sealed, WHOLE).values()]
            assert values == [float(each) for each in there.tape.candle(open_ms).values]
        asked = len(there.told.asked)
        await filled(one, until)
        assert len(there.told.asked) == asked
    async with filling(bus, db, tmp_path, now=lambda: NOW_MS + 20 * MINUTE_MS) as (one, there, inventory):
        there.tape.blank.add(NOW_MS + 9 * MINUTE_MS)
        last = (await filled(one, until))[-1]
        assert last.fingerprint == ""
        assert "not sealed: what was held back before could not be asked for again" in last.progress.failures[-1]
        assert await inventory.newest(PRESET) == sealed


async def test_what_was_held_back_is_known_although_nothing_could_be_sealed(
    bus: Bus, db: Database, tmp_path: Path
) -> None:
    until, held = Span(WHOLE.start_ns, WHOLE.end_ns + 100 * MINUTE_NS), NOW_MS - MINUTE_MS
    in_the_way = tmp_path / quote(str(PRESET.dataset), safe="")
    in_the_way.write_bytes(b"")  # where the dataset's artifacts go
    async with filling(bus, db, tmp_path) as (one, _, inventory):
        last = (await filled(one, until))[-1]
        assert (last.progress.ratio, last.fingerprint) == (1.0, "")
        assert "not sealed: " in last.progress.failures[0]
    in_the_way.unlink()
    async with filling(bus, db, tmp_path, now=lambda: NOW_MS + 10 * MINUTE_MS) as (one, there, inventory):
        there.tape.correct(held)
        assert (await filled(one, until))[-1].progress.failures == ()
        sealed = await inventory.newest(PRESET)
        assert sealed is not None
        values = [column.item(-1) for column in inventory.archive.bars(sealed, Span(0, NOW_MS * 1_000_000)).values()]
        assert values == [float(each) for each in there.tape.candle(held).values]


async def test_what_cannot_be_had_is_named_and_does_not_stop_the_rest(bus: Bus, db: Database, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    async with filling(bus, db, tmp_path, registry) as (one, there, _):
        there.tape.halted_ms = FIRST_MS + 2_100 * MINUTE_MS
        last = (await filled(one))[-1]
        assert last.progress.present == 2_100
        (failure,) = last.progress.failures
        assert "does not say what became of 400 bars" in failure
        labels = {"dataset": str(PRESET.dataset)}
        assert registry.get_sample_value("seamless_backfill_completion_ratio", labels) == 2_100 / 2_500


async def test_a_bar_without_all_of_its_fields_costs_no_other_bar(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with filling(bus, db, tmp_path) as (one, there, _):
        there.tape.blank.add(FIRST_MS + 1_500 * MINUTE_MS)
        last = (await filled(one))[-1]
        assert (last.progress.present, last.progress.empty) == (2_499, 0)
        (failure,) = last.progress.failures
        assert "E_SOURCE_ANSWER after 6 attempts: 1 bars came without all of their fields" in failure


async def test_a_full_disk_ends_it_without_asking_again_and_says_where_room_is_wanted(
    bus: Bus, db: Database, small_disk: SmallDisk
) -> None:
    """Eight windows are on their way at once; those after them are not asked for."""
    first_ms = FIRST_MS - 10_000 * MINUTE_MS
    span = Span(first_ms * 1_000_000, WHOLE.end_ns)
    async with filling(bus, db, small_disk.folder, first_ms=first_ms) as (one, there, _):
        small_disk.fill()
        last = (await filled(one, span))[-1]
        assert (last.done, last.fingerprint, last.progress.present) == (True, "", 0)
        *windows, unsealed = sorted(last.progress.failures, key=lambda failure: failure.startswith("not sealed"))
        assert unsealed == "not sealed: nothing is stored"
        came = [failure for failure in windows if "not fetched" not in failure]
        assert (len(windows), len(came)) == (13, 8)
        folder = small_disk.folder / "stored"
        assert all(f"E_DISK_SMALL: {folder}" in failure and "No space left on device" in failure for failure in came)
        assert all("free space, or choose another data_dir" in failure for failure in came)
        asked = len(there.told.asked)
        small_disk.free()
        last = (await filled(one))[-1]
        assert (last.progress.ratio, last.progress.failures) == (1.0, ())
        assert len(there.told.asked) > asked


async def test_what_came_and_cannot_be_sealed_for_want_of_room_is_told_and_stays(
    bus: Bus, db: Database, tmp_path: Path, small_disk: SmallDisk
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (small_disk.folder / "stored").symlink_to(other)  # what is stored has room
    async with filling(bus, db, small_disk.folder) as (one, there, inventory):
        small_disk.fill()
        last = (await filled(one))[-1]
        assert (last.progress.ratio, last.fingerprint) == (1.0, "")
        (failure,) = last.progress.failures
        assert failure.startswith(f"not sealed: {small_disk.folder}")
        assert "No space left on device" in failure
        assert "free space, or choose another data_dir" in failure
        assert await inventory.newest(PRESET) is None
        asked = len(there.told.asked)
        small_disk.free()
        last = (await filled(one))[-1]
        assert (bool(last.fingerprint), last.progress.failures, len(there.told.asked)) == (True, (), asked)


async def test_what_nothing_fetches_is_refused(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with filling(bus, db, tmp_path) as (one, _, inventory):
        nothing = Filling({}, None, Storage(tmp_path, db), inventory)
        with pytest.raises(NotReady, match="E_DATASET_UNAVAILABLE"):
            await filled(nothing)
        with pytest.raises(InvalidRequest, match="E_RANGE"):
            await filled(one, Span(0, (BARS_MAX + 1) * MINUTE_NS))


async def test_why_nothing_was_sealed_is_told(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with filling(bus, db, tmp_path) as (one, _, inventory):
        two = (await filled(one, Span(WHOLE.end_ns - 2 * MINUTE_NS, WHOLE.end_ns)))[-1]
        assert (two.done, two.fingerprint, two.held_back, two.progress.present) == (True, "", 2, 2)
        (failure,) = two.progress.failures
        assert "not sealed: " in failure
        assert "no bars are left to seal" in failure
        assert await inventory.newest(PRESET) is None
