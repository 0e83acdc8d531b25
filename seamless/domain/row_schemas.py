"""Row schemas: the columns that rows of a name must have, in versions, and which version is in force how.

Versions are counted here, not by whoever registers one: what every row of an older version also is, is a minor
version; everything else begins a new major one. A version in canary is compared and recorded, one that is strict
refuses. Which is which follows from the log of promotions alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from qmtl.core.errors import refused
from seamless.domain.bars import VALUES

COLUMNS_MAX = 256
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class ColumnType(Enum):
    """What the values of a column are; each lists the kinds of numpy that it takes."""

    TIMESTAMP = "iM"
    INT64 = "iu"
    FLOAT64 = "iuf"
    TEXT = "USO"


class Stage(Enum):
    """How a version is in force."""

    REGISTERED = "registered"  # known, compared with nothing
    CANARY = "canary"  # rows are compared, faults are recorded
    STRICT = "strict"  # rows that do not fit are refused
    RETIRED = "retired"  # was in force once


@dataclass(frozen=True, slots=True)
class Column:
    """A column that rows have, or, unless it is required, may have."""

    name: str
    type: ColumnType
    required: bool = True


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a named schema."""

    name: str
    major: int
    minor: int
    columns: tuple[Column, ...]

    @property
    def number(self) -> str:
        """For example "1.0"."""
        return f"{self.major}.{self.minor}"

    @property
    def compat_id(self) -> str:
        """The same for versions whose rows the readers of the first of them can read: "ohlcv/1"."""
        return f"{self.name}/{self.major}"

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One act: a version changes its stage."""

    major: int
    minor: int
    before: Stage
    after: Stage
    subject: str
    at_ns: int
    cause: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The versions of one schema that rows are compared with."""

    strict: SchemaVersion | None = None
    canary: SchemaVersion | None = None

    def refusals(self, kinds: Mapping[str, str]) -> tuple[str, ...]:
        """What the strict version refuses; `kinds` are numpy's kinds of the columns that are there."""
        return faults(self.strict, kinds) if self.strict else ()

    def warnings(self, kinds: Mapping[str, str]) -> tuple[str, ...]:
        """What the version in canary would refuse."""
        return faults(self.canary, kinds) if self.canary else ()


OHLCV = SchemaVersion(
    "ohlcv",
    1,
    0,
    (Column("time", ColumnType.TIMESTAMP), *(Column(name, ColumnType.FLOAT64) for name in VALUES)),
)
"""What every dataset of bars is made of. Registered and strict from the start; its versions may ask for more."""
BUILT_IN = InForce(strict=OHLCV)


def faults(schema: SchemaVersion, kinds: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with columns of these kinds, in the order of the schema."""
    found = []
    for column in schema.columns:
        kind = kinds.get(column.name)
        if kind is None:
            if column.required:
                found.append(f"column {column.name} is missing")
        elif kind not in column.type.value:
            found.append(f"column {column.name} is not {column.type.name}")
    return tuple(found)


def kinds_of(columns: Mapping[str, NDArray[np.generic]]) -> dict[str, str]:
    """Numpy's kinds of arrays by their names."""
    return {name: column.dtype.kind for name, column in columns.items()}


def check_columns(name: str, columns: Sequence[Column]) -> None:
    """Raises InvalidRequest (E_FIELD) for columns that no schema of this name can have."""
    if not _NAME.fullmatch(name):
        raise refused("E_FIELD", "name", repr(name[:80]), "1 to 64 of a-z 0-9 _ . -, a letter or digit first")
    if not 1 <= len(columns) <= COLUMNS_MAX:
        raise refused("E_FIELD", "columns", len(columns), f"1 to {COLUMNS_MAX}")
    for place, column in enumerate(columns):
        if not _COLUMN_NAME.fullmatch(column.name):
            want = "1 to 64 letters, digits or _, no digit first"
            raise refused("E_FIELD", f"columns[{place}].name", repr(column.name[:80]), want)
    names = [column.name for column in columns]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise refused("E_FIELD", "columns", f"{twice} twice", "each column once")
    lacking = [one for one in OHLCV.columns if name == OHLCV.name and one not in columns]
    if lacking:
        want = f"at least {', '.join(f'{one.name} {one.type.name}, required' for one in lacking)}"
        raise refused("E_FIELD", "columns", ", ".join(names)[:80], want)


def next_version(name: str, columns: Sequence[Column], known: Sequence[SchemaVersion]) -> SchemaVersion:
    """The version that these columns are: one that is known, else the next; `known` from the oldest to the newest."""
    wanted = frozenset(columns)
    same = next((one for one in reversed(known) if frozenset(one.columns) == wanted), None)
    if same is not None:
        return same
    if not known:
        return SchemaVersion(name, 1, 0, tuple(columns))
    newest = known[-1]
    if extends(newest.columns, columns):
        return SchemaVersion(name, newest.major, newest.minor + 1, tuple(columns))
    return SchemaVersion(name, newest.major + 1, 0, tuple(columns))


def extends(old: Iterable[Column], new: Iterable[Column]) -> bool:
    """Whether `new` only adds columns that may be absent: rows of either fit the other as far as it asks."""
    before, after = frozenset(old), frozenset(new)
    return before <= after and not any(column.required for column in after - before)


def stages(promotions: Iterable[Promotion]) -> dict[tuple[int, int], Stage]:
    """The stage of each version that was ever promoted, by major and minor; of each stage in force at most one."""
    found: dict[tuple[int, int], Stage] = {}
    for act in promotions:
        if act.after in (Stage.CANARY, Stage.STRICT):
            for key in [key for key, stage in found.items() if stage is act.after]:
                found[key] = Stage.RETIRED
        found[(act.major, act.minor)] = act.after
    return found


def in_force(versions: Iterable[SchemaVersion], promotions: Iterable[Promotion]) -> InForce:
    """What rows are compared with after all promotions."""
    now = stages(promotions)
    by_stage = {now.get((one.major, one.minor), Stage.REGISTERED): one for one in versions}
    return InForce(by_stage.get(Stage.STRICT), by_stage.get(Stage.CANARY))
