"""Ids, spans and times as people read and write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qmtl.cli.show import formats
from qmtl.core.errors import InvalidRequest


def test_a_bar_is_full_beyond_its_limit_and_the_percentage_is_what_it_is() -> None:
    full, empty = "#" * 30, "." * 30
    assert formats.share_bar(1.816) == f"[{full}] 181.60%"
    assert formats.share_bar(-0.12) == f"[{empty}] -12.00%"


def test_ids_spans_and_times() -> None:
    digest = "ab" * 32
    assert formats.short_id(f"blake3:{digest}") == "ab" * 6
    assert [formats.span_word(n) for n in (0, 30, 900, 3600, 86400, 90)] == ["", "30s", "15m", "1h", "1d", "90s"]
    assert formats.instant("2021-03-01T02:00+02:00", "--from") == datetime(2021, 3, 1, tzinfo=UTC)
    with pytest.raises(InvalidRequest, match="--from is"):
        formats.instant("soon", "--from")
