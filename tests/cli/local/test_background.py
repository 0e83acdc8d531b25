"""What `qmtl up --detach` answers with: the line that says that the mesh is ready, and no other."""

from __future__ import annotations

from qmtl.cli.local.background import ready_line

READY = "mesh ready in 6.1 s, gateway at 127.0.0.1:7000; ctrl-C stops it"


def test_the_line_of_readiness_is_found_whatever_stands_beside_it() -> None:
    assert ready_line([""]) is None
    assert ready_line(["stopped 2 processes left"]) is None, "recorded as ready and not said yet"
    assert ready_line(["stopped 2 processes left", READY, "gateway ended with 1, started again"]) == READY
