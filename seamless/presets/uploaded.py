"""The preset of a file that somebody gave."""

from __future__ import annotations

from qmtl.calendars.published import calendar_named
from seamless.domain.conformance.policies import POLICIES, TOLERANT
from seamless.domain.datasets import DatasetId, Kind
from seamless.presets.preset import HELD_BACK, Preset
from seamless.sources.files.uploads import UploadedFile

MIN_COVERAGE = 0.98


def preset_of(upload: UploadedFile) -> Preset:
    """Its preset, `file.ohlcv.{name}`; the interval must be known by now."""
    return Preset(
        name=f"file.ohlcv.{upload.name}",
        dataset=DatasetId(Kind.OHLCV, f"file-{upload.name}", upload.hints.symbol, upload.hints.interval_s),
        description=f"bars of {upload.file_name or upload.name}",
        policy=POLICIES[upload.strictness],
        calendar=calendar_named(upload.calendar),
        min_coverage=MIN_COVERAGE,
        partial=upload.strictness == TOLERANT.name,
        replay=True,
        source=upload,
        detail="",
        volume_unit=upload.volume_unit,
        terms=upload.terms,
        held_back=0 if upload.final else HELD_BACK,
    )
