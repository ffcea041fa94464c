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
pub(super) const BY_URL: [(&str, &str, &str); 22] = [
    ("Alexa", "alexa", "RSA of the body, which has a time"),
    ("AmazonSns", "amazon_sns", "RSA of the message's fields and the topic"),
    ("AppleAppStore", "apple_app_store", "JWS in the body, with app, environment and ID"),
    (
        "AtlassianConnectLifecycle",
        "atlassian_connect_lifecycle",
        "JWT with method, path, query, times and the client key; not the rest of the body",
    ),
    ("AzureEventGrid", "azure_event_grid", "nothing: a token in a header or in the URL"),
    (
        "AzureEventGridEntra",
        "azure_event_grid_entra",
        "JWT with audience, application and times; not the body",
    ),
    (
        "BotFramework",
        "bot_framework",
        "JWT with audience, service URL and times; not the rest of the body",
    ),
    ("Fireblocks", "fireblocks", "RSA PKCS#1 v1.5 with SHA-512 of the body"),
    ("ForgeRemote", "forge_remote", "JWT with audience and times; not the body"),
    ("GoogleChat", "google_chat", "JWT with audience, account and times; not the body"),
    ("GooglePubSub", "google_pub_sub", "JWT with audience, account and times; not the body"),
    ("GoogleRisc", "google_risc", "JWT that is the body, with audience and ID"),
    ("Kinde", "kinde", "JWT that is the body, with an ID"),
    (
        "MicrosoftGraphResourceData",
        "microsoft_graph_resource_data",
        "JWT with audience, tenant and times, and a token; not the rest of the body",
    ),
    ("NeonAuth", "neon_auth", "Ed25519 of time and body"),
    ("OpenBanking", "open_banking", "RSA-PSS or ECDSA of the body and a time"),
    ("PayPal", "paypal", "RSA of ID, time, webhook ID and the body's CRC-32"),
    ("Plaid", "plaid", "JWT with the hash of the body and a time"),
    (
        "SecurityEventTokens",
        "security_event_tokens",
        "JWT that is the body, with issuer, audience and ID",
    ),
    ("SignInWithApple", "sign_in_with_apple", "JWT in the body, with audience and ID"),
    ("Strava", "strava", "nothing: a token in the URL"),
    ("TrueLayer", "truelayer", "ECDSA P-521 of method, path, headers and body"),
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
