/** DAGs built from the node catalogue, which ListNodeTypes answers for every language. */
import { create, toJson, type JsonObject } from "@bufbuild/protobuf";
import { ValueSchema as JsonValueSchema } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { DagNodeSchema, DagSchema, QueueClass, SemanticKind, type Dag, type DagNode } from "../gen/qmtl/dag/v1/dag_pb.js";
import { NodeCatalogueService, type NodeType } from "../gen/qmtl/gateway/v1/node_catalogue_service_pb.js";
import { nodeId, nodeIdsCrc32, type Json } from "./identity.js";

const INTERVAL_S = 900;

/** The built-in node types and the schemas of their values. */
export class Catalogue {
  private constructor(
    private readonly types: Map<string, NodeType>,
    private readonly schemas: Map<string, { defaultField: string; schemaHash: string }>,
  ) {}

  static async read(gateway: Transport): Promise<Catalogue> {
    const reply = await createClient(NodeCatalogueService, gateway).listNodeTypes({});
    return new Catalogue(
      new Map(reply.nodeTypes.map((one) => [one.nodeType, one])),
      new Map(reply.schemas.map((one) => [one.compatId, one])),
    );
  }

  /** A node of a type: the author's parameters, the catalogue's defaults, one input a port. */
  node(name: string, type: string, params: { [key: string]: Json }, inputs: DagNode[] = [], period = 0): DagNode {
    const kind = this.types.get(type);
    if (kind === undefined || kind.inputs.length !== inputs.length) throw new Error(`${type}: not in the catalogue`);
    const defaults = kind.parameters.filter((one) => one.default !== undefined);
    const whole: { [key: string]: Json } = {
      ...Object.fromEntries(defaults.map((one) => [one.name, toJson(JsonValueSchema, one.default!) as Json])),
      ...params,
    };
    const read = kind.inputs.flatMap((port, at) => {
      const fields = port.fields.length > 0 ? port.fields : [this.schemas.get(inputs[at]!.spec!.schemaCompatId)!.defaultField];
      return fields.map((field) => [inputs[at]!.nodeId, field]);
    });
    if (read.length > 0) whole["inputs"] = read;
    const factors = Object.entries(kind.period?.perParameter ?? {});
    const own = factors.reduce((sum, [key, factor]) => sum + factor * Number(whole[key]), kind.period?.constant ?? period);
    const ids = inputs.map((input) => input.nodeId);
    const spec = {
      ...{ nodeType: type, intervalS: INTERVAL_S, period: own, params: whole },
      ...{ dependencies: ids, schemaCompatId: kind.outputSchema, codeHash: kind.codeHash },
    };
    return create(DagNodeSchema, {
      nodeId: nodeId(spec).id,
      spec: { ...spec, params: whole as JsonObject },
      schemaHash: this.schemas.get(kind.outputSchema)!.schemaHash,
      queueClass: queueClass(kind),
      kind: kind.kind,
      name,
      inputNames: kind.inputs.map((port) => port.name),
      inputIds: ids,
    });
  }

  /** A strategy: long while a fast average is above a slow one. */
  crossing(fast: number, slow: number): { dag: Dag; nodeIdsCrc32: number } {
    const bars = this.node("bars", "StreamInput", { symbol: "BTC-USD" }, [], slow);
    const quick = this.node("fast", "indicator.ema", { period: fast }, [bars]);
    const calm = this.node("slow", "indicator.ema", { period: slow }, [bars]);
    const cross = this.node("cross", "decision.cross", {}, [quick, calm]);
    const target = this.node("target", "decision.position_target", { long: 0.95 }, [cross]);
    const orders = this.node("orders", "order.target", { symbol: "BTC-USD" }, [target, bars]);
    const nodes = [bars, quick, calm, cross, target, orders];
    return { dag: create(DagSchema, { nodes }), nodeIdsCrc32: nodeIdsCrc32(nodes.map((node) => node.nodeId)) };
  }
}

function queueClass(kind: NodeType): QueueClass {
  if (kind.inputs.length === 0) return QueueClass.RAW;
  return kind.kind === SemanticKind.CAUSAL_STREAM ? QueueClass.INDICATOR : QueueClass.TRADE;
}
