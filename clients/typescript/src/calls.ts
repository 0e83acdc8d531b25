/** Connections with the caller's token, and errors with their google.rpc details. */
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { readFileSync } from "node:fs";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";

const CALL_MS = 20_000;
const CHUNK_BYTES = 256 * 1024;

/** One connection a gateway; the last argument is the file of the token. */
export function dial(args: string[]): Transport[] {
  const bearer = `Bearer ${readFileSync(args.at(-1)!, "utf8").trim()}`;
  const interceptors = [withToken(bearer), again];
  return args.slice(0, -1).map((address) => createGrpcTransport({ baseUrl: `http://${address}`, interceptors }));
}

/** Sends the caller's token unless the call has one of its own, as that of an event stream has. */
const withToken = (bearer: string): Interceptor => (next) => (request) => {
  if (!request.header.has("authorization")) request.header.set("authorization", bearer);
  return next(request);
};

/** Asks again where UNAVAILABLE says that a unary call may. */
const again: Interceptor = (next) => async (request) => {
  const end = Date.now() + CALL_MS;
  for (;;) {
    try {
      return await next(request);
    } catch (error) {
      const found = ConnectError.from(error);
      if (request.stream || found.code !== Code.Unavailable || Date.now() > end) throw error;
      await pause(retryAfterMs(found));
    }
  }
};

/**
 * Sends a payload that may be larger than one message, and again where UNAVAILABLE says that it may. Headers say first
 * how much will come and which worlds it names.
 */
export async function inChunks<S extends DescMessage, R>(
  schema: S,
  payload: MessageShape<S>,
  worldIds: string[],
  call: (chunks: AsyncIterable<{ chunk: Uint8Array }>, options: CallOptions) => Promise<R>,
): Promise<R> {
  const body = toBinary(schema, payload);
  const headers = { "x-total-bytes": String(body.length), "x-world-ids": worldIds.join(",") };
  async function* chunks(): AsyncIterable<{ chunk: Uint8Array }> {
    for (let at = 0; at < body.length; at += CHUNK_BYTES) yield { chunk: body.subarray(at, at + CHUNK_BYTES) };
  }
  const end = Date.now() + CALL_MS;
  for (;;) {
    try {
      return await call(chunks(), { headers });
    } catch (error) {
      const found = ConnectError.from(error);
      if (found.code !== Code.Unavailable || Date.now() > end) throw error;
      await pause(retryAfterMs(found));
    }
  }
}

/** Makes a call again as long as the caller's rate limit refuses it, after the pause that each refusal names. */
export async function whenAdmitted<R>(call: () => Promise<R>): Promise<R> {
  const end = Date.now() + CALL_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const found = ConnectError.from(error);
      if (found.code !== Code.ResourceExhausted || Date.now() > end) throw error;
      await pause(retryAfterMs(found));
    }
  }
}

/** The pause an error asks for in its RetryInfo. */
function retryAfterMs(error: ConnectError): number {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 200;
}

/** An error with its details: reason, fields, pause. */
export function describe(error: unknown): string {
  const found = ConnectError.from(error);
  return [
    `${Code[found.code]}: ${found.rawMessage}`,
    ...found.findDetails(ErrorInfoSchema).map((info) => `reason ${info.reason} ${JSON.stringify(info.metadata)}`),
    ...found
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations.map((one) => `field ${one.field}: ${one.description}`)),
    ...found.findDetails(RetryInfoSchema).map(() => `retry after ${retryAfterMs(found)} ms`),
  ].join("; ");
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
