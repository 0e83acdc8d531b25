/**
 * Identity of computations: NodeID, ComputeKey, EvalKey and the submission's checksum.
 *
 * Every identity is BLAKE3-256 over RFC 8785 canonical JSON, written "blake3:<64 hex>"; docs/identity.md has the rules
 * and proto/testdata/identity.json the vectors. What could silently split or merge identities is refused.
 */
import { blake3 } from "@noble/hashes/blake3.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { crc32 } from "node:zlib";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** What a node computes: the fields its NodeID is the hash of. 0 means none for intervalS and period. */
export interface NodeSpec {
  nodeType: string;
  intervalS: number;
  period: number;
  params: JsonObject;
  dependencies: string[];
  schemaCompatId: string;
  codeHash: string;
}

/** A refusal of one field of a spec (E_NODE_ID_FIELDS). */
export class FieldError extends Error {
  constructor(
    readonly field: string,
    readonly want: string,
  ) {
    super(`E_NODE_ID_FIELDS: ${field}: want ${want}`);
  }
}

const INTERVAL_S_MAX = 604_800;
const PERIOD_MAX = 10_000;
const PARAMS_DEPTH_MAX = 32;
const TAG_QUERY = "TagQuery";
const TAG_QUERY_CODE = "builtin:tagquery@1.0";
const NODE_ID = /^blake3:[0-9a-f]{64}$/;
const CODE_HASH =
  /^(py1:[0-9a-f]{64}|builtin:[a-z][a-z0-9_.]*@[0-9]+\.[0-9]+|(?!py1:|builtin:)[a-z][a-z0-9_+-]*:[^\s\x00-\x1f]{1,200})$/u;
const TAG = /^[A-Za-z0-9_.-]{1,100}$/;
const CONTEXT_KEYS = new Set([
  ...["world", "worlds", "worldid", "worldids", "executiondomain", "executionmode", "effectivemode"],
  ...["asof", "partition", "datasetfingerprint", "env", "environment"],
]);

/** BLAKE3-256 of a canonical text. */
export const digest = (canonical: string): string => "blake3:" + bytesToHex(blake3(utf8ToBytes(canonical)));

/** The NodeID of a spec and the canonical form it is the hash of. Throws FieldError. */
export function nodeId(spec: NodeSpec): { id: string; canonical: string } {
  checkFields(spec);
  const canonical = canonicalJson({
    code_hash: nfc(spec.codeHash, "code_hash"),
    dependencies: [...new Set(spec.dependencies)].sort(),
    interval_s: spec.intervalS,
    node_type: nfc(spec.nodeType, "node_type"),
    params: spec.nodeType === TAG_QUERY ? tagParams(spec.params) : functionalParams(spec.params),
    period: spec.period,
    schema_compat_id: nfc(spec.schemaCompatId, "schema_compat_id"),
  });
  return { id: digest(canonical), canonical };
}

/** The spec of a TagQuery node in normal form. */
export function tagQuerySpec(tags: string[], matchMode: string, intervalS: number): NodeSpec {
  const params = { query_tags: tags, match_mode: matchMode };
  return {
    ...{ nodeType: TAG_QUERY, intervalS, period: 0, params },
    ...{ dependencies: [], schemaCompatId: "", codeHash: TAG_QUERY_CODE },
  };
}

/** The key of one node's state in one context; "" means absent. asOf is a proto-JSON Timestamp. */
export const computeKey = (nodeId: string, worldId: string, domain: string, asOf: string, partition: string): string =>
  digest(canonicalJson({ node_id: nodeId, world_id: worldId, execution_domain: domain, as_of: asOf, partition }));

