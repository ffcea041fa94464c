//! Who runs which entry.

use std::{fmt, pin::Pin};

use http::StatusCode;

use super::{
    data::{Entry, Level, Op},
    h2, own, raw, replays, strangers, streams,
};

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
pub(super) type Run = for<'a> fn(&'a Entry) -> Running<'a>;

#[derive(Clone, Copy)]
pub(super) enum Plan {
    /// A verifier that cannot be built.
    Built,
    /// One request, sent everywhere.
    Request,
    Own {
        run: Run,
        is_paused: bool,
    },
    /// A test of this name does just this.
    Test(&'static str),
}

macro_rules! run {
    ($run:path) => {
        |entry| Box::pin($run(entry))
    };
}

/// Entries with a runner of their own, and whether the clock stands still for it.
pub(super) const OWN: &[(&str, Run, bool)] = &[
    ("SW-ALG-3", run!(own::public_key_as_secret), false),
    ("DISC-TS-1", run!(own::moved_boundary), false),
    ("LIN-TS-1", run!(own::unsigned_time), false),
    ("HDR-21", run!(raw::trailer), false),
    ("TWI-URL-27", run!(raw::absolute_form), false),
    ("H1-28", run!(raw::no_continue), false),
    ("METH-11", run!(own::challenge), false),
    ("SEC-10", run!(strangers::empty_key), false),
    ("RES-1", run!(streams::too_long), false),
    ("RES-2", run!(streams::too_long), false),
    ("RES-3", run!(streams::too_long), false),
    ("LOG-9", run!(streams::too_long), false),
    ("RES-4", run!(streams::too_slow), true),
    ("RES-5", run!(streams::too_slow), true),
    ("RES-6", run!(streams::too_slow), true),
    ("RES-8", run!(h2::floods), false),
    ("RES-9", run!(h2::floods), false),
    ("RES-10", run!(h2::floods), false),
    ("RES-11", run!(h2::floods), false),
    ("RES-12", run!(h2::held), true),
    ("RES-14", run!(streams::held), true),
    ("RES-15", run!(streams::dropped), true),
    ("RES-17", run!(own::compressed), false),
    ("RES-22", run!(strangers::addresses), false),
    ("REPLAY-1", run!(replays::once), false),
    ("REPLAY-2", run!(replays::once), false),
    ("REPLAY-3", run!(replays::once), false),
    ("REPLAY-4", run!(replays::once), false),
    ("REPLAY-5", run!(replays::once), false),
    ("REPLAY-6", run!(replays::re_encoded), false),
    ("REPLAY-8", run!(replays::once), false),
    ("REPLAY-13", run!(replays::after_a_restart), false),
    ("REPLAY-16", run!(replays::after_a_refusal), false),
    ("FAULT-7", run!(own::body_error), false),
    ("FAULT-18", run!(own::absurd_clock), false),
    ("FAULT-24", run!(own::panicking_subscriber), false),
];

/// Entries that a test of this suite is made for.
pub(super) const NAMED: &[(&str, &str)] = &[
    ("RES-21", "stalled_upload_does_not_hold_the_inner_permit"),
    ("REPLAY-7", "second_valid_signature_keeps_the_replay_key"),
    ("REPLAY-11", "dropped_after_any_poll_no_claim_is_left_behind"),
    ("REPLAY-12", "one_that_is_being_handled_is_to_come_again"),
    ("REPLAY-14", "delivery_is_remembered_for_its_whole_tolerance"),
    ("REPLAY-17", "endpoints_sharing_a_store_do_not_share_deliveries"),
    ("REPLAY-18", "identical_bodies_are_all_handled_unless_guarded"),
    ("FAULT-3", "answer_within_the_time_limit_is_used"),
    ("FAULT-4", "store_panic_is_500_and_ends_nothing"),
    ("FAULT-6", "panic_in_verifier_or_lookup_is_answered_with_500"),
    ("FAULT-8", "redis_down_at_startup_recovers_later"),
    ("FAULT-12", "full_disk_is_503_only_in_durable_mode"),
    ("FAULT-16", "durable_mode_acknowledges_nothing_without_a_row"),
    ("FAULT-19", "cancelled_at_any_poll_it_leaves_nothing_behind"),
    ("FAULT-23", "without_a_timer_nothing_waits_for_ever"),
    ("CERT-1", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-2", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-5", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-6", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-7", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-8", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-9", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-11", "certificate_is_fetched_from_amazon_alone"),
    ("CERT-12", "certificate_is_fetched_from_paypal_alone"),
    ("LOG-10", "every_rejection_kind_has_its_status_and_no_body"),
    ("TEN-12", "authentic_requests_are_accepted_during_rotation"),
    ("TEN-13", "deleted_tenant_is_unknown_after_ttl_or_forget"),
    ("TEN-14", "requests_for_uncached_tenant_share_one_store_call"),
];

/// Where a status is another one than the entry's, and why. No refusal is an acceptance for it.
pub(super) const NO_PATH: &[(&str, StatusCode, &str)] = &[(
    "METH-9",
    StatusCode::NOT_FOUND,
    "on a socket CONNECT names a host and no path, so a router finds no route to have a method",
)];

pub(super) fn plan(entry: &Entry) -> Plan {
    let id = &*entry.id;
    if let Some((_, run, is_paused)) = OWN.iter().find(|(own, ..)| *own == id) {
        return Plan::Own { run: *run, is_paused: *is_paused };
    }
    if let Some((_, test)) = NAMED.iter().find(|(named, _)| *named == id) {
        return Plan::Test(test);
    }
    let run = |run| Plan::Own { run, is_paused: false };
    match (&*entry.category, entry.level) {
        (_, Level::C) => Plan::Built,
        ("http1-framing", _) => run(run!(raw::framing)),
        ("log-injection", _) => run(run!(strangers::logs)),
        ("method", _) => run(run!(own::method)),
        ("multi-tenant", _) => run(run!(strangers::tenants)),
        _ if entry.ops.iter().any(|op| matches!(op, Op::Other)) => panic!("{entry}: no plan"),
        _ => Plan::Request,
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Built => "built",
            Self::Request => "sent",
            Self::Own { .. } => "run",
            Self::Test(name) => name,
        })
    }
}
