//! Which answers end a connection.

use super::{
    GRANTED, claim, millis,
    server::{Answer, NONE, ONE, Server},
};

/// The answers to the second `SET` of the first connection, and how many connections there are
/// after three.
async fn connections_after(error: &'static str) -> usize {
    let sets = std::sync::atomic::AtomicUsize::new(0);
    let (server, store) = Server::start(move |nth, command| match (nth, command) {
        (_, "EVAL") => ONE,
        (0, _) if sets.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 => Answer::Say(error),
        _ => NONE,
    });
    assert_eq!(claim(&store, "1").await.unwrap(), GRANTED);
    // The next connection is not made sooner than this after the first.
    tokio::time::sleep(millis(100)).await;
    let failed = claim(&store, "2").await.unwrap_err().to_string();
    let code = error.trim_start_matches('-').split(' ').next().unwrap();
    assert!(!failed.contains("time limit"), "{code}: {failed}");
    assert_eq!(claim(&store, "3").await.unwrap(), GRANTED, "{code}");
    server.connections()
}

#[tokio::test(start_paused = true)]
async fn errors_of_one_command_keep_the_connection() {
    for error in [
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        "-NOPERM this user has no permissions to run the 'set' command\r\n",
        "-BUSY Redis is busy running a script.\r\n",
        "-ERR syntax error\r\n",
        "-NOSCRIPT No matching script.\r\n",
        "-ASK 3999 127.0.0.1:6381\r\n",
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    ] {
        assert_eq!(connections_after(error).await, 1, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_server_replace_it() {
    for error in [
        "-READONLY You can't write against a read only replica.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        "-NOREPLICAS Not enough good replicas to write.\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-MOVED 3999 127.0.0.1:6381\r\n",
        "-MISCONF Redis is configured to save RDB snapshots\r\n",
        "-UNBLOCKED force unblock from blocking operation\r\n",
        "-NOAUTH Authentication required.\r\n",
        // No answer to `SET … GET`: the connection is out of step.
        "*1\r\n$1\r\nx\r\n",
        // No Redis any more.
        "HTTP/1.1 502 Bad Gateway\r\n",
    ] {
        assert_eq!(connections_after(error).await, 2, "{error}");
    }
}
