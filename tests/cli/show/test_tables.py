"""Tables for people: whole words at every width."""

from __future__ import annotations

import pytest

from qmtl.cli.show.tables import show_table, table_text

STRATEGY, KEY = "s-d1ddb60a9cf0412233ab", "blake3:" + "0f" * 32
COLUMNS = ("strategy", "name", "state", "worlds", "nodes", "by", "submitted")
ROW = (STRATEGY, "ema-cross", "COMPLETED", "demo, other", "6", "dev-operator", "2026-11-22T15:07:16.982998Z")


def test_no_rows_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("orders", ("a", "b"), [])
    assert capsys.readouterr().out == "orders: none\n"


@pytest.mark.parametrize("width", [0, 40, 80, 100, 120, 200])
def test_no_width_cuts_or_breaks_an_id(width: int) -> None:
    text = table_text("strategies", (*COLUMNS, "key"), [(*ROW, KEY)], width)
    assert all(word in text.split() or f"{word}," in text.split() for word in (*ROW[:3], *ROW[4:], KEY))
    assert "…" not in text


def test_an_id_in_a_title_is_not_broken_where_the_table_is_narrower() -> None:
    assert table_text(f"2 orders, {KEY}", ("a", "b"), [("1", "2")], 80).splitlines()[0] == f"2 orders, {KEY}"


def test_prose_folds_where_ids_do_not() -> None:
    row = (STRATEGY, "denied because the notional of 120,000 is above the limit of 100,000 of this account")
    lines = table_text("orders", ("strategy", "why"), [row], 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert sum(STRATEGY in line for line in lines) == 1
    assert len(lines) > 6


def test_what_does_not_fit_is_written_in_blocks() -> None:
    text = table_text("queues", ("key", "state"), [(KEY, "ACTIVE"), (KEY, "-")], 60)
    assert text == f"queues\n  key    {KEY}\n  state  ACTIVE\n\n  key    {KEY}\n  state  -"
