"""Versions of row schemas: counted by what their columns are, in force by the log of promotions alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from seamless.domain.row_schemas import (
    COLUMNS_MAX,
    OHLCV,
    Column,
    ColumnType,
    Promotion,
    SchemaVersion,
    Stage,
    check_columns,
    extends,
    faults,
    in_force,
    next_version,
    stages,
)

A = Column("a", ColumnType.FLOAT64)
MAY_B, MUST_B = Column("b", ColumnType.FLOAT64, required=False), Column("b", ColumnType.FLOAT64)
COLUMNS = st.lists(
    st.builds(Column, st.sampled_from("abcd"), st.sampled_from(ColumnType), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda column: column.name,
)


def act(minor: int, after: Stage) -> Promotion:
    return Promotion(1, minor, Stage.REGISTERED, after, "alice", 0, "")


@pytest.mark.parametrize(
    ("columns", "number"),
    [
        ((A,), "1.0"),
        ((MAY_B, A), "1.1"),
        ((A, MUST_B), "2.0"),
        ((Column("a", ColumnType.INT64),), "2.0"),
        ((Column("a", ColumnType.FLOAT64, required=False),), "2.0"),
        ((MAY_B,), "2.0"),
    ],
)
def test_only_columns_that_may_be_absent_make_a_minor_version(columns: tuple[Column, ...], number: str) -> None:
    first = SchemaVersion("s", 1, 0, (A,))
    made = next_version("s", columns, [first])
    assert (made.number, made.compat_id) == (number, f"s/{number[0]}")


def test_columns_that_are_known_are_the_version_they_were() -> None:
    known = [SchemaVersion("s", 1, 0, (A,)), SchemaVersion("s", 1, 1, (A, MAY_B))]
    assert next_version("s", (A,), known) is known[0]
    assert next_version("s", (MAY_B, A), known) is known[1]


@given(COLUMNS, COLUMNS, st.dictionaries(st.sampled_from("abcd"), st.sampled_from("iufUM")))
def test_rows_that_fit_a_minor_version_fit_all_before_it(
    old: list[Column], new: list[Column], kinds: dict[str, str]
) -> None:
    if extends(old, new) and not faults(SchemaVersion("s", 1, 1, tuple(new)), kinds):
        assert faults(SchemaVersion("s", 1, 0, tuple(old)), kinds) == ()


def test_what_is_wrong_is_told_column_by_column() -> None:
    schema = SchemaVersion("s", 1, 0, (A, MAY_B, Column("n", ColumnType.INT64), Column("t", ColumnType.TEXT)))
    assert faults(schema, {"a": "i", "n": "u", "t": "O", "more": "U"}) == ()
    wrong = ("column a is not FLOAT64", "column b is not FLOAT64", "column n is missing", "column t is not TEXT")
    assert faults(schema, {"a": "U", "b": "M", "t": "f"}) == wrong


def test_of_each_stage_in_force_one_version_is() -> None:
    versions = [SchemaVersion("s", 1, minor, (A,)) for minor in range(3)]
    log = [act(0, Stage.STRICT), act(1, Stage.CANARY), act(2, Stage.CANARY)]
    now = in_force(versions, log)
    assert (now.strict, now.canary) == (versions[0], versions[2])
    assert stages(log)[(1, 1)] is Stage.RETIRED
    log.append(act(2, Stage.STRICT))
    now = in_force(versions, log)
    assert (now.strict, now.canary) == (versions[2], None)
    assert stages(log) == {(1, 0): Stage.RETIRED, (1, 1): Stage.RETIRED, (1, 2): Stage.STRICT}
    now = in_force(versions, [*log, act(2, Stage.RETIRED)])
    assert (now.strict, now.canary) == (None, None)


@pytest.mark.parametrize(
    ("name", "columns", "want"),
    [
        ("", (A,), "name"),
        ("Upper", (A,), "name"),
        ("s", (), "1 to 256"),
        ("s", tuple(Column(f"c{n}", ColumnType.TEXT) for n in range(COLUMNS_MAX + 1)), "1 to 256"),
        ("s", (Column("1a", ColumnType.TEXT),), r"columns\[0\].name"),
        ("s", (A, A), "each column once"),
        ("ohlcv", OHLCV.columns[:-1], "at least volume FLOAT64"),
        ("ohlcv", (*OHLCV.columns[:-1], Column("volume", ColumnType.TEXT)), "at least volume FLOAT64"),
    ],
)
def test_columns_that_cannot_be_a_schema_are_refused(name: str, columns: tuple[Column, ...], want: str) -> None:
    with pytest.raises(InvalidRequest, match=want):
        check_columns(name, columns)


def test_bars_may_ask_for_more_columns() -> None:
    check_columns("ohlcv", (*OHLCV.columns, Column("vwap", ColumnType.FLOAT64)))
