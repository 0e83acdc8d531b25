/**
 * An event stream of a world that goes on across breaks, restarts and gateways.
 *
 * The rule is the one at Topic in event.proto: an event is applied when its revision is the last one of the same (payload,
 * key) plus one. One that is not higher is dropped, any other is a gap and is healed by reading the state again.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import type { OrderEvent, OrderStatus } from "../gen/qmtl/broker/v1/order_pb.js";
import type { ControlEvent } from "../gen/qmtl/control/v1/control_pb.js";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { NoticeKind, Topic, type Frame, type Snapshot } from "../gen/qmtl/gateway/v1/event_pb.js";
import { EventService, type CreateEventStreamRequestSchema } from "../gen/qmtl/gateway/v1/event_service_pb.js";

const WAIT_FIRST_MS = 50;
const WAIT_MAX_MS = 2000;
const PASSING = [Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded, Code.Canceled, Code.Aborted];

/** The table of payloads in event.proto. What is not in it is of a newer gateway. */
const TOPICS: { [payload: string]: Topic } = {
  activationUpdated: Topic.ACTIVATION,
  worldQueuesUpdated: Topic.QUEUES,
  queueUpdated: Topic.QUEUES,
  policyUpdated: Topic.POLICY,
  decisionUpdated: Topic.POLICY,
  strategyStateChanged: Topic.STRATEGY,
  evaluationRunUpdated: Topic.STRATEGY,
  sentinelWeightUpdated: Topic.SENTINEL,
};

/** What a client keeps of a topic: the last revision of each key, and whether its snapshot had them all. */
interface TopicState {
  revisions: Map<string, bigint>;
  isTruncated: boolean;
}

/** How a stream went. gaps and duplicates stay 0 as long as the gateways keep their promise. */
export interface Counts {
  events: number;
  reloads: number;
  breaks: number;
  gaps: number;
  duplicates: number;
}

export type Apply = (event: ControlEvent, isState: boolean) => void;

export class EventStream {
  /** Is called for topic ORDERS, in order: with an open order of the state, or with a step of one. */
  onOrder: (seen: OrderStatus | OrderEvent) => void = () => {};
  readonly counts: Counts = { events: 0, reloads: 0, breaks: 0, gaps: 0, duplicates: 0 };
  private readonly known = new Map<Topic, TopicState>();
  private token = ""; // of the stream; "" until one was made, and after it was refused
  private resume = ""; // the place after the last frame; "" asks for the state
  private goesOn = false; // the last frame was a snapshot that the next one adds to
  private call = new AbortController();
  private next: number | undefined;
  private isClosed = false;

  /** A stream over gateways of one mesh. apply is called for every state and event, in order. */
  constructor(
    private readonly gateways: Transport[],
    private readonly request: MessageInitShape<typeof CreateEventStreamRequestSchema>,
    private readonly apply: Apply,
  ) {}

  /** Breaks the stream and goes on at another gateway, as a client does when it is told to. */
  move(gateway: number): void {
    this.next = gateway;
    this.call.abort();
  }

  close(): void {
    this.isClosed = true;
    this.call.abort();
  }

  /** Runs until close(). Throws the first error that no retry can mend. */
  async follow(): Promise<void> {
    let at = 0;
    let wait = WAIT_FIRST_MS;
    while (!this.isClosed) {
      const before = this.counts.events;
      try {
        await this.once(at);
      } catch (error) {
        if (this.next === undefined && !this.isClosed) this.mend(ConnectError.from(error));
      }
      this.counts.breaks += 1;
      if (this.next !== undefined) {
        at = this.next;
        continue;
      }
      at = (at + 1) % this.gateways.length;
      if (this.counts.events > before) wait = WAIT_FIRST_MS;
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(2 * wait, WAIT_MAX_MS);
    }
  }

