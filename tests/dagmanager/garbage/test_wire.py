"""Rounds of garbage collection as messages."""

from __future__ import annotations

from dagmanager.garbage.domain import Kept
from dagmanager.garbage.wire import KEPT
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb


def test_every_reason_to_keep_a_queue_has_its_value_on_the_wire() -> None:
    names = {kept: maintenanceservicepb.GarbageKept.Name(number) for kept, number in KEPT.items()}
    assert names == {kept: f"GARBAGE_KEPT_{kept.value}" for kept in Kept}
