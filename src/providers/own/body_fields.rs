//! Fields of a JSON body that has not been verified.

use serde_json::value::RawValue;

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::json::{self, Malformed, Value},
};

/// Returns the values of these fields of a JSON object, read in one pass.
///
/// # Errors
///
/// Returns a rejection if the text is not one JSON object, or if one of these fields occurs twice:
/// the handler could take the other value.
pub(crate) fn pick<'a, const N: usize>(
    object: &'a [u8],
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], Rejection> {
    let mut values = [None; N];
    let mut repeated = None;
    let visited = json::members(object, &mut |member, value| {
        let Some(at) = names.iter().position(|name| member == *name) else { return Ok(()) };
        if let Some(place) = values.get_mut(at)
            && place.replace(value).is_some()
        {
            repeated = names.get(at).copied();
            return Err(Malformed);
        }
        Ok(())
    });
    if let Some(name) = repeated {
        return Err(Rejection::new(RejectionKind::Repeated).with_field(Field::json(name)));
    }
    visited.map_err(|_| Rejection::malformed_in(Field::Body))?;
    Ok(values)
}

/// Returns the text of a field that must be a text with at least one character.
pub(crate) fn text(value: Option<&RawValue>, name: &'static str) -> Result<String, Rejection> {
    let value = value.ok_or(Rejection::missing_in(Field::json(name)))?;
    let text = Value::of(value).into_text().filter(|text| !text.is_empty());
    text.map(Into::into).ok_or(Rejection::malformed_in(Field::json(name)))
}

/// Returns the text of an object.
pub(crate) fn object<'a>(
    value: Option<&'a RawValue>,
    name: &'static str,
) -> Result<&'a [u8], Rejection> {
    match value.map(Value::of) {
        Some(Value::Object(object)) => Ok(object.as_bytes()),
        Some(_) => Err(Rejection::malformed_in(Field::json(name))),
        None => Err(Rejection::missing_in(Field::json(name))),
    }
}