  /** Follows one call to its end. */
  private async once(at: number): Promise<void> {
    this.call = new AbortController();
    this.next = undefined;
    this.goesOn = false;
    const { signal } = this.call;
    const stub = createClient(EventService, this.gateways[at]!);
    if (this.token === "") this.token = (await stub.createEventStream(this.request, { signal })).stream!.streamToken;
    const headers = { authorization: `Bearer ${this.token}` }; // in place of the user's token
    for await (const reply of stub.subscribeEvents({ resumeToken: this.resume }, { signal, headers })) {
      if (signal.aborted || this.take(reply.frame!)) break;
    }
    this.call.abort();
  }

  /** Applies one frame. True: go on with a new call. */
  private take(frame: Frame): boolean {
    const { body } = frame;
    switch (body.case) {
      case "snapshot":
        this.load(body.value);
        return false;
      case "events":
        if (!body.value.events.every((event) => this.takeEvent(event))) return true;
        if (!body.value.orderEvents.every((step) => this.takeStep(step))) return true;
        this.resume = body.value.resumeToken;
        return false;
      case "bookmark":
        this.resume = body.value.resumeToken;
        return false;
      case "notice":
        this.resume = body.value.resumeToken || this.resume;
        return body.value.kind === NoticeKind.GOING_AWAY;
      default:
        return false;
    }
  }

  /** Takes the state of a topic, or what one frame has of it. */
  private load(snapshot: Snapshot): void {
    const begun = this.goesOn ? this.known.get(snapshot.topic) : undefined;
    const whole = begun ?? { revisions: new Map<string, bigint>(), isTruncated: snapshot.truncated };
    this.known.set(snapshot.topic, whole);
    this.goesOn = snapshot.more;
    for (const state of snapshot.states) {
      whole.revisions.set(keyOf(state), state.revision);
      this.apply(state, true);
    }
    for (const state of snapshot.orders) {
      whole.revisions.set(orderKey(state.order!), BigInt(state.orderEventNumber));
      this.onOrder(state);
    }
  }

  private takeEvent(event: ControlEvent): boolean {
    const topic = TOPICS[event.payload.case ?? ""];
    if (topic === undefined) return true; // of a newer gateway
    return this.follows(topic, keyOf(event), event.revision, () => this.apply(event, false));
  }

  private takeStep(step: OrderEvent): boolean {
    return this.follows(Topic.ORDERS, orderKey(step), BigInt(step.orderEventNumber), () => this.onOrder(step));
  }

  /** Applies an event that follows, drops one that was seen, and asks for the state where one is missing. */
  private follows(topic: Topic, key: string, revision: bigint, apply: () => void): boolean {
    const state = this.known.get(topic) ?? { revisions: new Map<string, bigint>(), isTruncated: true };
    this.known.set(topic, state);
    const seen = state.revisions.get(key) ?? 0n;
    const isFirst = state.isTruncated && !state.revisions.has(key);
    if (revision <= seen) {
      if (topic !== Topic.ORDERS) this.counts.duplicates += 1; // a snapshot of orders may have shown it
      return true;
    }
    if (!isFirst && revision > seen + 1n) {
      this.counts.gaps += 1;
      this.counts.reloads += 1;
      this.resume = "";
      return false;
    }
    state.revisions.set(key, revision);
    this.counts.events += 1;
    apply();
    return true;
  }

  /** Prepares the next call after an error. Throws one that another call would meet again. */
  private mend(error: ConnectError): void {
    if (PASSING.includes(error.code)) return;
    if (error.code === Code.Unauthenticated && this.token !== "") {
      this.token = "";
      return;
    }
    if (["E_RESUME_TOKEN", "E_RESUME_SCOPE"].includes(reasonOf(error))) {
      this.resume = "";
      this.counts.reloads += 1;
      return;
    }
    throw error;
  }
}

/** The stable code of an error, from its google.rpc.ErrorInfo; "" when it has none. */
export const reasonOf = (error: unknown): string =>
  ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason ?? "";

/** What revisions are counted by: the payload's type and the event's key. */
const keyOf = (event: ControlEvent): string => `${event.payload.case}/${event.key}`;

/** What the numbers of an order's events are counted by. */
const orderKey = (of: { account: string; strategyId: string; clientOrderId: string }): string =>
  `${of.account}/${of.strategyId}/${of.clientOrderId}`;
