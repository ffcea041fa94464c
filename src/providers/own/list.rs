//! List of the types with code of their own, with other names of their providers.

use crate::providers::registration::Registration;

/// Exports the types, and lists their registrations.
///
/// `also` has other names of the provider, and `search` has other terms for rustdoc's search. Both
/// are on the export, because the search forgets an alias on a type of a private module.
macro_rules! types {
    ($(
        $(#[$cfg:meta])*
        $module:ident$(/$inner:ident)?::$name:ident $(with $state:ident)?
            $(also [$($alias:literal),+])? $(search [$($term:literal),+])?,
    )*) => {
        $(
            $(#[$cfg])*
            $($(#[doc(alias = $alias)])+)?
            $($(#[doc(alias = $term)])+)?
            pub use crate::providers::own::$module$(::$inner)?::$name;
            $(pub use crate::providers::own::$module::$state;)?
        )*

        pub(crate) const TYPES: &[Registration] = &[$(
            $(#[$cfg])*
            Registration { aliases: &[$($($alias),+)?], ..$name::REGISTRATION }
        ),*];
    };
}

pub use crate::providers::own::encrypted_callback::CallbackState;
#[cfg(feature = "jwt")]
pub use crate::providers::own::jwt::{state::JwtState, token_claims::token_claims};

#[cfg(feature = "fetched-keys")]
pub use crate::providers::own::jws::{
    fireblocks::FireblocksEnvironment, truelayer::TrueLayerEnvironment, verifier::JwsState,
};
#[cfg(feature = "fetched-keys")]
pub use crate::providers::own::jwt::google_chat::GoogleChatAudience;
#[cfg(feature = "certificates")]
pub use crate::providers::own::paypal::PayPalState;
#[cfg(feature = "asymmetric")]
pub use crate::providers::own::sns_message::SnsSubscription;

types! {
    keyring::Ably,
    adyen::Adyen,
    #[cfg(feature = "certificates")]
    alexa::Alexa,
    #[cfg(feature = "asymmetric")]
    sns::AmazonSns also ["AWS SNS", "SNS"] search ["ses", "cloudwatch"],
    #[cfg(feature = "certificates")]
    jwt/apple_app_store::AppleAppStore search ["ios", "in-app purchase"],
    #[cfg(feature = "jwt")]
    jwt/atlassian_connect::AtlassianConnect,
    #[cfg(feature = "fetched-keys")]
    jwt/atlassian_connect_lifecycle::AtlassianConnectLifecycle,
    azure_event_grid::AzureEventGrid search ["azure", "eventgrid"],
    #[cfg(feature = "fetched-keys")]
    jwt/azure_event_grid_entra::AzureEventGridEntra,
    basic_auth::BasicAuth search ["basic"],
    braintree::Braintree,
    #[cfg(feature = "asymmetric")]
    pinned_keys_timed::Bridge search ["bridge.xyz"],
    #[cfg(feature = "fetched-keys")]
    jwt/bot_framework::BotFramework also ["Azure Bot Service"] search ["teams"],
    basic_auth::Brevo,
    basic_auth::Chargebee,
    #[cfg(feature = "asymmetric")]
    pinned_keys::Circle,
    contentful::Contentful,
    dingtalk::DingTalk,
    #[cfg(feature = "asymmetric")]
    discord::Discord,
    dropbox_sign::DropboxSign also ["HelloSign"],
    #[cfg(feature = "asymmetric")]
    ebay::EBay,
    #[cfg(feature = "asymmetric")]
    pinned_key_sets::FalAi,
    body_token::Figma,
    #[cfg(feature = "fetched-keys")]
    jws/fireblocks::Fireblocks,
    flutterwave::Flutterwave,
    #[cfg(feature = "fetched-keys")]
    jwt/forge_remote::ForgeRemote also ["Atlassian Forge"],
    #[cfg(feature = "asymmetric")]
    pinned_keys::Freshchat,
    #[cfg(feature = "jwt")]
    jwt/fusionauth::FusionAuth,
    #[cfg(feature = "asymmetric")]
    pinned_key_sets::Gemini search ["google"],
    #[cfg(feature = "asymmetric")]
    pinned_keys::GitHubCopilot,
    #[cfg(feature = "asymmetric")]
    pinned_keys::GitHubSecretScanning,
    gitlab::GitLab with GitLabState,
    #[cfg(feature = "fetched-keys")]
    jwt/google_chat::GoogleChat,
    #[cfg(feature = "fetched-keys")]
    jwt/google_pub_sub::GooglePubSub also ["Gmail", "Google Play", "Cloud Tasks", "Cloud Scheduler"] search ["pubsub"],
    #[cfg(feature = "fetched-keys")]
    jwt/google_risc::GoogleRisc also ["Cross-Account Protection"] search ["google"],
    #[cfg(feature = "asymmetric")]
    pinned_keys::HighLevel also ["GoHighLevel", "LeadConnector"],
    hubspot::HubSpot with HubSpotState,
    hygraph::Hygraph with HygraphState also ["GraphCMS"],
    #[cfg(feature = "asymmetric")]
    pinned_keys_timed::IntegratedFinance,
    #[cfg(feature = "fetched-keys")]
    jwt/kinde::Kinde,
    body_token::LiveChat,
    #[cfg(feature = "jwt")]
    jwt/livekit::LiveKit,
    mailgun::Mailgun,
    basic_auth::Mailjet,
    mandrill::Mandrill also ["Mailchimp Transactional", "Mailchimp"],
    mercado_pago::MercadoPago search ["mercadolibre"],
    #[cfg(feature = "jwt")]
    jwt/messagebird::MessageBird,
    messagebird_legacy::MessageBirdLegacy,
    meta::Meta also [
        "WhatsApp",
        "Facebook",
        "Messenger",
        "Instagram",
        "Facebook Messenger",
        "Facebook Graph API"
    ],
    microsoft_graph::MicrosoftGraph also ["Outlook", "OneDrive", "Microsoft 365"] search ["office365"],
    #[cfg(feature = "fetched-keys")]
    jwt/microsoft_graph_resource_data::MicrosoftGraphResourceData search ["rich notifications"],
    midtrans::Midtrans,
    #[cfg(feature = "jwt")]
    jwt/monday::Monday,
    #[cfg(feature = "fetched-keys")]
    jws/neon_auth::NeonAuth,
    #[cfg(feature = "jwt")]
    jwt/netlify::Netlify,
    nmi_gateway::NmiGateway search ["network merchants"],
    #[cfg(feature = "fetched-keys")]
    jws/open_banking::OpenBanking search ["x-jws-signature", "psd2"],
    #[cfg(feature = "certificates")]
    paypal::PayPal,
    persona::Persona with PersonaState,
    #[cfg(feature = "fetched-keys")]
    jwt/plaid::Plaid,
    plivo::Plivo,
    #[cfg(feature = "asymmetric")]
    pinned_keys::Postal,
    basic_auth::Postmark,
    keyring::Pusher,
    #[cfg(feature = "fetched-keys")]
    jwt/security_event_tokens::SecurityEventTokens also ["Shared Signals", "CAEP"] search ["SET", "SSF", "Okta"],
    #[cfg(feature = "asymmetric")]
    sendgrid::SendGrid also ["Twilio SendGrid"],
    shared_token::SharedToken also ["API key", "webhook token"] search ["token"],
    #[cfg(feature = "asymmetric")]
    pinned_key_sets::ShipStation also ["ShipEngine"],
    #[cfg(feature = "fetched-keys")]
    jwt/sign_in_with_apple::SignInWithApple search ["apple"],
    slack::Slack,
    basic_auth::SparkPost,
    standard_webhooks::StandardWebhooks with StandardWebhooksState also ["Svix"] search ["standard-webhooks"],
    strava::Strava,
    #[cfg(feature = "asymmetric")]
    telnyx::Telnyx,
    #[cfg(feature = "asymmetric")]
    pinned_keys::TokenIo,
    #[cfg(feature = "fetched-keys")]
    jws/truelayer::TrueLayer,
    #[cfg(feature = "asymmetric")]
    pinned_key_sets::Turnkey,
    twilio::Twilio with TwilioState,
    #[cfg(feature = "jwt")]
    jwt/upstash::Upstash also ["QStash"],
    basic_auth::VMwareWorkspaceOne also ["VMware", "Workspace ONE"] search ["airwatch"],
    #[cfg(feature = "jwt")]
    jwt/vonage::Vonage also ["Nexmo"],
    vonage_sms::VonageSms search ["vonage"],
    webex_contact_center::WebexContactCenter search ["cisco"],
    websub::WebSub search ["pubsubhubbub"],
    #[cfg(feature = "xml")]
    wechat::WeChat also ["Weixin"],
    #[cfg(feature = "asymmetric")]
    pinned_keys_timed::WeChatPay also ["Weixin Pay"],
    #[cfg(feature = "xml")]
    wecom::WeCom also ["WeChat Work", "WeChat Enterprise"] search ["work weixin"],
    #[cfg(feature = "asymmetric")]
    wise::Wise,
    #[cfg(all(feature = "asymmetric", feature = "jwt"))]
    jwt/wix::Wix,
    keyring::Worldline search ["ingenico"],
    worldpay::Worldpay with WorldpayState,
    wsapi::Wsapi,
}
