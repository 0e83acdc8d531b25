"""A preset: the name of an assembly of source, conformance, calendar and demanded coverage.

A preset that cannot be served here says why and is refused at once; nothing is tried and timed out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from qmtl.calendars.calendars import Calendar
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.volumes import VolumeUnit
from seamless.domain.conformance.policies import ConformancePolicy
from seamless.domain.datasets import DatasetId, parse_dataset
from seamless.domain.sessions.memberships import Membership, MembershipRow, memberships_of
from seamless.domain.sla import Sla
from seamless.domain.terms import DatasetTerms
from seamless.sources.files.reader import FileSource
from seamless.sources.files.uploads import UploadedFile

NO_TERMS = DatasetTerms()
NO_UNIVERSES: Mapping[str, Sequence[str]] = MappingProxyType({})
NO_TABLES: Mapping[str, MembershipTable] = MappingProxyType({})
LIVE = "live."  # what names of universes of live feeds begin with
HELD_BACK = 2  # bars that a source may still revise


@dataclass(frozen=True, slots=True)
class Preset:
    """One named assembly. `source` is a file, `exchange` the section of an exchange that is followed, `remote` that of
    another seamless which has said what the dataset is; with none it is not available here, and `detail` says why.
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
    remote: str = ""
    lineage: tuple[str, ...] = ()  # the stores that its bars come through, nearest first

    @property
    def unchanging(self) -> bool:
        """Whether its source is the same for as long as its producer is: a given file, a package's version."""
        return isinstance(self.source, UploadedFile) or self.name.startswith("demo.")

    @property
    def available(self) -> bool:
        return self.source is not None or bool(self.exchange or self.remote)


@dataclass(frozen=True, slots=True)
class MembershipTable:
    """The table of a universe's memberships; with a `fault` it could not be read."""

    rows: tuple[MembershipRow, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Universe:
    """Presets that a session plays on one data clock, by symbol and interval: replays, or live feeds of one exchange.
    One preset alone is a universe, too. Without memberships all symbols are members at all times.
    """

    name: str
    members: tuple[Preset, ...]
    memberships: tuple[Membership, ...] = ()

    @property
    def live(self) -> bool:
        """Whether its bars come from an exchange as it closes them."""
        return bool(self.members[0].exchange)

    @property
    def step_ns(self) -> int:
        """The step of its clock: the largest that all closes are on."""
        return math.gcd(*(member.dataset.interval_ns for member in self.members))


class Presets:
    """The presets of this process, found by their own name or by the dataset they serve, and the universes of them."""

    def __init__(
        self,
        presets: tuple[Preset, ...],
        universes: Mapping[str, Sequence[str]] = NO_UNIVERSES,
        tables: Mapping[str, MembershipTable] = NO_TABLES,
    ) -> None:
        """`tables`: of universes whose members change, by their names."""
        self._by_name = {preset.name: preset for preset in presets}
        self.universes = universes
        self._tables = tables

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

    def of_dataset(self, dataset: str) -> Preset | None:
        """The preset that serves a dataset; one that is available before others."""
        found = [preset for preset in self.all if str(preset.dataset) == dataset]
        return next((preset for preset in found if preset.available), found[0] if found else None)

    def named(self, name: str) -> Preset:
        """The preset of a name. Raises NotFound (E_PRESET_UNKNOWN)."""
        if name not in self._by_name:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {name!r}", hint=f"one of {', '.join(self._by_name)}")
        return self._by_name[name]

    def universe(self, name: str) -> Universe:
        """The universe of a name, or of the one preset of that name.

        Raises NotFound (E_PRESET_UNKNOWN); NotReady (E_DATASET_UNAVAILABLE): one of its presets is not there, is no
        replay among replays or of another exchange than the first, or has the symbol and interval of another, or its
        table of memberships cannot be read or is not of its symbols.
        """
        if name not in self.universes:
            return Universe(name, (self.named(name),))
        found = [self._by_name.get(one) for one in self.universes[name]]
        exchange = next((one.exchange for one in found if one is not None), "")
        for one, preset in zip(self.universes[name], found, strict=True):
            if fault := "is not there" if preset is None else preset.detail or _unlike(preset, exchange):
                raise NotReady("E_DATASET_UNAVAILABLE", f"{name}: preset {one} {fault}", metadata={"dataset": name})
        members = sorted(
            (one for one in found if one is not None), key=lambda one: (one.dataset.symbol, one.dataset.interval_s)
        )
        keys = [(one.dataset.symbol, one.dataset.interval_s) for one in members]
        if len(set(keys)) < len(keys):
            text = f"{name}: two presets of one symbol and interval"
            raise NotReady("E_DATASET_UNAVAILABLE", text, metadata={"dataset": name})
        return Universe(name, tuple(members), self._memberships(name, members))

    def _memberships(self, name: str, members: Sequence[Preset]) -> tuple[Membership, ...]:
        """Raises NotReady (E_DATASET_UNAVAILABLE)."""
        table = self._tables.get(name)
        if table is None:
            return ()
        fault = table.fault
        if not fault:
            zones = {one.dataset.symbol: one.terms.time_zone for one in members}
            try:
                return memberships_of(table.rows, zones)
            except InvalidRequest as error:
                fault = error.message
        raise NotReady("E_DATASET_UNAVAILABLE", f"{name}: {fault}", metadata={"dataset": name})

    def members_of(self, name: str) -> tuple[str, ...]:
        """The presets of a universe, or the one preset of that name, as they are named."""
        return tuple(self.universes.get(name, (name,)))

    def serving(self, name: str) -> Preset:
        """The available preset of a preset name or dataset id.

        Raises NotFound (E_DATASET_UNKNOWN), NotReady (E_DATASET_UNAVAILABLE).
        """
        preset = self._by_name.get(name) or self.of_dataset(name)
        if preset is None:
            raise _unknown(name)
        if not preset.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{name}: {preset.detail}", metadata={"dataset": name})
        return preset


def _unlike(preset: Preset, exchange: str) -> str:
    """Why a preset cannot be in a universe that begins with one of an exchange, or with a replay; empty: it can."""
    if not exchange:
        return "" if preset.replay else "is no replay"
    return "" if preset.exchange == exchange else f"is no feed of {exchange}, as the first is"


def _unknown(name: str) -> NotFound:
    hint = "ListPresets and ListDatasets name what there is"
    try:
        parse_dataset(name)
    except InvalidRequest as error:
        hint = f"{hint}; {error.message}" if ":" in name else hint
    return NotFound("E_DATASET_UNKNOWN", f"no dataset or preset {name!r}", hint=hint, metadata={"dataset": name})
