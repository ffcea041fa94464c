//! Secrets: what cannot be one, how they are read, and that nothing shows them.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use tower_webhook::{
    ConfigError, Context, PublicUrl, Scheme, Secret, Secrets, SignatureLayer, Verifier,
    layer::{ByBody, ByHead, Requires, TrustedProxies},
    providers::{self, BasicAuth, GitHub, Meta, Provider, StandardWebhooks, Twilio},
    scheme::{SecretEncoding, Tolerance},
    verifier::{all_of, any_of, verifier_fn},
};

use crate::{
    genuine::{WHSEC, genuine},
    support::{SECRET, Sha256Mac, head_of, hex, mac, meta_request, secret, verify},
};

#[test]
fn guessable_secret_is_rejected_at_construction() {
    use ConfigError::{
        SecretAllZero, SecretEmpty, SecretInWhitespace, SecretPlaceholder, SecretUndecodable,
    };
    const fn base64(why: &'static str) -> ConfigError {
        SecretUndecodable { form: "base64", why }
    }
    const fn hex(why: &'static str) -> ConfigError {
        SecretUndecodable { form: "hexadecimal", why }
    }
    const BEFORE_END: &str = "it contains `=` before its end";
    const LETTER: &str = "it has one character too few or too many";
    const LINE_BREAK: &str = "it contains a line break; remove it";
    const NO_DIGIT: &str = "it contains a character that is not a hexadecimal digit";
    const SHORT: &str = "its padding or last characters are missing; a short secret needs them";
    const SPACE: &str = "it contains white space; remove it";
    const URL_SAFE: &str = "it contains `-` or `_` of the URL-safe alphabet; expected `+` and `/`";
    const PREFIX: &str =
        "it begins with `whsec_` like a secret of Standard Webhooks; use `Secret::from_whsec`";
    let bytes = |bytes: &[u8]| Secret::from_bytes(bytes);
    for (name, made, expected) in [
        ("empty", Secret::new(""), SecretEmpty),
        ("zeros", Secret::new("\0\0\0"), SecretAllZero),
        ("spaces", Secret::new("   "), SecretEmpty),
        ("line ends", Secret::new("\r\n\t"), SecretEmpty),
        ("wide space", Secret::new("\u{3000}"), SecretEmpty),
        ("newline at the end", Secret::new("secret\n"), SecretInWhitespace),
        ("space before", Secret::new(" secret"), SecretInWhitespace),
        ("byte order mark alone", Secret::new("\u{feff}\n"), SecretEmpty),
        ("byte order mark before", Secret::new("\u{feff}secret"), SecretInWhitespace),
        ("space of no width", Secret::new("secret\u{200b}"), SecretInWhitespace),
        ("zero at the end", Secret::new("secret\0"), SecretInWhitespace),
        ("placeholder", Secret::new("changeme"), SecretPlaceholder),
        ("placeholder with hyphens", Secret::new("your-webhook-secret"), SecretPlaceholder),
        ("a script's nothing", Secret::new("undefined"), SecretPlaceholder),
        ("unfilled", Secret::new("${SECRET}"), SecretPlaceholder),
        ("unfilled in a shell", Secret::new("$WEBHOOK_SECRET"), SecretPlaceholder),
        ("redacted", Secret::new("[REDACTED]"), SecretPlaceholder),
        ("unfilled in a template", Secret::new("{{ secret }}"), SecretPlaceholder),
        ("unfilled in a page", Secret::new("<your secret>"), SecretPlaceholder),
        ("placeholder in capitals", Secret::new("CHANGE_ME"), SecretPlaceholder),
        ("placeholder of the vendor", Secret::new("whsec_xxx"), SecretPlaceholder),
        ("no bytes", bytes(b""), SecretEmpty),
        ("blank bytes", bytes(b" \n"), SecretEmpty),
        ("zero", bytes(&[0]), SecretAllZero),
        ("zeros", bytes(&[0; 64]), SecretAllZero),
        ("no base64", Secret::from_base64(""), SecretEmpty),
        (
            "base64 of nothing",
            Secret::from_base64("===="),
            base64("paste it as the provider shows it"),
        ),
        ("base64 of zeros", Secret::from_base64("AAAAAAAA"), SecretAllZero),
        ("base64 with a space", Secret::from_base64("YWJj YWJj"), base64(SPACE)),
        ("base64 with a newline", Secret::from_base64("YWJj\n"), base64(LINE_BREAK)),
        ("base64 in the URL alphabet", Secret::from_base64("_-_-"), base64(URL_SAFE)),
        ("base64 with stray bits, short", Secret::from_base64("YWJ="), base64(SHORT)),
        ("base64 without padding, short", Secret::from_base64("YWI"), base64(SHORT)),
        ("base64 cut", Secret::from_base64("YWJjY"), base64(LETTER)),
        ("base64 cut, long", Secret::from_base64(&"YWJj".repeat(8)[..29]), base64(LETTER)),
        ("base64, padded before its end", Secret::from_base64("YWI=YWJj"), base64(BEFORE_END)),
        ("no hex", Secret::from_hex(""), SecretEmpty),
        ("hex of zeros", Secret::from_hex("0000"), SecretAllZero),
        ("odd hex", Secret::from_hex("abc"), hex("it has one digit too few or too many")),
        ("hex with 0x", Secret::from_hex("0xab"), hex("it begins with `0x`; remove that prefix")),
        ("hex with a sign", Secret::from_hex("+a"), hex(NO_DIGIT)),
        ("hex with another letter", Secret::from_hex("gg"), hex(NO_DIGIT)),
        ("prefix alone", Secret::from_whsec("whsec_"), SecretEmpty),
        ("prefix twice", Secret::from_whsec("whsec_whsec_YWJj"), base64(PREFIX)),
        ("prefix in capitals", Secret::from_whsec("WHSEC_YWJj"), base64(URL_SAFE)),
    ] {
        assert_eq!(made.unwrap_err(), expected, "{name}");
    }
    // Where the provider's rule decodes the text, nothing may be left of it either.
    for text in ["whsec_", "whsec_AAAA", "whsec_====", "whsec_not base64"] {
        assert!(StandardWebhooks::new(text).is_err(), "{text}");
        assert!(StandardWebhooks::new([WHSEC, text]).is_err(), "{text} as a further secret");
    }
}

