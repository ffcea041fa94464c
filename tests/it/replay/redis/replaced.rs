//! How a connection is replaced.

use std::{
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};
use tower_webhook::replay::{ClaimToken, RedisStore, ReplayStore, Settled};

use super::{
    GRANTED, LEASE, claim, key, millis,
    server::{Answer, NONE, ONE, Server, refused},
};
use crate::replay::poll_once;

/// Claims until one is granted, on a real socket.
async fn is_granted_again(last_word: Answer) -> bool {
    let is_gone = Arc::new(AtomicBool::new(false));
    let (_, address) = Server::listen({
        let is_gone = Arc::clone(&is_gone);
        move |nth, command| match command {
            _ if nth == 0 && is_gone.load(SeqCst) => last_word,
            "EVAL" => ONE,
            _ => NONE,
        }
    })
    .await;
    let store = RedisStore::open(address).unwrap();
    assert_eq!(claim(&store, "0").await.unwrap(), GRANTED);
    is_gone.store(true, SeqCst);
    assert!(claim(&store, "1").await.is_err());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if claim(&store, "2").await.is_ok() {
            return true;
        }
        sleep(millis(50)).await;
    }
    false
}

#[tokio::test]
async fn silent_redis_connection_is_replaced() {
    assert!(is_granted_again(Answer::Nothing).await);
}

#[tokio::test]
async fn a_redis_that_became_a_replica_is_left() {
    let readonly = "-READONLY You can't write against a read only replica.\r\n";
    assert!(is_granted_again(Answer::Say(readonly)).await);
}

