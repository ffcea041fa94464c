//! JSON bodies that contain a proof.

/// Returns the JSON object with an additional first member, whose value is already JSON. Returns
/// `None` if `object` is not an object.
pub(crate) fn with_member(object: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    let rest = object.trim_ascii_start().strip_prefix(b"{")?;
    let comma = if rest.trim_ascii_start().starts_with(b"}") { "" } else { "," };
    Some([format!(r#"{{"{name}":{value}{comma}"#).as_bytes(), rest].concat())
}

/// Returns the text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
