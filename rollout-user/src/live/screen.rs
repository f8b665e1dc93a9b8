//! The terminal as a full screen: entered once, and given back on every way out: end, error, signal, panic.
//!
//! In: nothing. Out: raw mode and the alternate screen, for as long as [`Screen`] lives. What is written to standard error
//! meanwhile would stand across the picture: it is kept and printed afterwards.

use super::output::Output;
use crate::error::hinted;
use anyhow::Context;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};

/// Bytes of what was written to standard error that are printed afterwards.
const SAID: u64 = 64 * 1024;

static ENTERED: AtomicBool = AtomicBool::new(false);
static STDERR: Mutex<Option<Kept>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Standard error, and where it goes meanwhile.
struct Kept {
    terminal: OwnedFd,
    said: File,
}

/// A full screen; dropping it gives the terminal back.
pub struct Screen(());

/// Refuses to run where there is no terminal.
///
/// # Errors
/// When standard output is no terminal.
pub fn check() -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(hinted(
        "standard output is no terminal",
        "use `rollout trace`, which prints lines to files and pipes",
    ))
}

impl Screen {
    /// Enters it.
    ///
    /// # Errors
    /// When the terminal cannot be set up; it is then as it was before.
    pub fn enter() -> anyhow::Result<Screen> {
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                told(panic);
            }));
        });
        enable_raw_mode().context("cannot take single keys from the terminal")?;
        ENTERED.store(true, Ordering::SeqCst);
        let screen = Screen(());
        execute!(std::io::stdout(), EnterAlternateScreen, Hide)
            .context("cannot set the terminal up")?;
        keep_stderr().context("cannot keep standard error off the screen")?;
        Ok(screen)
    }

    /// Whether the terminal was given back: a thread has panicked.
    pub fn is_over(&self) -> bool {
        !ENTERED.load(Ordering::SeqCst)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if it was taken. May be called at any time, from any thread.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    // There is nobody left to tell if this fails.
    let _told = patient(std::io::stdout().as_fd())
        .and_then(|mut out| execute!(out, Show, LeaveAlternateScreen));
    let _told = disable_raw_mode();
    let kept = STDERR.lock().map(|mut kept| kept.take()).unwrap_or_default();
    if let Some(kept) = kept {
        let _told = kept.give_back();
    }
}

/// Prints to standard error, unless nobody takes it.
pub fn say(text: &str) {
    let said =
        patient(std::io::stderr().as_fd()).and_then(|mut out| out.write_all(text.as_bytes()));
    // There is nobody left to tell if this fails.
    let _said = said;
}

/// A way to a terminal that is given up when nothing is taken.
fn patient(to: BorrowedFd<'_>) -> std::io::Result<impl Write> {
    Ok(BufWriter::new(Output::new(to.try_clone_to_owned()?, || true)))
}

fn keep_stderr() -> std::io::Result<()> {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return Ok(());
    }
    let said = File::from(memfd_create("stderr", MemfdFlags::CLOEXEC)?);
    let terminal = stderr.as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stderr(&said)?;
    if let Ok(mut kept) = STDERR.lock() {
        *kept = Some(Kept { terminal, said });
    }
    Ok(())
}

impl Kept {
    fn give_back(mut self) -> std::io::Result<()> {
        rustix::stdio::dup2_stderr(&self.terminal)?;
        let all = self.said.stream_position()?;
        self.said.rewind()?;
        let mut said = Vec::new();
        self.said.take(SAID).read_to_end(&mut said)?;
        if all > SAID {
            let more = format!("warning: {} bytes more were written here\n", all - SAID);
            said.extend(more.into_bytes());
        }
        patient(self.terminal.as_fd())?.write_all(&said)
    }
}
