//! Words on providers that no code has.

/// The best-known providers, and what people call them.
pub(super) const BEST_KNOWN: [(&str, &str); 20] = [
    ("Discord", ""),
    ("GitHub", ""),
    ("GitLab", ""),
    ("Linear", ""),
    ("Mailgun", ""),
    ("Meta", "WhatsApp, Messenger, Instagram"),
    ("Notion", ""),
    ("Paddle", ""),
    ("Razorpay", ""),
    ("SendGrid", ""),
    ("Shopify", ""),
    ("Slack", ""),
    ("Square", ""),
    ("StandardWebhooks", "Svix and others"),
    ("Stripe", ""),
    ("Telegram", ""),
    ("Twilio", ""),
    ("Xero", ""),
    ("Zendesk", ""),
    ("Zoom", ""),
];

/// Types that the registry does not have, because their secret is part of a URL, or because they
/// need more than a credential: the name, and what is signed.
pub(super) const BY_URL: [(&str, &str, &str); 3] = [
    ("AmazonSns", "amazon_sns", "RSA of the message's fields and the topic"),
    ("AzureEventGrid", "azure_event_grid", "nothing: a token in a header or in the URL"),
    ("Strava", "strava", "nothing: a token in the URL"),
];

/// Made-up secrets; the first one of the provider's form is its example.
pub(super) const SECRETS: [&str; 4] = [
    "made-up-secret",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
];

/// A made-up secret in the provider's own form, where people know it by that.
pub(super) fn secret(type_name: &str) -> Option<&'static str> {
    match type_name {
        "Paddle" => Some("pdl_ntf_made_up_secret"),
        "Stripe" => Some("whsec_made_up_secret"),
        _ => None,
    }
}
