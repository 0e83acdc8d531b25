"""Identity: the vectors on every interpreter found, and properties that no list of cases can cover."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import struct
import subprocess
import sys
import unicodedata
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import blake3
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import INT_MAX, Json, canonical_json, digest
from qmtl.core.identity.keys import (
    CONTEXT_KEYS,
    NodeSpec,
    builtin_code,
    canonical_form,
    check_collision,
    compute_key,
    declared_code,
    node_id,
    node_ids_crc32,
    tag_query_spec,
)
from qmtl.core.instants import timestamp_text
from qmtl.core.modes import ExecutionDomain
from tests.core.check_vectors import differences, read_vectors

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "proto" / "testdata" / "identity.json"
SUPPORTED = ("3.11", "3.12", "3.13")
A, B = "blake3:" + "a" * 64, "blake3:" + "b" * 64

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-INT_MAX, INT_MAX)
doubles = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | doubles | text
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(lambda name: name not in CONTEXT_KEYS)
small = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text("abcé", max_size=4)
params = st.dictionaries(names, small | st.lists(small, max_size=3), max_size=5)


def spec(**changes: object) -> NodeSpec:
    fields: dict[str, object] = {
        "node_type": "indicator.ema",
        "interval_s": 900,
        "period": 96,
        "params": {"window": 20},
        "dependencies": (A,),
        "schema_compat_id": "ohlcv@1",
        "code_hash": "builtin:ema@1.0",
    }
    return NodeSpec(**{**fields, **changes})  # type: ignore[arg-type]  # the test names the fields it changes


def pure_blake3() -> ModuleType:
    found = importlib.util.spec_from_file_location("pure_blake3", ROOT / "tests" / "core" / "pure" / "blake3.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def interpreters() -> list[Path]:
    """One interpreter per supported version, from PATH and pyenv; the running one stands for its own."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}
    for version in SUPPORTED:
        candidates = [folder / f"python{version}" for folder in folders if "shims" not in folder.parts]
        candidates += [folder / "bin" / "python" for folder in sorted(pyenv.glob(f"{version}.*"))]
        for candidate in candidates:
            if version not in found and candidate.is_file():
                found[version] = candidate
    return [found[version] for version in SUPPORTED if version in found]


def test_vectors_pass_here() -> None:
    assert list(differences(read_vectors(VECTORS))) == []


@pytest.mark.parametrize("interpreter", interpreters(), ids=str)
def test_vectors_pass_on(interpreter: Path) -> None:
    """Without the project's packages: BLAKE3 comes from tests/core/pure, a second implementation."""
    paths = [str(ROOT), str(ROOT / "tests" / "core" / "pure")]
    done = subprocess.run(
        [str(interpreter), str(ROOT / "tests" / "core" / "check_vectors.py"), str(VECTORS)],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identity vectors pass" in done.stdout


def test_which_interpreters_were_found(capsys: pytest.CaptureFixture[str]) -> None:
    found = interpreters()
    with capsys.disabled():
        missing = f"; of {', '.join(SUPPORTED)} only these were found" if len(found) < len(SUPPORTED) else ""
        print(f"\nidentity vectors ran on: {', '.join(map(str, found))}{missing}")  # noqa: T201 - says which ran
    assert Path(sys.executable) in found


@given(st.binary(max_size=5000))
def test_digest_agrees_with_a_second_blake3(data: bytes) -> None:
    pure = pure_blake3()
    assert digest(data) == "blake3:" + pure.blake3(data).hexdigest() == "blake3:" + blake3.blake3(data).hexdigest()


@given(json_values)
def test_canonical_json_is_rfc8785(value: Json) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.binary(min_size=8, max_size=8))
def test_every_finite_double_is_written_as_rfc8785_does(bits: bytes) -> None:
    (value,) = struct.unpack("<d", bits)
    if math.isfinite(value):
        assert canonical_json(value) == rfc8785.dumps(value)


@given(json_values)
def test_canonical_json_reads_back_to_itself(value: Json) -> None:
    once = canonical_json(value)
    assert canonical_json(json.loads(once, parse_int=float)) == once


@pytest.mark.parametrize("value", [2**53, -(2**53), math.nan, math.inf, "\ud800", {"\udfff": 1}, {1, 2}, b"x", {1: 2}])
def test_what_has_no_canonical_json_is_refused(value: Json) -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical_json(value)
    assert caught.value.reason == "E_CANONICAL_JSON"


def test_bottomless_value_is_refused() -> None:
    value: list[Json] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        canonical_json(value)


@given(params)
def test_key_order_does_not_matter(table: dict[str, Json]) -> None:
    backwards = dict(reversed(list(table.items())))
    assert node_id(spec(params=table)) == node_id(spec(params=backwards))


@given(st.lists(st.sampled_from([A, B, "blake3:" + "c" * 64]), min_size=1))
def test_dependency_order_and_repeats_do_not_matter(ids: list[str]) -> None:
    assert node_id(spec(dependencies=tuple(ids))) == node_id(spec(dependencies=tuple(sorted(set(ids), reverse=True))))