/** The proto-JSON form of an as_of: whole microseconds, of the years 1 to 9999. Throws otherwise. */
export function timestampText(seconds: number, nanos: number): string {
  const isMicros = nanos >= 0 && nanos <= 999_999_000 && nanos % 1000 === 0;
  if (!isMicros || seconds < -62_135_596_800 || seconds > 253_402_300_799) throw new Error("E_TIMESTAMP");
  const micros = String(nanos / 1000).padStart(6, "0");
  const fraction = nanos === 0 ? "" : `.${nanos % 1_000_000 === 0 ? micros.slice(0, 3) : micros}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}

/** The key of a validation result; facts holds exactly the keys docs/identity.md names. */
export const evalKey = (facts: { [key: string]: string }): string => digest(canonicalJson(facts));

/** The checksum of a submission. */
export const nodeIdsCrc32 = (ids: string[]): number => crc32(ids.toSorted().join("\n"));

/** The RFC 8785 form of a value: JavaScript's own numbers and escapes, keys sorted by UTF-16 code units. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const parts = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key]!)}`);
    return `{${parts.join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error("E_CANONICAL_JSON: want a finite number");
  return JSON.stringify(value);
}

function checkFields(spec: NodeSpec): void {
  refuseUnless(spec.nodeType.trim() !== "", "node_type", "a name");
  refuseUnless(inRange(spec.intervalS, INTERVAL_S_MAX), "interval_s", `0 to ${INTERVAL_S_MAX} seconds`);
  refuseUnless(inRange(spec.period, PERIOD_MAX), "period", `0 to ${PERIOD_MAX} bars`);
  spec.dependencies.forEach((id, at) => refuseUnless(NODE_ID.test(id), `dependencies[${at}]`, "blake3:<64 hex>"));
  refuseUnless(CODE_HASH.test(spec.codeHash), "code_hash", "py1:<hex>, ver:<text>, builtin:<name>@<major.minor>");
  if (spec.nodeType !== TAG_QUERY) return;
  refuseUnless(spec.dependencies.length === 0, "dependencies", "none for a TagQuery");
  refuseUnless(spec.schemaCompatId === "", "schema_compat_id", "empty for a TagQuery");
  refuseUnless(spec.codeHash === TAG_QUERY_CODE, "code_hash", TAG_QUERY_CODE);
  const keys = Object.keys(spec.params).sort().join();
  refuseUnless(keys === "match_mode,query_tags", "params", "query_tags and match_mode only");
}

function tagParams(params: JsonObject): Json {
  const { query_tags: given, match_mode: mode } = params;
  refuseUnless(mode === "any" || mode === "all", "params.match_mode", '"any" or "all"');
  const tags = Array.isArray(given) ? given.map((tag) => (typeof tag === "string" ? tag.trim() : "")) : [];
  const isSound = tags.length > 0 && tags.every((tag) => TAG.test(tag));
  refuseUnless(isSound, "params.query_tags", "tags of [A-Za-z0-9_.-]{1,100}");
  return { match_mode: mode!, query_tags: [...new Set(tags)].sort() };
}

function functionalParams(params: JsonObject): Json {
  const context = Object.keys(params).sort().find((key) => CONTEXT_KEYS.has(key.toLowerCase().replace(/[_-]/g, "")));
  refuseUnless(context === undefined, `params.${context}`, "no context keys");
  return functional(params, "params", 0);
}

/** A parameter as it is hashed: text in NFC, numbers as their double, nothing dropped. */
function functional(value: Json, path: string, depth: number): Json {
  if (typeof value === "string") return nfc(value, path);
  if (typeof value === "number") {
    refuseUnless(Number.isFinite(value), path, "a finite number");
    refuseUnless(!Number.isInteger(value) || Number.isSafeInteger(value), path, "an integer of at most 2^53-1, or a string");
    return value;
  }
  if (value === null || typeof value === "boolean") return value;
  refuseUnless(depth < PARAMS_DEPTH_MAX, path, `at most ${PARAMS_DEPTH_MAX} levels`);
  if (Array.isArray(value)) return value.map((item, at) => functional(item, `${path}[${at}]`, depth + 1));
  const table: JsonObject = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    const name = nfc(key, path);
    refuseUnless(!(name in table), `${path}.${name}`, "distinct keys");
    table[name] = functional(item, `${path}.${key}`, depth + 1);
  }
  return table;
}

function nfc(text: string, path: string): string {
  refuseUnless(!/\p{Surrogate}/u.test(text), path, "well-formed Unicode");
  return text.normalize("NFC");
}

const inRange = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max;

function refuseUnless(holds: boolean, field: string, want: string): void {
  if (!holds) throw new FieldError(field, want);
}
