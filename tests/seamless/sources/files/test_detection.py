"""Files nobody described: what is found in each, and what is refused because it can be read in two ways."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import numpy as np
import polars as pl
import pytest

from qmtl.calendars.published import calendar_named
from qmtl.core.errors import InvalidRequest
from seamless.domain.conformance.raw_columns import NO_TIME, RawColumns
from seamless.sources.files import tables
from seamless.sources.files.detection import FileHints, FileLayout, detect

ALWAYS = calendar_named("24/7")
X = FileHints("X")


def _detect(text: str | bytes, hints: FileHints = X, calendar: str = "24/7") -> tuple[RawColumns, FileLayout]:
    return detect(text.encode() if isinstance(text, str) else text, hints, calendar_named(calendar))


def _times(raw: RawColumns) -> list[str]:
    stamps = raw.columns["time"].tolist()
    return [
        "unread" if ns == NO_TIME else f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}" for ns in stamps
    ]


def _table(times: list[str], header: str = "time,open,high,low,close,volume", row: str = "1.5,2.5,1.25,2.0,30") -> str:
    return "\n".join([header, *(f"{time},{row}" for time in times)])


@pytest.mark.parametrize(
    ("written", "zone", "found"),
    [
        (["1704067200", "1704070800"], "", ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]),
        (["1704067200000", "1704070800000"], "", ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]),
        (["1704067200000000", "1704070800000000"], "", ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]),
        (["1704067200000000000", "1704070800000000000"], "", ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]),
        (["2024-01-02", "2024-01-03"], "", ["2024-01-02 00:00:00", "2024-01-03 00:00:00"]),
        (["20240102", "20240103"], "", ["2024-01-02 00:00:00", "2024-01-03 00:00:00"]),
        (["2024-01-02T09:30:00Z", "2024-01-02T09:31:00Z"], "", ["2024-01-02 09:30:00", "2024-01-02 09:31:00"]),
        (["2024-01-02 09:30:00-05:00"] * 2, "", ["2024-01-02 14:30:00"] * 2),
        (["2024-01-02 09:30:00+0100"] * 2, "", ["2024-01-02 08:30:00"] * 2),
        (["2024-01-02 09:30:00.250 UTC"] * 2, "", ["2024-01-02 09:30:00"] * 2),
        (["02.01.2024 09:30", "02.01.2024 09:31"], "Europe/Berlin", ["2024-01-02 08:30:00", "2024-01-02 08:31:00"]),
        (["01/12/2024", "01/13/2024"], "", ["2024-01-12 00:00:00", "2024-01-13 00:00:00"]),
        (["12/01/2024", "13/01/2024"], "", ["2024-01-12 00:00:00", "2024-01-13 00:00:00"]),
        (["1/2/2024 3:30:00 PM", "1/13/2024 3:30:00 PM"], "", ["2024-01-02 15:30:00", "2024-01-13 15:30:00"]),
        (["2-Jan-2024", "3-Jan-2024"], "", ["2024-01-02 00:00:00", "2024-01-03 00:00:00"]),
        (["2024-01-02", "yesterday", "2024-01-04"], "", ["2024-01-02 00:00:00", "unread", "2024-01-04 00:00:00"]),
    ],
)
def test_times_are_found(written: list[str], zone: str, found: list[str]) -> None:
    assert _times(_detect(_table(written), FileHints("X", 60, zone))[0]) == found


def test_a_clock_that_goes_back_shows_an_hour_twice_and_one_that_goes_forward_skips_one() -> None:
    autumn = ["2024-11-03 00:30", "2024-11-03 01:30", "2024-11-03 01:30", "2024-11-03 02:30"]
    hints = FileHints("X", 3600, "America/New_York")
    forward = _times(_detect(_table(autumn), hints)[0])
    assert [time[11:16] for time in forward] == ["04:30", "05:30", "06:30", "07:30"]
    assert _times(_detect(_table(autumn[::-1]), hints)[0]) == forward[::-1]
    once = _times(_detect(_table(["2024-11-03 00:30", "2024-11-03 01:30", "2024-11-03 02:30"]), hints)[0])
    assert once[1] == "unread"
    assert _times(_detect(_table(["2024-03-10 01:30", "2024-03-10 02:30"]), hints)[0])[1] == "unread"


def test_times_without_an_offset_or_a_zone_are_told_to_be() -> None:
    raw, layout = _detect(_table(["2024-01-02 09:30:00", "2024-01-02 09:31:00"]))
    assert not raw.utc_known
    assert "read as UTC" in layout.time


@pytest.mark.parametrize("calendar", ["XNYS", "XTKS"])
def test_daily_bars_of_an_exchange_are_labelled_by_the_date_of_their_session(calendar: str) -> None:
    opens = {"XNYS": "2024-03-08 09:30:00-05:00", "XTKS": "2024-03-08 09:00:00+09:00"}[calendar]
    raw, layout = _detect(_table([opens, opens.replace("-08 ", "-11 ")]), FileHints("X", 86_400), calendar)
    assert _times(raw) == ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]
    assert ("sessions by their date in America/New_York" in layout.time) == (calendar == "XNYS")


@pytest.mark.parametrize(
    ("numbers", "separator", "found", "decimal"),
    [
        ("1.5;2.5;1.25;2.0;30", ";", [1.5, 2.5, 1.25, 2.0, 30.0], "point"),
        ("1.234,5;2.000,0;1.000,25;1.500,0;12.345", ";", [1234.5, 2000.0, 1000.25, 1500.0, 12345.0], "comma"),
        ("1,5;2,5;1,25;2,0;30", ";", [1.5, 2.5, 1.25, 2.0, 30.0], "comma"),
        (
            '"1,234.5","2,000.0","1,000.25","1,500.0","1,234,567"',
            ",",
            [1234.5, 2e3, 1000.25, 1500.0, 1234567.0],
            "point",
        ),
        ('"42,000","43,000",950,"42,500","1,234,567"', ",", [42e3, 43e3, 950.0, 42500.0, 1234567.0], "point"),
        ("$1.5,$2.5,$1.25,$2.0,1.5M", ",", [1.5, 2.5, 1.25, 2.0, 1.5e6], "point"),
        ("1e3,2e3,1e2,1.5e3,2K", ",", [1e3, 2e3, 1e2, 1.5e3, 2e3], "point"),
        ("1.5|2.5|1.25|2.0|30", "|", [1.5, 2.5, 1.25, 2.0, 30.0], "point"),
    ],
)
def test_numbers_are_found(numbers: str, separator: str, found: list[float], decimal: str) -> None:
    header = separator.join(["Date", "Open", "High", "Low", "Close", "Volume"])
    text = "\n".join([header, *(f"2024-01-0{day}{separator}{numbers}" for day in (2, 3))])
    raw, layout = _detect(text)
    assert [raw.columns[name][0] for name in ("open", "high", "low", "close", "volume")] == found
    assert layout.decimal == decimal


def test_what_is_no_number_is_not_one() -> None:
    text = _table(["2024-01-02", "2024-01-03", "2024-01-04"]).replace("1.5,2.5", "n/a,12,5", 1)
    text += "\n2024-01-05,0x10,1_0,1.2.3,inf,nan\n"
    raw, _ = _detect(text)
    assert _times(raw)[0] == "unread"  # a row with a field too many is not read at all
    assert [np.isnan(raw.columns[name][3]) for name in ("open", "high", "low", "close", "volume")] == [True] * 5


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", {"close": "Close", "volume": "Volume"}),
        ("timestamp,1. open,2. high,3. low,4. close,5. volume,x", {"open": "1. open", "time": "timestamp"}),
        ("Datum,Eröffnung,Hoch,Tief,Schluss,Stücke,x", {"open": "Eröffnung", "volume": "Stücke"}),
        ("Date,Price,Open,High,Low,Vol.,Change %", {"close": "Price", "volume": "Vol."}),
        ("t,o,h,l,c,v,n", {"time": "t", "close": "c"}),
        ("Date,open,high,low,close,Volume BTC,Volume USD", {"volume": "Volume BTC"}),
    ],
)
def test_columns_are_found_by_their_names(header: str, found: dict[str, str]) -> None:
    text = _table(["2024-01-02", "2024-01-03"], header, "1.5,2.5,1.25,2.0,30,7")
    layout = _detect(text.encode(), FileHints("BTC-USD"))[1]
    assert found.items() <= layout.columns.items()
    assert len(layout.columns) == 6
    assert len(layout.unread) == 1


def test_dates_and_times_in_columns_of_their_own_are_joined() -> None:
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>"
    rows = [f"2024.01.02\t09:{minute}:00\t1.5\t2.5\t1.25\t2\t3" for minute in (30, 31)]
    raw, layout = _detect("\n".join([header, *rows]))
    assert _times(raw) == ["2024-01-02 09:30:00", "2024-01-02 09:31:00"]
    assert (layout.separator, layout.interval_s) == ("tab", 60)


def test_a_file_without_a_header_is_read_by_place() -> None:
    rows = [f"{1_704_067_200_000 + place * 60_000},1,2,0.5,1.5,9,{place},7" for place in range(3)]
    raw, layout = _detect("\n".join(rows))
    assert (raw.columns["volume"].tolist(), len(layout.unread)) == ([9.0, 9.0, 9.0], 2)


def test_of_several_symbols_one_is_taken_and_others_are_named_when_it_is_not_there() -> None:
    rows = [f"2024-01-0{day},{name},{day},9,0.5,1,9" for day in (2, 3) for name in ("AAA", "B/C")]
    text = "\n".join(["date,ticker,open,high,low,close,volume", *rows])
    assert _detect(text, FileHints("BC"))[0].columns["open"].tolist() == [2.0, 3.0]
    with pytest.raises(InvalidRequest, match="AAA, B/C"):
        _detect(text, FileHints("D"))


def test_lines_above_the_table_and_other_encodings_do_not_matter() -> None:
    plain = _table(["2024-01-02", "2024-01-03"])
    wanted = _times(_detect(plain)[0])
    for content in (f"# made by hand\n\n{plain}".encode(), plain.encode("utf-16"), b"\xef\xbb\xbf" + plain.encode()):
        assert _times(_detect(content)[0]) == wanted


def test_parquet_keeps_its_types() -> None:
    half_past_nine = [datetime(2024, 1, 2, 9, minute, tzinfo=UTC) for minute in (30, 31)]
    opened = pl.Series(half_past_nine).dt.replace_time_zone(None)
    values = {name: [1.5, 2.5] for name in ("Open", "High", "Low", "Close", "Volume")}
    for time in (opened.dt.replace_time_zone("America/New_York"), opened.dt.replace_time_zone("UTC"), opened):
        out = io.BytesIO()
        pl.DataFrame({"Date": time, **values}).write_parquet(out)
        raw, layout = _detect(out.getvalue())
        assert raw.utc_known == (time.dtype != opened.dtype)
        assert layout.separator == "Parquet"
        assert _times(raw)[0] == ("2024-01-02 14:30:00" if "York" in str(time.dtype) else "2024-01-02 09:30:00")


@pytest.mark.parametrize(
    ("text", "hints", "says"),
    [
        (_table(["01/02/2024", "02/02/2024"]), X, "DMY or MDY"),
        (_table(["2024-01-02", "2024-01-03"], row='"42,000","43,000","41,000","42,500","10,000"'), X, "decimal sign"),
        (_table(["2024-01-02", "2024-01-03"], "Date,Open,High,Low,Close,Other"), X, "volume as well"),
        (_table(["noon", "later"]), X, "dates, dates with times"),
        (_table(["2024-01-01", "2024-02-01", "2024-03-01"]), X, "1 w, or say it"),
        ("", X, "a table with time"),
        ("a,b,c\n1,2,3\n", X, "a table with time"),
        ("a,b,c,d,e,f\ng,h,i,j,k,l\n", X, "a header, or time and five numbers"),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(text: str, hints: FileHints, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _detect(text, hints)
    assert caught.value.reason == "E_FILE_LAYOUT"
    assert says in caught.value.message


def test_hints_settle_what_can_be_read_in_two_ways() -> None:
    dates = _table(["01/02/2024", "02/02/2024"])
    assert _times(_detect(dates, FileHints("X", dates="DMY"))[0]) == ["2024-02-01 00:00:00", "2024-02-02 00:00:00"]
    assert _times(_detect(dates, FileHints("X", dates="MDY", interval_s=86_400))[0])[0] == "2024-01-02 00:00:00"
    numbers = _table(["2024-01-02", "2024-01-03"], row='"42,000","43,000","41,000","42,500","10,000"')
    assert _detect(numbers, FileHints("X", decimal="."))[0].columns["open"][0] == 42_000.0
    assert _detect(numbers, FileHints("X", decimal=","))[0].columns["open"][0] == 42.0


@pytest.mark.parametrize("volume", ["0", "100"])
@pytest.mark.parametrize("sign", [".", ","])
def test_a_price_of_three_places_is_not_thousands_for_the_volume_beside_it(sign: str, volume: str) -> None:
    numbers = ";".join(f"148{sign}{places}" for places in ("123", "223", "023", "120"))
    rows = "\n".join(f"2024010{day} 000000;{numbers};{volume}" for day in (2, 3))
    with pytest.raises(InvalidRequest, match="thousands or three places"):
        _detect(rows)
    assert _detect(rows, FileHints("X", decimal=sign))[0].columns["open"][0] == 148.123


def test_nobody_groups_thousands_of_nought() -> None:
    rows = "\n".join(f"2024010{day} 000000;1.123;1.223;1.023;1.120;0.500" for day in (2, 3))
    assert _detect(rows)[0].columns["open"][0] == 1.123


def test_thousands_of_one_column_are_known_by_its_smaller_numbers() -> None:
    header, rows = "Date;Open;High;Low;Close;Volume", ("148;150;147;148;950", "148;150;147;148;1.234")
    text = "\n".join([header, *(f"2024-01-0{day};{row}" for day, row in enumerate(rows, 2))])
    assert _detect(text)[0].columns["volume"].tolist() == [950.0, 1234.0]


def test_counts_of_another_unit_than_the_files_are_unreadable() -> None:
    early = [str(1_735_689_600_000 + minute * 60_000) for minute in (-2, -1)]
    late = [str((1_735_689_600_000 + minute * 60_000) * 1_000) for minute in range(3)]
    times = _times(_detect(_table([*early, *late]))[0])
    assert times == ["unread", "unread", "2025-01-01 00:00:00", "2025-01-01 00:01:00", "2025-01-01 00:02:00"]
    most = _times(_detect(_table([*early, *late, *(str(int(one) // 1000) for one in late * 3)]), FileHints("X", 60))[0])
    assert most.count("unread") == 3, "seconds keep their early years, what is too late for them is unreadable"
    assert (
        _times(_detect(_table(["0", "86400", *map(str, range(172_800, 10**9, 86_400))]))[0])[0] == "1970-01-01 00:00:00"
    )


@pytest.mark.parametrize("far", ["9999-12-31", "1200-01-01"])
@pytest.mark.parametrize("clock", ["", " 00:00:00", " 00:00:00+00:00"])
def test_a_time_beyond_what_64_bits_count_is_unreadable(far: str, clock: str) -> None:
    text = _table([f"{day}{clock}" for day in ("2024-01-02", "2024-01-03", "2024-01-04", far)])
    assert _times(_detect(text)[0])[2:] == ["2024-01-04 00:00:00", "unread"]
    opened = pl.Series(
        [datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
    )
    assert _times(_detect(_parquet(opened))[0])[1:] == ["2024-01-03 00:00:00", "unread"]


def _parquet(time: pl.Series) -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame({"time": time}).with_columns(
        **{name: pl.lit(1.0) for name in ("open", "high", "low", "close", "volume")}
    )
    frame.write_parquet(out)
    return out.getvalue()


def test_lines_that_end_as_they_once_did_are_read() -> None:
    raw, _ = _detect(_table(["2024-01-02", "2024-01-03"]).replace("\n", "\r"))
    assert _times(raw) == ["2024-01-02 00:00:00", "2024-01-03 00:00:00"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_table(["2024-01-02", "2024-01-03"], row="1,2,1,1," + "1" * 200_000).encode(), "rows of short fields"),
        (_parquet(pl.Series([[1], [2]])), "columns of times and numbers"),
        (_parquet(pl.Series([b"\xff", b"a"])), "columns of times and numbers"),
        (_parquet(pl.Series([1, 2]))[:200], "whole Parquet"),
    ],
)
def test_a_hostile_file_is_refused(content: bytes, says: str) -> None:
    assert len(content) < 500_000
    with pytest.raises(InvalidRequest, match="E_FILE_LAYOUT") as caught:
        _detect(content)
    assert says in caught.value.message


def test_a_file_of_more_than_memory_holds_is_refused_before_it_is_read() -> None:
    for content in (_parquet(pl.Series(range(101))), _table([str(10**9 + 60 * row) for row in range(121)]).encode()):
        with pytest.raises(InvalidRequest, match="at most 600 in rows and columns"):
            tables.read_table(content, cells_max=600)
    whole = _parquet(pl.Series(range(10**9, 10**9 + 6_000, 60)))
    assert tables.read_table(whole, cells_max=600).rows.height == 100


@pytest.mark.soak
def test_no_changed_bytes_of_parquet_are_more_than_a_refusal() -> None:
    """Pages that say that they are larger than any memory among them: read by polars, they ended the process."""
    opened = pl.Series([f"2024-01-02 00:{minute:02d}" for minute in range(15)])
    whole, random = _parquet(opened), Random(2)
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(3):
            content[random.randrange(4, len(content))] = random.randrange(256)
        with suppress(InvalidRequest):
            _detect(bytes(content))
