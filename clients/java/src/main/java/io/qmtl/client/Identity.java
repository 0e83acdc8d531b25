package io.qmtl.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.apache.commons.codec.binary.Hex;
import org.apache.commons.codec.digest.Blake3;
import org.erdtman.jcs.NumberToJSON;

/**
 * Identity of computations: NodeID, ComputeKey, EvalKey and the submission's checksum.
 *
 * <p>Every identity is BLAKE3-256 over RFC 8785 canonical JSON, written "blake3:&lt;64 hex&gt;"; docs/identity.md has the
 * rules and proto/testdata/identity.json the vectors. What could silently split or merge identities is refused.
 */
public final class Identity {
  private static final int INTERVAL_S_MAX = 604_800;
  private static final int PERIOD_MAX = 10_000;
  private static final int PARAMS_DEPTH_MAX = 32;
  private static final double INTEGER_MAX = 9_007_199_254_740_991.0;
  private static final String TAG_QUERY = "TagQuery";
  private static final String TAG_QUERY_CODE = "builtin:tagquery@1.0";
  private static final Pattern NODE_ID = Pattern.compile("blake3:[0-9a-f]{64}");
  private static final Pattern CODE_HASH =
      Pattern.compile(
          "py1:[0-9a-f]{64}|builtin:[a-z][a-z0-9_.]*@[0-9]+\\.[0-9]+"
              + "|(?!py1:|builtin:)[a-z][a-z0-9_+-]*:[^\\s\\x00-\\x1f]{1,200}",
          Pattern.UNICODE_CHARACTER_CLASS);
  private static final Pattern TAG = Pattern.compile("[A-Za-z0-9_.-]{1,100}");
  private static final Set<String> CONTEXT_KEYS =
      Set.of(
          "world", "worlds", "worldid", "worldids", "executiondomain", "executionmode", "effectivemode", "asof",
          "partition", "datasetfingerprint", "env", "environment");

  private Identity() {}

  /**
   * What a node computes: the fields its NodeID is the hash of. 0 means none for intervalS and period. Params hold null,
   * Boolean, Double, String, List and Map.
   */
  public record NodeSpec(
      String nodeType,
      long intervalS,
      long period,
      Map<String, Object> params,
      List<String> dependencies,
      String schemaCompatId,
      String codeHash) {}

  /** A NodeID and the canonical form it is the hash of. */
  public record NodeId(String id, String canonical) {}

  /** A refusal of one field of a spec (E_NODE_ID_FIELDS). */
  public static final class FieldException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;
    private final String field;

    FieldException(String field, String want) {
      super("E_NODE_ID_FIELDS: " + field + ": want " + want);
      this.field = field;
    }

