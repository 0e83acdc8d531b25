"""Memberships by date: tables as people write them, days by the zone of each symbol, and what bounds a session."""

from datetime import UTC, datetime

import pytest

from qmtl.calendars.spans import Span
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import to_ns
from seamless.domain.sessions.memberships import Membership, at, digest, memberships_of, read_memberships, stretch

ZONES = {"META": "America/New_York", "LEH": "UTC"}
TABLE = """symbol,start,end,ticker
META,2022-06-09,,
LEH,,2008-09-15,
META,2012-05-18,2022-06-09,FB
"""


def _ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).astimezone(UTC))


def test_a_table_gives_who_was_a_member_under_which_name() -> None:
    found = memberships_of(read_memberships(TABLE.encode()), ZONES)
    renamed = _ns("2022-06-09T04:00:00Z")  # midnight in New York
    assert found == (
        Membership("LEH", "LEH", None, _ns("2008-09-15T00:00:00Z")),
        Membership("META", "FB", _ns("2012-05-18T04:00:00Z"), renamed),
        Membership("META", "META", renamed, None),
    )
    names = {instant: [one.ticker for one in at(found, instant)] for instant in (0, renamed - 1, renamed)}
    assert names == {0: ["LEH"], renamed - 1: ["FB"], renamed: ["META"]}
    assert at(found, _ns("2008-09-15T00:00:00Z")) == ()


def test_the_fingerprint_is_of_the_memberships_and_not_of_their_table() -> None:
    lines = TABLE.splitlines()
    other = "\r\n".join(["\ufeffSymbol, start ,end,Ticker", lines[3], lines[2], "META,2022-06-09T00:00:00-04:00,,META"])
    read = [memberships_of(read_memberships(text.encode()), ZONES) for text in (TABLE, other)]
    assert digest(read[0]) == digest(read[1])
    moved = memberships_of(read_memberships(TABLE.replace("09-15", "09-16").encode()), ZONES)
    assert digest(moved) != digest(read[0])


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "members line 1"),
        ("symbol,from,to\nLEH,,", "members line 1"),
        ("symbol,start,end\n", "0 rows"),
        ("symbol,start,end\n" + "LEH,,\n" * 4097, "4097 rows"),
        ("symbol,start,end\nLEH,", "members line 2 is 2 columns"),
        ("symbol,start,end\nLEH,,\n,,", "members line 3: symbol"),
        ("symbol,start,end\n" + "L" * 129 + ",,", "want 1 to 128 characters"),
        ("symbol,start,end\n" + "L" * 128 + ",,", "want one that a preset has"),
        ("symbol,start,end,ticker\nLEH,,," + "L" * 129, "members line 2: ticker"),
        ("symbol,start,end\nLEH,01/02/2008,", "members line 2: start"),
        ("symbol,start,end\nLEH,,2008-09-15T00:00:00", "members line 2: end"),
        ("symbol,start,end\nLEH,,9999-12-31", "line 2: end is 9999-12-31, want a year of 1678 to 2261, or nothing"),
        ("symbol,start,end\nLEH,0001-01-01T00:00:00+14:00,", "members line 2: start"),
        ('symbol,start,end\n"LEH,,', "want a CSV file"),
        ("symbol,start,end\nLEH,,\nAIG,,", "members line 3: symbol"),
        ("symbol,start,end\nLEH,,", "no row of META"),
        ("symbol,start,end\nMETA,,\nLEH,2008-09-15,2008-09-15", "members line 3: end"),
        ("symbol,start,end\nMETA,,\nLEH,2007-01-01,2008-09-15\nLEH,2008-09-14,", "members line 4: start"),
        ("symbol,start,end\nMETA,,\nLEH,2007-01-01,\nLEH,2006-01-01,2006-02-01\nLEH,2008-01-01,", "line 5: start"),
        ("symbol,start,end\nMETA,,\nLEH,2007-01-01,2008-01-01\nLEH,,2007-01-02", "members line 3: start"),
    ],
)
def test_a_table_that_says_no_one_thing_is_refused_by_its_line(table: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        memberships_of(read_memberships(table.encode()), ZONES)


def test_who_came_later_or_left_bounds_no_session() -> None:
    data = [("A", Span(0, 100)), ("B", Span(30, 90)), ("C", Span(10, 50))]

    def of(**stays: tuple[int | None, int | None]) -> Span:
        return stretch([Membership(symbol, symbol, *stay) for symbol, stay in stays.items()], data)

    always = (None, None)
    assert of(A=always, B=always, C=always) == Span(30, 50)
    assert of(A=always, B=always, C=(None, 50)) == Span(30, 90)
    assert of(A=always, B=(30, None), C=(None, 50)) == Span(10, 90)
    assert of(A=always, B=(30, 90), C=(10, 50)) == Span(0, 100)
    assert of(A=(0, 100), B=(30, 90), C=(10, 50)) == Span(0, 100)
    assert of(A=always, B=(-5, 101), C=(10, 50)) == Span(30, 90), "before and after all data: as without an edge"
    assert of(A=(1, 99), B=(0, 100), C=(10, 50)) == Span(30, 90)
    assert of(A=always, B=(1, 99), C=(10, 50)) == Span(0, 100)
