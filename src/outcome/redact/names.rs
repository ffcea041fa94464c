//! Names of headers, parameters and fields that hold secrets.

/// Parts of names whose values are secrets, or equivalent to a secret.
const PARTS: [&str; 21] = [
    "assertion",
    "auth",
    "bearer",
    "cookie",
    "crc",
    "credential",
    "creds",
    "csrf",
    "hmac",
    "jws",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "saml",
    "secret",
    "session",
    "signature",
    "token",
];

/// Words that are sensitive only as a whole, because many other words contain them.
const WORDS: [&str; 10] =
    ["mac", "otp", "pass", "passcode", "pin", "pw", "sas", "sig", "sign", "totp"];

/// Words that make a `code` a secret.
const CODES: [&str; 18] = [
    "access",
    "activation",
    "confirmation",
    "device",
    "invite",
    "login",
    "magic",
    "mfa",
    "oob",
    "otp",
    "pass",
    "pin",
    "recovery",
    "reset",
    "security",
    "sms",
    "verification",
    "verif",
];

/// Ends of sensitive names that are written as one word.
const ENDS: [&str; 5] = ["otp", "pass", "passw", "pin", "pswd"];

/// Returns `true` if the value of a header, parameter or field of this name must not be logged:
/// tokens, passwords, keys, cookies and signatures.
///
/// ```
/// use tower_webhook::observe::is_sensitive;
///
/// assert!(is_sensitive("X-Hub-Signature-256") && is_sensitive("hub.verify_token"));
/// assert!(is_sensitive("clientState") && is_sensitive("smsOtp"));
/// assert!(!is_sensitive("x-request-id") && !is_sensitive("country_code"));
/// ```
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower == "x-trello-webhook" || PARTS.iter().any(|part| lower.contains(part)) {
        return true;
    }
    // Ignore punctuation, and numbers at the end: `client_state`, `code[0]`.
    let flat: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let flat = flat.trim_end_matches(|char: char| char.is_ascii_digit());
    let words = words(name);
    let is_code = flat.contains("code")
        && (words.iter().all(|word| matches!(&**word, "code" | "x" | ""))
            || flat == "code"
            || flat.contains("codeverifier")
            || CODES.iter().any(|kind| flat.contains(kind)));
    is_code
        || matches!(flat, "clientstate" | "verifhash" | "xneondigest" | "xpayloaddigest")
        || ENDS.iter().any(|end| flat.ends_with(end))
        || words.iter().any(|word| WORDS.contains(&&**word))
}

/// Returns the words of `smsOtp`, `sms_otp` or `sms-otp`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for char in name.chars() {
        if !char.is_ascii_alphanumeric() || was_lower && char.is_ascii_uppercase() {
            words.push(String::new());
        }
        if char.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char.to_ascii_lowercase());
        }
        was_lower = char.is_ascii_lowercase() || char.is_ascii_digit();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tags_are_sensitive() {
        for name in [
            "X-Shopify-Hmac-Sha256",
            "PAYPAL-TRANSMISSION-SIG",
            "X-Airtable-Content-MAC",
            "X-Trello-Webhook",
            "sig",
            "verif-hash",
            "X-Payload-Digest",
            "code",
            "clientState",
            "verification_code",
            "pass",
            "userPass",
            "pin",
            "otp",
            "smsOtp",
            "sas",
            "bearer",
            "client_assertion",
            "SAMLResponse",
            "client_state",
            "client-state",
            "code[]",
            "code1",
            "x-code",
            "oobCode",
            "sms_code",
            "magic_code",
            "code_verifier",
            "otpcode",
            "accesscode",
            "smsotp",
            "userpass",
            "userpin",
            "pincode",
            "pswd",
            "creds",
            "csrf",
            "jws",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in [
            "design",
            "machine",
            "paypal-transmission-id",
            "x-payload-digest-alg",
            "x-signed-up",
            "country_code",
            "shipping",
            "passenger",
            "encode",
            "verify",
            "",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
