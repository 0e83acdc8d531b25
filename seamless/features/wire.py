"""Features as messages."""

from __future__ import annotations

import json

from google.protobuf.duration_pb2 import Duration

from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import canonical_json
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.wire.fields import optional_text, require_text
from qmtl.wire.graph import params_from_struct, params_to_struct
from qmtl.wire.instants import ns_to_proto
from seamless.domain.features import Feature, FeatureKey
from seamless.features.plane import FeatureContext, Publication
from seamless.wire import DOMAINS, domain_from_proto, ns_from_proto, span_to_proto

INSTRUMENT_MAX = 128
_FINGERPRINT_MAX = 100
_DOMAIN_NUMBERS = {domain: number for number, domain in DOMAINS.items()}


def context_from_proto(message: commonpb.ComputeContext) -> FeatureContext:
    """Raises InvalidRequest (E_FIELD, E_ENUM, E_TIMESTAMP)."""
    require_text(message.world_id, "context.world_id")
    as_of_ns = ns_from_proto(message.as_of, "context.as_of") if message.HasField("as_of") else None
    return FeatureContext(message.world_id, domain_from_proto(message.execution_domain), as_of_ns)


def key_from_proto(message: featurespb.FeatureKey, *, of_data: bool) -> FeatureKey:
    """A key; `of_data` demands the fingerprint. Raises InvalidRequest (E_FIELD, E_CANONICAL_JSON)."""
    if message.interval.nanos:
        raise refused("E_FIELD", "key.interval", f"{message.interval.ToNanoseconds()} ns", "whole seconds")
    if of_data or message.dataset_fingerprint:
        require_text(message.dataset_fingerprint, "key.dataset_fingerprint", _FINGERPRINT_MAX)
    return FeatureKey(
        factor=message.factor,
        interval_s=message.interval.seconds,
        params=canonical_json(params_from_struct(message.params)).decode(),
        instrument=require_text(message.instrument, "key.instrument", INSTRUMENT_MAX),
        dataset_fingerprint=message.dataset_fingerprint,
    )


def publication_from_proto(message: featurespb.FeaturePublication) -> Publication:
    """Raises InvalidRequest (E_FIELD, E_CANONICAL_JSON)."""
    return Publication(
        key=key_from_proto(message.key, of_data=True),
        artifact=require_text(message.artifact_fingerprint, "artifact_fingerprint", _FINGERPRINT_MAX),
        arrow=message.arrow_ipc,
        schema=optional_text(message.schema, "schema"),
    )


def feature_to_proto(feature: Feature) -> featurespb.Feature:
    key = feature.key
    told = featurespb.Feature(
        fingerprint=feature.fingerprint,
        world_id=feature.world_id,
        key=featurespb.FeatureKey(
            factor=key.factor,
            interval=Duration(seconds=key.interval_s),
            instrument=key.instrument,
            dataset_fingerprint=key.dataset_fingerprint,
        ),
        as_of=ns_to_proto(feature.as_of_ns),
        range=span_to_proto(Span(feature.first_ns, feature.last_ns)),
        rows=feature.rows,
        columns=feature.columns,
        schema_version=feature.schema,
        execution_domain=_DOMAIN_NUMBERS[feature.domain],
        published_by=feature.published_by,
        published_at=ns_to_proto(feature.published_at_ns),
    )
    told.key.params.CopyFrom(params_to_struct(json.loads(key.params)))
    return told
