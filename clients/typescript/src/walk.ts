/** All the way: a world, a strategy, its activation, an order, its fill, the book, and three kinds of errors. */
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { randomBytes } from "node:crypto";
import { AccountService } from "../gen/qmtl/broker/v1/account_service_pb.js";
import { Denial, OrderSide, OrderState, OrderType, TimeInForce, type OrderStatus } from "../gen/qmtl/broker/v1/order_pb.js";
import { OrderService } from "../gen/qmtl/broker/v1/order_service_pb.js";
import { PortfolioService } from "../gen/qmtl/broker/v1/portfolio_service_pb.js";
import { ExecutionDomain, EffectiveMode, Side } from "../gen/qmtl/common/v1/common_pb.js";
import { StrategyState } from "../gen/qmtl/control/v1/control_pb.js";
import { DataSessionService } from "../gen/qmtl/data/v1/data_session_service_pb.js";
import { Topic } from "../gen/qmtl/gateway/v1/event_pb.js";
import { StrategySubmissionSchema } from "../gen/qmtl/gateway/v1/strategy_pb.js";
import { StrategyService } from "../gen/qmtl/gateway/v1/strategy_service_pb.js";
import { TradingService } from "../gen/qmtl/gateway/v1/trading_service_pb.js";
import { ActivationService } from "../gen/qmtl/world/v1/activation_service_pb.js";
import { Stage } from "../gen/qmtl/world/v1/binding_pb.js";
import { EvaluationService } from "../gen/qmtl/world/v1/evaluation_service_pb.js";
import { PolicyService } from "../gen/qmtl/world/v1/policy_service_pb.js";
import type { Session } from "../gen/qmtl/world/v1/session_pb.js";
import { WorldService } from "../gen/qmtl/world/v1/world_service_pb.js";
import { describe, inChunks, pause, whenAdmitted } from "./calls.js";
import { EventStream, reasonOf } from "./events.js";
import { Catalogue } from "./graph.js";
import { answer, Queue } from "./queue.js";

const PRESET = "demo.btc.15m";
const PASSING_DENIALS = [
  ...[Denial.PRICE_STALE, Denial.INSTRUMENT_UNKNOWN, Denial.GATE_ACTIVATION_UNKNOWN, Denial.GATE_ACTIVATION_STALE],
  ...[Denial.GATE_INACTIVE, Denial.GATE_SESSION_LAPSED],
];

export async function walk(gateways: Transport[]): Promise<void> {
  const gateway = gateways[0]!;
  const worldId = await newWorld(gateway);
  const strategyId = await submit(gateway, worldId);
  await followRestart(gateways, worldId);
  const session = await activate(gateway, worldId, strategyId);
  await trade(gateways, worldId, strategyId, session);
  await meetErrors(gateway, worldId);
}

export async function newWorld(gateway: Transport): Promise<string> {
  const worldId = `ts-${randomBytes(6).toString("hex")}`;
  await whenAdmitted(() => createClient(WorldService, gateway).createWorld({ worldId, dataPresets: [PRESET] }));
  console.log("world", worldId);
  await putPolicy(gateway, worldId, 0.5);
  return worldId;
}

export async function putPolicy(gateway: Transport, worldId: string, sharpe: number): Promise<void> {
  const gates = `{gates: {and: ["sharpe >= ${sharpe.toFixed(4)}"]}, score: "sharpe"}`;
  const document = `data_currency: {max_lag: 1d}\nselection: ${gates}\nevidence: claims\n`;
  await whenAdmitted(() => createClient(PolicyService, gateway).putPolicy({ worldId, document, makeDefault: true }));
}

/** Sends a DAG built from the catalogue and watches it until it is bound everywhere. */
async function submit(gateway: Transport, worldId: string): Promise<string> {
  const graph = (await Catalogue.read(gateway)).crossing(48, 192);
  const stub = createClient(StrategyService, gateway);
  const meta = { name: "crossing", client: "typescript/0.1.0" };
  const requestId = randomBytes(16).toString("hex");
  const submission = create(StrategySubmissionSchema, { requestId, meta, ...graph, worldIds: [worldId] });
  const reply = await inChunks(StrategySubmissionSchema, submission, [worldId], stub.submitStrategy);
  let strategy = reply.strategy!;
  for await (const now of stub.watchStrategy({ strategyId: strategy.strategyId })) {
    strategy = now.strategy!;
    if (strategy.state === StrategyState.COMPLETED) break;
  }
  console.log("strategy", strategy.strategyId, StrategyState[strategy.state], graph.dag.nodes.length, "nodes");
  return strategy.strategyId;
}

/** Asks for a restart of the gateway on stdout and sees the change made after it once, and no other twice. */
async function followRestart(gateways: Transport[], worldId: string): Promise<void> {
  const seen = new Queue<number>();
  const stream = new EventStream(gateways, { worldId, topics: [Topic.POLICY, Topic.ACTIVATION] }, (event) => {
    if (event.payload.case === "policyUpdated") seen.put(event.payload.value.policyVersion);
  });
  const following = stream.follow().catch((error: unknown) => seen.fail(error));
  for (const version of [1, 2, 3]) {
    if (version > 1) await putPolicy(gateways[0]!, worldId, 0.5 + version / 10_000);
    const found = await seen.take();
    if (found !== version) throw new Error(`policy version ${found} was seen, want ${version}`);
    if (version === 2) await answer("restart"); // whoever runs this kills the gateway now and says when it is back
  }
  stream.close();
  await following;
  console.log("events", JSON.stringify(stream.counts));
  const { gaps, duplicates, breaks } = stream.counts;
  if (gaps + duplicates > 0 || breaks < 2) throw new Error("want no gap, no duplicate and a break");
}