    public String field() {
      return field;
    }
  }

  /** BLAKE3-256 of a canonical text. */
  public static String digest(String canonical) {
    return "blake3:" + Hex.encodeHexString(Blake3.hash(canonical.getBytes(StandardCharsets.UTF_8)));
  }

  /** The NodeID of a spec. Throws FieldException. */
  public static NodeId nodeId(NodeSpec spec) {
    checkFields(spec);
    Map<String, Object> form = new TreeMap<>();
    form.put("code_hash", nfc(spec.codeHash(), "code_hash"));
    form.put("dependencies", List.copyOf(new TreeSet<>(spec.dependencies())));
    form.put("interval_s", (double) spec.intervalS());
    form.put("node_type", nfc(spec.nodeType(), "node_type"));
    boolean isQuery = spec.nodeType().equals(TAG_QUERY);
    form.put("params", isQuery ? tagParams(spec.params()) : functionalParams(spec.params()));
    form.put("period", (double) spec.period());
    form.put("schema_compat_id", nfc(spec.schemaCompatId(), "schema_compat_id"));
    String canonical = canonicalJson(form);
    return new NodeId(digest(canonical), canonical);
  }

  /** The spec of a TagQuery node in normal form. matchMode is "any" or "all". */
  public static NodeSpec tagQuerySpec(List<String> tags, String matchMode, long intervalS) {
    Map<String, Object> params = Map.of("query_tags", tags, "match_mode", matchMode);
    return new NodeSpec(TAG_QUERY, intervalS, 0, params, List.of(), "", TAG_QUERY_CODE);
  }

  /** The key of one node's state in one context; "" means absent. asOf is a proto-JSON Timestamp. */
  public static String computeKey(String nodeId, String worldId, String domain, String asOf, String partition) {
    return evalKey(
        Map.of(
            "node_id", nodeId, "world_id", worldId, "execution_domain", domain, "as_of", asOf, "partition", partition));
  }

  /** The proto-JSON form of an as_of: whole microseconds, of the years 1 to 9999. Throws otherwise. */
  public static String timestampText(long seconds, long nanos) {
    boolean isMicros = nanos >= 0 && nanos <= 999_999_000 && nanos % 1000 == 0;
    if (!isMicros || seconds < -62_135_596_800L || seconds > 253_402_300_799L) {
      throw new IllegalArgumentException("E_TIMESTAMP");
    }
    String text = Instant.ofEpochSecond(seconds).toString().replace("Z", "");
    String micros = "%06d".formatted(nanos / 1000);
    return text + (nanos == 0 ? "" : "." + (nanos % 1_000_000 == 0 ? micros.substring(0, 3) : micros)) + "Z";
  }

  /** The key of a validation result; facts holds exactly the keys docs/identity.md names. */
  public static String evalKey(Map<String, String> facts) {
    return digest(canonicalJson(facts));
  }

  /** The checksum of a submission. */
  public static long nodeIdsCrc32(List<String> ids) {
    CRC32 crc = new CRC32();
    crc.update(String.join("\n", ids.stream().sorted().toList()).getBytes(StandardCharsets.UTF_8));
    return crc.getValue();
  }

  /** The RFC 8785 form of a value. */
  public static String canonicalJson(Object value) {
    StringBuilder out = new StringBuilder();
    write(out, value);
    return out.toString();
  }

  private static void checkFields(NodeSpec spec) {
    refuseUnless(!spec.nodeType().isBlank(), "node_type", "a name");
    refuseUnless(inRange(spec.intervalS(), INTERVAL_S_MAX), "interval_s", "0 to 604800 seconds");
    refuseUnless(inRange(spec.period(), PERIOD_MAX), "period", "0 to 10000 bars");
    for (int at = 0; at < spec.dependencies().size(); at++) {
      boolean isId = NODE_ID.matcher(spec.dependencies().get(at)).matches();
      refuseUnless(isId, "dependencies[" + at + "]", "blake3:<64 hex>");
    }
    boolean isCode = CODE_HASH.matcher(spec.codeHash()).matches();
    refuseUnless(isCode, "code_hash", "py1:<hex>, ver:<text>, builtin:<name>@<major.minor> or <lang>:<opaque>");
    if (!spec.nodeType().equals(TAG_QUERY)) {
      return;
    }
    refuseUnless(spec.dependencies().isEmpty(), "dependencies", "none for a TagQuery");
    refuseUnless(spec.schemaCompatId().isEmpty(), "schema_compat_id", "empty for a TagQuery");
    refuseUnless(spec.codeHash().equals(TAG_QUERY_CODE), "code_hash", TAG_QUERY_CODE);
    boolean hasBoth = spec.params().keySet().equals(Set.of("query_tags", "match_mode"));
    refuseUnless(hasBoth, "params", "query_tags and match_mode only");
  }

  private static Object tagParams(Map<String, Object> params) {
    Object mode = params.get("match_mode");
    refuseUnless("any".equals(mode) || "all".equals(mode), "params.match_mode", "\"any\" or \"all\"");
    TreeSet<String> tags = new TreeSet<>();
    boolean isSound = params.get("query_tags") instanceof List<?> given && !given.isEmpty();
    for (Object tag : isSound ? (List<?>) params.get("query_tags") : List.of()) {
      String trimmed = tag instanceof String text ? text.strip() : "";
      isSound &= TAG.matcher(trimmed).matches();
      tags.add(trimmed);
    }
    refuseUnless(isSound, "params.query_tags", "tags of [A-Za-z0-9_.-]{1,100}");
    return Map.of("match_mode", mode, "query_tags", List.copyOf(tags));
  }

  private static Object functionalParams(Map<String, Object> params) {
    for (String key : new TreeSet<>(params.keySet())) {
      String bare = key.toLowerCase(Locale.ROOT).replaceAll("[_-]", "");
      refuseUnless(!CONTEXT_KEYS.contains(bare), "params." + key, "no context keys");
    }
    return functional(params, "params", 0);
  }

  /** A parameter as it is hashed: text in NFC, numbers as their double, nothing dropped. */
  private static Object functional(Object value, String path, int depth) {
    if (value == null || value instanceof Boolean) {
      return value;
    }
    if (value instanceof String text) {
      return nfc(text, path);
    }
    if (value instanceof Number number) {
      double exact = number.doubleValue();
      refuseUnless(Double.isFinite(exact), path, "a finite number");
      boolean fits = exact != Math.rint(exact) || Math.abs(exact) <= INTEGER_MAX;
      refuseUnless(fits, path, "an integer of at most 2^53-1, or a string");
      return exact;
    }
    refuseUnless(depth < PARAMS_DEPTH_MAX, path, "at most 32 levels");
    if (value instanceof List<?> items) {
      List<Object> list = new ArrayList<>();
      for (Object item : items) {
        list.add(functional(item, path + "[" + list.size() + "]", depth + 1));
      }
      return list;
    }
    Map<String, Object> table = new TreeMap<>();
    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
      String name = nfc((String) entry.getKey(), path);
      refuseUnless(!table.containsKey(name), path + "." + name, "distinct keys");
      table.put(name, functional(entry.getValue(), path + "." + entry.getKey(), depth + 1));
    }
    return table;
  }

  private static String nfc(String text, String path) {
    boolean isSound = text.codePoints().noneMatch(point -> Character.getType(point) == Character.SURROGATE);
    refuseUnless(isSound, path, "well-formed Unicode");
    return Normalizer.normalize(text, Normalizer.Form.NFC);
  }

  private static void write(StringBuilder out, Object value) {
    if (value instanceof String text) {
      quote(out, text);
    } else if (value instanceof Number number) {
      try {
        out.append(NumberToJSON.serializeNumber(number.doubleValue()));
      } catch (IOException notFinite) {
        throw new IllegalArgumentException("E_CANONICAL_JSON: want a finite number", notFinite);
      }
    } else if (value instanceof List<?> items) {
      String mark = "[";
      for (Object item : items) {
        write(out.append(mark), item);
        mark = ",";
      }
      out.append(items.isEmpty() ? "[]" : "]");
    } else if (value instanceof Map<?, ?> table) {
      String mark = "{";
      for (Map.Entry<?, ?> entry : new TreeMap<>(table).entrySet()) { // String compares UTF-16 code units, as RFC 8785
        quote(out.append(mark), (String) entry.getKey());
        write(out.append(':'), entry.getValue());
        mark = ",";
      }
      out.append(table.isEmpty() ? "{}" : "}");
    } else {
      out.append(value); // null, true, false
    }
  }

  private static void quote(StringBuilder out, String text) {
    out.append('"');
    for (char letter : text.toCharArray()) {
      int plain = "\b\t\n\f\r\"\\".indexOf(letter);
      if (plain >= 0) {
        out.append('\\').append("btnfr\"\\".charAt(plain));
      } else if (letter < ' ') {
        out.append(String.format("\\u%04x", (int) letter));
      } else {
        out.append(letter);
      }
    }
    out.append('"');
  }

  private static boolean inRange(long value, int max) {
    return value >= 0 && value <= max;
  }

  private static void refuseUnless(boolean holds, String field, String want) {
    if (!holds) {
      throw new FieldException(field, want);
    }
  }
}