/// What people paste with the secret, or in its place. What is meant all the same goes by bytes.
#[test]
fn implausible_secret_is_rejected_with_a_reason() {
    for (text, seen) in [
        ("\"whsec_YWJj\"", "quotation marks"),
        ("'whsec_YWJj'", "quotation marks"),
        ("`whsec_YWJj`", "quotation marks"),
        ("\u{201c}whsec_YWJj\u{201d}", "quotation marks"),
        ("STRIPE=whsec_YWJj", "`NAME=`"),
        ("STRIPE_WEBHOOK_SECRET=\"whsec_YWJj\"", "`NAME=`"),
        ("export STRIPE_SECRET_2=whsec_YWJj", "`NAME=`"),
        ("Bearer abc", "`Authorization`"),
        ("bearer abc", "`Authorization`"),
        ("whsec_\u{200b}YWJj", "invisible"),
        ("whsec_\u{feff}YWJj", "invisible"),
        ("whsec_\u{7}YWJj", "invisible"),
        ("op://vault/item/field", "secret store"),
        ("vault:secret/data/app#key", "secret store"),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:a", "secret store"),
    ] {
        let error = Secret::new(text).unwrap_err();
        assert!(matches!(error, ConfigError::SecretInvalid { .. }), "{text}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(seen) && !shown.contains("YWJj"), "{shown}");
        assert_eq!(Secret::from_bytes(text).unwrap().expose(), text.as_bytes());
    }
    for text in [
        "a\"b",
        "\"",
        "'a",
        "a'",
        "QUJDREVGR0g=",
        "QUJDREVGR0==",
        "ABCDEFGH====",
        "A=b",
        "KEY=b",
        "AB12=b",
        "a=b",
        "Secret=1",
        "two words",
        "bearer",
        "clé",
        "\u{1f511}",
        "$Ab",
        "$",
        "user:op://",
        // As `by_name` takes a header and a token, or a name and a password.
        "authorization:token",
        "vault:password",
        "whsec_YWJj\nYWJj",
    ] {
        assert!(Secret::new(text).is_ok(), "{text}");
    }
}

/// Credentials of a vendor that get into the secret's place: two of them are public.
#[test]
fn other_credential_of_vendor_is_rejected_as_secret() {
    const SID: &str = "AC0123456789abcdef0123456789abcdef";
    let by_name = |name: &str, secrets: Vec<Secret>| {
        let url = PublicUrl::base("https://example.com").unwrap();
        providers::by_name(name).unwrap().verifier_at(secrets, url).map(drop)
    };
    for (name, text, seen, wanted) in [
        ("stripe", "sk_live_canary", "secret API key", "`whsec_`"),
        ("stripe", "pk_live_canary", "publishable API key", "`whsec_`"),
        ("stripe", "rk_test_canary", "restricted API key", "`whsec_`"),
        ("stripe", "we_canary", "id of a webhook endpoint", "`whsec_`"),
        ("twilio", SID, "account SID", "auth token"),
        ("twilio", "SK0123456789abcdef0123456789abcdef", "API key SID", "auth token"),
        ("slack", "xoxb-canary", "bot token", "signing secret"),
        ("slack", "xapp-canary", "app-level token", "signing secret"),
        ("telegram", "123456:canary", "bot's token", "`secret_token`"),
        ("shopify", "shpat_canary", "access token", "client secret"),
        ("meta", "EAAGcanary", "access token", "app secret"),
        ("whatsapp", "EAAGcanary", "access token", "app secret"),
        ("linear", "lin_api_canary", "API key", "`lin_wh_`"),
        ("mailgun", "pubkey-canary", "public validation key", "signing key"),
        ("paystack", "pk_live_canary", "public key", "`sk_`"),
        ("resend", "re_canary", "API key", "`whsec_`"),
        ("clerk", "pk_test_canary", "publishable key", "`whsec_`"),
        ("openai", "sk-proj-canary", "API key", "`whsec_`"),
    ] {
        let secret = || Secret::new(text).unwrap();
        let error = by_name(name, vec![secret()]).unwrap_err();
        assert!(matches!(error, ConfigError::SecretOfOtherKind { .. }), "{name}: {error}");
        let shown = error.to_string();
        assert!(shown.contains(seen) && shown.contains(wanted), "{name}: {shown}");
        assert!(!shown.contains("canary") && !shown.contains(SID), "{name}: {shown}");
        // Beside a right one it would be a second key, which nobody would notice.
        let right = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let error = by_name(name, vec![Secret::new(right).unwrap(), secret()]).unwrap_err();
        assert!(matches!(error, ConfigError::SecretOfSeveral { place: 2, .. }), "{name}: {error}");
        // What is meant goes.
        let meant = by_name(name, vec![Secret::documented(text).unwrap()]);
        assert!(!matches!(meant, Err(ConfigError::SecretOfOtherKind { .. })), "{name}: {meant:?}");
    }
    // By type, and by every way to add a secret.
    let url = || PublicUrl::base("https://example.com").unwrap();
    for made in [
        providers::Stripe::new("pk_live_a").map(drop),
        Twilio::new(SID, url()).map(drop),
        providers::Slack::new("xoxb-a").map(drop),
        providers::Telegram::new("1:a").map(drop),
        providers::Mailgun::new("pubkey-a").map(drop),
        Meta::new("EAAGa").map(drop),
        providers::Stripe::SCHEME.verifier("sk_live_a").map(drop),
    ] {
        assert!(matches!(made, Err(ConfigError::SecretOfOtherKind { .. })), "{made:?}");
    }
    // Where the customer chooses the text, it may be any.
    for (name, text) in [("github", "ghp_canary"), ("razorpay", "rzp_live_canary")] {
        assert!(by_name(name, vec![Secret::new(text).unwrap()]).is_ok(), "{name}");
    }
    // A random auth token may begin so.
    assert!(by_name("twilio", vec![Secret::new("ACME's token").unwrap()]).is_ok());
}

#[test]
fn a_public_key_is_no_secret_of_any_type() {
    const WHPK: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
    for secret in [Secret::new(WHPK).unwrap(), Secret::from_bytes(PEM).unwrap()] {
        for made in [
            GitHub::new(secret.clone()).map(drop),
            StandardWebhooks::new(secret.clone()).map(drop),
            providers::Telegram::new(secret.clone()).map(drop),
            BasicAuth::new("user", secret.clone()).map(drop),
            providers::Pusher::new("key", secret.clone()).map(drop),
            Scheme::hmac_sha256("x-s").verifier(secret.clone()).map(drop),
        ] {
            assert_eq!(made.unwrap_err(), ConfigError::SecretIsPublicKey);
        }
        let error = GitHub::new([Secret::new("the right one").unwrap(), secret]).unwrap_err();
        let expected = ConfigError::SecretIsPublicKey;
        assert_eq!(
            error,
            ConfigError::SecretOfSeveral { place: 2, error: Box::new(expected.clone()) }
        );
        assert_eq!(error.to_string(), format!("secret 2: {expected}"));
    }
}

/// Under such an id no genuine request could ever come.
#[test]
fn key_id_impossible_in_a_request_is_rejected() {
    let url = || PublicUrl::base("https://example.com").unwrap();
    let twilio = || Twilio::new("0123456789abcdef0123456789abcdef", url()).unwrap();
    for id in ["", " ", " a", "a\n", "a\u{7}b", "clé", "\u{200b}"] {
        for made in [
            providers::Ably::new(id, "the secret").map(drop),
            providers::Pusher::new(id, "the secret").map(drop),
            providers::Worldline::new(id, "the secret").map(drop),
            providers::Worldpay::new(id, "the secret").map(drop),
            providers::Worldpay::new("1", "the secret").unwrap().key(id, "another one").map(drop),
            twilio().shared_key(id, "the secret").map(drop),
        ] {
            assert!(matches!(made, Err(ConfigError::IdInvalid { .. })), "{id:?}: {made:?}");
        }
    }
    for id in ["a/b", "a,b"] {
        let made = providers::Worldpay::new(id, "the secret");
        assert!(matches!(made, Err(ConfigError::IdInvalid { .. })), "{made:?}");
    }
    for name in ["a:b", "a\n"] {
        for made in [
            BasicAuth::new(name, "the password").map(drop),
            providers::Brevo::new(name, "the password").map(drop),
            BasicAuth::new("a", "the password").unwrap().user(name, "another one").map(drop),
        ] {
            assert!(matches!(made, Err(ConfigError::IdInvalid { .. })), "{name:?}: {made:?}");
        }
    }
    assert!(BasicAuth::new("José López", "the password").is_ok());
}

/// Tokens of two headers: one verifier reads one.
#[test]
fn tokens_of_two_headers_are_told_as_such() {
    for name in ["datadog", "shared_token"] {
        let provider = providers::by_name(name).unwrap();
        assert!(provider.verifier(["x-a:token one", "x-a:token two"]).is_ok());
        let error = provider.verifier(["x-a:token one", "x-b:token two"]).unwrap_err();
        assert!(error.to_string().contains("the same header"), "{error}");
    }
}

/// The variable is named, and nothing of its text is shown. A process has its own.
#[test]
fn a_secret_of_the_environment_names_its_variable() {
    const NAME: &str = "TOWER_WEBHOOK_SECRET_OF_A_TEST";
    const CHILD: &str = "TOWER_WEBHOOK_CHILD_OF_A_TEST";
    if std::env::var_os(CHILD).is_some() {
        println!("<{:?}>", Secret::from_env(NAME).map(|secret| secret.expose().len()));
        return;
    }
    let said = |value: Option<&str>| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "crypto::secrets::a_secret_of_the_environment_names_its_variable"]);
        child.arg("--nocapture").env(CHILD, "1").env_remove(NAME);
        let output = child.envs(value.map(|value| (NAME, value))).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned()
    };
    let variable = format!("environment variable `{NAME}`");
    assert_eq!(said(Some("whsec_YWJj")), "Ok(10)");
    assert_eq!(said(None), format!("Err({variable} is not set or is not UTF-8)"));
    for (value, error) in [
        ("", ConfigError::SecretEmpty),
        ("canary\n", ConfigError::SecretInWhitespace),
        ("changeme", ConfigError::SecretPlaceholder),
        ("\"canary\"", Secret::new("\"canary\"").unwrap_err()),
    ] {
        assert_eq!(said(Some(value)), format!("Err({variable}: {error})"));
    }
    let error = Secret::from_env(NAME).unwrap_err();
    assert!(std::error::Error::source(&error).is_none());
}

