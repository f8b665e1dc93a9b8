//! `rollout top`: updates, pods, backends, events and losses of this node on a full screen.
//!
//! In: filters, keys. Out: a screen. The sources never wait for it: what it is too slow for is left out and counted.

use super::trace;
use crate::cli::Top as Args;
use crate::error::hinted;
use crate::live::interrupt::Interrupt;
use crate::live::output::Output;
use crate::live::screen::{self, Screen};
use crate::live::session::{self, Plan, Session};
use crate::record::meta::Phase;
use crate::recording::space::Limits;
use crate::tables::host;
use crate::timeline::monotonic_ns;
use crate::top::draw::{Look, draw};
use crate::top::state::{Setting, Top};
use crate::top::ui::{Key, Outcome, Ui};
use crate::top::view::View;
use anyhow::Context;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::cell::Cell;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest wait for a key before records are taken in again.
const TICK: Duration = Duration::from_millis(50);
const CALIBRATE: Duration = Duration::from_secs(1);
/// Records that are taken in before the next look at the keys.
const AT_ONCE: usize = 4096;
const SYNC: Duration = Duration::from_secs(60);
/// More often would only burn the processor.
const LEAST_REFRESH: Duration = Duration::from_millis(100);
/// One picture is written at once as far as it fits.
const PICTURE: usize = 64 * 1024;

/// Shows the screen until it is quit.
///
/// # Errors
/// When there is no terminal, the probes cannot be loaded, or the terminal fails.
pub fn run(args: &Args, color: bool) -> anyhow::Result<ExitCode> {
    screen::check()?;
    if args.live.bpf_log && std::io::stderr().is_terminal() {
        return Err(hinted(
            "the log of the kernel programs would stand across the screen",
            "send it elsewhere: `rollout top --bpf-log 2> bpf.log`",
        ));
    }
    let runtime = session::runtime()?;
    let interrupt = Interrupt::install_on_screen(&runtime, screen::restore)?;
    let node = host::node_name(args.cluster.node.as_deref());
    let wanted = (!args.no_cluster).then_some(&args.cluster);
    let needing = trace::needing(&args.filter, &args.live);
    let cluster = trace::cluster(wanted, &needing, &runtime, &node)?;
    let called = cluster.as_ref().map(|(cluster, _)| {
        args.cluster.context.clone().unwrap_or_else(|| cluster.server().to_owned())
    });
    let limits =
        Limits { max_bytes: args.live.record_max, min_free_percent: args.live.record_min_free };
    let plan = Plan {
        node,
        target: None,
        cluster,
        ports: trace::kernel_ports(&args.filter, args.record.is_some()),
        left_out: super::left_out(&args.live),
        record: args.record.clone().map(|path| (path, limits)),
        reorder_window: args.live.reorder_window,
        probes: super::probe_options(&args.live)?,
    };
    let session = Session::start(&runtime, plan)?;
    let mut notes = session.notes.clone();
    match session.sync(&runtime, SYNC, &interrupt) {
        Ok(more) => notes.extend(more),
        Err(error) => notes.push(format!("{error:#}; events may lack tags")),
    }
    let mut top = Top::new(Setting {
        filter: args.filter.clone(),
        cluster: called,
        reorder_window_ns: u64::try_from(args.live.reorder_window.as_nanos()).unwrap_or(u64::MAX),
        notes,
    });
    let outcome = show(&session, &mut top, args.refresh.max(LEAST_REFRESH), color, &interrupt);
    top.advance(u64::MAX, session.skipped());
    let footer = top.footer();
    if let Some(summary) = session.finish(Phase::Ended)? {
        screen::say(&trace::told(&summary));
    }
    outcome?;
    screen::say(&footer.text());
    Ok(ExitCode::SUCCESS)
}

/// The screen, from entering to leaving it.
fn show(
    session: &Session,
    top: &mut Top,
    refresh: Duration,
    color: bool,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let calibrated = Cell::new(Instant::now());
    // Asked by whoever waits, for keys or for the terminal: the clocks are paired while that one stands still.
    let is_over = || {
        if calibrated.get().elapsed() >= CALIBRATE {
            session.calibrate();
            calibrated.set(Instant::now());
        }
        interrupt.requested().is_some()
    };
    let stdout = std::io::stdout().as_fd().try_clone_to_owned().context("no standard output")?;
    let screen = Screen::enter()?;
    let out = BufWriter::with_capacity(PICTURE, Output::new(stdout, is_over));
    let mut terminal =
        Terminal::new(CrosstermBackend::new(out)).context("cannot set the terminal up")?;
    let (mut ui, look) = (Ui::default(), Look { color });
    let mut view = View::default();
    let mut drawn: Option<Instant> = None;
    while !is_over() && !screen.is_over() {
        let mut taken = 0;
        for record in std::iter::from_fn(|| session.next(Duration::ZERO)).take(AT_ONCE) {
            top.observe(&record);
            taken += 1;
        }
        let now_ns = monotonic_ns();
        top.advance(now_ns, session.skipped());
        let wait = match drawn {
            _ if taken == AT_ONCE => Duration::ZERO,
            None => Duration::ZERO,
            Some(drawn) => TICK.min(refresh.saturating_sub(drawn.elapsed())),
        };
        let was_paused = ui.paused;
        let mut changed = false;
        while event::poll(if changed { Duration::ZERO } else { wait }).context("no terminal")? {
            changed = true;
            if let Some(key) = key(&event::read().context("no terminal")?)
                && ui.press(key) == Outcome::Quit
            {
                return Ok(());
            }
        }
        let due = drawn.is_none_or(|drawn| drawn.elapsed() >= refresh);
        if drawn.is_none() || (!ui.paused && (due || was_paused)) {
            view = top.view(now_ns);
        }
        if due || changed {
            let finished = terminal.draw(|frame| {
                let area = frame.area();
                draw(&view, &mut ui, look, area, frame.buffer_mut());
            });
            match finished.map(|_| ()).and_then(|()| terminal.backend_mut().flush()) {
                // The run is to end, and nobody looks at the screen.
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => break,
                finished => finished.context("cannot draw on the terminal")?,
            }
            drawn = Some(Instant::now());
        }
    }
    if screen.is_over() {
        anyhow::bail!("a part of the program broke; its message stands above");
    }
    Ok(())
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if *kind == KeyEventKind::Release {
        return None;
    }
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(_) if modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
            return None;
        }
        KeyCode::Char(c) => Key::Char(*c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
