//! Ctrl-C, SIGTERM and, on a full screen, what else ends a process: the first asks the run to end in good order, the second ends the process at once.
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
        Interrupt::listen(runtime, &[SignalKind::interrupt(), SignalKind::terminate()], || {})
    }

    /// Listens for every signal that asks a process to end, as one must that has changed its terminal; the second one
    /// ends the process after `undo`.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn install_on_screen(
        runtime: &tokio::runtime::Runtime,
        undo: fn(),
    ) -> anyhow::Result<Interrupt> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        Interrupt::listen(runtime, &kinds, undo)
    }

    fn listen(
        runtime: &tokio::runtime::Runtime,
        kinds: &[SignalKind],
        undo: fn(),
    ) -> anyhow::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let _guard = runtime.enter();
        for kind in kinds.iter().copied() {
            let number = u8::try_from(kind.as_raw_value()).unwrap_or(u8::MAX);
            let mut stream = signal(kind).context("cannot listen for signals")?;
            let flag = interrupt.0.clone();
            runtime.spawn(async move {
                while stream.recv().await.is_some() {
                    if flag.swap(number, Ordering::Relaxed) != NONE {
                        undo();
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
            1 => Some("SIGHUP"),
            3 => Some("SIGQUIT"),
            15 => Some("SIGTERM"),
            _ => Some("Ctrl-C"),
        }
    }
}
