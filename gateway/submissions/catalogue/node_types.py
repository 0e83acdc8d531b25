"""The packaged node catalogue as values: built-in node types and what a node of each must say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind

CATALOGUE_FILE = "node_catalogue.json"
_KIND_PREFIX = "SEMANTIC_KIND_"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of params. Bounds are inclusive but `above`; they count characters of a text or items of a list."""

    type: str
    minimum: float
    maximum: float
    above: float
    choices: tuple[str, ...]
    required: bool

    def holds(self, value: Json) -> bool:
        """Whether a value has the type and lies in the range; integers arrive as doubles."""
        match self.type, value:
            case "BOOLEAN", bool():
                return True
            case "TEXT", str():
                return self._in_range(len(value)) and (not self.choices or value in self.choices)
            case "TEXT_LIST", list():
                return self._in_range(len(value)) and all(isinstance(item, str) for item in value)
            case (("INTEGER" | "NUMBER"), (int() | float())) if not isinstance(value, bool):
                whole = self.type == "NUMBER" or float(value).is_integer()
                return math.isfinite(value) and whole and self._in_range(value)
        return False

    def _in_range(self, number: float) -> bool:
        return self.minimum <= number <= self.maximum and number > self.above

    @property
    def wanted(self) -> str:
        """The allowed values, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = f" of at least {self.minimum:g}" if self.minimum > -math.inf else ""
        low = f" above {self.above:g}" if self.above > -math.inf else low
        high = f" of at most {self.maximum:g}" if self.maximum < math.inf else ""
        return self.type.lower().replace("_", " ") + low + high


@dataclass(frozen=True, slots=True)
class InputPort:
    """One input. `fields` empty: one field of the author's choice; `schemas` and `kinds` empty: any."""

    name: str
    fields: tuple[str, ...]
    schemas: frozenset[str]
    kinds: frozenset[SemanticKind]


@dataclass(frozen=True, slots=True)
class BarCount:
    """A constant plus a multiple of each named parameter."""

    constant: int
    per_parameter: Mapping[str, int]

    def of(self, params: Mapping[str, Json]) -> int:
        """The number for parameters that were checked."""
        values = {name: params[name] for name in self.per_parameter}
        return self.constant + sum(
            factor * int(value)
            for factor, value in zip(self.per_parameter.values(), values.values(), strict=True)
            if isinstance(value, int | float)
        )


@dataclass(frozen=True, slots=True)
class NodeType:
    """A built-in node type. `period` None: the author's choice."""

    node_type: str
    kind: SemanticKind
    output_schema: str
    parameters: Mapping[str, Parameter]
    inputs: tuple[InputPort, ...]
    period: BarCount | None
    orderings: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class NodeCatalogue:
    """Node types by code_hash, and the fields of each known schema."""

    types: Mapping[str, NodeType]
    fields: Mapping[str, tuple[str, ...]]


def catalogue_text() -> str:
    """The packaged document, the proto JSON of a ListNodeTypesResponse."""
    return (files("gateway.submissions.catalogue") / CATALOGUE_FILE).read_text(encoding="utf-8")


@cache
def packaged_catalogue() -> NodeCatalogue:
    """The catalogue that this build serves and checks against."""
    document = json.loads(catalogue_text())
    return NodeCatalogue(
        {item["code_hash"]: _node_type(item) for item in document["node_types"]},
        {item["compat_id"]: tuple(item["fields"]) for item in document["schemas"]},
    )


def _node_type(item: Mapping[str, Any]) -> NodeType:
    return NodeType(
        item["node_type"],
        _kind(item["kind"]),
        item["output_schema"],
        {each["name"]: _parameter(each) for each in item.get("parameters", ())},
        tuple(_port(each) for each in item.get("inputs", ())),
        _bar_count(item["period"]) if "period" in item else None,
        tuple((each["lesser"], each["greater"], each["strict"]) for each in item.get("orderings", ())),
    )


def _parameter(item: Mapping[str, Any]) -> Parameter:
    return Parameter(
        item["type"].removeprefix("PARAMETER_TYPE_"),
        item.get("minimum", -math.inf),
        item.get("maximum", math.inf),
        item.get("above", -math.inf),
        tuple(item.get("choices", ())),
        item["required"],
    )


def _port(item: Mapping[str, Any]) -> InputPort:
    return InputPort(
        item["name"],
        tuple(item.get("fields", ())),
        frozenset(item.get("schemas", ())),
        frozenset(_kind(name) for name in item.get("kinds", ())),
    )


def _bar_count(item: Mapping[str, Any]) -> BarCount:
    return BarCount(item["constant"], item.get("per_parameter", {}))


def _kind(name: str) -> SemanticKind:
    return SemanticKind[name.removeprefix(_KIND_PREFIX)]
