//! What every store must do, run against memory and SQLite here, and against PostgreSQL among the
//! tests with servers.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tower::{Layer, ServiceExt};
use tower_webhook::{
    SignatureLayer, Verifier,
    delivery_log::{DeliveryLog, DeliveryLogBuilder, Entry, EntryId, Filter, Retention},
    providers::{BoxVerifier, Meta, by_name},
};

use super::{forged, genuine, handler, rows, send_to};
use crate::support::{SECRET, hmac_sha256, meta_layer, secret, unexplained};

/// The log of an empty store.
pub(crate) async fn keeps_its_contract(log: DeliveryLog) {
    keeps_hostile_text(&log).await;
    finds_by_all_filters(&log).await;
    finds_by_every_subset(&log).await;
    tells_filters_apart(&log).await;
    prunes(&log).await;
    #[cfg(feature = "explain")]
    keeps_causes(&log).await;
    log.shutdown(Duration::from_secs(10)).await.unwrap();
}

/// How a log is set up for [`keeps_its_contract`].
pub(crate) fn builder() -> DeliveryLogBuilder {
    DeliveryLog::builder().payload_limit(100_000).durable()
}

/// The row of a rejection is written, and its cause comes later, once.
#[cfg(feature = "explain")]
async fn keeps_causes(log: &DeliveryLog) {
    let (layer, explained) = super::explained::layer(log);
    send_to(&layer, 200, forged(b"something else\n")).await;
    super::explained::wait(&explained);
    let all = rows(log).await;
    let row = all.first().unwrap();
    assert_eq!((&*row.status, row.cause.as_deref()), ("unauthorized", Some("final_newline")));
    assert_eq!(row.reason.as_deref(), Some("signature_mismatch"));
    let explanation = row.explanation.as_deref().unwrap();
    assert!(explanation.contains("(proven); fix: make the component"), "{explanation}");
    assert_eq!(log.get(row.id).await.unwrap().as_ref(), Some(row));
    // The totals know the longer row: the limit keeps it, and a byte less does not.
    let bytes = all.iter().map(|row| u64::try_from(row.stored_len()).unwrap()).sum();
    assert_eq!(log.prune(Retention::new().max_bytes(bytes)).await.unwrap(), 0);
    assert_eq!(log.prune(Retention::new().max_bytes(bytes - 1)).await.unwrap(), 1);
}

async fn keeps_hostile_text(log: &DeliveryLog) {
    let layer = unexplained(meta_layer()).observer(log.clone());
    let mut request = forged(b"\0\xff'); DROP TABLE webhook_deliveries;--");
    let headers = request.headers_mut();
    headers.insert(
        "user-agent",
        HeaderValue::from_bytes(b"\xff\xfe'); DROP TABLE webhook_deliveries;--").unwrap(),
    );
    headers.insert("webhook-id", "{\"level\":\"INFO\"".parse().unwrap());
    *request.uri_mut() = "/github%0d%0a2026-01-01%20INFO?a='%00".parse().unwrap();
    send_to(&layer, 200, request).await;
    let all_bytes: &'static [u8] = &*(0..=255).collect::<Vec<u8>>().repeat(300).leak();
    send_to(&layer, 200, genuine(all_bytes)).await;
    let mut rows = rows(log).await;
    // The log is durable, and this delivery passed no durable layer.
    assert_eq!(rows.extract_if(.., |row| row.status == "misconfigured").count(), 1);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].payload.as_deref(), Some(all_bytes));
    assert!(rows[0].verified && !rows[1].verified && !rows[0].payload_truncated);
    assert_eq!(
        rows[1].user_agent.as_deref(),
        Some(r"\xff\xfe'); DROP TABLE webhook_deliveries;--")
    );
    assert_eq!(rows[1].url, r"/github%0d%0a2026-01-01%20INFO?a='%00");
    let named = rows[1].headers.iter().find(|(name, _)| name == "webhook-id").unwrap();
    assert_eq!(named.1, r#"{\"level\":\"INFO\""#);
    assert_eq!(log.get(rows[1].id).await.unwrap().as_ref(), Some(&rows[1]));
    assert_eq!(log.get(EntryId::default()).await.unwrap(), None);
}

