"""How many sessions a year has, and when they end."""

from datetime import UTC, datetime

from qmtl.calendars.published import sessions_of
from qmtl.core.instants import to_ns

BEGIN, END = to_ns(datetime(2023, 6, 1, tzinfo=UTC)), to_ns(datetime(2024, 3, 1, tzinfo=UTC))


def test_an_exchange_has_its_sessions() -> None:
    per_year, closes = sessions_of(["XNYS", "XNYS"], BEGIN, END)
    assert per_year == (250 + 252) / 2  # of 2023 and of 2024
    assert closes is not None
    assert to_ns(datetime(2023, 7, 3, 17, tzinfo=UTC)) in closes  # the early close before the fourth
    assert to_ns(datetime(2024, 3, 1, 21, tzinfo=UTC)) in closes
    assert sessions_of(["XNYS"], BEGIN, BEGIN)[0] == 250


def test_what_never_closes_and_what_is_mixed_have_utc_days() -> None:
    for codes in ([""], [], ["XNYS", ""], ["XNYS", "XLON"]):
        assert sessions_of(codes, BEGIN, END) == (365.0, None)
