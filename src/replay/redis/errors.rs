//! Errors that end a connection.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Returns `true` if the connection, or the server behind it, is unusable after this error.
///
/// These are errors of the socket and of the protocol, and replies that do not match the command.
/// They include errors of a server that accepts no writes now, whatever the command: a replica
/// (`READONLY`, `MOVED` in a cluster, `MASTERDOWN`, `UNBLOCKED`), a primary that is cut off from
/// its replicas or its cluster (`NOREPLICAS`, `CLUSTERDOWN`), a server that is loading its data
/// (`LOADING`) or cannot store it (`MISCONF`), and a server that no longer authenticates the client
/// (`NOAUTH`). The address may lead to another server by now.
///
/// An error of one command (`OOM`, `WRONGTYPE`, `NOPERM`, `BUSY` and all others) does not end the
/// connection: a new one would give the same reply.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::ReadOnly
        ),
        _ => matches!(error.code(), Some("MISCONF" | "NOAUTH" | "NOREPLICAS" | "UNBLOCKED")),
    }
}
