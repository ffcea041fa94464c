//! Words on providers that no code has.

use tower_webhook::{providers, scheme::Scheme};

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

/// The provider's own name, where the type's is another.
pub(super) fn title(type_name: &'static str) -> &'static str {
    match type_name {
        "AdyenPlatform" => "Adyen platform",
        "AuthorizeNet" => "Authorize.Net",
        "BoxCom" => "Box",
        "CalCom" => "Cal.com",
        "CheckoutCom" => "Checkout.com",
        "CircleCi" => "CircleCI",
        "CoinbaseCommerce" => "Coinbase Commerce",
        "CustomerIo" => "Customer.io",
        "FrameIo" => "Frame.io",
        "IncidentIo" => "incident.io",
        "LemonSqueezy" => "Lemon Squeezy",
        "Line" => "LINE",
        "MicrosoftTeams" => "Microsoft Teams outgoing",
        "ModernTreasury" => "Modern Treasury",
        "MongoDb" => "MongoDB Atlas",
        "Npm" => "npm",
        "OpenAi" => "OpenAI",
        "SalesforceMarketingCloud" => "Salesforce Marketing Cloud",
        "SignalSciences" => "Signal Sciences",
        "Sonatype" => "Sonatype Nexus",
        "Terraform" => "HCP Terraform",
        "TrendMicroConformity" => "Trend Micro Conformity",
        "Twitch" => "Twitch EventSub",
        "Twitter" => "X (Twitter)",
        "WorkOs" => "WorkOS",
        name => name,
    }
}

/// The scheme of a type that is more than its scheme.
pub(super) fn scheme(type_name: &str) -> Option<Scheme> {
    Some(match type_name {
        "Meta" => providers::Meta::SCHEME,
        "Persona" => providers::Persona::SCHEME,
        "Slack" => providers::Slack::SCHEME,
        "WebexContactCenter" => providers::WebexContactCenter::SCHEME,
        "Wsapi" => providers::Wsapi::SCHEME,
        #[cfg(feature = "asymmetric")]
        "Discord" => providers::Discord::SCHEME,
        #[cfg(feature = "asymmetric")]
        "SendGrid" => providers::SendGrid::SCHEME,
        #[cfg(feature = "asymmetric")]
        "Telnyx" => providers::Telnyx::SCHEME,
        #[cfg(feature = "asymmetric")]
        "Wise" => providers::Wise::SCHEME,
        _ => return None,
    })
}

/// What is signed, for types without a scheme, or with several.
pub(super) fn signature(type_name: &str) -> &'static str {
    match type_name {
        "Ably" | "Pusher" | "Worldline" | "Worldpay" => {
            "HMAC-SHA256 of the body, with the key of an ID"
        }
        "AzureEventGrid" => "nothing: a token in a header or in the URL",
        "BasicAuth" | "Brevo" | "Chargebee" | "Mailjet" | "Postmark" | "SparkPost" => {
            "nothing: user and password"
        }
        "Datadog" | "Deepgram" | "Okta" | "Telegram" => "nothing: a token in a header",
        "Flutterwave" => "HMAC-SHA256 of the body; version 3 nothing: a token in a header",
        "GitLab" => "HMAC-SHA256 of ID, time and body; or nothing: a token in a header",
        "Mailgun" => "HMAC-SHA256 of time and a token, **not** of the body",
        "MicrosoftGraph" => "nothing: a token in the body",
        "SharedToken" => "nothing: a token in a header of your choice, or in the URL",
        "StandardWebhooks" => "HMAC-SHA256 or Ed25519 of ID, time and body",
        "Strava" => "nothing: a token in the URL",
        "Twilio" => "HMAC-SHA1 of URL and form, or of the URL with the body's SHA-256",
        "WebSub" => "HMAC of the body with SHA-256, or with SHA-1, SHA-384 or SHA-512",
        name => panic!("say in `tests/it/pages/words.rs` what `{name}` signs"),
    }
}

/// Names by which people look for a provider, beside its own.
pub(super) fn also(type_name: &str) -> &'static str {
    match type_name {
        "BasicAuth" => "HTTP basic authentication",
        "BoxCom" => "Box",
        "CoinbaseCommerce" => "Coinbase",
        "Gitea" => "Forgejo",
        "Meta" => "WhatsApp, Facebook, Messenger, Instagram",
        "MicrosoftGraph" => "Outlook, OneDrive, Microsoft 365",
        "QuickBooks" => "Intuit",
        "SalesforceMarketingCloud" => "Salesforce",
        "SendGrid" => "Twilio SendGrid",
        "SharedToken" => "API key, webhook token",
        "StandardWebhooks" => "Svix",
        "Twitter" => "X",
        _ => "",
    }
}

/// The ID of a type that the registry does not have.
pub(super) fn id(type_name: &str) -> &'static str {
    match type_name {
        "AzureEventGrid" => "azure_event_grid",
        "Strava" => "strava",
        name => panic!("`{name}` is not in the registry"),
    }
}

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
