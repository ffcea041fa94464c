//! Addresses of servers, and connections to them.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, RedisResult, io::tcp::socket2::TcpKeepalive,
};

use crate::replay::redis::{cluster::Cluster, connection::Connect, slots::Node};

/// Time after which an idle connection is probed, and unacknowledged data ends the connection.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Returns a function that connects with this client.
pub(crate) fn by_client(client: Client) -> Connect {
    // The store applies both time limits itself.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1024);
    Box::new(move || {
        let (client, config) = (client.clone(), config.clone());
        Box::pin(async move { client.get_multiplexed_async_connection_with_config(&config).await })
    })
}

/// Creates the cluster with the nodes at these addresses.
pub(crate) fn cluster<A: IntoConnectionInfo>(
    addresses: impl IntoIterator<Item = A>,
) -> RedisResult<Arc<Cluster>> {
    let (mut first, mut seeds) = (None, Vec::new());
    for address in addresses {
        let address = with_tcp_settings(address.into_connection_info()?);
        let (ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }) =
            address.addr()
        else {
            return Err(unusable("the address of a node of a cluster needs a host and a port"));
        };
        seeds.push(Node { host: host.clone(), port: *port });
        first.get_or_insert(address);
    }
    let first = first.ok_or_else(|| unusable("a cluster needs the address of a node"))?;
    Ok(Cluster::new(
        seeds,
        Box::new(move |node| {
            let address = node_at(&first, node);
            Box::new(move || {
                let address = address.clone();
                Box::pin(async move { by_client(Client::open(address)?)().await })
            })
        }),
    ))
}

fn unusable(reason: &'static str) -> RedisError {
    (ErrorKind::InvalidClientConfig, reason).into()
}

/// Returns the address of a node of the cluster, with the settings of the first address.
fn node_at(first: &ConnectionInfo, node: &Node) -> ConnectionInfo {
    let (host, port) = (node.host.clone(), node.port);
    let address = match first.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    first.clone().set_addr(address)
}

pub(crate) fn with_tcp_settings(address: ConnectionInfo) -> ConnectionInfo {
    let mut settings = address.tcp_settings().clone().set_nodelay(true);
    if settings.keepalive().is_none() {
        settings = settings.set_keepalive(keepalive());
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if settings.user_timeout().is_none() {
        settings = settings.set_user_timeout(KEEPALIVE);
    }
    address.set_tcp_settings(settings)
}

fn keepalive() -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    // Otherwise the next probe follows a minute later.
    #[cfg(any(target_os = "android", target_os = "linux", target_os = "macos", windows))]
    let keepalive = keepalive.with_interval(KEEPALIVE / 2);
    keepalive
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::redis::store::RedisStore;

    #[test]
    fn an_address_is_kept_alive_unless_it_says_how() {
        let address = "redis://127.0.0.1/".into_connection_info().unwrap();
        let settings = with_tcp_settings(address.clone()).tcp_settings().clone();
        assert!(settings.nodelay());
        let shown = format!("{:?}", settings.keepalive());
        assert!(shown.contains("time: Some(10s), interval: Some(5s)"), "{shown}");
        #[cfg(target_os = "linux")]
        assert_eq!(settings.user_timeout(), Some(Duration::from_secs(10)));

        let of_its_own = TcpKeepalive::new().with_time(Duration::from_secs(77));
        let settings = address.tcp_settings().clone().set_keepalive(of_its_own.clone());
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(Duration::from_secs(88));
        let settings = with_tcp_settings(address.set_tcp_settings(settings)).tcp_settings().clone();
        let shown = format!("{:?}", settings.keepalive());
        assert_eq!(shown, format!("{:?}", Some(of_its_own)));
        #[cfg(target_os = "linux")]
        assert_eq!(settings.user_timeout(), Some(Duration::from_secs(88)));
    }

    #[test]
    fn nodes_of_a_cluster_share_the_settings_of_the_first() {
        let with_tls = ConnectionAddr::TcpTls {
            host: "10.0.0.1".to_owned(),
            port: 7_000,
            insecure: false,
            tls_params: None,
        };
        // An address with `rediss` needs a feature of the client.
        let first = "redis://user:password@10.0.0.1/".into_connection_info().unwrap();
        let first = first.set_addr(with_tls);
        for (host, port) in [("10.0.0.2", 7_001), ("redis.example", 7_002)] {
            let node = node_at(&first, &Node { host: host.to_owned(), port });
            let ConnectionAddr::TcpTls { host: there, port: at, insecure, .. } = node.addr() else {
                panic!("{:?}", node.addr());
            };
            assert_eq!((&**there, *at, *insecure), (host, port, false));
            assert_eq!(node.redis_settings().username(), Some("user"));
            assert_eq!(node.redis_settings().password(), Some("password"));
        }
        let plain = "redis://10.0.0.1/".into_connection_info().unwrap();
        let node = node_at(&plain, &Node { host: "10.0.0.2".to_owned(), port: 7_001 });
        assert_eq!(*node.addr(), ConnectionAddr::Tcp("10.0.0.2".to_owned(), 7_001));
    }

    #[test]
    fn a_store_is_made_outside_of_a_runtime() {
        for (addresses, is_valid) in [
            (&["redis://127.0.0.1/"][..], true),
            (&["redis://10.0.0.1:7000/", "redis://10.0.0.2:7001/"], true),
            (&["http://127.0.0.1/"], false),
            (&["redis://10.0.0.1/", "http://10.0.0.2/"], false),
            (&["unix:///tmp/redis.sock"], false),
            (&[], false),
        ] {
            let store = RedisStore::open_cluster(addresses.iter().copied());
            assert_eq!(store.is_ok(), is_valid, "{addresses:?}");
        }
        assert!(RedisStore::open("redis://127.0.0.1/").is_ok());
        assert!(RedisStore::open("http://127.0.0.1/").is_err());
    }
}