/// A `main` that returns an error prints its `Debug`.
#[test]
fn debug_of_a_configuration_error_is_its_sentence() {
    for error in [
        Secret::new("").unwrap_err(),
        Secret::new("changeme").unwrap_err(),
        Secret::from_base64("-").unwrap_err(),
        PublicUrl::base("a").unwrap_err(),
        Secret::from_env("TOWER_WEBHOOK_NO_SUCH_VARIABLE").unwrap_err(),
    ] {
        assert_eq!(format!("{error:?}"), error.to_string());
    }
    let unknown = providers::by_name("git_hub").unwrap_err();
    assert_eq!(format!("{unknown:?}"), "unknown provider `git_hub`; did you mean `github`?");
    let inner = ConfigError::VariableInvalid {
        name: "A".to_owned(),
        error: Some(Box::new(ConfigError::SecretEmpty)),
    };
    assert_eq!(
        std::error::Error::source(&inner).unwrap().to_string(),
        ConfigError::SecretEmpty.to_string()
    );
}

/// A text, several, or what holds them.
#[test]
fn a_verifier_takes_one_secret_or_several() {
    let scheme = Scheme::hmac_sha256("x-s");
    let index = |secrets: Result<tower_webhook::scheme::SchemeVerifier, ConfigError>| {
        let tag = crate::support::hmac_sha256("old", b"x");
        let head = http::Request::post("/").header("x-s", tag).body(()).unwrap().into_parts().0;
        let verified = verify(&secrets.unwrap(), &head, &Bytes::from("x"));
        verified.map(|verified| verified.key_index()).ok()
    };
    let secret = |text: &str| Secret::new(text).unwrap();
    assert_eq!(index(scheme.verifier("old")), Some(0));
    assert_eq!(index(scheme.verifier("old".to_owned())), Some(0));
    assert_eq!(index(scheme.verifier(secret("old"))), Some(0));
    assert_eq!(index(scheme.verifier("new")), None);
    assert_eq!(index(scheme.verifier(["new", "old"])), Some(1));
    assert_eq!(index(scheme.verifier(["new".to_owned(), "old".to_owned()])), Some(1));
    assert_eq!(index(scheme.verifier(vec!["new", "new", "old"])), Some(2));
    assert_eq!(index(scheme.verifier([secret("new"), secret("old")])), Some(1));
    let secrets: Secrets = [secret("new"), secret("old")].into_iter().collect();
    assert_eq!(index(scheme.verifier(secrets)), Some(1));
    assert_eq!(index(scheme.verifier([vec!["new"], vec!["newer", "old"]])), Some(2));
    let error = |made: Result<_, ConfigError>| made.map(drop).unwrap_err();
    assert_eq!(error(scheme.verifier("")), ConfigError::SecretEmpty);
    assert_eq!(
        error(scheme.verifier(["new", "changeme"])),
        ConfigError::SecretOfSeveral { place: 2, error: Box::new(ConfigError::SecretPlaceholder) }
    );
    // What is kept can be lent.
    let kept = vec![secret("new"), secret("old")];
    assert_eq!(index(scheme.verifier(&kept)), Some(1));
    assert_eq!(index(scheme.verifier(&kept[1..])), Some(0));
    assert_eq!(index(scheme.verifier(&kept[1])), Some(0));
    let lent = ["new".to_owned(), "old".to_owned()];
    assert_eq!(index(scheme.verifier(&lent)), Some(1));
    assert_eq!(lent[1], "old");
    assert_eq!(error(scheme.verifier(Vec::<Secret>::new())), ConfigError::SecretEmpty);
    assert_eq!(error(scheme.verifier(["new"; 17])), ConfigError::TooManySecrets);
    assert!(scheme.verifier(["new"; 16]).is_ok());
    assert!(StandardWebhooks::new([WHSEC, "whsec_bmV3"]).is_ok());
    assert!(StandardWebhooks::new([WHSEC, "whsec_not base64"]).is_err());
    assert!(providers::GitLab::signed([WHSEC, WHSEC]).is_ok());
}

