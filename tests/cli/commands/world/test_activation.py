"""Texts of a world's activation."""

from __future__ import annotations

from qmtl.cli.commands.world.activation import window_text
from qmtl.world.v1 import activation_pb2 as activationpb


def test_a_window_reads_like_one_writes_it() -> None:
    window = activationpb.ActivationWindow(
        days=[activationpb.WEEKDAY_MONDAY, activationpb.WEEKDAY_FRIDAY], time_zone="America/New_York"
    )
    window.opens.FromSeconds(9 * 3600 + 1800)
    window.closes.FromSeconds(16 * 3600)
    assert window_text(window) == "mon, fri 09:30-16:00 America/New_York"
