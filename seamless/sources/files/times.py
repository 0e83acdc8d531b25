"""Times as exports write them: epochs of four units, dates in any order, offsets, zones with their clock changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from qmtl.core.errors import refused
from seamless.domain.conformance.raw_columns import NO_TIME

_EPOCHS = ((1e11, "s", 1_000_000_000), (1e14, "ms", 1_000_000), (1e17, "us", 1_000), (1e20, "ns", 1))
_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%Y", "%m/%d/%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y"),
)
_CLOCKS = ("", " %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H%M%S", "%H%M%S")
_SAMPLE = 500
_DAY_NS = 86_400_000_000_000
_LAST_NS = 9_000_000_000_000_000_000  # 2255; 64 bits hold little more, and wrap


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Instants of a column, NO_TIME where unreadable; how they were written, for a person."""

    ns: NDArray[np.int64]
    words: str
    plain_dates: bool  # dates without a time of day
    utc_known: bool  # an epoch, or each with its offset, or in a zone that was named


def parse_times(column: pl.Series, zone: str, order: str) -> Times:
    """The instants of a column of texts. `order` DMY or MDY settles dates that can be read in two ways.

    Raises InvalidRequest (E_FILE_LAYOUT) if they have no known form, or two that are equally good.
    """
    plain = _plain(column)
    numbers = plain.cast(pl.Int64, strict=False)
    typical = float(numbers.drop_nulls().median() or 0)  # type: ignore[arg-type]  # a number, of a column of them
    if numbers.null_count() * 2 < len(plain) and typical > 1e8:
        return _epoch(numbers, typical)
    form = _form(plain, order)
    stamps = _parsed(plain, form)
    if "%z" in form:
        return Times(_ns(stamps), f"{form} with offsets", False, True)
    clock = stamps.drop_nulls().dt.epoch("ns") % _DAY_NS
    if bool((clock == 0).all()):
        return Times(_ns(stamps), form.split(" %H")[0], True, True)
    if zone:
        return Times(_ns(_in_zone(stamps, zone)), f"{form} in {zone}", False, True)
    return Times(_ns(stamps), f"{form} without an offset, read as UTC", False, False)


