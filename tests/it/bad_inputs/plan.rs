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
    /// There is no such part, nor a provider of one of these names that would bring it.
    Absent(&'static str, &'static [&'static str]),
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
    ("RES-21", "a_stalled_upload_does_not_hold_the_inner_services_only_permit"),
    ("REPLAY-7", "another_signature_of_the_same_content_has_the_same_replay_key"),
    ("REPLAY-11", "dropped_after_any_poll_no_claim_is_left_behind"),
    ("REPLAY-12", "one_that_is_being_handled_is_to_come_again"),
    ("REPLAY-14", "t22_replay_14_a_delivery_is_remembered_for_as_long_as_it_would_be_accepted"),
    ("REPLAY-17", "replay_17_endpoints_that_share_a_store_do_not_share_deliveries"),
    ("REPLAY-18", "t21_identical_genuine_bodies_are_all_handled_unless_the_provider_is_named"),
    ("FAULT-3", "fault_3_an_answer_within_the_limit_is_taken"),
    ("FAULT-4", "fault_4_a_store_that_panics_is_500_and_no_end"),
    ("FAULT-6", "t35_a_verifier_that_panics_is_answered_with_500_at_every_step"),
    ("FAULT-8", "fault_8_redis_down_at_start_and_up_later"),
    ("FAULT-12", "fault_12_a_full_disk_is_503_in_durable_mode_and_200_otherwise"),
    ("FAULT-16", "fault_16_durable_acknowledges_nothing_without_its_row"),
    ("FAULT-19", "cancelled_at_any_poll_it_leaves_nothing_behind"),
    ("FAULT-23", "without_a_timer_nothing_waits_for_ever"),
    ("LOG-10", "every_verdict_gets_one_answer_and_every_failure_its_own"),
    ("TEN-12", "ten_12_nothing_genuine_is_refused_while_the_secret_is_rotated"),
    ("TEN-13", "ten_13_a_deleted_tenant_is_gone_after_the_ttl_or_when_it_is_forgotten"),
    ("TEN-14", "ten_14_a_thousand_requests_for_a_cold_tenant_make_one_call"),
];

/// Where a status is another one than the entry's, and why. No refusal is an acceptance for it.
pub(super) const NO_PATH: &[(&str, StatusCode, &str)] = &[(
    "METH-9",
    StatusCode::NOT_FOUND,
    "on a socket CONNECT names a host and no path, so a router finds no route to have a method",
)];

const NO_CERTIFICATES: Plan = Plan::Absent(
    "no provider whose key is fetched from a URL in the request: nothing is ever fetched",
    &["aws_sns", "aws-sns", "sns", "paypal"],
);

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
        ("cert-url-ssrf", _) => NO_CERTIFICATES,
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
            Self::Absent(why, _) => why,
        })
    }
}
