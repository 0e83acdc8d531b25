"""Files made of the graph as messages."""

from __future__ import annotations

from datetime import datetime

from dagmanager.artifacts.domain import Artifact
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.wire.instants import instant_to_proto


def artifact_to_proto(artifact: Artifact, used_by: str, created_at: datetime) -> maintenanceservicepb.GraphArtifact:
    """A file with what it was made of."""
    return maintenanceservicepb.GraphArtifact(
        path=artifact.path,
        checksum=artifact.checksum,
        size_bytes=artifact.size_bytes,
        used_by=[used_by] if used_by else [],
        created_at=instant_to_proto(created_at),
    )
