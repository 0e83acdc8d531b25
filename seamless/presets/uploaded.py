"""The preset of a file that somebody gave."""

from __future__ import annotations

from qmtl.calendars.published import calendar_named
from seamless.domain.conformance.policies import POLICIES, TOLERANT
from seamless.domain.datasets import DatasetId, Kind
from seamless.domain.sla import BASELINE, TOLERANT_PARTIAL
from seamless.presets.preset import HELD_BACK, Preset
from seamless.sources.files.uploads import UploadedFile


def preset_of(upload: UploadedFile) -> Preset:
    """Its preset, `file.ohlcv.{name}`; the interval must be known by now."""
    return Preset(
        name=f"file.ohlcv.{upload.name}",
        dataset=DatasetId(Kind.OHLCV, f"file-{upload.name}", upload.hints.symbol, upload.hints.interval_s),
        description=f"bars of {upload.file_name or upload.name}",
        policy=POLICIES[upload.strictness],
        calendar=calendar_named(upload.calendar),
        sla=TOLERANT_PARTIAL if upload.strictness == TOLERANT.name else BASELINE,
        replay=True,
        source=upload,
        detail="",
        volume_unit=upload.volume_unit,
        terms=upload.terms,
        held_back=0 if upload.final else HELD_BACK,
    )
