//! Signals by their names. In: a number as the kernel tells it. Out: the name of signal(7), on x86-64.

/// `SIGTERM`; `signal 34` where it has no name here.
pub fn signal_name(signal: u32) -> String {
    let known = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        15 => "SIGTERM",
        28 => "SIGWINCH",
        number => return format!("signal {number}"),
    };
    known.to_owned()
}
