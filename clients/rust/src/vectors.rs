//! Checks every language-neutral vector of proto/testdata.

use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value};

use crate::identity::{canonical_json, compute_key, eval_key, node_id, node_ids_crc32, tag_query_spec, timestamp_text, NodeSpec};

type Check = fn(&Value) -> Result<Vec<(String, String)>, Box<dyn Error>>;

const CHECKS: [(&str, Check); 8] = [
    ("canonical_json", |v| Ok(vec![(canonical_json(&serde_json::from_str(text(v, "value_json"))?), own(v, "canonical"))])),
    ("nodes", |v| node_pairs(&spec_of(&v["spec"])?, v)),
    ("refusals", |v| Ok(vec![(refused_field(&v["spec"], text(v, "field")), own(v, "field"))])),
    ("tag_queries", |v| {
        let interval_s = v["interval_s"].as_i64().unwrap_or(-1);
        node_pairs(&tag_query_spec(&texts(v, "tags"), text(v, "match_mode"), interval_s), v)
    }),
    ("crc32", |v| Ok(vec![(node_ids_crc32(&texts(v, "ids")).to_string(), v["crc32"].to_string())])),
    ("compute_keys", |v| {
        let [node, world, domain, as_of, partition] =
            ["node_id", "world_id", "execution_domain", "as_of", "partition"].map(|field| text(v, field));
        Ok(vec![(compute_key(node, world, domain, as_of, partition), own(v, "compute_key"))])
    }),
    ("as_of", |v| {
        let found = timestamp_text(v["seconds"].as_i64().ok_or("seconds")?, v["nanos"].as_i64().ok_or("nanos")?);
        let wanted = if v["as_of"].is_string() { own(v, "as_of") } else { own(v, "reason") };
        Ok(vec![(found.unwrap_or_else(|| "E_TIMESTAMP".to_owned()), wanted)])
    }),
    ("eval_keys", |v| {
        let mut facts = v.clone();
        let table = facts.as_object_mut().ok_or("not an object")?;
        table.remove("name");
        table.remove("eval_key");
        Ok(vec![(eval_key(&facts), own(v, "eval_key"))])
    }),
];

/// How many vectors of a folder hold. Ends with those that do not.
pub fn check(folder: &Path) -> Result<usize, Box<dyn Error>> {
    let mut wrong = Vec::new();
    let passed = check_identities(&folder.join("identity.json"), &mut wrong)?
        + check_dags(&folder.join("dags.json"), &mut wrong)?;
    if wrong.is_empty() { Ok(passed) } else { Err(wrong.join("\n").into()) }
}

/// Every NodeID of whole strategies, and their checksums.
fn check_dags(path: &Path, wrong: &mut Vec<String>) -> Result<usize, Box<dyn Error>> {
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut passed = 0;
    for vector in file["dags"].as_array().ok_or("dags")? {
        let mut ids = Vec::new();
        for node in vector["dag"]["nodes"].as_array().ok_or("nodes")? {
            let spec = &node["spec"];
            let (id, _) = node_id(&NodeSpec {
                node_type: own(spec, "node_type"),
                interval_s: spec["interval_s"].as_i64().unwrap_or(0),
                period: spec["period"].as_i64().unwrap_or(0),
                params: spec["params"].as_object().cloned().unwrap_or_default(),
                dependencies: texts(spec, "dependencies"),
                schema_compat_id: own(spec, "schema_compat_id"),
                code_hash: own(spec, "code_hash"),
            })?;
            if id == text(node, "node_id") {
                passed += 1;
            } else {
                wrong.push(format!("{}/{}", vector["name"], node["name"]));
            }
            ids.push(id);
        }
        if Some(u64::from(node_ids_crc32(&ids))) == vector["node_ids_crc32"].as_u64() {
            passed += 1;
        } else {
            wrong.push(format!("{}/checksum", vector["name"]));
        }
    }
    Ok(passed)
}

fn check_identities(path: &Path, wrong: &mut Vec<String>) -> Result<usize, Box<dyn Error>> {
    let text = marked(&std::fs::read_to_string(path)?);
    let sections: Value = serde_json::from_str(&text)?;
    let mut passed = 0;
    for (section, check) in CHECKS {
        for vector in sections[section].as_array().ok_or(section)? {
            let pairs = check(vector)?;
            match pairs.iter().find(|(got, wanted)| got != wanted) {
                None => passed += 1,
                Some((got, wanted)) => wrong.push(format!("{section}/{}: got {got}, want {wanted}", vector["name"])),
            }
        }
    }
    Ok(passed)
}

fn node_pairs(spec: &NodeSpec, vector: &Value) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let (id, canonical) = node_id(spec)?;
    Ok(vec![(id, own(vector, "node_id")), (canonical, own(vector, "canonical"))])
}

/// What has no value in Rust (NaN, lone surrogates, two equal keys) is refused where its JSON is read: the field, then,
/// is the one the reader stopped in.
fn refused_field(spec: &Value, unreadable: &str) -> String {
    match spec_of(spec) {
        Err(_) => unreadable.to_owned(),
        Ok(spec) => node_id(&spec).err().map(|error| error.field).unwrap_or_default(),
    }
}

const LONE: &str = "\u{f8ff}"; // stands for half of a surrogate pair, which no text of Rust can hold

/// The JSON text with a mark where it escapes half of a surrogate pair.
fn marked(text: &str) -> String {
    let mut parts = text.split("\\ud800");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_escaped = whole.ends_with('\\'); // the backslash itself is escaped: a JSON text within the text
        whole.push_str(if is_escaped { "\\ud800" } else { LONE });
        whole.push_str(part);
    }
    whole
}

fn spec_of(spec: &Value) -> Result<NodeSpec, Box<dyn Error>> {
    if spec.to_string().contains(LONE) {
        return Err("a lone surrogate".into());
    }
    let params: Map<String, Value> = serde_json::from_str(text(spec, "params_json"))?;
    Ok(NodeSpec {
        node_type: own(spec, "node_type"),
        interval_s: spec["interval_s"].as_i64().ok_or("interval_s")?,
        period: spec["period"].as_i64().ok_or("period")?,
        params,
        dependencies: texts(spec, "dependencies"),
        schema_compat_id: own(spec, "schema_compat_id"),
        code_hash: own(spec, "code_hash"),
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn own(value: &Value, field: &str) -> String {
    text(value, field).to_owned()
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    let items = value[field].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}
