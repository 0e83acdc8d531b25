"""Sealed artifacts as messages."""

from __future__ import annotations

from qmtl.data.v1 import data_pb2 as datapb
from seamless.domain.manifests import Manifest
from seamless.wire import span_to_proto, stamp


def artifact_to_proto(manifest: Manifest) -> datapb.Artifact:
    return datapb.Artifact(
        dataset_fingerprint=manifest.fingerprint,
        dataset=manifest.dataset,
        as_of=stamp(manifest.as_of_ns),
        range=span_to_proto(manifest.span),
        rows=manifest.rows,
        rule_version=manifest.rule_version,
        calendar=manifest.calendar,
        calendar_version=manifest.calendar_version,
        producer=manifest.producer,
        watermark=stamp(manifest.watermark_ns),
        leaves=[leaf.digest for leaf in manifest.leaves],
    )
