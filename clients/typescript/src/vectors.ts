/** Checks every language-neutral vector of proto/testdata. */
import { fromJson } from "@bufbuild/protobuf";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DagSchema } from "../gen/qmtl/dag/v1/dag_pb.js";
import { canonicalJson, computeKey, evalKey, FieldError, nodeId, nodeIdsCrc32, tagQuerySpec, timestampText } from "./identity.js";
import type { Json, JsonObject, NodeSpec } from "./identity.js";
import { firstWindowHash, isWellFormed, windowHash } from "./records.js";
import type { Input } from "./records.js";

type Vector = { [key: string]: any }; // eslint-disable-line -- fields differ by list

const CHECKS: { [section: string]: (vector: Vector) => [unknown, unknown][] } = {
  canonical_json: (v) => [[canonicalJson(readJson(v["value_json"])), v["canonical"]]],
  nodes: (v) => nodePairs(specOf(v["spec"]), v),
  refusals: (v) => [[refusedField(specOf(v["spec"])), v["field"]]],
  tag_queries: (v) => nodePairs(tagQuerySpec(v["tags"], v["match_mode"], v["interval_s"]), v),
  crc32: (v) => [[nodeIdsCrc32(v["ids"]), v["crc32"]]],
  compute_keys: (v) => [
    [computeKey(v["node_id"], v["world_id"], v["execution_domain"], v["as_of"], v["partition"]), v["compute_key"]],
  ],
  as_of: (v) => [[refused(() => timestampText(v["seconds"], v["nanos"])), v["as_of"] ?? v["reason"]]],
  eval_keys: ({ name: _, eval_key: wanted, ...facts }) => [[evalKey(facts), wanted]],
};

/** How many vectors of a folder hold. Throws with those that do not. */
export function checkVectors(folder: string): number {
  const wrong: string[] = [];
  const passed =
    checkIdentities(join(folder, "identity.json"), wrong) +
    checkDags(join(folder, "dags.json"), wrong) +
    checkRecords(join(folder, "records.json"), wrong);
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
  return passed;
}

/** Every NodeID of whole strategies, and their checksums. */
function checkDags(path: string, wrong: string[]): number {
  const { dags } = JSON.parse(readFileSync(path, "utf8")) as { dags: Vector[] };
  let passed = 0;
  for (const vector of dags) {
    const { nodes } = fromJson(DagSchema, vector["dag"]);
    const ids = nodes.map((node) => nodeId({ ...node.spec!, params: node.spec!.params as JsonObject }).id);
    const differing = nodes.filter((node, at) => node.nodeId !== ids[at]).map((node) => node.name);
    if (nodeIdsCrc32(ids) !== vector["node_ids_crc32"]) differing.push("checksum");
    differing.forEach((name) => wrong.push(`${vector["name"]}/${name}`));
    passed += nodes.length + 1 - differing.length;
  }
  return passed;
}

/** Records with values of the form and the hash of their inputs; and records that no reader may take. */
function checkRecords(path: string, wrong: string[]): number {
  const { records, malformed } = JSON.parse(readFileSync(path, "utf8")) as { records: Vector[]; malformed: Vector[] };
  let passed = 0;
  for (const vector of records) {
    const inputs: Input[] = vector["inputs"].map((input: Vector) => ({ times: input["time_ns"].map(BigInt), rows: input["rows"] }));
    let hash = firstWindowHash(vector["node_id"]);
    for (const record of vector["records"]) {
      const interval = BigInt(vector["interval_s"]) * 1_000_000_000n;
      hash = windowHash(hash, inputs, BigInt(record["start_ns"]) + interval, BigInt(record["end_ns"]) + interval);
      const state = new TextEncoder().encode(record["node_state"]);
      const form = { fields: vector["fields"], stateSize: JSON.parse(record["node_state"]).length };
      const isRight = hash === record["input_window_hash"] && isWellFormed(arrowOf(vector["fields"], record), state, form);
      if (isRight) passed += 1;
      else wrong.push(`records/${vector["code_hash"]}: got ${hash}, want ${record["input_window_hash"]}`);
    }
  }
  const form = { fields: records[0]!["fields"], stateSize: JSON.parse(records[0]!["records"][0]["node_state"]).length };
  for (const vector of malformed) {
    const [values, state] = [vector["arrow_ipc"], vector["node_state"]].map((text) => new Uint8Array(Buffer.from(text, "base64")));
    if (isWellFormed(values!, state!, form)) wrong.push(`malformed/${vector["name"]} was taken`);
    else passed += 1;
  }
  return passed;
}

/** The values of a record as its writer sends them. */
function arrowOf(fields: string[], record: Vector): Uint8Array {
  const columns = Object.fromEntries(
    fields.map((name, at) => [name, Float64Array.from(record["rows"] as number[][], (row) => row[at]!)]),
  );
  return tableToIPC(tableFromArrays({ time_ns: BigInt64Array.from(record["time_ns"].map(BigInt)), ...columns }), "stream");
}

function checkIdentities(path: string, wrong: string[]): number {
  const sections = JSON.parse(readFileSync(path, "utf8")) as { [section: string]: Vector[] };
  let passed = 0;
  for (const [section, check] of Object.entries(CHECKS)) {
    for (const vector of sections[section]!) {
      const differing = check(vector).filter(([got, wanted]) => got !== wanted);
      differing.forEach(([got, wanted]) => wrong.push(`${section}/${vector["name"]}: got ${got}, want ${wanted}`));
      passed += differing.length === 0 ? 1 : 0;
    }
  }
  return passed;
}

function nodePairs(spec: NodeSpec, vector: Vector): [unknown, unknown][] {
  const { id, canonical } = nodeId(spec);
  return [[id, vector["node_id"]], [canonical, vector["canonical"]]];
}

function refusedField(spec: NodeSpec): string {
  try {
    nodeId(spec);
  } catch (error) {
    if (error instanceof FieldError) return error.field;
    throw error;
  }
  return "";
}

/** What a function answers, or the reason it refuses with. */
function refused(act: () => string): string {
  try {
    return act();
  } catch (error) {
    return (error as Error).message;
  }
}

const specOf = (text: Vector): NodeSpec => ({
  nodeType: text["node_type"],
  intervalS: text["interval_s"],
  period: text["period"],
  params: readJson(text["params_json"]) as JsonObject,
  dependencies: text["dependencies"],
  schemaCompatId: text["schema_compat_id"],
  codeHash: text["code_hash"],
});

/** JSON that may hold NaN and infinities: both become an infinity, which is refused alike. */
const readJson = (text: string): Json => JSON.parse(text.replace(/-?\b(NaN|Infinity)\b/g, "1e999")) as Json;