fn millis(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(number)
}

/// A row at each of the milliseconds from 1,000 on: of two providers, with and without a tenant,
/// in all outcomes.
async fn finds_by_all_filters(log: &DeliveryLog) {
    let durable = log.durable_layer().unwrap();
    for number in 0..120_u64 {
        let provider = if number % 3 == 0 { "github" } else { "meta" };
        let verifier: BoxVerifier = by_name(provider).unwrap().verifier(secret()).unwrap();
        // Those of GitHub are nobody's.
        let tenant = ["anna", "bob"].into_iter().nth(usize::try_from(number % 3).unwrap());
        let verifier: BoxVerifier = match tenant {
            Some(tenant) => BoxVerifier::new(verifier.for_tenant(tenant)),
            None => verifier,
        };
        let layer = unexplained(SignatureLayer::new(verifier))
            .observer(log.clone())
            .clock(move || millis(1_000 + number));
        let status = if number % 5 == 0 { 500 } else { 200 };
        let handler = handler(status);
        let mut request = genuine(b"x");
        let signature = format!("sha256={}", hmac_sha256(SECRET, b"x"));
        let signature = if number % 7 == 0 { "sha256=00".to_owned() } else { signature };
        request.headers_mut().insert("x-hub-signature-256", signature.parse().unwrap());
        let Ok(_) = if number % 2 == 0 {
            layer.layer(durable.layer(handler)).oneshot(request).await.map(|_| ())
        } else {
            layer.layer(handler).oneshot(request).await.map(|_| ())
        };
    }
    log.flush().await.unwrap();
    let range = || Filter::new().since(millis(1_000)).until(millis(1_120)).limit(1_000);
    let all = log.find(&range()).await.unwrap();
    assert_eq!(all.len(), 120, "one row each, with the durable layer and without");
    assert!(all.is_sorted_by(|a, b| a.id > b.id), "the newest first");
    let time = |entry: &Entry| entry.received_at.unwrap();
    assert!(all.is_sorted_by(|a, b| time(a) > time(b)));
    let numbers = |is_asked_for: fn(u64) -> bool| (0..120).filter(|n| is_asked_for(*n)).count();
    let mut only_one = range();
    only_one.id = Some(all[7].id);
    let mut failed = range();
    failed.statuses = Filter::failed().statuses;
    for (filter, count) in [
        (range().provider("github"), 40),
        (range().status("success"), numbers(|n| n % 7 != 0 && n % 5 != 0)),
        (range().status("error").status("unauthorized"), numbers(|n| n % 7 == 0 || n % 5 == 0)),
        (range(), 120),
        (failed, numbers(|n| n % 7 == 0 || n % 5 == 0)),
        (
            range().provider("meta").status("error"),
            numbers(|n| n % 3 != 0 && n % 7 != 0 && n % 5 == 0),
        ),
        (range().since(millis(1_010)).until(millis(1_020)), 10),
        (range().before(all[50].id), 69),
        (range().until(millis(1_020)).before(all[50].id), 20),
        (range().tenant("nobody"), 0),
        (range().status("'; --"), 0),
        (only_one, 1),
    ] {
        let expected: Vec<_> = all.iter().filter(|entry| filter.matches(entry)).cloned().collect();
        assert_eq!(log.find(&filter).await.unwrap().entries, expected, "{filter:?}");
        assert_eq!(expected.len(), count, "{filter:?}");
    }
    let github = log.find(&range().provider("github")).await.unwrap();
    assert_eq!(&*github[0].provider, "github");

    let mut paged = Vec::new();
    let mut filter = Some(range().limit(7));
    while let Some(wanted) = filter {
        let page = log.find(&wanted).await.unwrap();
        filter = page.next(&wanted);
        paged.extend(page);
    }
    assert_eq!(paged, all.entries);
    assert_eq!(log.find(&Filter::new()).await.unwrap().len(), 50, "unless asked for more");
}

