//! Identity of computations: NodeID, ComputeKey, EvalKey and the submission's checksum.
//!
//! Every identity is BLAKE3-256 over RFC 8785 canonical JSON, written `blake3:<64 hex>`; docs/identity.md has the rules
//! and proto/testdata/identity.json the vectors. What could silently split or merge identities is refused.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

const INTERVAL_S_MAX: i64 = 604_800;
const PERIOD_MAX: i64 = 10_000;
const PARAMS_DEPTH_MAX: usize = 32;
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
const TAG_QUERY: &str = "TagQuery";
const TAG_QUERY_CODE: &str = "builtin:tagquery@1.0";
const CONTEXT_KEYS: [&str; 12] = [
    "world", "worlds", "worldid", "worldids", "executiondomain", "executionmode", "effectivemode", "asof", "partition",
    "datasetfingerprint", "env", "environment",
];

/// What a node computes: the fields its NodeID is the hash of. 0 means none for `interval_s` and `period`.
#[derive(Clone, Debug, Default)]
pub struct NodeSpec {
    pub node_type: String,
    pub interval_s: i64,
    pub period: i64,
    pub params: Map<String, Value>,
    pub dependencies: Vec<String>,
    pub schema_compat_id: String,
    pub code_hash: String,
}

/// A refusal of one field of a spec (E_NODE_ID_FIELDS).
#[derive(Debug, PartialEq, Eq)]
pub struct FieldError {
    pub field: String,
    pub want: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "E_NODE_ID_FIELDS: {}: want {}", self.field, self.want)
    }
}

impl std::error::Error for FieldError {}

/// BLAKE3-256 of a canonical text.
pub fn digest(canonical: &str) -> String {
    format!("blake3:{}", blake3::hash(canonical.as_bytes()).to_hex())
}

/// The NodeID of a spec and the canonical form it is the hash of.
pub fn node_id(spec: &NodeSpec) -> Result<(String, String), FieldError> {
    check_fields(spec)?;
    let params = if spec.node_type == TAG_QUERY { tag_params(&spec.params)? } else { functional_params(&spec.params)? };
    let dependencies: BTreeSet<&String> = spec.dependencies.iter().collect();
    let canonical = canonical_json(&serde_json::json!({
        "code_hash": nfc(&spec.code_hash),
        "dependencies": dependencies,
        "interval_s": spec.interval_s,
        "node_type": nfc(&spec.node_type),
        "params": params,
        "period": spec.period,
        "schema_compat_id": nfc(&spec.schema_compat_id),
    }));
    Ok((digest(&canonical), canonical))
}

/// The spec of a TagQuery node in normal form. `match_mode` is "any" or "all".
pub fn tag_query_spec(tags: &[String], match_mode: &str, interval_s: i64) -> NodeSpec {
    let params = Map::from_iter([
        ("query_tags".to_owned(), Value::from(tags.to_vec())),
        ("match_mode".to_owned(), Value::from(match_mode)),
    ]);
    NodeSpec {
        node_type: TAG_QUERY.to_owned(),
        interval_s,
        params,
        code_hash: TAG_QUERY_CODE.to_owned(),
        ..NodeSpec::default()
    }
}

/// The key of one node's state in one context; "" means absent. `as_of` is a proto-JSON Timestamp.
pub fn compute_key(node_id: &str, world_id: &str, domain: &str, as_of: &str, partition: &str) -> String {
    digest(&canonical_json(&serde_json::json!({
        "node_id": node_id, "world_id": world_id, "execution_domain": domain, "as_of": as_of, "partition": partition,
    })))
}

