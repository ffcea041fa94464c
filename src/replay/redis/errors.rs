//! Which errors end a connection.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Returns whether the connection, or the server behind it, serves no more after this error.
///
/// Errors of the socket and of the protocol are among them, and answers which do not belong to the
/// command. So are those of a server that takes no writes now, whatever the command: a replica (`READONLY`, `MOVED` in a cluster,
/// `MASTERDOWN`, `UNBLOCKED`), a primary that is cut off from its replicas or its cluster
/// (`NOREPLICAS`, `CLUSTERDOWN`), one that reads its data (`LOADING`) or cannot store it (`MISCONF`),
/// and one that no longer knows who asks (`NOAUTH`). The address may lead to another one by now.
///
/// An error of one command (`OOM`, `WRONGTYPE`, `NOPERM`, `BUSY` and all others) does not end it: a
/// new connection would be answered the same.
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
