"""TODO"""

from __future__ import annotations

from dagmanager.tables import from_us, to_us
from tests.dagmanager.graphs import NOW


def test_instants_are_exact() -> None:
    moment = NOW.replace(microsecond=123_457)
    assert from_us(to_us(moment)) == moment
