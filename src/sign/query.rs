//! Parameters of the query of a signed request.

use http::{Uri, request::Parts};

use crate::outcome::{field::Field, rejection::Rejection};

/// Puts these parameters into the query, instead of those with their names.
pub(crate) fn put(
    head: &mut Parts,
    parameters: &[(&'static str, String)],
) -> Result<(), Rejection> {
    let is_other = |pair: &&str| {
        let name = pair.split('=').next();
        !pair.is_empty() && !parameters.iter().any(|(other, _)| name == Some(other))
    };
    let query = head.uri.query().unwrap_or_default();
    let mut query: Vec<_> = query.split('&').filter(is_other).map(str::to_owned).collect();
    query.extend(parameters.iter().map(|(name, value)| format!("{name}={value}")));
    let target = format!("{}?{}", head.uri.path(), query.join("&"));
    let malformed = || Rejection::malformed_in(Field::query(""));
    let mut parts = head.uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().map_err(|_| malformed())?);
    head.uri = Uri::from_parts(parts).map_err(|_| malformed())?;
    Ok(())
}