@given(params)
def test_a_struct_of_doubles_gives_the_same_id(table: dict[str, Json]) -> None:
    """What a protobuf Struct does to parameters: every number a double, every tuple a list."""

    def doubled(value: Json) -> Json:
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        return [doubled(item) for item in value] if isinstance(value, list) else value

    assert node_id(spec(params={key: doubled(value) for key, value in table.items()})) == node_id(spec(params=table))


@given(params, names, small)
def test_id_changes_exactly_when_the_canonical_parameters_do(table: dict[str, Json], key: str, value: Json) -> None:
    changed = {**table, key: value}
    same = nfc_form(changed) == nfc_form(table)
    assert (node_id(spec(params=changed)) == node_id(spec(params=table))) == same


def nfc_form(table: dict[str, Json]) -> bytes:
    return unicodedata.normalize("NFC", rfc8785.dumps(table).decode()).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"node_type": "indicator.sma"},
        {"interval_s": 60},
        {"period": 97},
        {"params": {"window": 20, "seed": 1}},
        {"dependencies": (B,)},
        {"schema_compat_id": "ohlcv@2"},
        {"code_hash": "builtin:ema@1.1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_functional(change: dict[str, object]) -> None:
    assert node_id(spec(**change)) != node_id(spec())


@given(params)
def test_canonical_form_is_rfc8785_of_the_seven_keys(table: dict[str, Json]) -> None:
    form = canonical_form(spec(params=table))
    assert rfc8785.dumps(json.loads(form)) == form
    wanted = "node_type interval_s period params dependencies schema_compat_id code_hash"
    assert sorted(json.loads(form)) == sorted(wanted.split())


def test_context_key_below_the_top_is_a_parameter() -> None:
    assert node_id(spec(params={"asset": {"world": "earth"}})).startswith("blake3:")


@pytest.mark.parametrize("key", ["world", "World_Id", "worldIds", "execution-domain", "as_of", "ENV", "partition"])
def test_context_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        node_id(spec(params={"window": 1, key: "x"}))
    assert caught.value.reason == "E_NODE_ID_FIELDS"
    assert caught.value.violations[0].field == f"params.{key}"


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        node_id(spec(node_type="", interval_s=-5, code_hash="x"))
    assert [violation.field for violation in caught.value.violations] == ["node_type", "interval_s", "code_hash"]


def test_params_beyond_32_levels_are_refused() -> None:
    nested: Json = 1
    for _ in range(33):
        nested = {"a": nested}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        node_id(spec(params={"p": nested}))


def test_collision_is_refused() -> None:
    check_collision(A, b"one", b"one")
    with pytest.raises(InvalidRequest) as caught:
        check_collision(A, b"one", b"two")
    assert caught.value.reason == "E_NODE_ID_COLLISION"


@pytest.mark.parametrize("tags", [[], ["a b"], ["x" * 101], ["ok", ""]])
def test_bad_tags_are_refused(tags: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="query_tags"):
        tag_query_spec(tags, "any", 60)


def test_tag_query_written_loosely_has_the_same_id() -> None:
    strict = tag_query_spec(["b", "a"], "all", 60)
    loose = NodeSpec(
        "TagQuery", 60, 0, {"match_mode": "all", "query_tags": [" b ", "a", "b"]}, (), "", strict.code_hash
    )
    assert node_id(loose) == node_id(strict)
    assert node_id(tag_query_spec(["a", "b"], "any", 60)) != node_id(strict)


def test_code_forms() -> None:
    assert builtin_code("ema", "1.0") == "builtin:ema@1.0"
    assert declared_code("7-rc1") == "ver:7-rc1"
    for wrong in ("", "two words", "x" * 201):
        with pytest.raises(InvalidRequest, match="code_hash"):
            declared_code(wrong)


@given(st.lists(st.sampled_from([A, B]), max_size=5))
def test_crc_is_of_the_sorted_ids(ids: list[str]) -> None:
    assert node_ids_crc32(reversed(ids)) == zlib.crc32("\n".join(sorted(ids)).encode())


instants = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001 - bounds are naive by contract


@given(instants, st.integers(-14, 14))
def test_timestamp_text_is_utc_whatever_the_zone(instant: datetime, hours: int) -> None:
    shifted = instant.astimezone(timezone(timedelta(hours=hours)))
    assert timestamp_text(shifted) == timestamp_text(instant)
    assert datetime.fromisoformat(timestamp_text(instant)) == instant


@given(instants)
def test_timestamp_text_is_what_protobuf_writes(instant: datetime) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    stamp = Timestamp()
    stamp.FromDatetime(instant)
    assert stamp.ToJsonString() == timestamp_text(instant)


def test_naive_timestamp_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="UTC-aware"):
        timestamp_text(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_compute_key_separates_every_part_of_the_context() -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    keys = {
        compute_key(node, world, domain, as_of, partition)
        for node in (A, B)
        for world in ("w1", "w2")
        for domain in ExecutionDomain
        for as_of in (None, instant)
        for partition in ("", "p")
    }
    assert len(keys) == 2 * 2 * 4 * 2 * 2