/// Each combination of what a filter can ask for, page by page, beside the filter's own word.
async fn finds_by_every_subset(log: &DeliveryLog) {
    let all = log.find(&Filter::new().limit(1_000)).await.unwrap().entries;
    assert!(all.len() > 120 && all.len() < 1_000);
    let mut filters = vec![Filter::new().limit(1_000)];
    let mut vary = |ways: &[&dyn Fn(Filter) -> Filter]| {
        let old = std::mem::take(&mut filters);
        for filter in old {
            filters.push(filter.clone());
            filters.extend(ways.iter().map(|way| way(filter.clone())));
        }
    };
    vary(&[&|f| f.provider("meta"), &|f| f.provider("github"), &|f| f.provider("none")]);
    vary(&[&|f| f.tenant("anna"), &|f| f.tenant("bob"), &|f| f.tenant("none")]);
    let failed = |f: Filter| f.status("error").status("unauthorized").status("error");
    vary(&[&|f| f.status("success"), &failed, &|f| f.status("none").status("error")]);
    vary(&[&|f| f.since(millis(1_030))]);
    vary(&[&|f| f.until(millis(1_090)), &|f| f.before(all[60].id)]);
    vary(&[&|f| f.limit(10)]);
    assert_eq!(filters.len(), 4 * 4 * 4 * 2 * 3 * 2);
    for filter in filters {
        let expected = all.iter().filter(|entry| filter.matches(entry));
        let mut found = Vec::new();
        let mut next = Some(filter.clone());
        while let Some(wanted) = next {
            let page = log.find(&wanted).await.unwrap();
            assert_eq!(page.searched_until, None);
            next = page.next(&wanted);
            assert!(page.len() <= 10 || filter.limit > 10);
            found.extend(page);
        }
        assert!(expected.eq(&found), "{filter:?}");
    }
}

/// What a filter's texts are compared with must not get mixed up.
async fn tells_filters_apart(log: &DeliveryLog) {
    for status in [200, 500] {
        let verifier = Meta::new(secret()).unwrap().for_tenant("success");
        let layer = unexplained(SignatureLayer::new(verifier)).observer(log.clone());
        let Ok(_) = layer.layer(handler(status)).oneshot(genuine(b"x")).await;
    }
    log.flush().await.unwrap();
    let failed = Filter::new().tenant("success").status("error");
    assert_eq!(log.find(&failed).await.unwrap().len(), 1);
}

async fn prunes(log: &DeliveryLog) {
    let layer = unexplained(meta_layer()).observer(log.clone());
    for _ in 0..1_300 {
        send_to(&layer, 200, genuine(b"x")).await;
    }
    log.flush().await.unwrap();
    let all = 3 + 120 + 2 + 1_300;
    assert_eq!(log.prune(Retention::new()).await.unwrap(), 0);
    assert_eq!(log.prune(Retention::new().max_rows(all)).await.unwrap(), 0);
    assert_eq!(log.prune(Retention::new().max_bytes(u64::MAX)).await.unwrap(), 0);
    // Those of 1970.
    let day = Duration::from_secs(86_400);
    assert_eq!(log.prune(Retention::new().max_age(day)).await.unwrap(), 120);
    assert_eq!(log.prune(Retention::new().max_rows(1_000)).await.unwrap(), 305);
    let rows = log.find(&Filter::new().limit(1_000)).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    let len: usize = rows.iter().take(10).map(Entry::stored_len).sum();
    let limit = Retention::new().max_bytes(u64::try_from(len).unwrap());
    assert_eq!(log.prune(limit).await.unwrap(), 990);
    assert_eq!(log.find(&Filter::new()).await.unwrap().entries, rows[..10], "the newest stay");
    assert_eq!(log.prune(limit.max_rows(3)).await.unwrap(), 7, "every limit holds");
    assert_eq!(log.prune(Retention::new().max_rows(0)).await.unwrap(), 3);
    assert!(log.find(&Filter::new()).await.unwrap().is_empty());
}
