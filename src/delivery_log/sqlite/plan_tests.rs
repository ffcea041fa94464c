//! Tests that each statement of a search uses its intended index, with no rows and with many, with
//! and without SQLite's statistics.

use rusqlite::Connection;

use crate::delivery_log::{
    filter::Filter,
    id::EntryId,
    page::Page,
    sqlite::{
        find::{self, statements},
        lane::Work,
        store::migrate,
    },
};

const PRIMARY_KEY: &str = "sqlite_autoindex_webhook_deliveries_1";

/// Statement that inserts rows, most of which are successes of one provider.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, tenant, method, url,
        verified, headers, payload_truncated)
    SELECT printf('00000000-%04x-7000-8000-%012x', i / 65536, i), i, 300,
        CASE WHEN i % 1000 = 0 THEN 'error' WHEN i % 999 = 0 THEN 'unauthorized' ELSE 'success' END,
        CASE WHEN i % 50 = 0 THEN 'meta' ELSE 'github' END,
        CASE WHEN i % 7 = 0 THEN NULL ELSE 'tenant-' || (i % 20) END,
        'POST', '/', 1, '{}', 0
    FROM n";

/// Returns each filter, each pair of filters and all three, with and without ranges, and the index
/// of each.
fn filters() -> Vec<(Filter, &'static str)> {
    let mut all = Vec::new();
    for statuses in [&[][..], &["error"], &["error", "unauthorized", "error"], &["success", "none"]]
    {
        for (tenant, provider) in [(false, false), (false, true), (true, false), (true, true)] {
            let index = match (tenant, provider) {
                (true, _) => "webhook_deliveries_tenant",
                (false, true) => "webhook_deliveries_provider",
                _ if statuses.is_empty() => PRIMARY_KEY,
                _ => "webhook_deliveries_status",
            };
            let filter =
                statuses.iter().fold(Filter::new(), |filter, status| filter.status(status));
            let filter = if tenant { filter.tenant("tenant-3") } else { filter };
            let filter = if provider { filter.provider("github") } else { filter };
            let (early, late) = (EntryId::MIN.time(), std::time::SystemTime::now());
            all.extend([
                (filter.clone(), index),
                (filter.clone().since(early), index),
                (filter.clone().until(late), index),
                (filter.since(early).until(late).before(EntryId::MAX), index),
            ]);
        }
    }
    let mut one = Filter::new();
    one.id = Some(EntryId::MIN);
    all.push((one, PRIMARY_KEY));
    all
}

fn check(db: &Connection) {
    for (filter, index) in filters() {
        for statement in statements(&filter) {
            let wanted = if statement.contains("INDEXED BY") { index } else { PRIMARY_KEY };
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            let steps: Vec<String> =
                plan.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
            let is_search = |step: &String| {
                step.starts_with("SEARCH webhook_deliveries USING")
                    && step.contains(&format!("{wanted} ("))
            };
            assert!(steps.len() == 1 && steps.iter().all(is_search), "{statement}\n{steps:?}");
        }
    }
}

fn database() -> Connection {
    // Plans are the same in memory.
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db).unwrap();
    db
}

#[test]
fn each_search_goes_by_its_index() {
    let db = database();
    check(&db);
    db.execute_batch(FILL).unwrap();
    check(&db);
    db.execute_batch("ANALYZE").unwrap();
    check(&db);
}

/// Checks that a search within an index ends where it should, which a plan does not show.
#[test]
fn each_search_takes_few_steps() {
    use std::sync::atomic::{AtomicU32, Ordering};

    static STEPS: AtomicU32 = AtomicU32::new(0);
    let mut db = database();
    db.execute_batch(FILL).unwrap();
    let mut most = 0;
    for (filter, _) in filters() {
        db.progress_handler(1, Some(|| STEPS.fetch_add(1, Ordering::Relaxed) > u32::MAX / 2));
        STEPS.store(0, Ordering::Relaxed);
        find::find(&mut db, &Work::never_given_up(), &filter.limit(20)).unwrap();
        most = most.max(STEPS.load(Ordering::Relaxed));
    }
    // Reading 20,000 rows would take more steps.
    assert!((1_000..10_000).contains(&most), "{most} steps");
}

#[test]
fn searches_agree_with_the_filter_on_many_rows() {
    let mut db = database();
    db.execute_batch(FILL).unwrap();
    let mut search =
        |filter: &Filter| -> Page { find::find(&mut db, &Work::never_given_up(), filter).unwrap() };
    let (mut all, mut filter) = (Vec::new(), Some(Filter::new().limit(1_000)));
    while let Some(wanted) = filter {
        let page = search(&wanted);
        filter = page.next(&wanted);
        all.extend(page);
    }
    assert_eq!(all.len(), 20_000);
    for (filter, _) in filters() {
        let expected = all.iter().filter(|entry| filter.matches(entry)).take(50);
        assert_eq!(search(&filter).entries, expected.cloned().collect::<Vec<_>>(), "{filter:?}");
    }
}

#[test]
fn beyond_many_groups_the_newest_rows_are_looked_at() {
    let mut db = database();
    db.execute_batch(&FILL.replace("i < 20000", "i < 120000")).unwrap();
    // Each of the oldest rows has a status of its own, as an application may write them.
    let odd =
        "UPDATE webhook_deliveries SET status = 'odd-' || received_at WHERE received_at <= 500";
    db.execute(odd, []).unwrap();
    let mut search =
        |filter: &Filter| -> Page { find::find(&mut db, &Work::never_given_up(), filter).unwrap() };
    let github = Filter::new().provider("github").limit(10);
    let page = search(&github);
    assert_eq!((page.len(), page.searched_until), (10, None), "the newest are there");
    // 128 groups can be read one by one, and 129 cannot.
    for (statuses, is_walk) in [(128, false), (129, true)] {
        let filter =
            (1..=statuses).fold(Filter::new(), |f, number| f.status(format!("odd-{number}")));
        let (mut pages, mut found, mut next) = (0, 0, Some(filter.limit(200)));
        while let Some(wanted) = next {
            let page = search(&wanted);
            assert_eq!(page.searched_until.is_some(), is_walk && pages < 2, "page {pages}");
            (pages, found, next) = (pages + 1, found + page.len(), page.next(&wanted));
        }
        assert_eq!((pages, found), (if is_walk { 3 } else { 1 }, statuses));
    }
}