#[tokio::test(start_paused = true)]
async fn many_timeouts_replace_the_connection_once() {
    let is_silent = Arc::new(AtomicBool::new(false));
    let (server, store) = Server::start({
        let is_silent = Arc::clone(&is_silent);
        move |nth, command| match command {
            _ if nth == 0 && is_silent.load(SeqCst) => Answer::Nothing,
            "EVAL" => ONE,
            _ => NONE,
        }
    });
    assert_eq!(claim(&store, "first").await.unwrap(), GRANTED);
    is_silent.store(true, SeqCst);
    let mut claims = JoinSet::new();
    for nth in 0..1000 {
        let store = store.clone();
        claims.spawn(async move {
            // Not all at the same moment.
            sleep(Duration::from_micros(nth * 100)).await;
            claim(&store, &nth.to_string()).await.is_ok()
        });
    }
    // The first has timed out, and the last will in a tenth of a second.
    sleep(millis(252)).await;
    for nth in 0..150 {
        assert_eq!(claim(&store, &format!("again {nth}")).await.unwrap(), GRANTED);
        sleep(millis(1)).await;
    }
    assert!(claims.join_all().await.iter().all(|is_ok| !is_ok));
    assert_eq!((server.attempts().len(), server.connections()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn slow_connection_that_answers_is_kept() {
    // One after another: the last of 100 would be answered after a second.
    let (server, store) = Server::start(|_, command| match command {
        "EVAL" => ONE,
        _ => Answer::Late(millis(10), "$-1\r\n"),
    });
    let mut claims = JoinSet::new();
    for nth in 0..100 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, &nth.to_string()).await.is_ok() });
    }
    let granted = claims.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
    assert!((20..30).contains(&granted), "{granted}");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(claim(&store, "afterwards").await.unwrap(), GRANTED);
    assert_eq!(server.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_between_connection_attempts_fail_at_once() {
    let (server, store) = Server::connected_by(|_, _| NONE, async || Err(refused()));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let asked = Instant::now();
        assert!(claim(&store, "1").await.is_err());
        assert_eq!(asked.elapsed(), Duration::ZERO);
        sleep(millis(5)).await;
    }
    let attempts = server.attempts();
    let pauses: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(pauses[..4], [100, 200, 400, 500]);
    assert!(pauses[4..].iter().all(|pause| *pause == 500), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn connection_attempts_do_not_overlap_and_time_out() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (server, store) = Server::connected_by(|_, _| NONE, {
        let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&most));
        move || {
            struct Leave(Arc<AtomicUsize>);
            impl Drop for Leave {
                fn drop(&mut self) {
                    self.0.fetch_sub(1, SeqCst);
                }
            }
            most.fetch_max(under_way.fetch_add(1, SeqCst) + 1, SeqCst);
            let leave = Leave(Arc::clone(&under_way));
            async move {
                let _leave = leave;
                pending().await
            }
        }
    });
    let mut claims = JoinSet::new();
    for nth in 0..1000 {
        let store = store.clone();
        claims.spawn(async move {
            sleep(millis(nth * 10)).await;
            let asked = Instant::now();
            assert!(claim(&store, &nth.to_string()).await.is_err());
            assert!(asked.elapsed() <= millis(251), "{:?}", asked.elapsed());
        });
    }
    claims.join_all().await;
    assert_eq!(most.load(SeqCst), 1);
    // A second each, and the pauses between them.
    let attempts = server.attempts().len();
    assert!((6..=10).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn alternating_server_errors_make_few_reconnections() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (server, store) = Server::start(move |_, command| match command {
        "EVAL" => ONE,
        _ if asked.fetch_add(1, SeqCst).is_multiple_of(2) => NONE,
        _ => Answer::Say("-READONLY by turns\r\n"),
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        let _ = claim(&store, "1").await;
        sleep(millis(1)).await;
    }
    let attempts = server.attempts().len();
    assert!((9..=11).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_answers_releases_does_not_serve() {
    let (server, store) = Server::start(|_, command| match command {
        "EVAL" => Answer::Say(":0\r\n"),
        _ => Answer::Say("-READONLY a replica\r\n"),
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        store.settle_in_background(store.release(&key("1"), ClaimToken::unique()));
        assert!(claim(&store, "1").await.is_err());
        sleep(millis(1)).await;
    }
    let attempts = server.attempts().len();
    assert!((20..=24).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn recovered_server_is_used_within_two_seconds() {
    // The worst case: an attempt that hangs has begun just before.
    for ends in [millis(3_001), millis(4_999), millis(7_777)] {
        let start = Instant::now();
        let (_, store) = Server::connected_by(
            |_, _| NONE,
            move || async move { if start.elapsed() < ends { pending().await } else { Ok(()) } },
        );
        while claim(&store, "1").await.is_err() {
            sleep(millis(1)).await;
        }
        let waited = start.elapsed() - ends;
        assert!(waited <= Duration::from_secs(2), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobody_elses() {
    // What the first connection says late would be a repetition's answer.
    let (server, store) = Server::start(|nth, command| match (nth, command) {
        (_, "EVAL") => ONE,
        (0, _) => Answer::Late(millis(400), "$7\r\nhandled\r\n"),
        _ => Answer::Late(millis(100), "$-1\r\n"),
    });
    let token = ClaimToken::unique();
    assert!(store.claim(&key("1"), token, LEASE).await.is_err());
    // One that has not answered a thing is not replaced at once.
    sleep(millis(100)).await;
    let mut claims = JoinSet::new();
    for nth in 0..2 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, &format!("other {nth}")).await.unwrap() });
    }
    assert_eq!(claims.join_all().await, [GRANTED, GRANTED]);
    sleep(millis(500)).await;
    // The claim was given back behind itself, where nothing can overtake it.
    let commands = server.commands();
    let on = |nth| commands.iter().filter(move |command| command.0 == nth);
    let names: Vec<_> = on(0).map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["SET", "EVAL"], "{commands:?}");
    assert_eq!(on(1).count(), 2, "{commands:?}");
}

#[tokio::test(start_paused = true)]
async fn dropped_claim_is_released_after_it_was_sent() {
    let (server, store) = Server::start(|_, command| match command {
        "EVAL" => ONE,
        _ => Answer::Late(millis(100), "$-1\r\n"),
    });
    assert!(timeout(millis(50), claim(&store, "1")).await.is_err());
    sleep(millis(500)).await;
    let names: Vec<_> = server.commands().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["SET", "EVAL"]);
    // One that was answered is kept.
    assert_eq!(claim(&store, "2").await.unwrap(), GRANTED);
    sleep(millis(500)).await;
    assert_eq!(server.commands().len(), 3);
}

/// A timeout above the guard that is shorter than the store's own.
#[tokio::test(start_paused = true)]
async fn dropped_requests_still_replace_silent_connection() {
    let (server, store) = Server::start(|nth, _| if nth == 0 { Answer::Nothing } else { NONE });
    let start = Instant::now();
    while !matches!(timeout(millis(100), claim(&store, "1")).await, Ok(Ok(_))) {
        assert!(start.elapsed() < Duration::from_secs(2));
        sleep(millis(10)).await;
    }
    assert_eq!(server.connections(), 2);

    // One that answers is kept, however many are dropped.
    let (server, store) = Server::start(|_, command| match command {
        "EVAL" => ONE,
        _ => Answer::Late(millis(100), "$-1\r\n"),
    });
    for _ in 0..50 {
        let _ = timeout(millis(50), claim(&store, "1")).await;
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(server.connections(), 1);
}

/// What is lost is handled twice, and such an answer is not for long.
#[tokio::test(start_paused = true)]
async fn commit_is_retried_on_transient_redis_errors() {
    for error in [
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-BUSY Redis is busy running a script.\r\n",
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    ] {
        let asked = AtomicUsize::new(0);
        let (server, store) =
            Server::start(
                move |_, _| {
                    if asked.fetch_add(1, SeqCst) < 6 { Answer::Say(error) } else { NONE }
                },
            );
        store.settle_in_background(store.commit(&key("1"), ClaimToken::unique(), LEASE));
        sleep(Duration::from_secs(70)).await;
        assert_eq!((server.commands().len(), server.connections()), (7, 1), "{error}");
    }
    // For a minute, and with pauses between.
    let (server, store) = Server::start(|_, _| Answer::Say("-OOM\r\n"));
    store.settle_in_background(store.commit(&key("1"), ClaimToken::unique(), LEASE));
    sleep(Duration::from_secs(200)).await;
    assert!((8..16).contains(&server.commands().len()), "{}", server.commands().len());
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    let store = RedisStore::open("redis://127.0.0.1:1/").unwrap();
    let failed = polled_once(claim(&store, "1")).unwrap_err();
    assert!(failed.to_string().ends_with("no Tokio runtime"), "{failed}");
}

/// The answer of the first poll, with no runtime around it.
fn polled_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for a runtime"),
    }
}

#[tokio::test(start_paused = true)]
async fn background_settlement_waits_for_a_connection() {
    // A success for a minute, a claim that is given back for ten seconds.
    for (down, commits, expected) in [(55, true, 1), (65, true, 0), (9, false, 1), (11, false, 0)] {
        let start = Instant::now();
        let (server, store) = Server::connected_by(
            |_, _| NONE,
            move || async move {
                if start.elapsed() < Duration::from_secs(down) { Err(refused()) } else { Ok(()) }
            },
        );
        let settle = if commits {
            store.commit(&key("1"), ClaimToken::unique(), LEASE)
        } else {
            store.release(&key("1"), ClaimToken::unique())
        };
        store.settle_in_background(settle);
        sleep(Duration::from_secs(70)).await;
        assert_eq!(server.commands().len(), expected, "{down} {commits}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_detached_moves_to_the_next_connection() {
    let (server, store) = Server::start(|nth, command| match (nth, command) {
        (0, _) => Answer::Nothing,
        (1, _) => Answer::Say("-READONLY still\r\n"),
        _ => NONE,
    });
    store.settle_in_background(store.commit(&key("1"), ClaimToken::unique(), LEASE));
    sleep(Duration::from_secs(10)).await;
    let connections: Vec<_> = server.commands().into_iter().map(|(nth, _)| nth).collect();
    assert_eq!(connections, [0, 1, 2]);
    assert_eq!(claim(&store, "2").await.unwrap(), GRANTED);
    let settled = store.commit(&key("2"), ClaimToken::unique(), LEASE).await.unwrap();
    assert_eq!(settled, Settled::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_is_asked_again() {
    let calls = AtomicUsize::new(0);
    let (server, store) = Server::connected_by(
        |_, _| NONE,
        move || {
            let is_first = calls.fetch_add(1, SeqCst) == 0;
            async move {
                assert!(!is_first, "the connector panics");
                Ok(())
            }
        },
    );
    assert!(claim(&store, "1").await.is_err());
    sleep(millis(100)).await;
    assert_eq!(claim(&store, "1").await.unwrap(), GRANTED);
    assert_eq!(server.connections(), 1);
}

/// Each test of a suite has a runtime of its own, and the connection ends with it.
#[test]
fn a_store_outlives_the_runtime_that_it_connected_on() {
    let (server, store) = Server::start(|_, _| NONE);
    for connections in 1..4 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            while claim(&store, "1").await.is_err() {
                assert!(start.elapsed() < Duration::from_secs(10));
                sleep(millis(10)).await;
            }
        });
        assert_eq!(server.connections(), connections);
    }
}

#[test]
fn a_runtime_that_has_ended_fails_the_attempt_at_once() {
    let (_, store) = Server::start(|_, _| NONE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _entered = handle.enter();
    let mut claim = std::pin::pin!(claim(&store, "1"));
    assert!(matches!(poll_once(claim.as_mut()), Poll::Ready(Err(_))));
}
