"""Datasets and presets as messages."""

from collections.abc import Sequence
from decimal import Decimal

from google.protobuf.duration_pb2 import Duration

from qmtl.calendars import spans
from qmtl.core.decimals import format_decimal
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.instants import ns_to_proto
from qmtl.wire.volumes import volume_unit_to_proto
from seamless.artifacts.inventory import DatasetState, DatasetStatus
from seamless.conformance.wire import STRICTNESS
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.memberships import Membership
from seamless.presets.preset import Preset
from seamless.wire import ADJUSTMENTS, span_to_proto

_STATES = {
    DatasetState.INGESTING: datasetspb.DATASET_STATE_INGESTING,
    DatasetState.READY: datasetspb.DATASET_STATE_READY,
    DatasetState.UNAVAILABLE: datasetspb.DATASET_STATE_UNAVAILABLE,
}


def dataset_to_proto(preset: Preset, status: DatasetStatus, newest: Manifest | None) -> datasetspb.Dataset:
    """The dataset of a preset with its state and what its newest artifact holds."""
    dataset = datasetspb.Dataset(
        dataset=str(preset.dataset),
        source=preset.dataset.source,
        symbol=preset.dataset.symbol,
        interval=Duration(seconds=preset.dataset.interval_s),
        state=_STATES[status.state],
        message=status.detail or preset.description,
        volume_unit=volume_unit_to_proto(preset.volume_unit),
        terms=_terms(preset),
    )
    if newest is not None:
        dataset.range.CopyFrom(span_to_proto(newest.span))
        dataset.rows = newest.rows
        expected = preset.calendar.expected(newest.span, preset.dataset.interval_ns)
        dataset.data_ratio = spans.ratio(newest.coverage, expected, preset.dataset.interval_ns)
        dataset.dataset_fingerprint = newest.fingerprint
        dataset.as_of.CopyFrom(ns_to_proto(newest.as_of_ns))
    return dataset


def preset_to_proto(preset: Preset, status: DatasetStatus, store_id: str) -> datasetspb.Preset:
    """A preset, and whether it can be used."""
    return datasetspb.Preset(
        name=preset.name,
        dataset=str(preset.dataset),
        description=preset.description,
        strictness=STRICTNESS[preset.policy.name],
        min_coverage=format_decimal(Decimal(repr(preset.sla.min_coverage))),
        replay=preset.replay,
        available=status.state is not DatasetState.UNAVAILABLE,
        message=status.detail,
        symbol=preset.dataset.symbol,
        interval=Duration(seconds=preset.dataset.interval_s),
        volume_unit=volume_unit_to_proto(preset.volume_unit),
        terms=_terms(preset),
        lineage=(store_id, *preset.lineage),
    )


def universe_to_proto(name: str, members: Sequence[str], fault: str, *, replay: bool) -> datasetspb.Preset:
    """A universe, and whether a session can play it."""
    return datasetspb.Preset(
        name=name,
        description=f"{', '.join(members)} on one data clock",
        min_coverage="0",
        replay=replay,
        available=not fault,
        message=fault,
        members=members,
    )


def memberships_to_proto(found: Sequence[Membership]) -> list[datasetspb.Membership]:
    """Who is a member when."""
    return [
        datasetspb.Membership(
            symbol=one.symbol,
            ticker=one.ticker,
            start_time=None if one.start_ns is None else ns_to_proto(one.start_ns),
            end_time=None if one.end_ns is None else ns_to_proto(one.end_ns),
        )
        for one in found
    ]


def _terms(preset: Preset) -> datasetspb.DatasetTerms:
    return datasetspb.DatasetTerms(
        calendar=preset.calendar.name,
        calendar_version=preset.calendar.version,
        time_zone=preset.terms.time_zone,
        price_currency=preset.terms.price_currency,
        adjustment=ADJUSTMENTS[preset.terms.adjustment],
        origin=preset.terms.origin,
        licence=preset.terms.licence,
    )
