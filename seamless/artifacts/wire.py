"""Sealed artifacts as messages."""

from __future__ import annotations

from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.wire.instants import ns_to_proto
from seamless.domain.manifests import Manifest
from seamless.wire import span_to_proto


def artifact_to_proto(manifest: Manifest) -> artifactspb.Artifact:
    return artifactspb.Artifact(
        dataset_fingerprint=manifest.fingerprint,
        dataset=manifest.dataset,
        as_of=ns_to_proto(manifest.as_of_ns),
        range=span_to_proto(manifest.span),
        rows=manifest.rows,
        rule_version=manifest.rule_version,
        calendar=manifest.calendar,
        calendar_version=manifest.calendar_version,
        producer=manifest.producer,
        watermark=ns_to_proto(manifest.watermark_ns),
        leaves=[leaf.digest for leaf in manifest.leaves],
        months=[leaf.month for leaf in manifest.leaves],
    )
