"""Tables for people."""

from __future__ import annotations

import pytest

from qmtl.cli.show.tables import show_table


def test_no_rows_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("orders", ("a", "b"), [])
    assert capsys.readouterr().out == "orders: none\n"
