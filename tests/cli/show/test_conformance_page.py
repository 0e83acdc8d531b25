"""The page of a conformance report: whole, by itself, and with everything that came from outside escaped."""

from __future__ import annotations

from html.parser import HTMLParser

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.cli.show.conformance_page import GAPS_MAX, page
from qmtl.cli.show.drawing.calendar_map import months_of
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import coverage_pb2 as coveragepb

DAY = 86_400
EMPTY_TAGS = {"meta"}


class Reader(HTMLParser):
    """The tags that are open, the texts and classes that were met; a tag that closes another fails."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.classes: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY_TAGS:
            self.open.append(tag)
        known = dict(attrs)
        self.classes.append(f"{tag} {known.get('class')}")
        self.addresses += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def report(gaps: int = 1) -> conformancepb.ConformanceReport:
    sample = conformancepb.ConformanceSample(open_time=Timestamp(seconds=DAY), message="<script>alert(1)</script>")
    finding = conformancepb.ConformanceFinding(
        rule=conformancepb.CONFORMANCE_RULE_GRID,
        action=conformancepb.CONFORMANCE_ACTION_REFUSED,
        rows=1234,
        samples=[sample],
        blocking=True,
    )
    span = commonpb.TimeRange(start=Timestamp(seconds=DAY), end=Timestamp(seconds=2 * DAY))
    return conformancepb.ConformanceReport(
        dataset='ohlcv:a&b:"X":1d',
        strictness=conformancepb.CONFORMANCE_STRICTNESS_STRICT,
        rows_in=5000,
        rows_out=4321,
        findings=[finding],
        gaps=[coveragepb.Gap(range=span, kind=coveragepb.GAP_KIND_OUTAGE, bars=n + 1) for n in range(gaps)],
        data_ratio=0.5,
        schema_version="ohlcv 1.0",
    )


def test_everything_of_the_report_is_there_and_nothing_is_fetched() -> None:
    found = read(page(report(), months_of([(0, DAY)], [(DAY, 2 * DAY)], [(2 * DAY, 3 * DAY)])))
    wanted = ["5,000", "4,321", "50.00%", "STRICT", "ohlcv 1.0", "GRID", "REFUSED", "1,234", "OUTAGE", "Gaps: 1"]
    assert [text for text in wanted if text not in found.texts] == []
    assert "1970-01-02T00:00:00Z <script>alert(1)</script>" in found.texts
    assert 'Conformance of ohlcv:a&b:"X":1d' in found.texts
    assert found.addresses == []
    assert "script None" not in found.classes
    cells = [name for name in found.classes if name.startswith("td ") and name != "td None"]
    assert [cells.count(f"td {name}") for name in ("full", "missing", "empty", "nothing")] == [1, 1, 1, 28]


def test_of_many_gaps_the_longest_are_shown_and_the_rest_counted() -> None:
    found = read(page(report(GAPS_MAX + 2), []))
    assert f"Gaps: {GAPS_MAX + 2:,}, the longest {GAPS_MAX}" in found.texts
    assert f"{GAPS_MAX + 2:,}" in found.texts
    assert "2" not in found.texts, "the two shortest are left out"
    assert "No day has a bar or is expected to have one." in found.texts


def test_what_is_not_served_has_its_report_and_says_why_it_has_no_map() -> None:
    found = read(page(report(), [], "x: <b>refused</b> by schema"))
    assert "Nothing of it is served: x: <b>refused</b> by schema" in found.texts
    assert "1,234" in found.texts