def local_dates(ns: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """00:00 UTC of the date that clocks of a zone show."""
    stamps = pl.Series(np.where(ns == NO_TIME, 0, ns)).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    days = stamps.dt.convert_time_zone(zone).dt.date().cast(pl.Datetime("ns")).dt.epoch("ns").to_numpy()
    return np.where(ns == NO_TIME, NO_TIME, days).astype(np.int64)


def common_step_ns(ns: NDArray[np.int64]) -> int:
    """The most common distance of neighbours; 0 where there are none."""
    steps = np.diff(np.unique(ns[ns != NO_TIME]))
    if steps.size == 0:
        return 0
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def _epoch(numbers: pl.Series, typical: float) -> Times:
    """Counts since the epoch; the unit by their size. Years 1973 to 5138 of seconds, and so on.

    One so small that it is of a larger unit is unreadable: some dumps changed theirs, and 1970 was never meant.
    """
    unit, factor = next((unit, factor) for limit, unit, factor in _EPOCHS if typical < limit)
    least = 0 if unit == "s" else int(1e11) * (1_000_000 // factor)
    readable = numbers.is_between(least, _LAST_NS // factor).fill_null(value=False)
    ns = numbers.fill_null(0).to_numpy() * np.int64(factor)
    return Times(np.where(readable.to_numpy(), ns, NO_TIME), f"epoch {unit}", False, True)


def _plain(column: pl.Series) -> pl.Series:
    """Without the marks that differ and mean the same: T, Z, UTC, the nought after a whole epoch."""
    text = column.str.strip_chars()
    text = text.str.replace(r"(\d)[T;](\d)", "$1 $2").str.replace(r"\s*(Z|UTC|GMT)$", "+00:00")
    text = text.str.replace(r"(:\d\d(?:\.\d+)?)\s*([+-]\d\d)$", "$1$2:00")
    text = text.str.replace(r"(:\d\d(?:\.\d+)?)\s+([+-]\d\d:?\d\d)$", "$1$2")
    return text.str.replace(r"^(\d{9,})\.0+$", "$1")


def _form(plain: pl.Series, order: str) -> str:
    """The form that reads the most. Raises InvalidRequest (E_FILE_LAYOUT)."""
    sample = pl.concat([plain.head(_SAMPLE), plain.tail(_SAMPLE)]).drop_nulls()
    sample = sample.filter(sample != "")
    forms = [date + clock + offset for date in _DATES for clock in _CLOCKS for offset in ("", "%z")]
    forms = [form for form in forms if not _contradicts(form, order)]
    read = {form: _parsed(sample, form).is_not_null().sum() for form in forms}
    most = max(read.values(), default=0)
    if not most or most * 2 < len(sample):
        shown = sample[0] if len(sample) else "nothing"
        raise refused("E_FILE_LAYOUT", "time", repr(shown)[:60], "dates, dates with times, or counts since the epoch")
    best = [form for form in forms if read[form] == most]
    if len(best) > 1:
        best = _sharper(plain, best)
    if len(best) > 1:
        text = f"{sample[0]!r} as {' and as '.join(best)}"
        raise refused("E_FILE_LAYOUT", "time", f"can be read in two ways: {text}", "date order DMY or MDY")
    return best[0]


def _contradicts(form: str, order: str) -> bool:
    """Whether it has day and month in another order than was said."""
    day, month = form.find("%d"), form.find("%m")
    return bool(order) and not form.startswith("%Y") and month >= 0 and (day < month) != (order == "DMY")


def _sharper(plain: pl.Series, forms: list[str]) -> list[str]:
    """Of forms that read a sample equally well: those that read the whole best, and leave it in order."""
    whole = {form: _parsed(plain, form) for form in forms}
    most = max(stamps.is_not_null().sum() for stamps in whole.values())
    left = [form for form in forms if whole[form].is_not_null().sum() == most]
    distinct = {str(whole[form].to_list()[:50]) for form in left}
    if len(distinct) == 1:
        return left[:1]
    ordered = [f for f in left if whole[f].drop_nulls().is_sorted() or whole[f].drop_nulls().is_sorted(descending=True)]
    return ordered or left


def _parsed(plain: pl.Series, form: str) -> pl.Series:
    if "%H" not in form and "%I" not in form:
        if "%z" in form:
            return pl.Series([None] * len(plain), dtype=pl.Datetime("ns"))
        return countable(plain.str.to_date(form, strict=False).cast(pl.Datetime("us")))
    zone = "UTC" if "%z" in form else None
    stamps = plain.str.to_datetime(form, time_unit="ns", time_zone=zone, strict=False)
    coarse = plain.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
    return stamps.zip_with(countable(coarse).is_not_null(), pl.Series([None], dtype=stamps.dtype))


def countable(stamps: pl.Series) -> pl.Series:
    """Times in ns since the epoch; null where 64 bits cannot count them, as in 9999."""
    seconds = stamps.dt.epoch("s")
    within = seconds.is_between(-_LAST_NS // 1_000_000_000, _LAST_NS // 1_000_000_000).fill_null(value=False)
    kept = stamps.zip_with(within, pl.Series([None], dtype=stamps.dtype))
    return kept.dt.cast_time_unit("ns")


def _in_zone(stamps: pl.Series, zone: str) -> pl.Series:
    """Wall times of a zone. One that the clock skips is unreadable; one that it shows twice is if it stands there once,
    else the earlier instant comes first in files that go forward.
    """
    frame = pl.DataFrame({"t": stamps})
    forward = bool(stamps.drop_nulls().head(2).is_sorted())
    first, second = ("earliest", "latest") if forward else ("latest", "earliest")
    place, count = pl.int_range(pl.len()).over("t"), pl.len().over("t")
    which = pl.when(count != 2).then(pl.lit("null")).when(place == 0).then(pl.lit(first)).otherwise(pl.lit(second))
    in_zone = pl.col("t").dt.replace_time_zone(zone, ambiguous=pl.col("which"), non_existent="null")
    return frame.with_columns(which=which).select(in_zone)["t"].dt.convert_time_zone("UTC")


def _ns(stamps: pl.Series) -> NDArray[np.int64]:
    return stamps.dt.epoch("ns").fill_null(NO_TIME).to_numpy()