/** Shows numbers the policy selects by, lets the strategy trade on paper, and answers the world's session. */
async function activate(gateway: Transport, worldId: string, strategyId: string): Promise<Session> {
  const end = Date.UTC(2021, 11, 25, 13, 30);
  await createClient(EvaluationService, gateway).evaluate({
    ...{ worldId, strategyId, runId: "ts-1", stage: Stage.BACKTEST, metrics: [{ name: "sharpe", value: 1 }] },
    ...{ datasetFingerprint: "blake3:sample", coverageRatio: 1 },
    dataStart: timestampFromDate(new Date(end - 60 * 86_400_000)),
    dataEnd: timestampFromDate(new Date(end)),
  });
  const changes = [{ strategyId, side: Side.LONG, active: true, stage: Stage.PAPER }];
  const request = { worldId, changes, message: "the sample trades" };
  const activation = (await createClient(ActivationService, gateway).setActivation(request)).activation!;
  console.log("activation", EffectiveMode[activation.effectiveMode]);
  const session = activation.sessions.find((one) => one.executionDomain === ExecutionDomain.DRYRUN);
  if (session === undefined) throw new Error("the activation has no session of DRYRUN");
  return session;
}

/** Opens a paper account fed by the world's data session, buys once, and reads the fill and the book. */
async function trade(gateways: Transport[], worldId: string, strategyId: string, session: Session): Promise<void> {
  const gateway = gateways[0]!;
  const { sessionId, start } = session;
  const account = worldId;
  const open = { sessionId, worldId, preset: PRESET, barsPerSecond: 20, ...(start && { startTime: start }) };
  await createClient(DataSessionService, gateway).openDataSession(open);
  const paper = { account, worldId, dataPreset: PRESET, dataSessionId: sessionId };
  await createClient(AccountService, gateway).openPaperAccount(paper);
  await placeAndFollow(gateways, worldId, strategyId);
  const fill = (await createClient(OrderService, gateway).listFills({ account })).fills[0]!;
  console.log("fill", fill.quantity, fill.symbol, "at", fill.price, "fee", fill.fee, fill.feeCurrency);
  const book = (await createClient(PortfolioService, gateway).getPortfolio({ account })).portfolio!;
  console.log("equity", book.equity, book.baseCurrency);
}

/** Sends an order and follows topic ORDERS of its world until it is filled. */
async function placeAndFollow(gateways: Transport[], worldId: string, strategyId: string): Promise<void> {
  const filled = new Queue<string>();
  const stream = new EventStream(gateways, { worldId, topics: [Topic.ORDERS] }, () => {});
  stream.onOrder = (seen) => {
    if ("kind" in seen && seen.state === OrderState.FILLED) filled.put(seen.clientOrderId);
  };
  const following = stream.follow().catch((error: unknown) => filled.fail(error));
  const placed = (await place(gateways[0]!, worldId, strategyId)).order!.clientOrderId;
  const found = await filled.take();
  stream.close();
  await following;
  console.log("orders", JSON.stringify(stream.counts));
  if (found !== placed || stream.counts.gaps > 0) throw new Error(`${found} was filled, want ${placed} without a gap`);
}

/** Sends an order; until the venue has a first bar and the gate the activation, a denial says so. */
async function place(gateway: Transport, worldId: string, strategyId: string): Promise<OrderStatus> {
  const terms = { side: OrderSide.BUY, type: OrderType.MARKET, timeInForce: TimeInForce.GTC };
  for (let attempt = 1; ; attempt += 1) {
    const order = { account: worldId, worldId, strategyId, clientOrderId: `ts-${attempt}`, symbol: "BTC-USD", ...terms };
    const reply = await createClient(TradingService, gateway).submitOrder({ order: { ...order, quantity: "0.01" } });
    const status = reply.status!;
    if (status.state !== OrderState.DENIED) {
      console.log("order", OrderState[status.state]);
      return status;
    }
    if (!PASSING_DENIALS.includes(status.denial)) throw new Error(`${Denial[status.denial]}: ${status.message}`);
    await pause(200);
  }
}

/** Provokes the three kinds of details: a reason, fields, and a pause. */
async function meetErrors(gateway: Transport, worldId: string): Promise<void> {
  const worlds = createClient(WorldService, gateway);
  const unknown = await failure(worlds.getWorld({ worldId: "no-such-world" }));
  if (reasonOf(unknown) !== "E_WORLD_UNKNOWN") throw unknown;
  console.log("error", describe(unknown));
  const graph = (await Catalogue.read(gateway)).crossing(48, 192);
  graph.dag.nodes[1]!.name = "";
  const submission = create(StrategySubmissionSchema, { ...graph, worldIds: [worldId] });
  const submitting = createClient(StrategyService, gateway).submitStrategy;
  console.log("error", describe(await failure(inChunks(StrategySubmissionSchema, submission, [worldId], submitting))));
  const many = Array.from({ length: 600 }, () => worlds.getWorld({ worldId }));
  const ends = await Promise.allSettled(many);
  const limited = ends.flatMap((end) => (end.status === "rejected" ? [ConnectError.from(end.reason)] : []));
  const found = limited.find((error) => error.code === Code.ResourceExhausted);
  if (found === undefined) throw new Error("600 calls at once met no limit");
  console.log("error", describe(found));
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("the call should have failed");
}
