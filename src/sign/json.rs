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

/// Returns the JSON object with another value, already JSON, of this member. It becomes the last
/// one if there is none yet. Returns `None` if `object` is not an object.
pub(crate) fn with_value(object: &[u8], name: &str, value: &[u8]) -> Option<Vec<u8>> {
    let mut members = Vec::new();
    let mut found = false;
    let mut add = |name: &str, value: &[u8]| {
        members.push([quoted(name).as_bytes(), b":", value].concat());
    };
    crate::parse::json::members(object, &mut |member, old| {
        let is_it = member == name;
        found |= is_it;
        add(&member, if is_it { value } else { old.get().as_bytes() });
        Ok(())
    })
    .ok()?;
    if !found {
        add(name, value);
    }
    Some([b"{", &*members.join(&b","[..]), b"}"].concat())
}
