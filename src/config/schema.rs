//! The JSON Schema of the configuration file, for editors: every key with what it means and what it takes.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{SinkSettings, SourceSettings};
use crate::ops::{ALL, COMMON, Entry, TEXT_FIELDS};

/// Draft 7, which editors know best.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let (source, sink) = (SourceSettings::json_schema(&mut generator), SinkSettings::json_schema(&mut generator));
    let (source, sink) = (table(source, &[], &generator), table(sink, &[], &generator));
    let ops: Vec<(&str, Value)> = ALL.iter().map(|e| (e.name, op(e, &mut generator))).collect();
    let choice: Vec<Value> = ops.iter().map(|(name, _)| reference(&format!("op-{name}"))).collect();
    let mut definitions = generator.take_definitions(true);
    definitions.extend(ops.into_iter().map(|(name, schema)| (format!("op-{name}"), schema)));
    definitions.insert(
        "Variable".into(),
        json!({
            "type": "string", "pattern": r"\{[A-Za-z_]",
            "description": "{name} of a variable in [vars], or ${NAME} or ${NAME:-default} of one in the environment"
        }),
    );
    definitions.insert(
        "Keyframes".into(),
        json!({
            "description": "A number that changes over time: [[\"0s\", 1], [\"2s\", 9]]",
            "type": ["array", "string"], "minItems": 1, "pattern": r"^\s*\[",
            "items": {
                "type": "array", "minItems": 2, "maxItems": 2,
                "items": [{ "type": ["string", "number"] }, { "type": "number" }]
            }
        }),
    );
    let name = r"^[A-Za-z][A-Za-z0-9_-]*$";
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "framewright",
        "description": "A run of framewright: one source, ops in order, sinks.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "include": {
                "description": "Files that this one is built on, relative to it; their tables come first, their ops and sinks too.",
                "type": "array", "items": { "type": "string" }
            },
            "vars": {
                "description": "Values for {name} in any string.",
                "type": "object", "propertyNames": { "pattern": name, "not": { "enum": TEXT_FIELDS } },
                "additionalProperties": { "type": ["string", "number", "boolean", "array"] }
            },
            "regions": {
                "description": "Parts of the picture by name, for the `region` of any op.",
                "type": "object", "propertyNames": { "pattern": name },
                "additionalProperties": {
                    "anyOf": [region(), {
                        "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
                        "properties": {
                            "rectangle": { "description": "x,y,width,height in pixels or percent", "type": ["string", "array"] },
                            "polygon": { "description": "three or more corners x,y in pixels or percent", "type": ["string", "array"] }
                        }
                    }]
                }
            },
            "source": source,
            "op": {
                "description": "What happens to each frame, in order.",
                "type": "array", "items": { "oneOf": choice }
            },
            "sink": { "description": "Where frames go.", "type": "array", "items": sink },
            "stats": { "description": "Where to write the run's statistics as JSON.", "type": "string" },
            "measures": { "description": "Where to write what was measured on each frame as CSV.", "type": "string" },
            "run-id": {
                "description": "What the ids of the run's events begin with. Default: something new each time.",
                "type": "string"
            },
            "threads": or(&json!({
                "description": "Workers for ops that keep no state between frames.",
                "type": "integer", "minimum": 1, "maximum": 256, "default": 1
            }), &["Variable"])
        },
        "definitions": definitions
    })
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

/// An op's own settings, those of every op, and its `type`.
fn op(entry: &Entry, generator: &mut SchemaGenerator) -> Value {
    let changes = super::read_op(entry.example).is_ok_and(|op| !op.config.stateful());
    let animated: Vec<String> =
        if changes { entry.numeric().into_iter().map(|(key, _)| key).collect() } else { Vec::new() };
    let own = (entry.subschema)(generator);
    let mut schema = table(own, &animated, generator);
    let own = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut all = Map::new();
    let summary = schema["description"].as_str().and_then(|d| d.lines().next()).unwrap_or_default();
    all.insert("type".into(), json!({ "const": entry.name, "description": summary }));
    all.extend(own);
    for (key, meaning) in COMMON {
        let mut kind = match key {
            "region" => region(),
            "enabled" => or(&json!({ "type": "boolean" }), &["Variable"]),
            _ => json!({ "type": "string" }),
        };
        kind["description"] = meaning.into();
        all.insert(key.into(), kind);
    }
    let mut required = vec![json!("type")];
    required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    schema["required"] = required.into();
    schema["properties"] = all.into();
    schema["additionalProperties"] = false.into();
    schema
}

fn region() -> Value {
    json!({ "type": ["string", "array"], "items": { "type": ["string", "number", "array"] } })
}

/// A table whose values may be variables, and those of `animated` keyframes.
fn table(schema: Schema, animated: &[String], generator: &SchemaGenerator) -> Value {
    let mut schema = schema.to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (key, property) in properties.iter_mut() {
            let forms: &[&str] = if animated.contains(key) { &["Variable", "Keyframes"] } else { &["Variable"] };
            *property = or(property, if is_text(&kind(property), generator) { &[] } else { forms });
        }
    }
    schema
}

/// True where any string is right already.
fn is_text(schema: &Value, generator: &SchemaGenerator) -> bool {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return generator.definitions().get(name).is_some_and(|d| is_text(d, generator));
    }
    let bounded = ["enum", "const", "pattern"].iter().any(|k| schema.get(k).is_some());
    let string = match &schema["type"] {
        Value::String(t) => t == "string",
        Value::Array(types) => types.iter().any(|t| t == "string"),
        _ => false,
    };
    string && !bounded
}

/// `schema` without what it says about itself, and without null, which TOML has not.
fn kind(schema: &Value) -> Value {
    let mut kind = schema.clone();
    let Some(map) = kind.as_object_mut() else { return kind };
    map.retain(|k, _| k != "description" && k != "default");
    if let Some(types) = map.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|t| t != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    let alone = map.len() == 1;
    for list in ["anyOf", "allOf"] {
        if let Some(forms) = map.get_mut(list).and_then(Value::as_array_mut) {
            forms.retain(|f| f["type"] != "null");
            if let ([one], true) = (forms.as_slice(), alone) {
                return self::kind(one);
            }
        }
    }
    kind
}

/// `schema`, or one of these definitions.
fn or(schema: &Value, definitions: &[&str]) -> Value {
    let mut out = json!({});
    for key in ["description", "default"] {
        if let Some(said) = schema.get(key).filter(|v| !v.is_null()) {
            out[key] = said.clone();
        }
    }
    let mut forms = vec![kind(schema)];
    forms.extend(definitions.iter().map(|d| reference(d)));
    match forms.as_slice() {
        // Draft 7 does not look beside a $ref.
        [one] if one.get("$ref").is_some() => out["allOf"] = json!([one]),
        [Value::Object(one)] => out.as_object_mut().into_iter().for_each(|o| o.extend(one.clone())),
        _ => out["anyOf"] = forms.into(),
    }
    out
}
