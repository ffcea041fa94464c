//! Tenant IDs, and their check before a store is called.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use crate::parse::form::Form;

/// Maximum length of an ID in bytes, whatever the user's check allows: IDs are kept in caches.
const LONGEST: usize = 256;

/// ID of a tenant, as claimed by a request and after the check of its form. The store is called
/// with it.
///
/// A well-formed ID proves neither that the tenant exists nor that it sent the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// Creates the ID, if it is well-formed. IDs are compared byte by byte: with case folding or
    /// composition of accents, one tenant could impersonate another.
    pub(crate) fn new(text: &str, is_in_form: impl Fn(&str) -> bool) -> Option<Self> {
        let is_short = (1..=LONGEST).contains(&text.len());
        (is_short && is_in_form(text)).then(|| Self(text.into()))
    }

    /// Creates an ID in the spelling of the store.
    pub(crate) fn of_store(text: &str) -> Self {
        Self(text.into())
    }

    /// Creates the ID of no tenant, which is empty. IDs of tenants are not empty.
    pub(crate) fn nobody() -> Self {
        Self("".into())
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// Returns `true` if the ID has at most 64 ASCII letters, digits and `-_.`, and does not begin with
/// a dot. This excludes paths (`../admin`), escapes (`%41`), accents with two spellings, SQL and
/// NUL.
pub(crate) fn is_plain(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    id.len() <= 64 && !id.starts_with('.') && id.bytes().all(is_allowed)
}

impl Deref for TenantId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TenantId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the decoded value of a parameter of a form or a query, for lookups.
///
/// Returns `None` if the parameter does not occur exactly once, or is not UTF-8.
///
/// ```
/// use tower_webhook::tenants::form_field;
///
/// assert_eq!(form_field(b"To=%2B1555&AccountSid=AC7", "AccountSid").as_deref(), Some("AC7"));
/// assert_eq!(form_field(b"AccountSid=AC7&AccountSid=AC8", "AccountSid"), None);
/// ```
#[must_use]
pub fn form_field(form: &[u8], name: &str) -> Option<String> {
    let form = Form::parse(form)?;
    let mut values = form.iter().filter(|(found, _)| *found == name.as_bytes());
    // If there are two values, the sender may mean either.
    match (values.next(), values.next()) {
        (Some((_, value)), None) => String::from_utf8(value.to_vec()).ok(),
        _ => None,
    }
}
