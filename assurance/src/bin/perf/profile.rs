//! Requests to be counted by callgrind, in sections that [`boundary`] separates.

use std::hint::black_box;

use tower_webhook::{SignatureLayer, Verifier};

use crate::{
    catalogue::{self, Sender},
    subjects::{self, Subject},
};

/// Numbers of requests in the two sections of a case. Their difference has no start-up.
pub(crate) const COUNTS: [usize; 2] = [20, 120];

/// The names of the schemes that have a goal.
pub(crate) const NAMED: [&str; 4] = ["Meta", "Stripe", "Standard Webhooks", "Twilio"];

/// Something to be counted, under a name such as `Meta, layer`.
struct Section {
    name: String,
    run: Box<dyn FnMut()>,
}

fn add_sender(sections: &mut Vec<Section>, sender: Sender, with_mark: bool) {
    let Sender { name, layer, no_layer, mark } = sender;
    let mut add = |what: &str, mut send: Box<dyn FnMut(usize)>| {
        sections.push(Section { name: format!("{name}, {what}"), run: Box::new(move || send(1)) });
    };
    add("layer", layer);
    add("no layer", no_layer);
    if with_mark {
        add("mark", mark);
    }
}

fn add_subject<V>(sections: &mut Vec<Section>, subject: Subject<V>)
where
    V: Verifier + Clone + 'static,
{
    let mut hash = subject.bare_hmac();
    let name = format!("{}, hash", subject.name);
    sections.push(Section { name, run: Box::new(move || hash.call()) });
    let layer = SignatureLayer::new(subject.verifier);
    add_sender(sections, Sender::new(subject.name, &layer, subject.request), true);
}

/// Callgrind dumps its counts before each call: `--dump-before=*profile::boundary*`.
#[inline(never)]
fn boundary(number: usize) {
    black_box(number);
}

/// Prints the names of the sections, and runs each with both counts: those of Meta, or of all schemes.
pub(crate) fn run(what: &str) {
    let mut sections = Vec::new();
    add_subject(&mut sections, subjects::meta());
    if what == "all" {
        add_subject(&mut sections, subjects::stripe());
        add_subject(&mut sections, subjects::standard());
        add_subject(&mut sections, subjects::twilio());
        for sender in catalogue::all() {
            add_sender(&mut sections, sender, false);
        }
    }
    for section in &sections {
        println!("{}", section.name);
    }
    for section in &mut sections {
        for count in COUNTS {
            boundary(count);
            for _ in 0..count {
                (section.run)();
            }
        }
    }
    boundary(0);
}
