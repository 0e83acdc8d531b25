package io.qmtl.client;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.grpc.Channel;
import io.qmtl.dag.v1.Dag;
import io.qmtl.dag.v1.DagNode;
import io.qmtl.dag.v1.NodeSpec;
import io.qmtl.dag.v1.QueueClass;
import io.qmtl.dag.v1.SemanticKind;
import io.qmtl.gateway.v1.InputPort;
import io.qmtl.gateway.v1.ListNodeTypesRequest;
import io.qmtl.gateway.v1.NodeCatalogueServiceGrpc;
import io.qmtl.gateway.v1.NodeParameter;
import io.qmtl.gateway.v1.NodeType;
import io.qmtl.gateway.v1.ValueSchema;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** DAGs built from the node catalogue, which ListNodeTypes answers for every language. */
final class Graph {
  private static final int INTERVAL_S = 900;

  private final Map<String, NodeType> types = new HashMap<>();
  private final Map<String, ValueSchema> schemas = new HashMap<>();

  Graph(Channel gateway) throws InterruptedException {
    var stub = NodeCatalogueServiceGrpc.newBlockingStub(gateway);
    var reply = Calls.again(() -> stub.listNodeTypes(ListNodeTypesRequest.getDefaultInstance()));
    reply.getNodeTypesList().forEach(one -> types.put(one.getNodeType(), one));
    reply.getSchemasList().forEach(one -> schemas.put(one.getCompatId(), one));
  }

  /** A strategy: long while a fast average is above a slow one. */
  Dag crossing(int fast, int slow) {
    DagNode bars = node("bars", "StreamInput", slow, Map.of("symbol", "BTC-USD"));
    DagNode quick = node("fast", "indicator.ema", 0, Map.of("period", (double) fast), bars);
    DagNode calm = node("slow", "indicator.ema", 0, Map.of("period", (double) slow), bars);
    DagNode cross = node("cross", "decision.cross", 0, Map.of(), quick, calm);
    DagNode target = node("target", "decision.position_target", 0, Map.of("long", 0.95), cross);
    DagNode orders = node("orders", "order.target", 0, Map.of("symbol", "BTC-USD"), target, bars);
    return Dag.newBuilder().addAllNodes(List.of(bars, quick, calm, cross, target, orders)).build();
  }

  /** The checksum of a DAG. */
  static int checksum(Dag dag) {
    return (int) Identity.nodeIdsCrc32(dag.getNodesList().stream().map(DagNode::getNodeId).toList());
  }

  /** A spec as the identity reads it. */
  static Identity.NodeSpec specOf(NodeSpec spec) {
    @SuppressWarnings("unchecked")
    Map<String, Object> params = (Map<String, Object>) plain(Value.newBuilder().setStructValue(spec.getParams()).build());
    return new Identity.NodeSpec(
        spec.getNodeType(), spec.getIntervalS(), spec.getPeriod(), params, spec.getDependenciesList(),
        spec.getSchemaCompatId(), spec.getCodeHash());
  }

  /** A node of a type: the author's parameters, the catalogue's defaults, one input a port. */
  private DagNode node(String name, String type, int period, Map<String, Object> params, DagNode... inputs) {
    NodeType kind = types.get(type);
    if (kind == null || kind.getInputsCount() != inputs.length) {
      throw new IllegalArgumentException(type + ": not in the catalogue with " + inputs.length + " inputs");
    }
    Map<String, Object> whole = new HashMap<>();
    kind.getParametersList().stream()
        .filter(NodeParameter::hasDefault)
        .forEach(one -> whole.put(one.getName(), plain(one.getDefault())));
    whole.putAll(params);
    DagNode.Builder node = DagNode.newBuilder().setName(name).setKind(kind.getKind()).setQueueClass(queueClass(kind));
    List<Object> read = new ArrayList<>();
    for (int at = 0; at < inputs.length; at++) {
      InputPort port = kind.getInputs(at);
      String usual = schemas.get(inputs[at].getSpec().getSchemaCompatId()).getDefaultField();
      for (String field : port.getFieldsCount() > 0 ? port.getFieldsList() : List.of(usual)) {
        read.add(List.of(inputs[at].getNodeId(), field));
      }
      node.addInputNames(port.getName()).addInputIds(inputs[at].getNodeId());
    }
    if (!read.isEmpty()) {
      whole.put("inputs", read);
    }
    NodeSpec spec =
        NodeSpec.newBuilder()
            .setNodeType(type)
            .setIntervalS(INTERVAL_S)
            .setPeriod(kind.hasPeriod() ? barsOf(kind, whole) : period)
            .setParams(value(whole).getStructValue())
            .addAllDependencies(node.getInputIdsList())
            .setSchemaCompatId(kind.getOutputSchema())
            .setCodeHash(kind.getCodeHash())
            .build();
    node.setSchemaHash(schemas.get(kind.getOutputSchema()).getSchemaHash());
    return node.setSpec(spec).setNodeId(Identity.nodeId(specOf(spec)).id()).build();
  }

  private static int barsOf(NodeType kind, Map<String, Object> params) {
    int bars = kind.getPeriod().getConstant();
    for (var factor : kind.getPeriod().getPerParameterMap().entrySet()) {
      bars += factor.getValue() * ((Double) params.get(factor.getKey())).intValue();
    }
    return bars;
  }

  private static QueueClass queueClass(NodeType kind) {
    if (kind.getInputsCount() == 0) {
      return QueueClass.QUEUE_CLASS_RAW;
    }
    boolean isStream = kind.getKind() == SemanticKind.SEMANTIC_KIND_CAUSAL_STREAM;
    return isStream ? QueueClass.QUEUE_CLASS_INDICATOR : QueueClass.QUEUE_CLASS_TRADE;
  }

  private static Value value(Object plain) {
    Value.Builder value = Value.newBuilder();
    if (plain instanceof Map<?, ?> table) {
      Struct.Builder fields = Struct.newBuilder();
      table.forEach((key, item) -> fields.putFields((String) key, value(item)));
      return value.setStructValue(fields).build();
    }
    if (plain instanceof List<?> items) {
      return value.setListValue(ListValue.newBuilder().addAllValues(items.stream().map(Graph::value).toList())).build();
    }
    if (plain instanceof Boolean truth) {
      return value.setBoolValue(truth).build();
    }
    return plain instanceof String text
        ? value.setStringValue(text).build()
        : value.setNumberValue((Double) plain).build();
  }

  private static Object plain(Value value) {
    return switch (value.getKindCase()) {
      case STRUCT_VALUE -> {
        Map<String, Object> table = new HashMap<>();
        value.getStructValue().getFieldsMap().forEach((key, item) -> table.put(key, plain(item)));
        yield table;
      }
      case LIST_VALUE -> value.getListValue().getValuesList().stream().map(Graph::plain).toList();
      case BOOL_VALUE -> value.getBoolValue();
      case NUMBER_VALUE -> value.getNumberValue();
      case STRING_VALUE -> value.getStringValue();
      default -> null;
    };
  }
}
