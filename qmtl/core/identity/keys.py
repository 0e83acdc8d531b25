"""Identity of computations: NodeID, ComputeKey, EvalKey and the submission checksum.

Every hash is BLAKE3-256 over RFC 8785 canonical JSON, written "blake3:<64 hex>", so any language can
recompute it; proto/testdata/identity.json has vectors. What could silently split or merge identities
(context keys, NaN, integers a double cannot hold, lone surrogates) is refused, never repaired.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity.canonical import INT_MAX, Json, canonical_json, digest, double_text, json_text, quoted
from qmtl.core.instants import timestamp_text
from qmtl.core.modes import ExecutionDomain

MatchMode: TypeAlias = Literal["any", "all"]

INTERVAL_S_MAX: Final = 604_800
PERIOD_MAX: Final = 10_000
PARAMS_DEPTH_MAX: Final = 32
TAG_QUERY: Final = "TagQuery"
TAG_QUERY_CODE: Final = "builtin:tagquery@1.0"
CONTEXT_KEYS: Final = frozenset(
    {
        *("world", "worlds", "worldid", "worldids", "executiondomain", "executionmode", "effectivemode"),
        *("asof", "partition", "datasetfingerprint", "env", "environment"),
    }
)
"""Top-level params that say where a node runs, not what it computes; compared without case, "_" and "-"."""

_NODE_ID = re.compile(r"blake3:[0-9a-f]{64}")
_CODE_HASH = re.compile(
    r"py1:[0-9a-f]{64}|builtin:[a-z][a-z0-9_.]*@[0-9]+\.[0-9]+|(?!py1:|builtin:)[a-z][a-z0-9_+-]*:[^\s\x00-\x1f]{1,200}"
)
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What a node computes: the fields its NodeID is the hash of. 0 means none for interval_s and period."""

    node_type: str
    interval_s: int
    period: int
    params: Mapping[str, Json]
    dependencies: tuple[str, ...]
    schema_compat_id: str
    code_hash: str


@dataclass(frozen=True, slots=True)
class EvalFacts:
    """What a validation result depends on; any change means validation runs again."""

    node_id: str
    world_id: str
    execution_domain: ExecutionDomain
    contract_id: str
    dataset_fingerprint: str
    code_version: str
    resource_policy: str


def node_id(spec: NodeSpec) -> str:
    """The NodeID of a spec. Raises InvalidRequest (E_NODE_ID_FIELDS) naming each field that is wrong."""
    return digest(canonical_form(spec))


def canonical_form(spec: NodeSpec) -> bytes:
    """The bytes a NodeID is the hash of; stored beside it so that a collision shows."""
    violations = _field_violations(spec)
    if violations:
        raise _fields_refused(violations)
    params = json_text(_tag_params(spec)) if spec.node_type == TAG_QUERY else _params_text(spec.params)
    dependencies = ",".join(f'"{dependency}"' for dependency in sorted(set(spec.dependencies)))
    return (
        f'{{"code_hash":{_text("code_hash", spec.code_hash)},"dependencies":[{dependencies}],'
        f'"interval_s":{int(spec.interval_s)},"node_type":{_text("node_type", spec.node_type)},'
        f'"params":{params},"period":{int(spec.period)},'
        f'"schema_compat_id":{_text("schema_compat_id", spec.schema_compat_id)}}}'
    ).encode()


def check_collision(digest_text: str, stored: bytes, offered: bytes) -> None:
    """Refuse a node whose digest is known under another canonical form (E_NODE_ID_COLLISION)."""
    if stored != offered:
        raise InvalidRequest(
            "E_NODE_ID_COLLISION",
            f"{digest_text} is stored with another canonical form",
            hint="change any functional parameter of the node and report both canonical forms",
            metadata={"node_id": digest_text},
        )


def tag_query_spec(tags: Iterable[str], match_mode: MatchMode, interval_s: int) -> NodeSpec:
    """The spec of a TagQuery node in normal form; queues found at run time never change its id."""
    return NodeSpec(
        node_type=TAG_QUERY,
        interval_s=interval_s,
        period=0,
        params={"query_tags": _normal_tags(list(tags)), "match_mode": match_mode},
        dependencies=(),
        schema_compat_id="",
        code_hash=TAG_QUERY_CODE,
    )