#[test]
fn each_secret_constructor_decodes_its_own_form() {
    for (name, made, bytes) in [
        ("text", Secret::new("whsec_YWJj"), &b"whsec_YWJj"[..]),
        ("text with spaces inside", Secret::new("It's a Secret"), b"It's a Secret"),
        ("text beyond ASCII", Secret::new("clé"), "clé".as_bytes()),
        ("text that holds a placeholder", Secret::new("changeme2"), b"changeme2"),
        ("text that begins like a variable", Secret::new("${a"), b"${a"),
        ("bytes", Secret::from_bytes(&b"\xff\x00\n"[..]), b"\xff\0\n"),
        ("base64", Secret::from_base64("YWI="), b"ab"),
        ("base64 with all letters", Secret::from_base64("+/+/"), b"\xfb\xff\xbf"),
        ("hex", Secret::from_hex("6aFF"), b"j\xff"),
        ("whsec", Secret::from_whsec("whsec_YWJj"), b"abc"),
        ("whsec without prefix", Secret::from_whsec("YWJj"), b"abc"),
    ] {
        assert_eq!(made.unwrap().expose(), bytes, "{name}");
    }
    let secret = Secret::new("token").unwrap();
    for (token, expected) in
        [("token", true), ("Token", false), ("toke", false), ("token1", false), ("", false)]
    {
        assert_eq!(secret.matches(token.as_bytes()), expected, "{token}");
    }
}

