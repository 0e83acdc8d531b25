"""Checks proto/testdata/identity.json with the interpreter that runs it; needs no test framework.

`PYTHONPATH=. python tests/core/check_vectors.py proto/testdata/identity.json` prints one line;
it exits 1 on a difference.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypedDict, cast

from qmtl.core.errors import QmtlError
from qmtl.core.identity.canonical import Json, canonical_json
from qmtl.core.identity.keys import (
    EvalFacts,
    MatchMode,
    NodeSpec,
    canonical_form,
    compute_key,
    eval_key,
    node_id,
    node_ids_crc32,
    tag_query_spec,
)
from qmtl.core.instants import from_parts, timestamp_text
from qmtl.core.modes import ExecutionDomain

if __name__ == "__main__":
    # An interpreter without the project's packages: what authors import from qmtl.sdk would load the whole SDK.
    face = types.ModuleType("qmtl.sdk")
    face.__path__ = [str(Path(__file__).resolve().parents[2] / "qmtl" / "sdk")]
    sys.modules["qmtl.sdk"] = face

from qmtl.sdk.graph.code.closure import code_hash


class SpecText(TypedDict):
    """A NodeSpec as the vectors write it; `params_json` is JSON text so that NaN and \\ud800 can be said."""

    node_type: str
    interval_s: int
    period: int
    params_json: str
    dependencies: list[str]
    schema_compat_id: str
    code_hash: str


class Case(TypedDict, total=False):
    """One vector; which fields are there depends on its list."""

    name: str
    value_json: str
    canonical: str
    spec: SpecText
    node_id: str
    reason: str
    field: str
    tags: list[str]
    match_mode: MatchMode
    interval_s: int
    ids: list[str]
    crc32: int
    world_id: str
    execution_domain: str
    as_of: str
    seconds: int
    nanos: int
    partition: str
    compute_key: str
    contract_id: str
    dataset_fingerprint: str
    code_version: str
    resource_policy: str
    eval_key: str
    files: dict[str, str]
    code_hash: str
    uncapturable: str


Vectors = dict[str, list[Case]]
Answer = Callable[[Case], dict[str, object]]


def spec_of(text: SpecText) -> NodeSpec:
    return NodeSpec(
        node_type=text["node_type"],
        interval_s=text["interval_s"],
        period=text["period"],
        params=json.loads(text["params_json"]),
        dependencies=tuple(text["dependencies"]),
        schema_compat_id=text["schema_compat_id"],
        code_hash=text["code_hash"],
    )


def instant_of(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def answer_canonical(case: Case) -> dict[str, object]:
    value = cast("Json", json.loads(case["value_json"]))
    return {"canonical": canonical_json(value).decode()}


def answer_node(case: Case) -> dict[str, object]:
    spec = spec_of(case["spec"])
    return {"canonical": canonical_form(spec).decode(), "node_id": node_id(spec)}


def answer_refusal(case: Case) -> dict[str, object]:
    try:
        node_id(spec_of(case["spec"]))
    except QmtlError as error:
        return {"reason": error.reason, "field": error.violations[0].field}
    return {"reason": "", "field": ""}


def answer_tag_query(case: Case) -> dict[str, object]:
    spec = tag_query_spec(case["tags"], case["match_mode"], case["interval_s"])
    return {"canonical": canonical_form(spec).decode(), "node_id": node_id(spec)}


def answer_crc(case: Case) -> dict[str, object]:
    return {"crc32": node_ids_crc32(case["ids"])}


def answer_compute_key(case: Case) -> dict[str, object]:
    as_of = instant_of(case["as_of"])
    if timestamp_text(as_of) != case["as_of"]:
        return {"as_of": timestamp_text(as_of)}
    domain = ExecutionDomain(case["execution_domain"])
    return {"compute_key": compute_key(case["node_id"], case["world_id"], domain, as_of, case["partition"])}


def answer_as_of(case: Case) -> dict[str, object]:
    """The text of a Timestamp as ComputeKeys have it, or why it has none."""
    try:
        return {"as_of": timestamp_text(from_parts(case["seconds"], case["nanos"], "as_of"))}
    except QmtlError as error:
        return {"reason": error.reason}


def answer_eval_key(case: Case) -> dict[str, object]:
    facts = EvalFacts(
        node_id=case["node_id"],
        world_id=case["world_id"],
        execution_domain=ExecutionDomain(case["execution_domain"]),
        contract_id=case["contract_id"],
        dataset_fingerprint=case["dataset_fingerprint"],
        code_version=case["code_version"],
        resource_policy=case["resource_policy"],
    )
    return {"eval_key": eval_key(facts)}


def answer_code(case: Case) -> dict[str, object]:
    """The hash of `compute` in the case's main module, or the name that cannot be captured."""
    try:
        return {"code_hash": code_hash(load_compute(case["files"]), code_version=case.get("code_version", ""))}
    except QmtlError as error:
        return {"reason": error.reason, "uncapturable": error.metadata.get("name", "")}


def load_compute(files: dict[str, str]) -> Callable[..., object]:
    """Import the files as modules of a project of their own; every call gives fresh modules."""
    folder = Path(tempfile.mkdtemp(prefix="project-"))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    compute: Callable[..., object] | None = None
    for name in sorted(files, key=lambda name: (name == "main", name)):
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        compute = vars(module)["compute"] if name == "main" else compute
    if compute is None:
        raise ImportError("no main module")
    return compute


ANSWERS: dict[str, Answer] = {
    "canonical_json": answer_canonical,
    "nodes": answer_node,
    "refusals": answer_refusal,
    "tag_queries": answer_tag_query,
    "crc32": answer_crc,
    "compute_keys": answer_compute_key,
    "as_of": answer_as_of,
    "eval_keys": answer_eval_key,
    "code": answer_code,
    "code_refusals": answer_code,
}


def differences(vectors: Vectors) -> Iterator[str]:
    for section, answer in ANSWERS.items():
        for case in vectors[section]:
            for key, value in answer(case).items():
                wanted = cast("dict[str, object]", case).get(key)
                if value != wanted:
                    yield f"{section}/{case['name']}: {key} is {value!r}, want {wanted!r}"


def read_vectors(path: Path) -> Vectors:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {section: document[section] for section in ANSWERS}


def main() -> int:
    vectors = read_vectors(Path(sys.argv[1]))
    wrong = list(differences(vectors))
    count = sum(len(cases) for cases in vectors.values())
    version = ".".join(str(part) for part in sys.version_info[:3])
    print("\n".join([*wrong, f"python {version}: {count - len(wrong)} of {count} identity vectors pass"]))  # noqa: T201 - a command's output
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
