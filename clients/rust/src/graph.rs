//! DAGs built from the node catalogue, which ListNodeTypes answers for every language.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use prost_types::value::Kind;
use serde_json::{json, Map, Value};

use crate::calls::{again, Gateway};
use crate::identity::{node_id, node_ids_crc32, NodeSpec};
use crate::pb::qmtl::dag::v1::{self as dagpb, Dag, DagNode, QueueClass, SemanticKind};
use crate::pb::qmtl::gateway::v1::node_catalogue_service_client::NodeCatalogueServiceClient;
use crate::pb::qmtl::gateway::v1::{ListNodeTypesRequest, NodeType, ValueSchema};

const INTERVAL_S: u32 = 900;

/// The built-in node types and the schemas of their values.
pub struct Catalogue {
    types: HashMap<String, NodeType>,
    schemas: HashMap<String, ValueSchema>,
}

impl Catalogue {
    pub async fn read(gateway: &Gateway) -> Result<Self, Box<dyn Error>> {
        let reply = again(|| async move {
            NodeCatalogueServiceClient::new(gateway.clone()).list_node_types(ListNodeTypesRequest::default()).await
        })
        .await?;
        Ok(Self {
            types: reply.node_types.into_iter().map(|one| (one.node_type.clone(), one)).collect(),
            schemas: reply.schemas.into_iter().map(|one| (one.compat_id.clone(), one)).collect(),
        })
    }

    /// A strategy, long while a fast average is above a slow one, and its checksum.
    pub fn crossing(&self, fast: u32, slow: u32) -> Result<(Dag, u32), Box<dyn Error>> {
        let bars = self.node("bars", "StreamInput", slow, json!({"symbol": "BTC-USD"}), &[])?;
        let quick = self.node("fast", "indicator.ema", 0, json!({"period": fast}), &[&bars])?;
        let calm = self.node("slow", "indicator.ema", 0, json!({"period": slow}), &[&bars])?;
        let cross = self.node("cross", "decision.cross", 0, json!({}), &[&quick, &calm])?;
        let target = self.node("target", "decision.position_target", 0, json!({"long": 0.95}), &[&cross])?;
        let orders = self.node("orders", "order.target", 0, json!({"symbol": "BTC-USD"}), &[&target, &bars])?;
        let nodes = vec![bars, quick, calm, cross, target, orders];
        let ids: Vec<String> = nodes.iter().map(|node| node.node_id.clone()).collect();
        Ok((Dag { nodes }, node_ids_crc32(&ids)))
    }

    /// A node of a type: the author's parameters, the catalogue's defaults, one input a port.
    fn node(&self, name: &str, kind: &str, period: u32, own: Value, inputs: &[&DagNode]) -> Result<DagNode, Box<dyn Error>> {
        let kind = self.types.get(kind).filter(|one| one.inputs.len() == inputs.len()).ok_or(kind)?;
        let mut params = Map::new();
        for parameter in &kind.parameters {
            if let Some(value) = &parameter.default {
                params.insert(parameter.name.clone(), json_of(value));
            }
        }
        params.extend(own.as_object().cloned().unwrap_or_default());
        let mut read = Vec::new();
        for (port, input) in kind.inputs.iter().zip(inputs) {
            let schema = input.spec.as_ref().map(|spec| &self.schemas[&spec.schema_compat_id]).ok_or("no spec")?;
            let usual = vec![schema.default_field.clone()];
            let fields = if port.fields.is_empty() { &usual } else { &port.fields };
            read.extend(fields.iter().map(|field| json!([input.node_id, field])));
        }
        if !read.is_empty() {
            params.insert("inputs".to_owned(), Value::Array(read));
        }
        let period = match &kind.period {
            None => i64::from(period),
            Some(count) => {
                let part = |(key, factor): (&String, &i32)| i64::from(*factor) * params[key].as_f64().unwrap_or(0.0) as i64;
                i64::from(count.constant) + count.per_parameter.iter().map(part).sum::<i64>()
            }
        };
        let input_ids: Vec<String> = inputs.iter().map(|input| input.node_id.clone()).collect();
        let spec = NodeSpec {
            node_type: kind.node_type.clone(),
            interval_s: i64::from(INTERVAL_S),
            period,
            params,
            dependencies: input_ids.clone(),
            schema_compat_id: kind.output_schema.clone(),
            code_hash: kind.code_hash.clone(),
        };
        Ok(DagNode {
            node_id: node_id(&spec)?.0,
            schema_hash: self.schemas[&kind.output_schema].schema_hash.clone(),
            queue_class: queue_class(kind).into(),
            kind: kind.kind,
            name: name.to_owned(),
            input_names: kind.inputs.iter().map(|port| port.name.clone()).collect(),
            input_ids,
            spec: Some(dagpb::NodeSpec {
                node_type: spec.node_type,
                interval_s: INTERVAL_S,
                period: u32::try_from(period)?,
                params: Some(struct_of(&spec.params)),
                dependencies: spec.dependencies,
                schema_compat_id: spec.schema_compat_id,
                code_hash: spec.code_hash,
            }),
            ..DagNode::default()
        })
    }
}

fn queue_class(kind: &NodeType) -> QueueClass {
    match kind.kind() {
        _ if kind.inputs.is_empty() => QueueClass::Raw,
        SemanticKind::CausalStream => QueueClass::Indicator,
        _ => QueueClass::Trade,
    }
}

fn struct_of(table: &Map<String, Value>) -> prost_types::Struct {
    let fields: BTreeMap<String, prost_types::Value> = table.iter().map(|(key, item)| (key.clone(), proto_of(item))).collect();
    prost_types::Struct { fields }
}

fn proto_of(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(prost_types::ListValue { values: items.iter().map(proto_of).collect() }),
        Value::Object(table) => Kind::StructValue(struct_of(table)),
    };
    prost_types::Value { kind: Some(kind) }
}

fn json_of(value: &prost_types::Value) -> Value {
    match &value.kind {
        Some(Kind::BoolValue(truth)) => json!(truth),
        Some(Kind::NumberValue(number)) => json!(number),
        Some(Kind::StringValue(text)) => json!(text),
        Some(Kind::ListValue(list)) => list.values.iter().map(json_of).collect(),
        Some(Kind::StructValue(table)) => table.fields.iter().map(|(key, item)| (key.clone(), json_of(item))).collect(),
        Some(Kind::NullValue(_)) | None => Value::Null,
    }
}
