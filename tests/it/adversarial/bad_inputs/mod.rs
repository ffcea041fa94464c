//! The adversarial programme: requests that must be refused, and odd ones that must pass. Each entry
//! of `tests/data/adversarial` is run at its level, or accounted for by its id: see `plan`. The
//! programme's own go wherever a request can go, their siblings through the layer in memory.

mod data;
mod h2;
mod own;
mod plan;
mod raw;
mod replays;
mod strangers;
mod streams;
mod verifiers;
mod ways;

use std::{collections::BTreeMap, fs, panic, path::Path};

use http::StatusCode;

use self::{
    data::{Entry, Level, base, bases},
    plan::{Plan, plan},
    verifiers::{Url, build},
    ways::{Expected, Runs},
};
use crate::support::{head_of, verify};

/// One runtime for each entry: its servers go with it.
fn block_on<F: Future>(is_paused: bool, future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(is_paused).build().unwrap().block_on(future)
}

/// Every entry with this plan, or all failures by name.
fn run_all(run: impl Fn(&Entry)) {
    let mut failed = Vec::new();
    for entry in data::all() {
        let run = panic::AssertUnwindSafe(|| run(&entry));
        if panic::catch_unwind(run).is_err() {
            failed.push(entry.to_string());
        }
    }
    assert!(failed.is_empty(), "{}: {failed:#?}", failed.len());
}

#[test]
fn what_cannot_be_meant_is_no_verifier() {
    run_all(|entry| {
        if plan(entry) != Plan::Built {
            return;
        }
        assert_eq!(entry.expected_status, "build-error", "{entry}");
        for (provider, case) in entry.cases() {
            let built = build(&provider, &case, Url::Base);
            assert!(built.is_err(), "{entry} {provider}");
        }
    });
}

#[test]
fn every_request_has_its_status_wherever_it_is_sent() {
    let runs = std::cell::RefCell::new(Runs::new());
    run_all(|entry| {
        if plan(entry) != Plan::Request {
            return;
        }
        for (provider, case) in entry.cases() {
            for url in Url::of(entry) {
                let verifier = build(&provider, &case, *url).unwrap();
                let about = format!("{entry}, {provider}, {url:?}");
                let statuses = &entry.statuses();
                let by_head = entry.body_must_not_be_kept;
                let expected = Expected { about: &about, statuses, by_head };
                let runs = &mut *runs.borrow_mut();
                if entry.is_sibling {
                    block_on(false, expected.once(&case, &verifier, runs));
                } else {
                    block_on(false, expected.everywhere(&case, &verifier, runs));
                }
            }
        }
        if let Some(identity) = &entry.replay_identity {
            assert_eq!(identity, "same as base", "{entry}");
            let [base, changed] = [base(&entry.provider), entry.cases().remove(0).1];
            let replay_key = |case: &data::Case| {
                let verifier = build(&entry.provider, case, Url::Base).unwrap();
                let head = head_of(case.request(()).unwrap());
                verify(&verifier, &head, &case.body.clone().into()).unwrap().replay_key()
            };
            assert_eq!(replay_key(&base), replay_key(&changed), "{entry}");
        }
    });
    eprintln!("{:?}", runs.into_inner());
}

#[test]
fn every_other_entry_has_its_outcome() {
    run_all(|entry| {
        if let Plan::Own { run, is_paused } = plan(entry) {
            block_on(is_paused, run(entry));
        }
    });
}

/// With a configured base the host and what proxies write are neither believed nor asked. A
/// request that was signed for the configured URL is then genuine whatever they say, so these
/// entries are run where those headers count, and this holds the reason to be true.
#[test]
fn hosts_change_no_configured_base() {
    let mut entries = 0;
    for entry in data::all() {
        if plan(&entry) != Plan::Request || Url::of(&entry).contains(&Url::Base) {
            continue;
        }
        for (provider, case) in entry.cases() {
            let verifier = build(&provider, &case, Url::Base).unwrap();
            let head = head_of(case.request(()).unwrap());
            verify(&verifier, &head, &case.body.clone().into()).unwrap();
            // And what is signed for the host that they name is not.
            let mut other = case.clone();
            other.set("X-Twilio-Signature", b"sBn4AVwOryQxfgTsukl5pE3qCkM=");
            let head = head_of(other.request(()).unwrap());
            verify(&verifier, &head, &other.body.into()).unwrap_err();
        }
        entries += 1;
    }
    assert!(entries > 0);
}

#[test]
fn every_base_is_genuine() {
    for (provider, case) in bases() {
        let verifier = build(&provider, &case, Url::Base).unwrap();
        let expected = Expected { about: &provider, statuses: &[StatusCode::OK], by_head: false };
        block_on(false, expected.everywhere(&case, &verifier, &mut Runs::new()));
    }
}

/// The texts of all tests.
fn tests() -> String {
    fn read(directory: &Path, all: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut all);
    all
}

#[test]
fn every_entry_is_accounted_for() {
    let tests = tests();
    let mut counts = BTreeMap::<_, [usize; 2]>::new();
    let mut ids = Vec::new();
    for entry in data::all() {
        let count = counts.entry((entry.is_sibling, entry.level)).or_default();
        match plan(&entry) {
            Plan::Built | Plan::Request | Plan::Own { .. } => count[0] += 1,
            Plan::Test(name) => {
                assert!(tests.contains(&format!("fn {name}(")), "{entry}: there is no {name}");
                count[1] += 1;
            }
        }
        ids.push(entry.id);
    }
    eprintln!("run, by another test: {counts:?}");
    let (all, mut unique) = (ids.len(), ids.clone());
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), all, "an id stands twice");
    for id in plan::NAMED.iter().map(|(id, _)| *id).chain(plan::OWN.iter().map(|(id, ..)| *id)) {
        assert!(unique.iter().any(|known| known == id), "{id} is no entry");
    }
    // An entry that is dropped is noticed here.
    let all = [data::bad().len(), data::good().len(), data::siblings().len()];
    assert_eq!(all, [272, 20, 912]);
}

#[test]
fn every_level_is_the_entrys_own() {
    // Good ones are verified, and only configurations are built.
    for entry in data::good() {
        assert_eq!(entry.category, "must-accept", "{entry}");
        assert_eq!(entry.statuses(), [StatusCode::OK], "{entry}");
    }
    for entry in data::bad() {
        assert_eq!(entry.level == Level::C, plan(&entry) == Plan::Built, "{entry}");
    }
}