/// The proto-JSON form of an `as_of`: whole microseconds, of the years 1 to 9999. None otherwise (E_TIMESTAMP).
pub fn timestamp_text(seconds: i64, nanos: i64) -> Option<String> {
    let is_whole = (0..=999_999_000).contains(&nanos) && nanos % 1000 == 0;
    if !is_whole || !(-62_135_596_800..=253_402_300_799).contains(&seconds) {
        return None;
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let fraction = match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ => format!(".{:06}", nanos / 1000),
    };
    let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Year, month and day of a day since 1970 (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The key of a validation result; `facts` holds exactly the keys docs/identity.md names.
pub fn eval_key(facts: &Value) -> String {
    digest(&canonical_json(facts))
}

/// The checksum of a submission: CRC-32 as zlib has it.
pub fn node_ids_crc32(ids: &[String]) -> u32 {
    let mut sorted: Vec<&str> = ids.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut crc = u32::MAX;
    for byte in sorted.join("\n").bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The RFC 8785 form of a value: ECMAScript's numbers, keys sorted by UTF-16 code units.
pub fn canonical_json(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let double = number.as_f64().expect("a JSON number is a double");
            ryu_js::Buffer::new().format_finite(double).to_owned()
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", parts.join(","))
        }
        Value::Object(table) => {
            let mut keys: Vec<&String> = table.keys().collect();
            keys.sort_by_key(|key| key.encode_utf16().collect::<Vec<u16>>());
            let parts: Vec<String> =
                keys.iter().map(|key| format!("{}:{}", quoted(key), canonical_json(&table[*key]))).collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// serde_json escapes exactly what RFC 8785 section 3.2.2.2 asks.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn check_fields(spec: &NodeSpec) -> Result<(), FieldError> {
    refuse_unless(!spec.node_type.trim().is_empty(), "node_type", "a name")?;
    refuse_unless((0..=INTERVAL_S_MAX).contains(&spec.interval_s), "interval_s", "0 to 604800 seconds")?;
    refuse_unless((0..=PERIOD_MAX).contains(&spec.period), "period", "0 to 10000 bars")?;
    for (at, id) in spec.dependencies.iter().enumerate() {
        let is_id = id.strip_prefix("blake3:").is_some_and(is_digest);
        refuse_unless(is_id, &format!("dependencies[{at}]"), "blake3:<64 hex>")?;
    }
    let want = "py1:<hex>, ver:<text>, builtin:<name>@<major.minor> or <lang>:<opaque>";
    refuse_unless(is_code_hash(&spec.code_hash), "code_hash", want)?;
    if spec.node_type != TAG_QUERY {
        return Ok(());
    }
    refuse_unless(spec.dependencies.is_empty(), "dependencies", "none for a TagQuery")?;
    refuse_unless(spec.schema_compat_id.is_empty(), "schema_compat_id", "empty for a TagQuery")?;
    refuse_unless(spec.code_hash == TAG_QUERY_CODE, "code_hash", TAG_QUERY_CODE)?;
    let keys: BTreeSet<&str> = spec.params.keys().map(String::as_str).collect();
    refuse_unless(keys == BTreeSet::from(["match_mode", "query_tags"]), "params", "query_tags and match_mode only")
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_code_hash(text: &str) -> bool {
    let Some((kind, rest)) = text.split_once(':') else { return false };
    match kind {
        "py1" => is_digest(rest),
        "builtin" => is_builtin(rest),
        _ => {
            kind.starts_with(|letter: char| letter.is_ascii_lowercase())
                && kind.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_' | '+' | '-'))
                && (1..=200).contains(&rest.chars().count())
                && !rest.contains(|letter: char| letter.is_whitespace() || letter < ' ')
        }
    }
}

fn is_builtin(text: &str) -> bool {
    let Some((name, (major, minor))) = text.split_once('@').and_then(|(n, v)| Some((n, v.split_once('.')?))) else {
        return false;
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_' | '.'))
        && is_number(major)
        && is_number(minor)
}

fn tag_params(params: &Map<String, Value>) -> Result<Value, FieldError> {
    let mode = params["match_mode"].as_str().unwrap_or_default();
    refuse_unless(matches!(mode, "any" | "all"), "params.match_mode", "\"any\" or \"all\"")?;
    let given = params["query_tags"].as_array().cloned().unwrap_or_default();
    let tags: BTreeSet<&str> = given.iter().map(|tag| tag.as_str().unwrap_or_default().trim()).collect();
    let is_tag = |tag: &&str| {
        (1..=100).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    };
    let is_sound = !tags.is_empty() && tags.iter().all(is_tag);
    refuse_unless(is_sound, "params.query_tags", "tags of [A-Za-z0-9_.-]{1,100}")?;
    Ok(serde_json::json!({"match_mode": mode, "query_tags": tags}))
}

fn functional_params(params: &Map<String, Value>) -> Result<Value, FieldError> {
    for key in params.keys() {
        let bare = key.to_lowercase().replace(['_', '-'], "");
        let is_context = CONTEXT_KEYS.contains(&bare.as_str());
        refuse_unless(!is_context, &format!("params.{key}"), "no context keys")?;
    }
    functional_table(params, "params", 0)
}

/// A parameter as it is hashed: text in NFC, numbers as their double, nothing dropped.
fn functional(value: &Value, path: &str, depth: usize) -> Result<Value, FieldError> {
    match value {
        Value::String(text) => Ok(Value::from(nfc(text))),
        Value::Number(number) => {
            let double = number.as_f64().unwrap_or(f64::NAN);
            refuse_unless(double.is_finite(), path, "a finite number")?;
            let is_exact = double.fract() != 0.0 || double.abs() <= INTEGER_MAX;
            refuse_unless(is_exact, path, "an integer of at most 2^53-1, or a string")?;
            Ok(value.clone())
        }
        Value::Array(items) => {
            refuse_unless(depth < PARAMS_DEPTH_MAX, path, "at most 32 levels")?;
            let parts = items.iter().enumerate().map(|(at, item)| functional(item, &format!("{path}[{at}]"), depth + 1));
            Ok(Value::Array(parts.collect::<Result<_, _>>()?))
        }
        Value::Object(table) => functional_table(table, path, depth),
        Value::Null | Value::Bool(_) => Ok(value.clone()),
    }
}

fn functional_table(table: &Map<String, Value>, path: &str, depth: usize) -> Result<Value, FieldError> {
    refuse_unless(depth < PARAMS_DEPTH_MAX, path, "at most 32 levels")?;
    let mut found = Map::new();
    for (key, item) in table {
        let name = nfc(key);
        let part = functional(item, &format!("{path}.{key}"), depth + 1)?;
        refuse_unless(found.insert(name.clone(), part).is_none(), &format!("{path}.{name}"), "distinct keys")?;
    }
    Ok(Value::Object(found))
}

/// Rust's text is well formed: a lone surrogate cannot come this far.
fn nfc(text: &str) -> String {
    text.nfc().collect()
}

fn refuse_unless(holds: bool, field: &str, want: &'static str) -> Result<(), FieldError> {
    if holds { Ok(()) } else { Err(FieldError { field: field.to_owned(), want }) }
}
