//! Error for an unknown provider's name.

use std::{error::Error, fmt};

#[cfg(not(feature = "asymmetric"))]
const ASYMMETRIC_NAMES: [&str; 21] = [
    "bridge",
    "circle",
    "discord",
    "ebay",
    "fal_ai",
    "freshchat",
    "gemini",
    "github_copilot",
    "github_secret_scanning",
    "highlevel",
    "integrated_finance",
    "postal",
    "sendgrid",
    "shipstation",
    "standard_webhooks_v1a",
    "telnyx",
    "token_io",
    "turnkey",
    "wechat_pay",
    "wise",
    "wix",
];

#[cfg(not(feature = "jwt"))]
const JWT_NAMES: [&str; 9] = [
    "atlassian_connect",
    "fusionauth",
    "livekit",
    "messagebird",
    "monday",
    "netlify",
    "upstash",
    "vonage",
    "wix",
];

#[cfg(not(feature = "md5"))]
const MD5_NAMES: [&str; 2] = ["vonage_sms", "vonage_sms_hmac_md5"];

#[cfg(not(feature = "xml"))]
const XML_NAMES: [&str; 2] = ["wechat", "wecom"];

/// Error returned when no provider has a name.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownProvider {
    name: String,
    near: Vec<String>,
}

impl UnknownProvider {
    pub(crate) fn new(name: &str, names: impl Iterator<Item = String>) -> Self {
        let name: String = name.chars().take(64).collect();
        let mut near: Vec<_> = names
            .map(|known| (distance(&name.to_lowercase(), &known), known))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .collect();
        near.sort_unstable();
        let near = near.into_iter().take(3).map(|(_, known)| known).collect();
        Self { name, near }
    }

    /// Returns the providers with similar names, nearest first.
    #[must_use]
    pub fn near(&self) -> &[String] {
        &self.near
    }
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(not(feature = "asymmetric"))]
        if ASYMMETRIC_NAMES.contains(&&*self.name) {
            return write!(f, "the provider `{}` needs the feature `asymmetric`", self.name);
        }
        #[cfg(not(feature = "jwt"))]
        if JWT_NAMES.contains(&&*self.name) {
            return write!(f, "the provider `{}` needs the feature `jwt`", self.name);
        }
        #[cfg(not(feature = "md5"))]
        if MD5_NAMES.contains(&&*self.name) {
            return write!(f, "the provider `{}` needs the feature `md5`", self.name);
        }
        #[cfg(not(feature = "xml"))]
        if XML_NAMES.contains(&&*self.name) {
            return write!(f, "the provider `{}` needs the feature `xml`", self.name);
        }
        write!(f, "unknown provider `{}`", self.name.escape_debug())?;
        for (at, name) in self.near.iter().enumerate() {
            f.write_str(if at == 0 { "; did you mean " } else { " or " })?;
            write!(f, "`{name}`")?;
        }
        f.write_str(if self.near.is_empty() { "" } else { "?" })
    }
}

/// Formats the same text as [`Display`](fmt::Display).
impl fmt::Debug for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for UnknownProvider {}

/// Returns how many characters must be inserted, removed or replaced to turn one name into the
/// other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.chars().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}
