"""What is told of several datasets as of one."""

from __future__ import annotations

from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.sdk.mesh.history import combined


def test_of_several_datasets_the_worst_is_told() -> None:
    well = dataservicepb.FetchMetadata(sla=dataservicepb.SLA_OUTCOME_MET, coverage_ratio=1.0, resolved_ratio=1.0)
    late = dataservicepb.FetchMetadata(
        sla=dataservicepb.SLA_OUTCOME_HOLD,
        downgrade=dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT,
        backfilling=True,
        coverage_ratio=0.5,
        resolved_ratio=0.75,
    )
    for told in ([well, late], [late, well]):
        whole = combined("both", told)
        assert (whole.sla, whole.downgrade, whole.backfilling) == (late.sla, late.downgrade, True)
        assert (whole.coverage_ratio, whole.resolved_ratio) == (0.5, 0.75)
