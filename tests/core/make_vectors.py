"""Writes proto/testdata/identity.json from the cases below; run it only when identity is meant to change.

`PYTHONPATH=. python tests/core/make_vectors.py`. The expected values are then checked by the tests against the rfc8785
wheel and a second BLAKE3, and by every interpreter found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from check_vectors import ANSWERS, Case, SpecText  # type: ignore[import-not-found]  # a script's neighbour
from code_cases import CODE, CODE_REFUSALS  # type: ignore[import-not-found]  # a script's neighbour

ROOT = Path(__file__).resolve().parents[2]
A, B = "blake3:" + "a" * 64, "blake3:" + "b" * 64


def spec(**changes: object) -> SpecText:
    fields: dict[str, object] = {
        "node_type": "indicator.ema",
        "interval_s": 900,
        "period": 96,
        "params_json": '{"window":20,"source":"close"}',
        "dependencies": [A],
        "schema_compat_id": "ohlcv@1",
        "code_hash": "builtin:ema@1.0",
    }
    return cast("SpecText", {**fields, **changes})


TAG_SPEC = {
    "node_type": "TagQuery",
    "period": 0,
    "dependencies": [],
    "schema_compat_id": "",
    "code_hash": "builtin:tagquery@1.0",
    "params_json": '{"query_tags":["a"],"match_mode":"any"}',
}
CANONICAL = {
    "rfc8785_arrays": '[56,{"d":true,"10":null,"1":[]}]',
    "rfc8785_sorting": '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh",'
    '"1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control",'
    '"\\u00f6":"Latin Small Letter O With Diaeresis"}',
    "rfc8785_values": '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
    '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    "one_and_one_point_zero": "[1,1.0,10e-1]",
    "negative_zero": "[-0.0,0,0.0]",
    "number_borders": "[1e-6,1e-7,1e20,1e21,5e-324,1.7976931348623157e308,9007199254740991,-9007199254740991,0.1]",
    "control_characters": '"\\u0000\\u001f\\u007f\\b\\t\\n\\f\\r"',
}
NODES = {
    "plain": spec(),
    "params_in_another_order_and_spelling": spec(params_json='{"source":"close","window":20.0}'),
    "dependencies_unsorted_and_repeated": spec(dependencies=[B, A, B]),
    "dependencies_sorted": spec(dependencies=[A, B]),
    "no_interval_no_period_no_params": spec(interval_s=0, period=0, params_json="{}", dependencies=[]),
    "seed_is_functional": spec(params_json='{"window":20,"source":"close","seed":7}'),
    "nested_params": spec(
        params_json='{"grid":[{"b":0.5,"a":[1e-7,null,true]}],"seed":7,"asset":{"world":"below the top"}}'
    ),
    "text_is_nfc": spec(params_json='{"label":"e\\u0301"}'),
    "text_given_in_nfc": spec(params_json='{"label":"\\u00e9"}'),
    "largest_integer": spec(params_json='{"n":9007199254740991,"m":-9007199254740991}'),
    "python_code": spec(code_hash="py1:" + "0" * 64),
    "declared_version": spec(code_hash="ver:2026.1-rc2"),
    "other_language": spec(code_hash="rust:crate@1.2.3"),
    "longest_opaque_code": spec(code_hash="c++:" + "x" * 200),
    "node_type_is_not_trimmed": spec(node_type=" indicator.ema "),
    "node_type_is_nfc": spec(node_type="indicator.e\u0301ma"),
    "node_type_given_in_nfc": spec(node_type="indicator.\u00e9ma"),
    "schema_compat_id_is_nfc": spec(schema_compat_id="e\u0301@1"),
    "code_hash_is_nfc": spec(code_hash="rust:e\u0301@1"),
    "keys_are_nfc": spec(params_json='{"e\\u0301":{"e\\u0301":1}}'),
    "keys_sorted_by_utf16": spec(params_json='{"\\ufb33":1,"\\ud83d\\ude00":2,"z":3}'),
    "thirty_two_levels": spec(params_json='{"a":' + "[" * 31 + "]" * 31 + "}"),
    "tag_query_with_a_period": spec(**{**TAG_SPEC, "period": 5}),
    "tag_query_tags_by_code_point": spec(
        **{**TAG_SPEC, "params_json": '{"query_tags":["b","_","B"," a ","0","a",".","-"],"match_mode":"all"}'}
    ),
}
REFUSALS = {
    "context_key_world": (spec(params_json='{"world":"w1"}'), "params.world"),
    "context_key_world_id": (spec(params_json='{"world_id":"w1"}'), "params.world_id"),
    "context_key_world_ids": (spec(params_json='{"world_ids":["w1"]}'), "params.world_ids"),
    "context_key_camel_case": (spec(params_json='{"executionDomain":"LIVE"}'), "params.executionDomain"),
    "context_key_as_of": (spec(params_json='{"as_of":"2026-01-01T00:00:00Z"}'), "params.as_of"),
    "context_key_partition": (spec(params_json='{"partition":"p"}'), "params.partition"),
    "context_key_dataset_fingerprint": (spec(params_json='{"dataset_fingerprint":"x"}'), "params.dataset_fingerprint"),
    "context_key_env": (spec(params_json='{"env":"prod"}'), "params.env"),
    "integer_beyond_2_53": (spec(params_json='{"n":9007199254740992}'), "params.n"),
    "integral_double_beyond_2_53": (spec(params_json='{"n":1e300}'), "params.n"),
    "not_a_number": (spec(params_json='{"a":[1,NaN]}'), "params.a[1]"),
    "infinity": (spec(params_json='{"a":{"b":-Infinity}}'), "params.a.b"),
    "lone_surrogate": (spec(params_json='{"a":["\\ud800"]}'), "params.a[0]"),
    "keys_equal_after_nfc": (spec(params_json='{"e\\u0301":1,"\\u00e9":2}'), "params.\u00e9"),
    "empty_node_type": (spec(node_type=" "), "node_type"),
    "negative_interval": (spec(interval_s=-1), "interval_s"),
    "interval_above_a_week": (spec(interval_s=604801), "interval_s"),
    "period_above_limit": (spec(period=10001), "period"),
    "dependency_is_no_node_id": (spec(dependencies=[A, "sma"]), "dependencies[1]"),
    "dependency_in_capitals": (spec(dependencies=["blake3:" + "A" * 64]), "dependencies[0]"),
    "thirty_three_levels": (spec(params_json='{"a":' + "[" * 32 + "]" * 32 + "}"), "params.a" + "[0]" * 31),
    "surrogate_in_node_type": (spec(node_type="ema\ud800"), "node_type"),
    "empty_code_hash": (spec(code_hash=""), "code_hash"),
    "python_code_hash_in_capitals": (spec(code_hash="py1:" + "A" * 64), "code_hash"),
    "builtin_without_minor_version": (spec(code_hash="builtin:ema@1"), "code_hash"),
    "builtin_name_in_capitals": (spec(code_hash="builtin:EMA@1.0"), "code_hash"),
    "language_in_capitals": (spec(code_hash="Rust:crate"), "code_hash"),
    "code_hash_with_a_blank": (spec(code_hash="rust:my crate"), "code_hash"),
    "opaque_code_too_long": (spec(code_hash="rust:" + "x" * 201), "code_hash"),
    "code_hash_without_a_language": (spec(code_hash="deadbeef"), "code_hash"),
    "short_python_code_hash": (spec(code_hash="py1:abc"), "code_hash"),
    "builtin_without_version": (spec(code_hash="builtin:ema"), "code_hash"),
    "tag_query_with_dependency": (spec(**{**TAG_SPEC, "dependencies": [A]}), "dependencies"),
    "tag_query_with_queue_list": (
        spec(**{**TAG_SPEC, "params_json": '{"query_tags":["a"],"match_mode":"any","queues":[]}'}),
        "params",
    ),
    "tag_query_with_unknown_mode": (
        spec(**{**TAG_SPEC, "params_json": '{"query_tags":["a"],"match_mode":"some"}'}),
        "params.match_mode",
    ),
}
AS_OF = (
    ("whole_seconds", 1640736000, 0),
    ("milliseconds", 1640736000, 250_000_000),
    ("microseconds", 1640736000, 250_000),
    ("before_the_epoch", -1, 999_999_000),
    ("first", -62135596800, 0),
    ("last", 253402300799, 999_999_000),
    ("nanoseconds", 1640736000, 250),
    ("nanoseconds_beside_microseconds", 1640736000, 250_001),
    ("negative_nanos", 1640736000, -1000),
    ("a_second_of_nanos", 1640736000, 1_000_000_000),
    ("year_zero", -62135596801, 0),
    ("year_ten_thousand", 253402300800, 0),
)
COMPUTE = (
    ("all_absent", "", "BACKTEST", "", ""),
    ("whole_seconds", "w1", "DRYRUN", "2021-12-29T00:00:00Z", ""),
    ("milliseconds", "w1", "DRYRUN", "2021-12-29T00:00:00.250Z", ""),
    ("microseconds", "w1", "LIVE", "2021-12-29T00:00:00.000250Z", "eu"),
    ("shadow", "w2", "SHADOW", "2021-12-29T00:00:00Z", "eu"),
)


def eval_case(name: str, **changes: str) -> Case:
    fields = {
        "node_id": A,
        "world_id": "w1",
        "execution_domain": "BACKTEST",
        "contract_id": "c1",
        "dataset_fingerprint": "lake:blake3:1",
        "code_version": "1",
        "resource_policy": "standard",
    }
    return cast("Case", {"name": name, **fields, **changes})


def cases() -> dict[str, list[Case]]:
    return {
        "canonical_json": [{"name": name, "value_json": text} for name, text in CANONICAL.items()],
        "nodes": [{"name": name, "spec": node} for name, node in NODES.items()],
        "refusals": [
            {"name": name, "spec": node, "reason": "E_NODE_ID_FIELDS", "field": field}
            for name, (node, field) in REFUSALS.items()
        ],
        "tag_queries": [
            {"name": "sorted", "tags": ["a", "b"], "match_mode": "all", "interval_s": 60},
            {"name": "unsorted_repeated_blank", "tags": [" b", "a ", "b"], "match_mode": "all", "interval_s": 60},
            {"name": "any", "tags": ["a", "b"], "match_mode": "any", "interval_s": 60},
        ],
        "crc32": [
            {"name": "none", "ids": []},
            {"name": "sorted", "ids": [A, B]},
            {"name": "unsorted", "ids": [B, A]},
        ],
        "compute_keys": [
            {"name": n, "node_id": A, "world_id": w, "execution_domain": d, "as_of": t, "partition": p}
            for n, w, d, t, p in COMPUTE
        ],
        "as_of": [{"name": n, "seconds": seconds, "nanos": nanos} for n, seconds, nanos in AS_OF],
        "eval_keys": [eval_case("plain"), eval_case("other_data", dataset_fingerprint="lake:blake3:2")],
        "code": [{"name": name, "files": files} for name, files in CODE.items()],
        "code_refusals": [
            {"name": name, "files": files, "reason": "E_CODE_NOT_CAPTURABLE", "uncapturable": uncapturable}
            for name, (files, uncapturable) in CODE_REFUSALS.items()
        ],
    }


def main() -> None:
    document: dict[str, object] = {
        "about": "Identity vectors; docs/identity.md explains the canonical forms. JSON texts are kept as text "
        "where a value has no JSON form of its own.",
    }
    for section, listed in cases().items():
        document[section] = [cast("Case", {**ANSWERS[section](case), **case}) for case in listed]
    path = ROOT / "proto" / "testdata" / "identity.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
