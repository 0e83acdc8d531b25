"""What garbage collection reports, from replies made by hand."""

from __future__ import annotations

import pytest

from qmtl.cli.commands.graph.garbage import garbage_line, skip_rows
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from tests.cli.conftest import CliMesh

pytestmark = pytest.mark.timeout(180)


def test_garbage_reasons_are_counted() -> None:
    skipped = [
        maintenanceservicepb.GarbageSkip(compute_key=str(n), kept=maintenanceservicepb.GARBAGE_KEPT_NOT_DUE)
        for n in range(3)
    ]
    skipped.append(
        maintenanceservicepb.GarbageSkip(compute_key="x", kept=maintenanceservicepb.GARBAGE_KEPT_ARCHIVE_FAILED)
    )
    assert skip_rows(skipped) == [("NOT_DUE", "3"), ("ARCHIVE_FAILED", "1")]
    reply = maintenanceservicepb.CollectGarbageResponse(observed=5, candidates=2, processed=1)
    assert garbage_line(reply, dry_run=False) == "5 queues looked at, 2 past their time, 1 dropped"
    assert "nothing was dropped" in garbage_line(reply, dry_run=True)


def test_garbage_is_reported_without_dropping(cli_mesh: CliMesh) -> None:
    reply = cli_mesh.json("gc", "--dry-run")
    assert reply["processed"] == 0
    assert "dry run, nothing was dropped" in cli_mesh.ask("gc", "--dry-run")
