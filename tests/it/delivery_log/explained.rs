//! Causes of rejections in the log.

use std::{
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tower_webhook::{
    SignatureLayer,
    delivery_log::DeliveryLog,
    explain::{Effort, Explainer},
    observe::{Event, EventKind},
    providers::Meta,
};

use super::logged;

/// Observer that tells when the log has got an explanation.
fn tell(sender: Sender<()>) -> impl Fn(&Event<'_>) + Send + Sync {
    let sender = Mutex::new(sender);
    move |event| {
        if event.kind() == EventKind::Explained {
            sender.lock().unwrap().send(()).unwrap();
        }
    }
}

/// No test depends on speed.
pub(crate) fn patient() -> Explainer {
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort).per_minute(1_000)
}

/// A layer with this log, and what tells of its explanations.
pub(crate) fn layer(log: &DeliveryLog) -> (SignatureLayer<Meta>, Receiver<()>) {
    let (sender, receiver) = channel();
    (logged(log).explainer(patient()).observer(tell(sender)), receiver)
}

pub(crate) fn wait(explained: &Receiver<()>) {
    explained.recv_timeout(Duration::from_secs(60)).expect("an explanation");
}
