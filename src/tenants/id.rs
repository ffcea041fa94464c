//! A tenant's id, and what is done to it before any store sees it.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use crate::parse::form::Form;

/// The longest id that is looked up, whatever an own check says: ids are kept in caches.
const LONGEST: usize = 256;

/// The id of a tenant, as a request claims it and after its form has been checked: what the store
/// is asked for.
///
/// That it is in form does not mean that there is such a tenant, nor that he sent the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The id, if it is in form. It is compared byte by byte from here on: whoever folded case or
    /// composed accents would let one tenant stand for another.
    pub(crate) fn new(text: &str, is_in_form: impl Fn(&str) -> bool) -> Option<Self> {
        let is_short = (1..=LONGEST).contains(&text.len());
        (is_short && is_in_form(text)).then(|| Self(text.into()))
    }

    /// The id as the store itself writes it.
    pub(crate) fn of_store(text: &str) -> Self {
        Self(text.into())
    }

    /// No tenant's: no id is empty.
    pub(crate) fn nobody() -> Self {
        Self("".into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// 1 to 64 ASCII letters, digits and `-_.`, not beginning with a dot: no path (`../admin`), no
/// escape (`%41`), no accent in two spellings, no SQL, no NUL.
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

/// The value of a parameter of a form or of a query, decoded, for look-ups. `None` when it is not
/// there exactly once, or is not UTF-8.
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
    // Which of two is meant is not ours to guess.
    match (values.next(), values.next()) {
        (Some((_, value)), None) => String::from_utf8(value.to_vec()).ok(),
        _ => None,
    }
}
