//! Nodes of a cluster that redirect commands, disagree, or do not reply.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::net::TcpListener;
use tower_webhook::replay::{Claim, RedisStore, StoreError};

use super::{
    GRANTED, claim, millis,
    server::{Answer, NONE, ONE, Server},
};

/// Returns the answer to a command, given the addresses of both servers.
type Answers = dyn Fn(&str, &str, &str) -> Answer + Send + Sync;

/// A reply that lives as long as the test.
fn say(text: String) -> Answer {
    Answer::Say(text.leak())
}

/// Host and port in an address.
fn host(address: &str) -> &str {
    address.trim_start_matches("redis://").trim_end_matches('/')
}

/// The reply to `CLUSTER SLOTS` of a cluster whose slots are all at the first of these addresses.
fn slots(addresses: &[&str]) -> Answer {
    let nodes: String = addresses
        .iter()
        .map(|address| {
            let (host, port) = host(address).split_once(':').unwrap();
            format!("*2\r\n${}\r\n{host}\r\n:{port}\r\n", host.len())
        })
        .collect();
    say(format!("*1\r\n*{}\r\n:0\r\n:16383\r\n{nodes}", addresses.len() + 2))
}

/// Two servers. The first is told the address of the second.
async fn two(
    first: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static,
    second: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static,
) -> ([Server; 2], RedisStore) {
    // The addresses have to be known before the servers answer.
    let addresses = Arc::new(OnceLock::<[String; 2]>::new());
    let told = |answer: Arc<Answers>| {
        let addresses = Arc::clone(&addresses);
        move |_: usize, command: &str| {
            let [first, second] = addresses.get().unwrap();
            answer(command, first, second)
        }
    };
    let (one, its) = Server::listen(told(Arc::new(first))).await;
    let (other, address) = Server::listen(told(Arc::new(second))).await;
    let store = RedisStore::open_cluster([its.as_str()]).unwrap();
    addresses.set([its, address]).unwrap();
    ([one, other], store)
}

/// A node that has all slots, and redirects each key to the second server.
fn redirecting(kind: &'static str) -> impl Fn(&str, &str, &str) -> Answer + Send + Sync {
    move |command, first, second| match command {
        "CLUSTER" => slots(&[first, second]),
        _ => say(format!("-{kind} 1 {}\r\n", host(second))),
    }
}

