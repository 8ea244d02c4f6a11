//! What is logged, and that no password is.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tasker_redis::link::Link;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{append_x, at, patient, settings, started};

/// Writes down all that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}: {value:?}").unwrap();
    }
}

#[test]
fn the_log_has_the_address_and_no_password() {
    let mut server = started(&["requirepass hunter2"]);
    let with = |password: &str| at(&format!("redis://:{password}@127.0.0.1:{}", server.port()));
    let (right, wrong) = (with("hunter2"), with("not-hunter2"));
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        Link::open(&wrong, patient()).unwrap_err();
        let mut link = Link::open(&right, settings()).unwrap();
        server.kill();
        append_x(&mut link).unwrap_err();
        append_x(&mut link).unwrap_err();
    });
    let log = log.0.lock().unwrap();
    for part in ["connected", "WRONGPASS", "cannot be reached", &right.name()] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}
