"""Added files as messages."""

from __future__ import annotations

import re
from pathlib import Path

from qmtl.calendars import windows
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.published import calendar_named
from qmtl.core.errors import refused
from qmtl.core.volumes import VolumeUnit
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.wire.fields import known_enum, require_text
from qmtl.wire.mapping import mapper
from qmtl.wire.volumes import volume_unit_from_proto
from seamless.domain.conformance.policies import STRICT, TOLERANT
from seamless.domain.datasets import format_interval
from seamless.domain.terms import Adjustment, DatasetTerms
from seamless.sources.files.detection import FileHints, FileLayout
from seamless.sources.files.uploads import UploadedFile
from seamless.wire import ADJUSTMENTS

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SYMBOL_MAX = 128
_STRICTNESS = {
    conformancepb.CONFORMANCE_STRICTNESS_UNSPECIFIED: TOLERANT.name,
    conformancepb.CONFORMANCE_STRICTNESS_TOLERANT: TOLERANT.name,
    conformancepb.CONFORMANCE_STRICTNESS_STRICT: STRICT.name,
}


def upload_from_proto(message: filespb.AddedFile, folder: Path) -> UploadedFile:
    """A file whose content is kept in a folder under its hash. Raises InvalidRequest (E_FIELD, E_ENUM, E_INTERVAL,
    E_CALENDAR_UNKNOWN).
    """
    if not _NAME.fullmatch(message.name):
        raise refused("E_FIELD", "name", repr(message.name[:80]), "1 to 64 of a-z 0-9 _ -, a letter or digit first")
    if message.strictness not in _STRICTNESS:
        raise refused("E_ENUM", "strictness", message.strictness, "STRICT or TOLERANT")
    for field, value, known in (
        ("date_order", message.date_order, ("", "DMY", "MDY")),
        ("decimal", message.decimal, ("", ".", ",")),
    ):
        if value not in known:
            raise refused("E_FIELD", field, repr(value[:20]), f"one of {', '.join(filter(None, known))}, or empty")
    interval_s = message.interval.seconds
    if message.HasField("interval"):
        format_interval(interval_s)
    calendar = message.terms.calendar or AlwaysOpen().name
    calendar_named(calendar)
    zone = _zone(message.terms.time_zone)
    return UploadedFile(
        name=message.name,
        file_name=require_text(message.file_name, "file_name") if message.file_name else "",
        path=folder / f"{message.name}.{message.sha256[:16]}.zz",
        sha256=message.sha256,
        hints=FileHints(
            require_text(message.symbol, "symbol", _SYMBOL_MAX), interval_s, zone, message.date_order, message.decimal
        ),
        calendar=calendar,
        final=message.final,
        strictness=_STRICTNESS[message.strictness],
        volume_unit=volume_unit_from_proto(message.volume_unit) if message.volume_unit else VolumeUnit.BASE,
        terms=_terms(message.terms, zone),
        giver=message.added_by,
    )


def upload_to_proto(upload: UploadedFile) -> filespb.AddedFile:
    """What is kept of a file beside its content."""
    message = filespb.AddedFile(
        name=upload.name,
        file_name=upload.file_name,
        symbol=upload.hints.symbol,
        final=upload.final,
        strictness=next(number for number, name in _STRICTNESS.items() if number and name == upload.strictness),
        volume_unit=barspb.VOLUME_UNIT_QUOTE if upload.volume_unit is VolumeUnit.QUOTE else barspb.VOLUME_UNIT_BASE,
        terms=datasetspb.DatasetTerms(
            calendar=upload.calendar,
            time_zone=upload.hints.zone,
            price_currency=upload.terms.price_currency,
            adjustment=ADJUSTMENTS[upload.terms.adjustment],
            origin=upload.terms.origin,
            licence=upload.terms.licence,
        ),
        date_order=upload.hints.dates,
        decimal=upload.hints.decimal,
        sha256=upload.sha256,
        added_by=upload.giver,
    )
    if upload.hints.interval_s:
        message.interval.seconds = upload.hints.interval_s
    return message


layout_to_proto = mapper(FileLayout, filespb.FileLayout, columns=lambda layout: dict(layout.columns))
"""How a file was read."""


def _terms(message: datasetspb.DatasetTerms, zone: str) -> DatasetTerms:
    texts = {"price_currency": message.price_currency, "origin": message.origin, "licence": message.licence}
    for field, value in texts.items():
        if value:
            require_text(value, f"terms.{field}")
    known = {number: adjustment for adjustment, number in ADJUSTMENTS.items()}
    adjustment = known_enum(known, message.adjustment, "terms.adjustment") if message.adjustment else Adjustment.RAW
    return DatasetTerms(adjustment=adjustment, time_zone=zone or "UTC", **texts)


def _zone(name: str) -> str:
    """Raises InvalidRequest (E_FIELD) for a zone that is not known."""
    if name and name not in windows.zones():
        raise refused("E_FIELD", "terms.time_zone", repr(name[:80]), "an IANA zone, such as Europe/Berlin")
    return name
