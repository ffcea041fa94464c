//! A rejection from the head alone costs no body: each provider, each header, each way to get
//! it wrong.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use http::{HeaderValue, StatusCode};
use tower_webhook::{
    RejectionKind, Verified,
    providers::{self, CredentialKind},
};

use crate::{
    genuine::{Headers, Role, genuine},
    support::{Script, assert_refused, at},
};

#[test]
fn table_covers_every_provider_beyond_a_scheme() {
    let table = genuine();
    // Tokens have tests of their own, and so have JSON Web Tokens and public keys.
    let others = [
        "Adyen",
        "AtlassianConnect",
        "BasicAuth",
        "Braintree",
        "Brevo",
        "Chargebee",
        "CloudflareNotifications",
        "Contentful",
        "Datadog",
        "Deepgram",
        "DingTalk",
        "DropboxSign",
        "Figma",
        "Flutterwave",
        "FusionAuth",
        "GitLab",
        "GoogleChannel",
        "LiveChat",
        "LiveKit",
        "Mailgun",
        "Mailjet",
        "Mandrill",
        "MercadoPago",
        "MessageBird",
        "MicrosoftGraph",
        "Midtrans",
        "Monday",
        "Netlify",
        "NmiGateway",
        "Okta",
        "Plivo",
        "Postmark",
        "SparkPost",
        "Telegram",
        "Upstash",
        "VMwareWorkspaceOne",
        "Vonage",
        "VonageSms",
        "WeChat",
        "WeCom",
        "Xendit",
    ];
    let own = providers::all().filter(|provider| provider.scheme().is_none());
    let own = own.filter(|provider| provider.credential_kind() != CredentialKind::PublicKey);
    let own: BTreeSet<_> = own.map(|provider| provider.type_name()).collect();
    let listed: Vec<_> = own.into_iter().filter(|name| !others.contains(name)).collect();
    assert_eq!(listed.len(), 16);
    for name in listed {
        assert!(table.iter().any(|genuine| genuine.name == name), "{name}");
    }
}

#[tokio::test]
async fn genuine_request_of_each_provider_is_accepted() {
    for genuine in genuine() {
        let name = genuine.name;
        let (response, inner) = genuine.send(&genuine.pairs(), genuine.body).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}: {response:?}");
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), genuine.body, "{name}");
        let verified: &Verified = call.verified();
        let provider = match name.split(',').next().unwrap() {
            "MessageBirdLegacy" => "messagebird_legacy",
            "SharedToken" => "shared_token",
            "StandardWebhooks" => "standard_webhooks",
            "WebexContactCenter" => "webex_contact_center",
            other => &other.to_lowercase(),
        };
        assert_eq!(verified.provider(), provider, "{name}");
        assert_eq!(verified.key_index(), 1, "{name}");
        assert_eq!(verified.signed_at(), genuine.signed_at.map(|time| at(time)()), "{name}");
        let has_role =
            |roles: &[Role]| genuine.headers.iter().find(|(_, role, _)| roles.contains(role));
        let id = has_role(&[Role::SignedId, Role::UnsignedId]).map(|(_, _, id)| &id[..]);
        assert_eq!(verified.delivery_id().map(HeaderValue::as_bytes), id, "{name}");
        let is_signed = has_role(&[Role::SignedId]).is_some();
        assert_eq!(verified.delivery_id_is_signed(), is_signed, "{name}");
        assert_eq!(verified.replay_key().is_some(), name != "SharedToken", "{name}");
        assert_eq!(verified.tenant(), None, "{name}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Accepted,
    /// Before the body is polled.
    FromTheHead(RejectionKind),
    AfterTheBody(RejectionKind),
}

/// Each way to get a header wrong.
const MUTATIONS: [&str; 9] = [
    "dropped",
    "emptied",
    "blank",
    "repeated",
    "cut by one character",
    "one character longer",
    "9 KiB long",
    "not ASCII",
    "under another prefix",
];

fn mutate(headers: &mut Headers, index: usize, mutation: &str) {
    let value = &mut headers[index].1;
    match mutation {
        "dropped" => drop(headers.remove(index)),
        "emptied" => value.clear(),
        "blank" => *value = b" \t ".to_vec(),
        "repeated" => headers.push(headers[index].clone()),
        "cut by one character" => drop(value.pop()),
        "one character longer" => value.push(b'0'),
        "9 KiB long" => value.resize(9 << 10, b'0'),
        "not ASCII" => *value.last_mut().unwrap() = 0xe9,
        _ => match prefix_len(value) {
            0 => drop(value.splice(..0, *b"x=")),
            len => value[len - 2] = b'x',
        },
    }
}