/// What people have: the padding cut off, or random letters in place of encoded bytes. Each reads as
/// other decoders read it, among them those of five libraries of Standard Webhooks.
#[test]
fn unpadded_base64_secret_with_spare_bits_is_read() {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = |text: &str| Secret::from_base64(text).map(|secret| secret.expose().to_vec());
    for len in 16..40_u8 {
        let key: Vec<u8> = (1..=len).collect();
        let padded = STANDARD.encode(&key);
        let unpadded = padded.trim_end_matches('=');
        for text in [&*padded, unpadded] {
            assert_eq!(bytes(text).unwrap(), key, "{text}");
        }
        // The last letter has two bits to spare, or four.
        let (start, last) = unpadded.split_at(unpadded.len() - 1);
        let padding = &padded[unpadded.len()..];
        let spare = [0, 0b11, 0b1111][padding.len()];
        let at = LETTERS.find(last).unwrap() | spare;
        for padding in ["", padding] {
            let text = format!("{start}{}{padding}", &LETTERS[at..=at]);
            assert_eq!(bytes(&text).unwrap(), key, "{text}");
        }
        // White space and the other alphabet stay what they were.
        for text in [
            format!("{unpadded} "),
            format!("{unpadded}\n"),
            format!("{start} {last}"),
            format!("{start}-"),
            format!("{padded}="),
        ] {
            assert!(bytes(&text).is_err(), "{text}");
        }
    }
    for len in [5, 9, 25, 29, 45] {
        assert!(bytes(&"A1b2".repeat(12)[..len]).is_err(), "a single letter is left over");
    }
    // Of 15 bytes and fewer nothing may be missing.
    for len in 1..16_u8 {
        let key: Vec<u8> = (1..=len).collect();
        let padded = STANDARD.encode(&key);
        assert_eq!(bytes(&padded).unwrap(), key);
        let unpadded = padded.trim_end_matches('=');
        assert_eq!(bytes(unpadded).is_ok(), padded == unpadded, "{unpadded}");
    }
}