/// Commands about keys that a server got.
fn commands(server: &Server) -> Vec<String> {
    let all = server.commands().into_iter().map(|(_, command)| command);
    all.filter(|command| command != "CLUSTER").collect()
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..10_000_000 {
        if is_so().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never is so");
}

fn reason(answer: Result<Claim, StoreError>) -> String {
    let error = answer.unwrap_err().to_string();
    error.trim_start_matches("replay store unavailable: ").to_owned()
}

#[tokio::test]
async fn moved_key_is_claimed_at_its_new_node() {
    let ([one, other], store) = two(
        |command, first, second| match command {
            "CLUSTER" => slots(&[first, second]),
            // Without a host, it is that of the node that replies.
            _ => say(format!("-MOVED 1 :{}\r\n", host(second).split_once(':').unwrap().1)),
        },
        |command, first, second| match command {
            "CLUSTER" => slots(&[second, first]),
            _ => NONE,
        },
    )
    .await;
    for name in ["1", "2"] {
        assert_eq!(claim(&store, name).await.unwrap(), GRANTED);
    }
    assert!(!commands(&one).is_empty());
    assert_eq!(commands(&other), ["SET", "SET"]);
}

#[tokio::test]
async fn key_of_a_moving_slot_is_asked_for() {
    let ([one, other], store) = two(redirecting("ASK"), |command, first, second| match command {
        "CLUSTER" => slots(&[first, second]),
        "ASKING" => Answer::Say("+OK\r\n"),
        _ => NONE,
    })
    .await;
    for name in ["1", "2"] {
        assert_eq!(claim(&store, name).await.unwrap(), GRANTED);
    }
    assert_eq!(commands(&one), ["SET", "SET"], "the slot is still there");
    assert_eq!(commands(&other), ["ASKING", "SET", "ASKING", "SET"]);
}

#[tokio::test]
async fn late_claim_is_released_where_it_was_asked() {
    let ([_one, other], store) = two(redirecting("ASK"), |command, first, second| match command {
        "CLUSTER" => slots(&[first, second]),
        "ASKING" => Answer::Say("+OK\r\n"),
        "SET" => Answer::Late(millis(300), "$-1\r\n"),
        _ => ONE,
    })
    .await;
    let limited = store.time_limit(millis(100));
    assert_eq!(reason(claim(&limited, "1").await), "no reply from Redis within the time limit");
    until(async || commands(&other).last().is_some_and(|last| last == "EVAL")).await;
    assert_eq!(commands(&other), ["ASKING", "SET", "ASKING", "EVAL"]);
}

#[tokio::test]
async fn nodes_that_redirect_in_a_circle_end_the_claim() {
    let ([one, other], store) = two(redirecting("MOVED"), |command, first, second| match command {
        "CLUSTER" => slots(&[first, second]),
        _ => say(format!("-MOVED 1 {}\r\n", host(first))),
    })
    .await;
    assert_eq!(reason(claim(&store, "1").await), "the nodes of the cluster redirect in a circle");
    assert_eq!(commands(&one).len() + commands(&other).len(), 3);
}

#[tokio::test]
async fn outdated_node_is_outvoted() {
    for outdated in 0..3 {
        // It was stopped while the next one took its place, and does not know yet.
        let primary = (outdated + 1) % 3;
        let addresses = Arc::new(OnceLock::<Vec<String>>::new());
        let (mut servers, mut listening) = (Vec::new(), Vec::new());
        for at in 0..3 {
            let addresses = Arc::clone(&addresses);
            let answers = move |_: usize, command: &str| {
                let mut known: Vec<_> = addresses.get().unwrap().iter().map(|a| &**a).collect();
                known.rotate_left(if at == outdated { outdated } else { primary });
                if at == (primary + 1) % 3 {
                    // It takes a replica for failed.
                    known.truncate(2);
                }
                if command == "CLUSTER" { slots(&known) } else { NONE }
            };
            let (server, address) = Server::listen(answers).await;
            servers.push(server);
            listening.push(address);
        }
        addresses.set(listening.clone()).unwrap();
        for turn in 0..10 {
            let store = RedisStore::open_cluster(listening.iter().map(String::as_str)).unwrap();
            assert_eq!(claim(&store, &turn.to_string()).await.unwrap(), GRANTED);
        }
        let asked: Vec<_> = servers.iter().map(|server| commands(server).len()).collect();
        assert_eq!((asked[primary], asked.iter().sum::<usize>()), (10, 10), "{asked:?}");
    }
}

#[tokio::test]
async fn silent_node_holds_up_no_claim_at_another() {
    let halves = |first: &str, second: &str| {
        let half = |range: &str, address: &str| {
            let (host, port) = host(address).split_once(':').unwrap();
            format!("*3\r\n{range}*2\r\n${}\r\n{host}\r\n:{port}\r\n", host.len())
        };
        let lower = half(":0\r\n:8191\r\n", first);
        say(format!("*2\r\n{lower}{}", half(":8192\r\n:16383\r\n", second)))
    };
    let ([_silent, other], store) = two(
        move |command, first, second| match command {
            "CLUSTER" => halves(first, second),
            _ => Answer::Nothing,
        },
        move |command, first, second| match command {
            "CLUSTER" => halves(first, second),
            _ => NONE,
        },
    )
    .await;
    let store = store.time_limit(millis(2_000));
    let mut claims = tokio::task::JoinSet::new();
    for name in 0..40 {
        let store = store.clone();
        claims.spawn(async move { claim(&store, &name.to_string()).await.is_ok() });
    }
    let granted = claims.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
    assert!((1..40).contains(&granted), "{granted}");
    assert_eq!(commands(&other).len(), granted);
}

#[tokio::test]
async fn replica_takes_over_from_a_silent_primary() {
    let is_promoted = Arc::new(AtomicBool::new(false));
    let ([_one, other], store) = two(
        {
            let is_promoted = Arc::clone(&is_promoted);
            move |command, first, second| match command {
                "CLUSTER" if !is_promoted.load(SeqCst) => slots(&[first, second]),
                _ => Answer::Nothing,
            }
        },
        {
            let is_promoted = Arc::clone(&is_promoted);
            move |command, first, second| match command {
                "CLUSTER" if is_promoted.load(SeqCst) => slots(&[second, first]),
                "CLUSTER" => slots(&[first, second]),
                _ => NONE,
            }
        },
    )
    .await;
    let store = store.time_limit(millis(100));
    assert_eq!(reason(claim(&store, "1").await), "no reply from Redis within the time limit");
    is_promoted.store(true, SeqCst);
    until(async || claim(&store, "2").await.is_ok()).await;
    assert_eq!(commands(&other), ["SET"]);
}

#[tokio::test]
async fn cluster_that_is_down_is_found_when_it_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("redis://{}/", listener.local_addr().unwrap());
    drop(listener);
    let store = RedisStore::open_cluster([nowhere.as_str()]).unwrap();
    assert!(reason(claim(&store, "1").await).contains("refused"));
    // The cluster has no slots yet, and then it has.
    let is_ready = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&is_ready);
    let ([_one, other], store) = two(
        move |command, first, second| match command {
            "CLUSTER" if ready.load(SeqCst) => slots(&[second, first]),
            _ => Answer::Say("*0\r\n"),
        },
        |_, _, _| NONE,
    )
    .await;
    assert_eq!(reason(claim(&store, "1").await), "reply to CLUSTER SLOTS without slots");
    is_ready.store(true, SeqCst);
    until(async || claim(&store, "1").await.is_ok()).await;
    assert_eq!(commands(&other), ["SET"]);
}
