//! Claims of a token, for handlers.

use crate::crypto::jwt::Jwt;

/// Returns the claims of a JSON Web Token, as JSON. Returns `None` if it is malformed.
///
/// **It verifies nothing.** Call it in a handler behind the layer, for a body that is a token, as that of
/// [`Wix`](crate::providers::Wix), or has one.
///
/// ```
/// use tower_webhook::providers::token_claims;
///
/// // {"alg":"RS256"} and {"data":"{}"}
/// let body = "eyJhbGciOiJSUzI1NiJ9.eyJkYXRhIjoie30ifQ.c2lnbmF0dXJl";
/// assert_eq!(token_claims(body).as_deref(), Some(r#"{"data":"{}"}"#));
/// assert_eq!(token_claims("{}"), None);
/// ```
#[must_use]
pub fn token_claims(token: impl AsRef<[u8]>) -> Option<String> {
    Jwt::read(token.as_ref())?.claims().map(|claims| claims.get().to_owned())
}
