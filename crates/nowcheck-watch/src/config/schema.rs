//! The JSON Schema of the file, for editors.

use serde_json::{Map, Value, json};

use super::keys::{Key, Milliseconds, Shape, TABLES, Table};

/// The JSON Schema (2020-12) of the configuration, for editors: names and types of keys. What keys say about each other is
/// validated only when the file is read.
#[must_use]
pub fn schema() -> String {
    let mut properties = Map::new();
    for table in TABLES {
        properties.insert(table.name.to_owned(), of_table(table));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of nowcheck watch",
        "type": "object",
        "additionalProperties": false,
        "anyOf": [{ "required": ["check"] }, { "required": ["probe"] }],
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn of_table(table: &Table) -> Value {
    let types = table.types();
    let one = if types.is_empty() {
        of_keys(table, None)
    } else {
        json!({ "oneOf": types.iter().map(|kind| of_keys(table, Some(kind))).collect::<Vec<_>>() })
    };
    if !table.is_list {
        return with(one, "description", &json!(table.about));
    }
    let least = u8::from(["check", "probe"].contains(&table.name));
    json!({ "description": table.about, "type": "array", "minItems": least, "items": one })
}

/// The object of a table, or of one `type` of it.
fn of_keys(table: &Table, kind: Option<&str>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in table.keys().filter(|key| key.goes_with(kind)) {
        let value = match kind {
            Some(kind) if key.name == "type" => json!({ "const": kind, "description": key.about }),
            _ => of_key(key),
        };
        for spelling in key.spellings() {
            properties.insert(spelling, value.clone());
        }
        if key.is_required {
            required.push(key.name);
        }
    }
    let object = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if required.is_empty() { object } else { with(object, "required", &json!(required)) }
}

fn with(mut object: Value, name: &str, value: &Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.clone());
    }
    object
}

fn of_key(key: &Key) -> Value {
    let value = with(of_shape(key.shape), "description", &json!(key.about));
    // The defaults are all text, numbers, lists and tables that JSON writes as TOML does, or nearly.
    match serde_json::from_str::<Value>(key.default) {
        Ok(default) => with(value, "default", &default),
        Err(_) => value,
    }
}

fn of_shape(shape: Shape) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    match shape {
        Shape::Text | Shape::Path | Shape::Zone | Shape::Secret | Shape::Url | Shape::HostAndPort => text,
        Shape::Name => {
            json!({ "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[^/\\\\]+$" })
        }
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::IpVersion => json!({ "enum": [4, 6, "4", "6"] }),
        Shape::Probability => json!({
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0, "maximum": 0.5 },
                { "type": "string", "pattern": "^[0-9.]+ *%?$" },
            ]
        }),
        Shape::Duration(Milliseconds(..)) => json!({
            "type": "string",
            "pattern": "^ *([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w|y) *)+$",
        }),
        Shape::SocketAddress => json!({ "type": "string", "pattern": ":[0-9]+$" }),
        Shape::List | Shape::Names => {
            json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
        }
        Shape::Labels => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$" },
            "additionalProperties": { "type": "string" },
        }),
        Shape::Headers => json!({
            "anyOf": [
                { "type": "object", "additionalProperties": { "type": "string" } },
                { "type": "array", "items": { "type": "string" } },
            ]
        }),
        // TOML's own dates are texts to a schema, as editors read them.
        Shape::Moment => json!({ "type": "string" }),
        Shape::Weekly => json!({ "type": "string", "pattern": "^[A-Za-z]+ +[0-9]{2}:[0-9]{2}" }),
    }
}
