//! Task that runs the two stages of a queue.

use crate::delivery_log::{
    queue::{finish_rows::finish, queue::Queue, state::Lane, write_batches::write},
    row::Draft,
    settings::Settings,
    store::LogStore,
};
use std::sync::Arc;
use tokio::task::JoinSet;
/// Finishes and writes rows until the queue is closed and empty. Dropping the future stops both
/// stages.
pub(crate) async fn run<F>(queue: Arc<Queue>, store: &dyn LogStore, settings: &Settings, work: F)
where
    F: Fn(&mut Draft) + Clone + Send + 'static,
{
    let mut lanes = JoinSet::new();
    for lane in Lane::ALL {
        lanes.spawn(finish(Arc::clone(&queue), lane, work.clone()));
    }
    write(&queue, store, settings).await;
}
