//! PEM blocks.

use base64::Engine as _;

use crate::parse::encoding::BASE64_KEY;

/// Returns the content of the one PEM block with this label.
pub(crate) fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let inside = text
        .trim()
        .strip_prefix(&*format!("-----BEGIN {label}-----"))?
        .strip_suffix(&*format!("-----END {label}-----"))?;
    let lines: String = inside.split_ascii_whitespace().collect();
    BASE64_KEY.decode(&*lines).ok()
}

/// Describes the problem with a string that is not one PEM block of a public key, for the person
/// who pasted it.
pub(crate) fn pem_flaw(text: &str) -> &'static str {
    const KINDS: [(&str, &str); 4] = [
        (
            "CERTIFICATE-----",
            "it is a certificate; extract its key with `openssl x509 -pubkey -noout`",
        ),
        ("PRIVATE KEY-----", "it is a private key; use the public key that the provider shows"),
        (
            "-----BEGIN RSA PUBLIC KEY-----",
            "it is a key in the PKCS #1 form; convert it with \
             `openssl rsa -RSAPublicKey_in -pubout`",
        ),
        ("\\n", "it contains `\\n` as two characters; replace them with line breaks"),
    ];
    let kind = KINDS.iter().find(|(mark, _)| text.contains(mark));
    kind.map_or(
        "expected one PEM block that begins with `-----BEGIN PUBLIC KEY-----`",
        |(_, flaw)| flaw,
    )
}
