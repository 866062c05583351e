//! What an op's JSON Schema says of each parameter.

use std::fmt;

use serde_json::Value;

/// One key of an op's configuration.
pub struct Parameter {
    pub key: String,
    pub kind: Kind,
    /// `1 to 255`.
    pub range: Option<String>,
    pub default: Option<String>,
    /// The field's doc comment, as one line.
    pub meaning: String,
}

/// What a value is.
pub enum Kind {
    /// One of these words.
    Choice(Vec<String>),
    /// A type of framewright's own, and how it is written.
    Named { name: String, form: String },
    /// `integer`, `number`, `text`, `true or false`.
    Plain(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Choice(values) => f.write_str(&values.join(", ")),
            Kind::Named { name, .. } | Kind::Plain(name) => f.write_str(name),
        }
    }
}

/// The parameters in the order of the op's struct.
pub fn parameters(schema: &Value) -> Vec<Parameter> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let read = |(key, p): (&String, &Value)| Parameter {
        key: key.clone(),
        kind: kind(schema, p),
        range: range(p),
        default: p.get("default").and_then(shown),
        meaning: text(p, "description"),
    };
    properties.into_iter().flatten().map(read).collect()
}

/// A string of the schema as one line.
pub fn text(schema: &Value, key: &str) -> String {
    schema.get(key).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn kind(root: &Value, p: &Value) -> Kind {
    // An optional value is written anyOf [what it is, null].
    let options = p.get("anyOf").and_then(Value::as_array);
    if let Some(inner) = options.into_iter().flatten().find(|o| o.get("type").is_none_or(|t| t != "null")) {
        return kind(root, inner);
    }
    if let Some(reference) = p.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let definition = root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return match kind(root, definition) {
            Kind::Choice(values) => Kind::Choice(values),
            _ => Kind::Named { name: name.to_lowercase(), form: text(definition, "description") },
        };
    }
    let words = |values: &Value| -> Vec<String> {
        values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut choice = p.get("enum").map(words).unwrap_or_default();
    for option in p.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        // Words without a doc comment stand together in one `enum`.
        choice.extend(option.get("enum").map(words).unwrap_or_default());
        choice.extend(option.get("const").and_then(Value::as_str).map(str::to_owned));
    }
    if !choice.is_empty() {
        return Kind::Choice(choice);
    }
    let types = match p.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(several) => words(several),
        None => Vec::new(),
    };
    let plain = |t: &String| match t.as_str() {
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    };
    Kind::Plain(types.iter().filter(|t| *t != "null").map(plain).collect::<Vec<_>>().join(" or "))
}

fn range(p: &Value) -> Option<String> {
    let bound = |key| p.get(key).map(|v| v.as_f64().map_or(v.to_string(), |v| v.to_string()));
    match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        (Some(low), None) => Some(format!("{low} or more")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => None,
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(s) if s.is_empty() => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.as_f64().map_or(other.to_string(), |v| v.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_types_ranges_and_choices() {
        let schema = json!({
            "$defs": {
                "Length": { "type": ["number", "string"], "description": "pixels or percent" },
                "Side": { "oneOf": [{ "enum": ["left", "right"] }, { "const": "both", "description": "…" }] }
            },
            "properties": {
                "size": { "type": "integer", "minimum": 1, "maximum": 255, "default": 9, "description": "How\nlarge." },
                "sigma": { "type": ["number", "null"], "minimum": 0.5, "default": 50.0 },
                "margin": { "anyOf": [{ "$ref": "#/$defs/Length" }, { "type": "null" }] },
                "side": { "$ref": "#/$defs/Side", "default": "left" }
            }
        });
        let all = parameters(&schema);
        let brief: Vec<_> =
            all.iter().map(|p| (&*p.key, p.kind.to_string(), p.range.as_deref(), p.default.as_deref())).collect();
        assert_eq!(
            brief,
            [
                ("size", "integer".into(), Some("1 to 255"), Some("9")),
                ("sigma", "number".into(), Some("0.5 or more"), Some("50")),
                ("margin", "length".into(), None, None),
                ("side", "left, right, both".into(), None, Some("left")),
            ]
        );
        assert_eq!(all[0].meaning, "How large.");
    }
}
