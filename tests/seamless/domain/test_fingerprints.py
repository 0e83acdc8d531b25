"""Fingerprints follow the data and nothing else; the vectors let any language check itself."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from seamless.domain import fingerprints
from seamless.domain.bars import VALUES, Bars, of_values
from seamless.domain.fingerprints import Leaf
from tests.seamless.samples import walk

_DATASET = "ohlcv:test:X:15m"
_VECTORS = json.loads((Path(__file__).parent / "fingerprint_vectors.json").read_text("utf-8"))


def _table(rows: list[list[str]]) -> Bars:
    values = [np.array([float(row[i]) for row in rows]) for i in range(1, 6)]
    return of_values(np.array([int(row[0]) for row in rows], np.int64), values, np.zeros(len(rows), np.uint8))


@pytest.mark.parametrize("case", _VECTORS["leaves"], ids=lambda case: case["name"])
def test_leaf_vectors(case: dict[str, object]) -> None:
    table = _table(case["rows"])  # type: ignore[arg-type] # a JSON document
    [leaf] = fingerprints.leaves(str(case["dataset"]), table)
    assert (leaf.month, leaf.digest) == (case["month"], case["leaf"])
    assert fingerprints.range_digest([leaf], AlwaysOpen(), "1") == case["range"]


def test_world_vector() -> None:
    case = _VECTORS["world"]
    assert fingerprints.world_digest(case["ranges"]) == case["digest"]
    assert fingerprints.world_digest(dict(reversed(case["ranges"].items()))) == case["digest"]


def test_a_leaf_is_the_plain_hash_of_the_documented_text() -> None:
    text = "qmtl-leaf-1\nohlcv:test:X:15m\n2021-09\n1632700800000000000,100,101.5,99.25,0.1,12300000\n"
    table = _table([["1632700800000000000", "100", "101.5", "99.25", "0.1", "1.23e7"]])
    assert fingerprints.leaf_digest(_DATASET, "2021-09", table) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_decimals_are_plain_and_round_trip(values: list[float]) -> None:
    for text, value in zip(fingerprints.decimals(np.array(values, np.float64)), values, strict=True):
        assert float(text) == value
        assert "e" not in text
        assert text == "0" or text not in ("-0", "0.0")
        assert not ("." in text and text.endswith(("0", ".")))
        assert Decimal(text) == Decimal(repr(value))


def test_zero_has_one_sign_and_nan_has_no_text() -> None:
    assert fingerprints.decimals(np.array([-0.0, 0.0])) == ["0", "0"]
    with pytest.raises(ValueError, match="finite"):
        fingerprints.decimals(np.array([np.nan]))


def test_months_split_where_utc_says_and_known_leaves_are_reused() -> None:
    table = walk(3000)
    parts = fingerprints.leaves(_DATASET, table)
    assert [p.month for p in parts] == ["2021-09", "2021-10"]
    assert sum(p.rows for p in parts) == 3000
    marked = {"2021-09": Leaf("2021-09", "sha256:known", parts[0].rows)}
    assert fingerprints.leaves(_DATASET, table, marked)[0].digest == "sha256:known"
    shorter = fingerprints.leaves(_DATASET, table.take(slice(1, None)), marked)[0]
    assert shorter.digest != "sha256:known"


@given(st.integers(0, 99), st.sampled_from(["open", "close", "volume"]))
def test_one_changed_value_changes_leaf_and_range(row: int, column: str) -> None:
    table = walk(100)
    values = [column.copy() for column in table.values()]
    values[VALUES.index(column)][row] = np.nextafter(values[VALUES.index(column)][row], np.inf)
    changed = of_values(table.time_ns, values, table.flags)
    before, after = (fingerprints.leaves(_DATASET, t) for t in (table, changed))
    assert before[0].digest != after[0].digest
    assert fingerprints.range_digest(before, AlwaysOpen(), "1") != fingerprints.range_digest(after, AlwaysOpen(), "1")


def test_rules_and_calendar_are_part_of_a_range() -> None:
    parts = fingerprints.leaves(_DATASET, walk(10))
    digests = {
        fingerprints.range_digest(parts, AlwaysOpen(), "1"),
        fingerprints.range_digest(parts, AlwaysOpen(), "2"),
        fingerprints.range_digest(parts, AlwaysOpen(version="2"), "1"),
        fingerprints.range_digest(parts, AlwaysOpen(name="XNYS"), "1"),
    }
    assert len(digests) == 4


def test_a_span_has_part_in_the_months_that_it_has_an_instant_of() -> None:
    december, january = fingerprints.month_span("2023-12"), fingerprints.month_span("2024-01")
    assert (december.end_ns, january.end_ns - january.start_ns) == (january.start_ns, 31 * 86_400 * 10**9)
    for start_ns, end_ns, months in (
        (december.start_ns, december.end_ns, [december]),
        (december.end_ns - 1, december.end_ns + 1, [december, january]),
        (january.start_ns, january.start_ns, []),
    ):
        assert list(fingerprints.months_of(Span(start_ns, end_ns))) == months
