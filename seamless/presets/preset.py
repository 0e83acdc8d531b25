"""A preset: the name of an assembly of source, conformance, calendar and demanded coverage.

A preset that cannot be served here says why and is refused at once; nothing is tried and timed out.
"""

from dataclasses import dataclass

from qmtl.calendars.calendars import Calendar
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.volumes import VolumeUnit
from seamless.domain.conformance.policies import ConformancePolicy
from seamless.domain.datasets import DatasetId, parse_dataset
from seamless.sources.files.reader import FileSource


@dataclass(frozen=True, slots=True)
class Preset:
    """One named assembly. `source` None: not available here, `detail` says why."""

    name: str
    dataset: DatasetId
    description: str
    policy: ConformancePolicy
    calendar: Calendar
    min_coverage: float
    partial: bool  # less than min_coverage is served and flagged; otherwise it is refused
    replay: bool  # its live feed plays recorded data
    source: FileSource | None
    detail: str
    volume_unit: VolumeUnit = VolumeUnit.BASE

    @property
    def available(self) -> bool:
        return self.source is not None


class Presets:
    """The presets of this process, found by their own name or by the dataset they serve."""

    def __init__(self, presets: tuple[Preset, ...]) -> None:
        self.all = presets
        self._by_name = {preset.name: preset for preset in presets}
        self._by_dataset = {str(preset.dataset): preset for preset in reversed(presets)}

    def named(self, name: str) -> Preset:
        """The preset of a name. Raises NotFound (E_PRESET_UNKNOWN)."""
        if name not in self._by_name:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {name!r}", hint=f"one of {', '.join(self._by_name)}")
        return self._by_name[name]

    def serving(self, name: str) -> Preset:
        """The available preset of a preset name or dataset id.

        Raises NotFound (E_DATASET_UNKNOWN), NotReady (E_DATASET_UNAVAILABLE).
        """
        preset = self._by_name.get(name) or self._by_dataset.get(name)
        if preset is None:
            raise _unknown(name)
        if not preset.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{name}: {preset.detail}", metadata={"dataset": name})
        return preset


def _unknown(name: str) -> NotFound:
    hint = "ListPresets and ListDatasets name what there is"
    try:
        parse_dataset(name)
    except InvalidRequest as error:
        hint = f"{hint}; {error.message}" if ":" in name else hint
    return NotFound("E_DATASET_UNKNOWN", f"no dataset or preset {name!r}", hint=hint, metadata={"dataset": name})
