//! Keys that a provider may have derived from a secret string, other than by the scheme's rule.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use zeroize::Zeroizing;

use crate::{
    crypto::{credentials::DOCUMENTED, secret::Secret},
    error::ConfigError,
    outcome::{cause::Cause, explanation::Finding, redact::percent},
    parse::encoding::Encoding,
    scheme::key::SecretEncoding,
};

/// Prefixes of signing secrets in the consoles of providers.
const PREFIXES: [&str; 5] = ["whsec_", "v1,whsec_", "whsk_", "polar_whs_", "v1,"];

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Longest secret that is changed, in bytes.
const MAX_SECRET: usize = 4 << 10;

/// Callback that receives a finding, and the key that would prove it.
pub(crate) type VisitKey<'a> = dyn FnMut(Finding, &[u8]) + 'a;

/// Calls `visit` with each key that a provider may have used in place of this secret's, likeliest
/// first.
pub(crate) fn each_key(secret: &Secret, rule: SecretEncoding, visit: &mut VisitKey<'_>) {
    let Some(configured) = rule.key(secret).ok().filter(|_| secret.expose().len() <= MAX_SECRET)
    else {
        return;
    };
    let mut visit = |finding: Finding, key: &[u8]| {
        if key.is_empty() || key == configured.expose() {
            return;
        }
        // A part of a secret can be a key that anyone finds by trying.
        visit(if is_guessable(key) { finding.made_by_anyone() } else { finding }, key);
    };
    // Bytes can be the text of a file, with its line end.
    let text = secret.text().or_else(|| std::str::from_utf8(secret.expose()).ok());
    if let Some(text) = text {
        each_key_of_text(text, rule, &mut visit);
    }
    // The configured bytes may be the decoded form of the provider's text.
    let bytes = configured.expose();
    let of_encoding = || Finding::proven(Cause::SecretEncoding);
    let base64 = Zeroizing::new(STANDARD.encode(bytes));
    visit(of_encoding().with_detail("the key is the base64 text of the secret"), base64.as_bytes());
    let hex = Zeroizing::new(Encoding::Hex.encode(bytes));
    visit(
        of_encoding().with_detail("the key is the hexadecimal text of the secret"),
        hex.as_bytes(),
    );
}

/// Returns whether anyone finds a key by trying: it is short, published, a public key, or empty. HMAC
/// pads its key with zeros, so a key of zeros is the empty one.
fn is_guessable(key: &[u8]) -> bool {
    const SHORT: usize = 8;

    let is_blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let is_public = key.starts_with(b"-----BEGIN") || key.starts_with(b"whpk_");
    let is_known = DOCUMENTED.iter().any(|(text, _)| text.as_bytes() == key);
    let is_refused = std::str::from_utf8(key)
        .is_ok_and(|text| matches!(Secret::new(text), Err(ConfigError::SecretPlaceholder)));
    key.len() < SHORT || key.iter().all(is_blank) || is_public || is_known || is_refused
}

fn each_key_of_text(text: &str, rule: SecretEncoding, visit: &mut VisitKey<'_>) {
    each_slip(text, &mut |finding, text| {
        // The text is tried by the scheme's rule, and as it is.
        if let Ok(key) = Secret::documented(text).and_then(|secret| rule.key(&secret)) {
            visit(finding.clone(), key.expose());
        }
        visit(finding, text.as_bytes());
    });
    each_decoding(text, visit);
    let base64 = Zeroizing::new(STANDARD.encode(text));
    let finding = Finding::proven(Cause::SecretEncoding);
    visit(finding.with_detail("the key is the base64 text of the secret"), base64.as_bytes());
    for prefix in PREFIXES {
        let finding = || Finding::proven(Cause::SecretPrefix);
        if let Some(rest) = text.strip_prefix(prefix) {
            visit(
                finding().with_detail("the key is the secret without its prefix"),
                rest.as_bytes(),
            );
            each_decoding(rest, &mut |_, key| {
                visit(finding().with_detail("the key is decoded after the prefix"), key);
            });
        } else {
            let with = Zeroizing::new([prefix, text].concat());
            visit(finding().with_detail("the key begins with a prefix"), with.as_bytes());
        }
    }
}

/// Calls `visit` with the text as it would be without what was pasted around it, and with what an
/// `echo` or a file adds to it.
fn each_slip(text: &str, visit: &mut dyn FnMut(Finding, &str)) {
    const QUOTES: [char; 8] =
        ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{ab}'];
    let bare = text.trim();
    let unquoted = bare.trim_matches(QUOTES);
    if unquoted != bare {
        visit(Finding::proven(Cause::SecretQuoted).with_detail("your side has them"), unquoted);
    }
    let assigned = bare.split_once('=').or_else(|| bare.split_once(' '));
    // Padding is not a value.
    let assigned = assigned.filter(|(_, value)| !value.trim_matches('=').is_empty());
    if let Some((_, value)) = assigned {
        let finding = Finding::proven(Cause::SecretAssigned);
        visit(finding.clone(), value.trim());
        visit(finding, value.trim().trim_matches(QUOTES));
    }
    if bare != text {
        visit(Finding::proven(Cause::SecretPadded).with_detail("your side has it"), bare);
    }
    for (before, after) in [("", "\n"), ("", "\r\n"), ("", " "), (" ", ""), ("\u{feff}", "")] {
        let padded = Zeroizing::new([before, text, after].concat());
        let finding = Finding::proven(Cause::SecretPadded);
        visit(finding.with_detail("the provider's side has it"), &padded);
    }
    for quote in ["\"", "'"] {
        let quoted = Zeroizing::new([quote, text, quote].concat());
        let finding = Finding::proven(Cause::SecretQuoted);
        visit(finding.with_detail("the provider's side has them"), &quoted);
    }
}

/// Calls `visit` with the text and what it decodes to.
fn each_decoding(text: &str, visit: &mut VisitKey<'_>) {
    let finding = || Finding::proven(Cause::SecretEncoding);
    visit(finding().with_detail("the key is the text of the secret"), text.as_bytes());
    for engine in [BASE64, BASE64_URL] {
        if let Ok(key) = engine.decode(text).map(Zeroizing::new) {
            visit(finding().with_detail("the key is base64"), &key);
            if let Ok(twice) = engine.decode(&*key).map(Zeroizing::new) {
                visit(finding().with_detail("the key is base64 of base64"), &twice);
            }
        }
    }
    let mut hex = Zeroizing::new(vec![0; text.len() / 2]);
    if Encoding::Hex.decode(text.as_bytes(), &mut hex).is_some() {
        visit(finding().with_detail("the key is hexadecimal"), &hex);
        for other in [text.to_ascii_lowercase(), text.to_ascii_uppercase()].map(Zeroizing::new) {
            let finding = finding().with_detail("the key is the text in the other case");
            visit(finding, other.as_bytes());
        }
    }
    if text.contains('%') {
        let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
        percent::decode(text.as_bytes(), &mut decoded);
        visit(finding().with_detail("the secret is percent-encoded"), &decoded);
    }
}

/// Calls `visit` with each key that everyone knows.
pub(crate) fn each_known_key(visit: &mut VisitKey<'_>) {
    visit(Finding::by_anyone(Cause::SecretEmpty), b"");
    for (text, place) in DOCUMENTED {
        let finding = || Finding::by_anyone(Cause::SecretDocumented).with_detail(*place);
        visit(finding(), text.as_bytes());
        each_decoding(text.strip_prefix("whsec_").unwrap_or(text), &mut |_, key| {
            visit(finding(), key);
        });
    }
}
