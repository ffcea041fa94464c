//! Guide: a page for each task.
//!
//! | page | content |
//! |---|---|
//! | [`getting_started`] | the first route, several providers, challenges, a rollout |
//! | [`frameworks`] | servers, the body type, the order of layers |
//! | [`proxies`] | signed URLs, early responses, settings of proxies, deployment |
//! | [`rotation`] | old and new secret side by side |
//! | [`custom_verifiers`] | declared schemes, functions, the trait |
//! | [`tenants`] | per-tenant secrets |
//! | [`replay`] | repeated deliveries |
//! | [`rejections`] | every reason with its status |
//! | [`observability`] | events, metrics, alerts |
//! | [`delivery_log`] | a row for each delivery, SQL recipes |
//! | [`scaling`] | unit costs, sharding, Redis Cluster, PostgreSQL partitions, failures |
//! | [`testing`] | signed requests in your tests |
//! | [`guarantees`] | guarantees, their conditions, limits |
//! | [`troubleshooting`] | from a 403 to its cause |
//! | [`providers`] | every provider, and unsupported ones |
//! | [`deliveries`] | retries, windows, body limits and statuses of all providers |

/// A page. Its programs are doc tests where the features that they use are on.
macro_rules! page {
    ($name:ident $(, $feature:literal)*) => {
        #[cfg(not(all(doctest, not(all($(feature = $feature),*)))))]
        #[doc = include_str!(concat!("../docs/guide/", stringify!($name), ".md"))]
        pub mod $name {}
    };
}

page!(custom_verifiers);
page!(deliveries);
page!(delivery_log, "delivery-log-sqlite");
page!(frameworks);
page!(getting_started, "axum");
page!(guarantees);
page!(observability);
page!(providers);
page!(proxies);
page!(rejections);
page!(replay);
page!(rotation);
page!(scaling, "replay-redis");
page!(tenants, "tenants");
page!(testing, "axum", "sign");
page!(troubleshooting, "explain");
