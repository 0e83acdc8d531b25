package io.qmtl.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.Strictness;
import com.google.gson.ToNumberPolicy;
import com.google.protobuf.util.JsonFormat;
import io.qmtl.dag.v1.Dag;
import io.qmtl.dag.v1.DagNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** Checks every language-neutral vector of proto/testdata. */
final class Vectors {
  private static final Gson JSON =
      new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.DOUBLE).setStrictness(Strictness.LENIENT).create();

  private static final Map<String, Function<Map<String, ?>, Map<Object, Object>>> CHECKS =
      Map.of(
          "canonical_json", v -> Map.of(Identity.canonicalJson(readJson(text(v, "value_json"))), text(v, "canonical")),
          "nodes", v -> nodePairs(spec(v), v),
          "refusals", v -> Map.of(refusedField(spec(v)), text(v, "field")),
          "tag_queries",
              v -> nodePairs(Identity.tagQuerySpec(texts(v, "tags"), text(v, "match_mode"), whole(v, "interval_s")), v),
          "crc32", v -> Map.of(Identity.nodeIdsCrc32(texts(v, "ids")), whole(v, "crc32")),
          "compute_keys",
              v ->
                  Map.of(
                      Identity.computeKey(
                          text(v, "node_id"), text(v, "world_id"), text(v, "execution_domain"), text(v, "as_of"),
                          text(v, "partition")),
                      text(v, "compute_key")),
          "as_of", v -> Map.of(refused(v), v.containsKey("as_of") ? text(v, "as_of") : text(v, "reason")),
          "eval_keys", v -> Map.of(Identity.evalKey(facts(v)), text(v, "eval_key")));

  private Vectors() {}

  /** How many vectors of a folder hold. Throws with those that do not. */
  static int check(Path folder) throws IOException {
    List<String> wrong = new ArrayList<>();
    int passed = checkIdentities(folder.resolve("identity.json"), wrong) + checkDags(folder.resolve("dags.json"), wrong);
    if (!wrong.isEmpty()) {
      throw new IllegalStateException(String.join("\n", wrong));
    }
    return passed;
  }

  /** Every NodeID of whole strategies, and their checksums. */
  @SuppressWarnings("unchecked")
  private static int checkDags(Path path, List<String> wrong) throws IOException {
    int passed = 0;
    Map<String, Object> file = JSON.fromJson(Files.readString(path), Map.class);
    for (Map<String, ?> vector : (List<Map<String, ?>>) file.get("dags")) {
      Dag.Builder dag = Dag.newBuilder();
      JsonFormat.parser().merge(JSON.toJson(vector.get("dag")), dag);
      List<String> ids = new ArrayList<>();
      for (DagNode node : dag.getNodesList()) {
        String id = Identity.nodeId(Graph.specOf(node.getSpec())).id();
        ids.add(id);
        passed += count(id.equals(node.getNodeId()), vector.get("name") + "/" + node.getName(), wrong);
      }
      boolean isSum = Identity.nodeIdsCrc32(ids) == whole(vector, "node_ids_crc32");
      passed += count(isSum, vector.get("name") + "/checksum", wrong);
    }
    return passed;
  }

  private static int count(boolean holds, String name, List<String> wrong) {
    if (!holds) {
      wrong.add(name);
    }
    return holds ? 1 : 0;
  }

  @SuppressWarnings("unchecked")
  private static int checkIdentities(Path path, List<String> wrong) throws IOException {
    Map<String, Object> sections = JSON.fromJson(Files.readString(path), Map.class);
    int passed = 0;
    for (var check : CHECKS.entrySet()) {
      for (Map<String, ?> vector : (List<Map<String, ?>>) sections.get(check.getKey())) {
        var differing = check.getValue().apply(vector).entrySet().stream();
        var found = differing.filter(pair -> !pair.getKey().equals(pair.getValue())).toList();
        found.forEach(
            pair ->
                wrong.add(
                    "%s/%s: got %s, want %s"
                        .formatted(check.getKey(), vector.get("name"), pair.getKey(), pair.getValue())));
        passed += found.isEmpty() ? 1 : 0;
      }
    }
    return passed;
  }

  private static Map<Object, Object> nodePairs(Identity.NodeSpec spec, Map<String, ?> vector) {
    Identity.NodeId found = Identity.nodeId(spec);
    return Map.of(found.id(), text(vector, "node_id"), found.canonical(), text(vector, "canonical"));
  }

  private static String refused(Map<String, ?> vector) {
    try {
      return Identity.timestampText(whole(vector, "seconds"), whole(vector, "nanos"));
    } catch (IllegalArgumentException refused) {
      return refused.getMessage();
    }
  }

  private static String refusedField(Identity.NodeSpec spec) {
    try {
      Identity.nodeId(spec);
    } catch (Identity.FieldException refused) {
      return refused.field();
    }
    return "";
  }

  @SuppressWarnings("unchecked")
  private static Identity.NodeSpec spec(Map<String, ?> vector) {
    Map<String, Object> spec = (Map<String, Object>) vector.get("spec");
    Map<String, Object> params = (Map<String, Object>) readJson(text(spec, "params_json"));
    return new Identity.NodeSpec(
        text(spec, "node_type"), whole(spec, "interval_s"), whole(spec, "period"), params, texts(spec, "dependencies"),
        text(spec, "schema_compat_id"), text(spec, "code_hash"));
  }

  private static Map<String, String> facts(Map<String, ?> vector) {
    Map<String, String> facts = new TreeMap<>();
    vector.forEach((key, value) -> facts.put(key, (String) value));
    facts.keySet().removeAll(List.of("name", "eval_key"));
    return facts;
  }

  /** JSON that may hold NaN and infinities: both become an infinity, which is refused alike. */
  private static Object readJson(String text) {
    return JSON.fromJson(text.replaceAll("-?\\b(NaN|Infinity)\\b", "1e999"), Object.class);
  }

  private static String text(Map<String, ?> vector, String field) {
    return (String) vector.get(field);
  }

  @SuppressWarnings("unchecked")
  private static List<String> texts(Map<String, ?> vector, String field) {
    return (List<String>) vector.get(field);
  }

  private static long whole(Map<String, ?> vector, String field) {
    return ((Double) vector.get(field)).longValue();
  }
}
