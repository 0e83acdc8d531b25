"""What another seamless says of a dataset, understood; a preset here of a preset there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.published import calendar_named
from qmtl.calendars.spans import Coverage, Span, normalise
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.volumes import volume_unit_from_proto
from seamless.domain.terms import DatasetTerms
from seamless.presets.preset import Preset
from seamless.wire import ADJUSTMENTS, ns_from_proto

_ADJUSTMENTS = {number: adjustment for adjustment, number in ADJUSTMENTS.items()}


def taken_over(preset: Preset, remote: str, told: datasetspb.Preset) -> Preset:
    """The preset of a dataset here, as it is described there.

    Raises InvalidRequest (E_ENUM, E_CALENDAR_UNKNOWN) for what is not known here.
    """
    terms = told.terms
    if terms.adjustment not in _ADJUSTMENTS:
        raise refused("E_ENUM", "terms.adjustment", terms.adjustment, "RAW, SPLIT or TOTAL_RETURN")
    return replace(
        preset,
        remote=remote,
        detail="",
        description=f"{told.description or told.name}, from seamless {remote}",
        calendar=calendar_of(told),
        volume_unit=volume_unit_from_proto(told.volume_unit),
        terms=DatasetTerms(
            terms.price_currency,
            _ADJUSTMENTS[terms.adjustment],
            terms.time_zone or "UTC",
            terms.origin,
            terms.licence,
        ),
        lineage=tuple(told.lineage),
    )


def calendar_of(told: datasetspb.Preset) -> Calendar:
    """Raises InvalidRequest (E_CALENDAR_UNKNOWN)."""
    return calendar_named(told.terms.calendar)


def differences(known: datasetspb.Preset, told: datasetspb.Preset) -> str:
    """In which way numbers that were taken before mean something else than those of now; empty: in none."""
    pairs = {
        "volume unit": (known.volume_unit, told.volume_unit),
        "calendar": (known.terms.calendar, told.terms.calendar),
        "calendar version": (known.terms.calendar_version, told.terms.calendar_version),
        "time zone": (known.terms.time_zone, told.terms.time_zone),
        "price currency": (known.terms.price_currency, told.terms.price_currency),
        "adjustment": (known.terms.adjustment, told.terms.adjustment),
    }
    return ", ".join(f"{name} was {was} and is {now}" for name, (was, now) in pairs.items() if was != now)


def artifact_span(artifact: artifactspb.Artifact) -> Span:
    """From the first open to the last close. Raises InvalidRequest (E_TIMESTAMP)."""
    return _span(artifact.range)


def spans_of(ranges: Iterable[commonpb.TimeRange]) -> Coverage:
    """Raises InvalidRequest (E_TIMESTAMP)."""
    return normalise(map(_span, ranges))


def _span(given: commonpb.TimeRange) -> Span:
    start_ns, end_ns = ns_from_proto(given.start, "range.start"), ns_from_proto(given.end, "range.end")
    return Span(start_ns, max(start_ns, end_ns))
