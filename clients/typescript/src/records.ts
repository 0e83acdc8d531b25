/** Records of a queue as docs/identity.md specifies them: their form, and the hash of the inputs they were made of. */
import { blake3 } from "@noble/hashes/blake3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Field, Precision, tableFromIPC, Type } from "apache-arrow";

/** One input of a node: the instants at which it has a value, ns since 1970, and a row of numbers for each. */
export interface Input {
  times: bigint[];
  rows: number[][];
}

/** What a node's records look like: the fields of its schema, and how many numbers its state has. */
export interface Form {
  fields: string[];
  stateSize: number;
}

/** The hash that a node's first record goes on from. */
export function firstWindowHash(nodeId: string): string {
  return digest(new TextEncoder().encode(nodeId));
}

/** The hash of a record: of the one before, and of its inputs at the instants from..to, both included. */
export function windowHash(before: string, inputs: Input[], from: bigint, to: bigint): string {
  const within = (time: bigint): boolean => from <= time && time <= to;
  const numbers = inputs.flatMap(({ times, rows }) => rows.filter((_, at) => within(times[at]!)).flat());
  const times = inputs[0]!.times.filter(within);
  const bytes = new DataView(new ArrayBuffer(8 * (times.length + numbers.length)));
  times.forEach((time, at) => bytes.setBigInt64(8 * at, time, true));
  numbers.forEach((number, at) => bytes.setFloat64(8 * (times.length + at), number, true));
  const text = new TextEncoder().encode(before);
  const whole = new Uint8Array(text.length + bytes.byteLength);
  whole.set(text);
  whole.set(new Uint8Array(bytes.buffer), text.length);
  return digest(whole);
}

/** Whether a record may be used: values and state have the form of the node. */
export function isWellFormed(arrowIpc: Uint8Array, nodeState: Uint8Array, form: Form): boolean {
  return hasValues(arrowIpc, form.fields) && hasState(nodeState, form.stateSize);
}

function hasValues(arrowIpc: Uint8Array, fields: string[]): boolean {
  let table;
  try {
    table = tableFromIPC(arrowIpc);
  } catch {
    return false;
  }
  const [time, ...values] = table.schema.fields;
  if (time?.name !== "time_ns" || !isInt64(time) || values.map((field) => field.name).join() !== fields.join()) return false;
  const columns = table.schema.fields.map((_, at) => table.getChildAt(at)!);
  if (!values.every(isFloat64) || columns.some((column) => column.nullCount > 0)) return false;
  const times = [...columns[0]!] as bigint[];
  const isGrowing = times.every((one, at) => at === 0 || one > times[at - 1]!);
  return isGrowing && columns.slice(1).every((column) => [...column].every((value) => Number.isFinite(value as number)));
}

function hasState(text: Uint8Array, size: number): boolean {
  try {
    const state: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
    return Array.isArray(state) && state.length === size && state.every((one) => Number.isFinite(one));
  } catch {
    return false;
  }
}

function isInt64({ type }: Field): boolean {
  return type.typeId === Type.Int && type.bitWidth === 64 && type.isSigned;
}

function isFloat64({ type }: Field): boolean {
  return type.typeId === Type.Float && type.precision === Precision.DOUBLE;
}

function digest(bytes: Uint8Array): string {
  return `blake3:${bytesToHex(blake3(bytes))}`;
}
