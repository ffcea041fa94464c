use super::*;
use crate::providers::registry::delivery_policies;

#[test]
fn every_entry_is_of_a_provider_and_has_its_source() {
    let known: Vec<_> = delivery_policies().map(|policy| policy.name()).collect();
    assert!(CREDENTIALS.is_sorted_by_key(|(provider, _)| provider));
    for (provider, credentials) in CREDENTIALS {
        assert!(known.contains(provider), "{provider}");
        assert!(!credentials.wanted.is_empty() && !credentials.others.is_empty(), "{provider}");
        for other in credentials.others {
            assert!(other.source.starts_with("https://"), "{provider}: {}", other.is);
        }
    }
}

/// Checks values in the forms that vendors use, and random ones: none is another credential.
#[test]
fn a_genuine_secret_of_every_form_passes() {
    const FORMS: &[(&str, &[&str])] = &[
        ("clerk", &["whsec_"]),
        ("elevenlabs", &["wsec_"]),
        ("linear", &["lin_wh_"]),
        // The signing key of an old account is its API key.
        ("mailgun", &["key-"]),
        ("notion", &["secret_"]),
        ("openai", &["whsec_"]),
        ("paddle", &["pdl_ntfset_"]),
        ("paystack", &["sk_live_", "sk_test_"]),
        ("persona", &["wbhsec_"]),
        ("polar", &["polar_whs_"]),
        ("replicate", &["whsec_"]),
        ("resend", &["whsec_"]),
        ("shopify", &["shpss_"]),
        ("square", &[""]),
        ("stripe", &["whsec_"]),
        ("stytch", &["whsec_"]),
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letters = |alphabet: &[u8], len: usize| -> String {
        let letter = |_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random >> 33).unwrap() % alphabet.len();
            char::from(alphabet[at])
        };
        (0..len).map(letter).collect()
    };
    let lower_hex = b"0123456789abcdef";
    let alphanumeric = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (provider, credentials) in CREDENTIALS {
        let forms = FORMS.iter().find(|(name, _)| name == provider);
        for prefix in forms.map_or(&[""][..], |(_, prefixes)| prefixes) {
            for _ in 0..300 {
                for text in [
                    format!("{prefix}{}", letters(lower_hex, 32)),
                    format!("{prefix}{}", letters(lower_hex, 64)),
                    format!("{prefix}{}", letters(alphanumeric, 32)),
                ] {
                    let found = credentials.check(provider, &Secret::new(&*text).unwrap());
                    assert_eq!(found, Ok(()), "{provider}: {text}");
                }
            }
        }
    }
}
