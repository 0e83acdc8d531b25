"""A preset: the name of an assembly of source, conformance, calendar and demanded coverage.

A preset that cannot be served here says why and is refused at once; nothing is tried and timed out.
"""

from dataclasses import dataclass

from qmtl.calendars.calendars import Calendar
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.volumes import VolumeUnit
from seamless.domain.conformance.policies import ConformancePolicy
from seamless.domain.datasets import DatasetId, parse_dataset
from seamless.domain.sla import Sla
from seamless.domain.terms import DatasetTerms
from seamless.sources.files.reader import FileSource
from seamless.sources.files.uploads import UploadedFile

NO_TERMS = DatasetTerms()
HELD_BACK = 2  # bars that a source may still revise


@dataclass(frozen=True, slots=True)
class Preset:
    """One named assembly. `source` is a file, `exchange` the section of an exchange that is followed; with neither it
    is not available here, and `detail` says why.
    """

    name: str
    dataset: DatasetId
    description: str
    policy: ConformancePolicy
    calendar: Calendar
    sla: Sla
    replay: bool  # its live feed plays recorded data
    source: FileSource | UploadedFile | None
    detail: str
    volume_unit: VolumeUnit = VolumeUnit.BASE
    terms: DatasetTerms = NO_TERMS
    held_back: int = HELD_BACK  # of a delivery, its newest bars are not sealed
    exchange: str = ""
    stream: bool = False  # live bars by websocket, where the exchange has one

    @property
    def unchanging(self) -> bool:
        """Whether its source is the same for as long as its producer is: a given file, a package's version."""
        return isinstance(self.source, UploadedFile) or self.name.startswith("demo.")

    @property
    def available(self) -> bool:
        return self.source is not None or bool(self.exchange)


class Presets:
    """The presets of this process, found by their own name or by the dataset they serve."""

    def __init__(self, presets: tuple[Preset, ...]) -> None:
        self._by_name = {preset.name: preset for preset in presets}

    @property
    def all(self) -> tuple[Preset, ...]:
        """Every preset, in the order in which they came."""
        return tuple(self._by_name.values())

    def add(self, preset: Preset) -> None:
        """Add a preset, in the place of the one of its name."""
        self._by_name[preset.name] = preset

    def find(self, name: str) -> Preset | None:
        """The preset of a name."""
        return self._by_name.get(name)

    def named(self, name: str) -> Preset:
        """The preset of a name. Raises NotFound (E_PRESET_UNKNOWN)."""
        if name not in self._by_name:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {name!r}", hint=f"one of {', '.join(self._by_name)}")
        return self._by_name[name]

    def serving(self, name: str) -> Preset:
        """The available preset of a preset name or dataset id.

        Raises NotFound (E_DATASET_UNKNOWN), NotReady (E_DATASET_UNAVAILABLE).
        """
        preset = self._by_name.get(name) or next((one for one in self.all if str(one.dataset) == name), None)
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