/// The same by each provider that decodes its secret, by type and by name, and of a further secret.
#[test]
fn every_base64_provider_reads_unpadded_secrets() {
    let canonical = STANDARD.encode([b'k'; 32]);
    let cut = canonical.trim_end_matches('=');
    let (start, last) = cut.split_at(cut.len() - 1);
    assert_eq!(last, "s");
    let mut decoding = Vec::new();
    for provider in providers::all() {
        let build = |text: &str| provider.verifier(Secret::new(text).unwrap()).err();
        let Some(ConfigError::SecretUndecodable { form: "base64", .. }) = build("no base64") else {
            continue;
        };
        for text in [&*canonical, cut, &format!("{start}t"), &format!("{start}t=")] {
            assert_eq!(build(text), None, "{} {text}", provider.name());
        }
        let flaw = |text: &str| build(text).unwrap().to_string();
        assert!(flaw(&format!("{start}\n{last}")).contains("line break"));
        assert!(flaw("-----BEGIN EC KEY-----\nMCow").contains("PEM"));
        assert!(flaw(&canonical[..41]).contains("too few"));
        decoding.push(provider.name());
    }
    assert!(decoding.len() > 15 && decoding.contains(&"standard_webhooks"), "{decoding:?}");
    StandardWebhooks::new([WHSEC.to_owned(), format!("whsec_{start}t")]).unwrap();
    // The secret of a published test of Standard Webhooks.
    StandardWebhooks::new(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr").unwrap())
        .unwrap();
}

/// A genuine delivery under a secret that somebody cut; the signature stays strict.
#[test]
fn unpadded_secret_is_accepted_signature_is_not() {
    let scheme = Scheme::hmac_sha256("x-s")
        .encoding(tower_webhook::scheme::Encoding::Base64)
        .secret_encoding(SecretEncoding::Base64 { prefix: "" });
    let canonical = STANDARD.encode([b'k'; 32]);
    let cut = Secret::new(canonical.trim_end_matches('=')).unwrap();
    let verifier = scheme.verifier(cut).unwrap();
    let tag = STANDARD.encode(mac::<Sha256Mac>(&[b'k'; 32], b"x"));
    let judge = |tag: &str| {
        let head = http::Request::post("/").header("x-s", tag).body(()).unwrap().into_parts().0;
        verify(&verifier, &head, &Bytes::from("x"))
    };
    assert!(judge(&tag).is_ok());
    assert!(judge(tag.trim_end_matches('=')).is_err());
    let (start, last) = tag.trim_end_matches('=').split_at(42);
    let stray = char::from(last.as_bytes()[0] + 1);
    assert!(judge(&format!("{start}{stray}=")).is_err());
}

/// What people paste in the place of a secret or a key, and what the error says that it saw.
#[test]
fn a_decoding_error_says_what_it_saw() {
    let secret = |text: &str| Secret::new(text).unwrap();
    let words = |error: ConfigError| error.to_string();
    let standard = |text: &str| words(StandardWebhooks::new(secret(text)).unwrap_err());
    let supabase = |text: &str| words(providers::Supabase::new(secret(text)).unwrap_err());
    let adyen = |text: &str| words(providers::AdyenPlatform::new(secret(text)).unwrap_err());
    for (error, seen) in [
        (standard("v1,whsec_MDEyMzQ1Njc4OWFiY2RlZg=="), "`v1,`"),
        (supabase("whsec_MDEyMzQ1Njc4OWFiY2RlZg=="), "`whsec_`"),
        (supabase("v1,whsec_MDEyMzQ1Njc4OWFiY2RlZg==|v1,whsec_MDEy"), "several"),
        (standard("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="), "public key"),
        (
            standard(
                "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
            ),
            "private key",
        ),
        (standard("sk_live_51H"), "API key"),
        (standard("whsec_sk_live_51H"), "API key"),
        (
            words(Secret::from_whsec("\"whsec_MDEyMzQ1Njc4OWFiY2RlZg==\"").unwrap_err()),
            "quotation marks",
        ),
        (standard("whsec_MDEyMzQ1Njc4OWFi\r\nY2RlZg=="), "line break"),
        (standard("whsec_MDEyMzQ1Njc4 OWFiY2RlZg=="), "white space"),
        (standard("whsec_MDEyMzQ1Njc4OWFi-2RlZg=="), "URL-safe"),
        (
            standard("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"),
            "public key",
        ),
        (adyen("0x44782DEF"), "`0x`"),
        (adyen("44782DEF547"), "digit"),
        (adyen("44782DEF 54"), "white space"),
        (adyen("44782DEF54GG"), "not a hexadecimal digit"),
        (adyen("RDctLw=="), "not a hexadecimal digit"),
    ] {
        assert!(error.contains(seen), "{error}");
    }
}

#[test]
fn empty_secret_and_its_signature_are_rejected() {
    // There is no constructor without one, and no default. What a missing environment variable
    // leaves behind ends here:
    let missing = std::env::var("TOWER_WEBHOOK_NO_SUCH_VARIABLE").unwrap_or_default();
    let built = Secret::new(missing).map(GitHub::new);
    assert_eq!(built.unwrap_err(), ConfigError::SecretEmpty);

    // The empty key's signature over a genuine body is refused by everyone.
    let head = head_of(meta_request(b"x", ()));
    assert!(verify(&Meta::new(secret()).unwrap(), &head, &Bytes::from("x")).is_ok());
    let mut forged = head;
    let signature = crate::support::hmac_sha256("", b"x");
    let signature = format!("sha256={signature}").parse().unwrap();
    forged.headers.insert("x-hub-signature-256", signature);
    assert!(verify(&Meta::new(secret()).unwrap(), &forged, &Bytes::from("x")).is_err());
    assert!(verify(&GitHub::new(secret()).unwrap(), &forged, &Bytes::from("x")).is_err());
}

#[test]
fn more_than_sixteen_secrets_are_refused_at_start_up() {
    let many = |count: usize| vec![secret(); count];
    let error = |provider: &Provider, secrets| {
        let url = provider.needs_url().then(|| PublicUrl::base("https://example.com").unwrap());
        match url {
            Some(url) => provider.verifier_at(secrets, url).err(),
            None => provider.verifier(secrets).err(),
        }
    };
    let mut checked = 0;
    for provider in providers::all() {
        let whsec = vec![Secret::new(WHSEC).unwrap(); 17];
        let first = error(&provider, whsec[..1].to_vec());
        let full = error(&provider, whsec[..16].to_vec());
        let first_of_several = first
            .clone()
            .map(|error| ConfigError::SecretOfSeveral { place: 1, error: Box::new(error) });
        assert_eq!(full, first_of_several, "{}", provider.name());
        if first.is_none() {
            let over = error(&provider, whsec);
            assert_eq!(over, Some(ConfigError::TooManySecrets), "{}", provider.name());
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");

    // What is added to a verifier has the same bound.
    let url = PublicUrl::base("https://example.com").unwrap();
    let twilio = Twilio::new(secret(), url).unwrap();
    assert!(twilio.clone().shared_key("id", many(16)).is_ok());
    assert_eq!(twilio.shared_key("id", many(17)).unwrap_err(), ConfigError::TooManySecrets);
    let meta = Meta::new(many(16)).unwrap();
    assert!(meta.clone().verify_token(many(16)).is_ok());
    assert_eq!(meta.clone().verify_token(many(17)).unwrap_err(), ConfigError::TooManySecrets);
    let meta = meta.verify_token(many(16)).unwrap();
    assert_eq!(meta.verify_token(secret()).unwrap_err(), ConfigError::TooManySecrets);
    let basic = BasicAuth::new("a", many(1)).unwrap();
    assert!(basic.user("b", Vec::<Secret>::new()).is_err());
}

/// What must appear nowhere: the secret as text, hex and base64, its `Debug` as bytes, and tags.
fn assert_shows_no_secret(name: &str, text: &str) {
    let decoded = STANDARD.decode(&WHSEC[6..]).unwrap();
    for secret in [SECRET.as_bytes(), WHSEC.as_bytes(), &decoded, b"user:password", b"k1-secret"] {
        let needles = [
            String::from_utf8_lossy(secret).into_owned(),
            hex(secret),
            hex(secret).to_uppercase(),
            STANDARD.encode(secret),
            format!("{secret:?}").trim_matches(['[', ']']).to_owned(),
            format!("{:?}", &secret[..8]).trim_matches(['[', ']']).to_owned(),
        ];
        for needle in needles {
            assert!(!text.contains(&needle), "{name} shows `{needle}`: {text}");
        }
    }
}

#[test]
fn debug_of_every_provider_shows_no_secret() {
    for genuine in genuine() {
        assert_shows_no_secret(genuine.name, &genuine.debug);
        // Nor what the sender sent.
        for (header, _, value) in &genuine.headers {
            let value = String::from_utf8_lossy(value);
            if value.len() > 15 && !header.starts_with("content") {
                assert!(!genuine.debug.contains(&*value), "{} {header}", genuine.name);
            }
        }
        assert!(genuine.debug.len() > 20, "{} says something", genuine.name);
    }
}

#[test]
fn debug_of_other_public_types_shows_no_secret() {
    let url = PublicUrl::base("https://user:password@example.com").unwrap();
    let twilio = Twilio::new(secret(), url.clone())
        .unwrap()
        .shared_key("k1", Secret::new("k1-secret").unwrap())
        .unwrap();
    let scheme =
        Scheme::hmac_sha256("x-s").secret_encoding(SecretEncoding::Base64 { prefix: "whsec_" });
    let verifier = scheme.verifier(Secret::new(WHSEC).unwrap()).unwrap();
    let token = secret();
    let custom = verifier_fn(move |_, _| {
        token.matches(b"").then(|| unreachable!()).ok_or(tower_webhook::Rejection::mismatch())
    });
    let meta = || Meta::new(secret()).unwrap().verify_token(secret()).unwrap();
    let look_up = ByHead::new(move |_| std::future::ready(Ok(meta())));
    let later = ByBody::new(Requires::nothing(), move |_, _| std::future::ready(Ok(meta())));
    let fixed = PublicUrl::fixed("https://user:password@example.com/?token=k1-secret").unwrap();
    let state = meta().begin(&Context::new(&head_of(meta_request(b"", ())))).unwrap();
    let verified = verify(&meta(), &head_of(meta_request(b"", ())), &Bytes::new()).unwrap();
    for (name, text) in [
        ("secret", format!("{:?} {:#?}", secret(), secret())),
        ("handshake", format!("{:#?}", meta())),
        ("twilio", format!("{twilio:#?}")),
        ("scheme", format!("{verifier:#?} {scheme:?}")),
        ("function", format!("{custom:?}")),
        ("look-up", format!("{:?}", SignatureLayer::new(look_up))),
        ("look-up later", format!("{:?}", SignatureLayer::new(later))),
        ("tenant", format!("{:?}", meta().for_tenant("7"))),
        ("both", format!("{:?}", all_of(meta(), twilio.clone()))),
        ("either", format!("{:?}", any_of(meta(), twilio))),
        ("URL", format!("{url:?} {fixed:?}")),
        ("state", format!("{state:?}")),
        ("verified", format!("{verified:?}")),
        ("tolerance", format!("{:?}", Tolerance::new(Duration::ZERO, Duration::ZERO))),
    ] {
        assert_shows_no_secret(name, &text);
    }
    let tag = crate::support::hmac_sha256(SECRET, b"");
    assert!(!format!("{verified:?}").contains(&tag), "the tag is a replay key, not for logs");
}

#[test]
fn config_error_says_remedy_and_shows_no_secret() {
    let base64_key = Secret::new(format!("{SECRET} is no base64")).unwrap();
    let scheme = |rule| Scheme::hmac_sha256("x-s").secret_encoding(rule);
    let hex_key = scheme(SecretEncoding::Hex).verifier(secret()).unwrap_err();
    let base = |url: &str| PublicUrl::base(url).unwrap_err();
    let networks = |network| TrustedProxies::new([network], |_| None).unwrap_err();
    let proxies = || TrustedProxies::new(["::1"], |_| None).unwrap();
    for (error, way_out) in [
        (Secret::new("").unwrap_err(), "environment variable"),
        (Secret::new(format!("{SECRET}\n")).unwrap_err(), "trim"),
        (Secret::new("changeme").unwrap_err(), "provider"),
        (Secret::from_bytes([0; 8]).unwrap_err(), "provider"),
        (Secret::from_hex(SECRET).unwrap_err(), "hexadecimal"),
        (Secret::from_base64(SECRET).unwrap_err(), "base64"),
        (Secret::from_whsec(SECRET).unwrap_err(), "base64"),
        (hex_key, "hexadecimal"),
        (StandardWebhooks::new(base64_key).unwrap_err(), "base64"),
        (base("https://user:password@example.com/?x"), "PublicUrl::fixed"),
        (base("user:password@example.com"), "https://"),
        (PublicUrl::fixed("https://user:password@a/#x").unwrap_err(), "fragment"),
        (PublicUrl::forwarded(["user:password@a"], proxies()).unwrap_err(), "host, with"),
        (networks("10.0.0.0/33"), "10.0.0.0/8"),
    ] {
        let text = format!("{error} {error:?}");
        assert_shows_no_secret(way_out, &text);
        assert!(error.to_string().contains(way_out), "{error}");
        assert!(!error.to_string().ends_with('.'), "{error}");
    }
}
