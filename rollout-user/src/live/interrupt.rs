//! Ctrl-C and SIGTERM: the first asks the run to end in good order, the second ends the process at once.
//!
//! In: signals. Out: a flag that live loops look at.

use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::signal::unix::{SignalKind, signal};

const NONE: u8 = 0;

/// Which signal asked for the end, if one did.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM on `runtime`.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn install(runtime: &tokio::runtime::Runtime) -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let _guard = runtime.enter();
        for (kind, number) in [(SignalKind::interrupt(), 2), (SignalKind::terminate(), 15)] {
            let mut stream = signal(kind).context("cannot listen for signals")?;
            let flag = interrupt.0.clone();
            runtime.spawn(async move {
                while stream.recv().await.is_some() {
                    if flag.swap(number, Ordering::Relaxed) != NONE {
                        std::process::exit(128 + i32::from(number));
                    }
                }
            });
        }
        Ok(interrupt)
    }

    /// The name of the signal that came, if any.
    pub fn requested(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Relaxed) {
            NONE => None,
            15 => Some("SIGTERM"),
            _ => Some("Ctrl-C"),
        }
    }
}