def compute_key(node_id: str, world_id: str, domain: ExecutionDomain, as_of: datetime | None, partition: str) -> str:
    """The key of all runtime state of one node in one context; None and "" mean absent."""
    return digest(
        canonical_json(
            {
                "node_id": node_id,
                "world_id": world_id,
                "execution_domain": domain.value,
                "as_of": timestamp_text(as_of),
                "partition": partition,
            }
        )
    )


def eval_key(facts: EvalFacts) -> str:
    """The key of a validation result."""
    return digest(
        canonical_json(
            {
                "node_id": facts.node_id,
                "world_id": facts.world_id,
                "execution_domain": facts.execution_domain.value,
                "contract_id": facts.contract_id,
                "dataset_fingerprint": facts.dataset_fingerprint,
                "code_version": facts.code_version,
                "resource_policy": facts.resource_policy,
            }
        )
    )


def node_ids_crc32(ids: Iterable[str]) -> int:
    """CRC32 (zlib) of the lexicographically sorted NodeIDs joined with a newline."""
    return zlib.crc32("\n".join(sorted(ids)).encode())


def builtin_code(name: str, version: str) -> str:
    """The code_hash of a built-in, such as builtin_code("ema", "1.0")."""
    return _checked_code(f"builtin:{name}@{version}")


def declared_code(version: str) -> str:
    """The code_hash for an author's own `code_version`."""
    return _checked_code(f"ver:{version}")


def _checked_code(text: str) -> str:
    if not _CODE_HASH.fullmatch(text):
        raise _fields_refused([_code_violation(text)])
    return text


def _code_violation(text: str) -> Violation:
    want = '"py1:<hex>", "ver:<text>", "builtin:<name>@<major.minor>" or "<lang>:<opaque>"'
    return Violation("code_hash", repr(text), want)


def _field_violations(spec: NodeSpec) -> list[Violation]:
    found = []
    if not spec.node_type.strip():
        found.append(Violation("node_type", repr(spec.node_type), "a name"))
    if not 0 <= spec.interval_s <= INTERVAL_S_MAX:
        found.append(Violation("interval_s", str(spec.interval_s), f"0 to {INTERVAL_S_MAX} seconds"))
    if not 0 <= spec.period <= PERIOD_MAX:
        found.append(Violation("period", str(spec.period), f"0 to {PERIOD_MAX} bars"))
    for index, dependency in enumerate(spec.dependencies):
        if not _NODE_ID.fullmatch(dependency):
            found.append(Violation(f"dependencies[{index}]", repr(dependency), "blake3:<64 hex>"))
    if not _CODE_HASH.fullmatch(spec.code_hash):
        found.append(_code_violation(spec.code_hash))
    if spec.node_type == TAG_QUERY:
        found.extend(_tag_query_violations(spec))
    return found


def _tag_query_violations(spec: NodeSpec) -> list[Violation]:
    found = []
    if spec.dependencies:
        found.append(Violation("dependencies", f"{len(spec.dependencies)} ids", "none for a TagQuery"))
    if spec.schema_compat_id:
        found.append(Violation("schema_compat_id", repr(spec.schema_compat_id), "empty for a TagQuery"))
    if spec.code_hash != TAG_QUERY_CODE:
        found.append(Violation("code_hash", repr(spec.code_hash), TAG_QUERY_CODE))
    if set(spec.params) != {"query_tags", "match_mode"}:
        found.append(Violation("params", ", ".join(sorted(spec.params)) or "empty", "query_tags and match_mode only"))
    return found


def _tag_params(spec: NodeSpec) -> dict[str, Json]:
    tags, mode = spec.params["query_tags"], spec.params["match_mode"]
    if mode not in ("any", "all"):
        raise _fields_refused([Violation("params.match_mode", repr(mode), '"any" or "all"')])
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise _fields_refused([Violation("params.query_tags", type(tags).__name__, "a list of tags")])
    return {"query_tags": _normal_tags(tags), "match_mode": mode}