/// What stands before a tag: `sha256=`, `v1,`, `2/SHA256/`, or nothing.
fn prefix_len(value: &[u8]) -> usize {
    match value.windows(8).position(|run| run == b"/SHA256/") {
        Some(at) => at + 8,
        None => value.iter().take(10).position(|b| b"=,".contains(b)).map_or(0, |at| at + 1),
    }
}

fn expected(role: Role, mutation: &str) -> Outcome {
    use Outcome::{Accepted, AfterTheBody, FromTheHead};
    use RejectionKind::{
        Malformed, Missing, Repeated, SignatureMismatch, TimestampInFuture, TimestampStale,
    };
    match (role, mutation) {
        (_, "repeated") => FromTheHead(Repeated),
        (_, "9 KiB long") => FromTheHead(Malformed),
        (Role::UnsignedId, _) | (Role::EchoedTime, "dropped") => Accepted,
        (Role::EchoedTime, "cut by one character" | "one character longer") => {
            AfterTheBody(Malformed)
        }
        (Role::EchoedTime, _) => FromTheHead(Malformed),
        (_, "dropped" | "emptied" | "blank") => FromTheHead(Missing),
        (Role::SignedTime, "cut by one character") => FromTheHead(TimestampStale),
        (Role::SignedTime, "one character longer") => FromTheHead(TimestampInFuture),
        // Well-formed, and not what was signed.
        (Role::SignedId, _) => AfterTheBody(SignatureMismatch),
        (Role::Token, _) => FromTheHead(SignatureMismatch),
        _ => FromTheHead(Malformed),
    }
}

#[tokio::test]
async fn a_head_that_can_be_refused_costs_no_body() {
    let mut refused = 0;
    for genuine in genuine() {
        for (index, (header, role, _)) in genuine.headers.iter().enumerate() {
            for mutation in MUTATIONS.iter().filter(|_| *role != Role::Unrelated) {
                let name = format!("{}: {header} {mutation}", genuine.name);
                let mut headers = genuine.pairs();
                // Only the signature that counts: a second one is not cut.
                if let Some(end) = headers[index].1.iter().position(|b| *b == b' ') {
                    headers[index].1.truncate(end);
                }
                if let Some(end) = headers[index].1.windows(4).position(|part| part == b",v0=") {
                    headers[index].1.truncate(end);
                }
                mutate(&mut headers, index, mutation);
                let expected = expected(*role, mutation);
                let body = match expected {
                    Outcome::FromTheHead(_) => Script::untouchable(),
                    _ => Script::data([genuine.body]),
                };
                let polls = body.polls.clone();
                let sent = (genuine.send)(genuine.request(&headers, body)).await;
                match expected {
                    Outcome::Accepted => {
                        assert_eq!(sent.0.status(), StatusCode::OK, "{name}");
                        continue;
                    }
                    Outcome::FromTheHead(kind) => {
                        assert_refused(&name, kind, &sent);
                        assert_eq!(polls.load(Ordering::SeqCst), 0, "{name}");
                    }
                    Outcome::AfterTheBody(kind) => {
                        assert_refused(&name, kind, &sent);
                        assert_ne!(polls.load(Ordering::SeqCst), 0, "{name}");
                    }
                }
                refused += 1;
            }
        }
    }
    assert!(refused > 150, "{refused}");
}

#[tokio::test]
async fn a_well_formed_wrong_tag_is_refused_after_the_body() {
    for genuine in genuine() {
        let mut headers = genuine.pairs();
        let (_, role, value) = &genuine.headers[0];
        let at = if value.starts_with(b"t=") { 20 } else { prefix_len(value) + 5 };
        headers[0].1[at] = if value[at] == b'a' { b'b' } else { b'a' };
        // A token is judged by the head, while its sender waits to send the body.
        let body = match role {
            Role::Token => Script::untouchable(),
            _ => Script::data([genuine.body]),
        };
        let polls = body.polls.clone();
        let sent = (genuine.send)(genuine.request(&headers, body)).await;
        assert_refused(genuine.name, RejectionKind::SignatureMismatch, &sent);
        assert_eq!(polls.load(Ordering::SeqCst) == 0, *role == Role::Token, "{}", genuine.name);
    }
}

#[tokio::test]
async fn every_changed_byte_of_a_body_is_noticed() {
    for genuine in genuine().iter().filter(|genuine| genuine.name != "SharedToken") {
        for at in 0..genuine.body.len() {
            let mut body = genuine.body.as_bytes().to_vec();
            body[at] ^= 1;
            let (response, inner) = genuine.send(&genuine.pairs(), body).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{} {at}", genuine.name);
            assert_eq!(inner.count(), 0, "{} {at}", genuine.name);
        }
        for body in [&genuine.body[1..], &genuine.body[..genuine.body.len() - 1], ""] {
            let (response, _) = genuine.send(&genuine.pairs(), body.to_owned()).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{} {body}", genuine.name);
        }
    }
}
