//! Keys of a Twilio signature: the header that names one, and the search for the one that matches.

use http::request::Parts;

use crate::{
    crypto::mac::{KeyMatch, Mac},
    outcome::rejection::Rejection,
    parse::headers::optional,
};

pub(crate) const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// The key and the algorithm that the header names. It is not signed.
pub(crate) struct Settings<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) is_sha256: bool,
}

impl<'a> Settings<'a> {
    pub(crate) fn read(head: &'a Parts) -> Result<Self, Rejection> {
        let settings = optional(head, SETTINGS)?.unwrap_or_default();
        let is_sha256 = match setting(settings, b"algorithm") {
            None => false,
            Some(name) if name.eq_ignore_ascii_case(b"HMAC_SHA1") => false,
            Some(name) if name.eq_ignore_ascii_case(b"HMAC_SHA256") => true,
            Some(_) => return Err(Rejection::malformed(SETTINGS)),
        };
        Ok(Self { key: setting(settings, b"key"), is_sha256 })
    }
}

/// Returns the first value of this setting that is not empty, without the blanks around it. Items
/// without `=` are skipped, as in twilio-python.
fn setting<'a>(settings: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    settings.split(|byte| *byte == b',').find_map(|setting| {
        let equals = setting.iter().position(|byte| *byte == b'=')?;
        let value = setting[equals + 1..].trim_ascii();
        let is_it = setting[..equals].trim_ascii().eq_ignore_ascii_case(name);
        (is_it && !value.is_empty()).then_some(value)
    })
}

/// Returns the index of the first key that made this signature of the URL and the form.
pub(crate) fn matching_key<'a>(
    keys: impl Iterator<Item = &'a Mac>,
    url: [&str; 5],
    form: &[u8],
    signature: &[u8],
) -> Option<usize> {
    let mut matched = KeyMatch::new();
    for (index, key) in keys.enumerate() {
        let mut mac = key.clone();
        url.iter().for_each(|piece| mac.update(piece.as_bytes()));
        mac.update(form);
        matched.add(index, mac.finalize().matches(signature));
    }
    matched.accepted().ok()
}