def _normal_tags(tags: Sequence[Json]) -> list[str]:
    trimmed = [tag.strip() if isinstance(tag, str) else repr(tag) for tag in tags]
    wrong = [tag for tag in trimmed if not _TAG.fullmatch(tag)]
    if wrong or not trimmed:
        shown = repr(wrong[0]) if wrong else "empty"
        raise _fields_refused([Violation("params.query_tags", shown, "tags of [A-Za-z0-9_.-]{1,100}")])
    return sorted(set(trimmed))


def _params_text(params: Mapping[str, Json]) -> str:
    context = [key for key in params if _is_context_key(key)]
    if context:
        want = "no context keys: a NodeID is the same in every world; pass context when submitting"
        raise _fields_refused([Violation(f"params.{key}", "a context key", want) for key in sorted(context)])
    return _flat_text(params) or json_text(_functional(params, "params", 0))


@lru_cache(maxsize=4096)
def _is_context_key(key: str) -> bool:
    return isinstance(key, str) and key.lower().replace("_", "").replace("-", "") in CONTEXT_KEYS


def _flat_text(params: Mapping[str, Json]) -> str:
    """The short way for what nearly all nodes have: ASCII names of plain scalars. "": take the long way."""
    parts = []
    for key, value in params.items():
        if not isinstance(key, str) or not key.isascii():
            return ""
        if isinstance(value, str) and value.isascii():
            parts.append((key, quoted(value)))
        elif isinstance(value, bool):
            parts.append((key, "true" if value else "false"))
        elif isinstance(value, (int, float)) and -INT_MAX <= value <= INT_MAX:
            whole = int(value)
            parts.append((key, str(whole) if whole == value else double_text(value)))
        else:
            return ""
    return "{" + ",".join([f"{quoted(key)}:{text}" for key, text in sorted(parts)]) + "}"


def _functional(value: Json, path: str, depth: int) -> Json:
    """A parameter as it is hashed: strings in NFC, numbers as their double, nothing dropped."""
    if isinstance(value, str):
        return value if value.isascii() else _nfc(value, path)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _functional_number(value, path)
    if depth >= PARAMS_DEPTH_MAX:
        raise _fields_refused([Violation(path, "nested too deeply", f"at most {PARAMS_DEPTH_MAX} levels")])
    if isinstance(value, Mapping):
        return _functional_table(value, path, depth)
    if isinstance(value, (list, tuple)):
        return [_functional(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise _fields_refused([Violation(path, f"a {type(value).__name__}", "a JSON value")])


def _functional_table(value: Mapping[str, Json], path: str, depth: int) -> Json:
    table = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _fields_refused([Violation(path, f"a key of type {type(key).__name__}", "string keys")])
        name = key if key.isascii() else _nfc(key, path)
        if name in table:
            raise _fields_refused([Violation(f"{path}.{name}", "given twice after NFC", "distinct keys")])
        table[name] = _functional(item, f"{path}.{key}", depth + 1)
    return table


def _functional_number(value: int | float, path: str) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _fields_refused([Violation(path, str(float(value)), "a finite number")])
        if not value.is_integer():
            return value
    if not -INT_MAX <= value <= INT_MAX:
        raise _fields_refused([Violation(path, "an integer beyond 2^53-1", "a string")])
    return int(value)


def _text(field: str, text: str) -> str:
    return quoted(text if text.isascii() else _nfc(text, field))


def _nfc(text: str, path: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _fields_refused([Violation(path, "text with a lone surrogate", "well-formed Unicode")])
    return unicodedata.normalize("NFC", text)


def _fields_refused(violations: list[Violation]) -> InvalidRequest:
    return InvalidRequest(
        "E_NODE_ID_FIELDS",
        "; ".join(str(violation) for violation in violations),
        hint="a NodeID is the hash of functional fields only; see docs/identity.md",
        violations=violations,
    )
