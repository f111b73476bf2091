//! Whether JSON is as its schema says, and which of its members were seen.
#![allow(clippy::indexing_slicing, reason = "a schema that is out of shape fails the test, as it should")]

use std::collections::BTreeSet;

use serde_json::Value;

/// The part of JSON Schema that the schema uses.
pub fn check(root: &Value, schema: &Value, value: &Value, name: &str, used: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a definition");
        return check(root, &root["$defs"][name], value, name, used);
    }
    let is_of_type = |of: &Value| match of.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the schema has a type of its own: {other}"),
    };
    let types = schema["type"].as_array().map_or(std::slice::from_ref(&schema["type"]), Vec::as_slice);
    assert!(types.iter().any(is_of_type), "{name}: {value} is no {}", schema["type"]);
    if let Some(least) = schema["minimum"].as_i64() {
        assert!(value.as_i64().is_none_or(|value| value >= least), "{name}: {value}");
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{name}: {value} is none of {allowed:?}");
    }
    if let Some(items) = value.as_array() {
        for item in items {
            check(root, &schema["items"], item, name, used);
        }
    }
    let Some(object) = value.as_object() else { return };
    for required in schema["required"].as_array().expect("a list") {
        assert!(object.contains_key(required.as_str().expect("a name")), "{name} lacks {required}");
    }
    for (property, value) in object {
        let of =
            schema["properties"].get(property).unwrap_or_else(|| panic!("{name} has {property}, the schema has not"));
        used.insert(format!("{name}.{property}"));
        check(root, of, value, &format!("{name}.{property}"), used);
    }
}
