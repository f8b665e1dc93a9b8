//! Variants of the experiment, as data: how `serv` behaves and what is done to the node during its update.

use std::time::Duration;

/// One way in which an update goes.
#[derive(Debug)]
pub struct Variant {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens in it.
    pub summary: &'static str,
    /// The Deployment's `maxSurge`.
    pub max_surge: u32,
    /// The Deployment's `maxUnavailable`.
    pub max_unavailable: u32,
    /// Settings of the server, as in `lab-serv`.
    pub environment: &'static [(&'static str, &'static str)],
    /// kube-proxy is stopped before the update, and goes on so long after the old pod was told to go.
    pub proxy_paused: Option<Duration>,
    /// At the update's begin the gateway's own namespace drops its SYNs for so long: they never leave.
    pub client_blocked: Option<Duration>,
    /// Exit codes of `watch` that it may lead to.
    pub exit_codes: &'static [i32],
}

/// The blog post's update, with nothing done to it.
pub const PLAIN: Variant = Variant {
    name: "plain",
    summary: "the blog post's update: one pod, maxSurge 1, a graceful server",
    max_surge: 1,
    max_unavailable: 0,
    environment: &[],
    proxy_paused: None,
    client_blocked: None,
    // The old pod may close before this node's balancer knows: that is a race.
    exit_codes: &[0, 1],
};

/// The blog post's first window at its widest.
pub const STALLED: Variant = Variant {
    name: "stalled",
    summary: "kube-proxy lags and the old server hangs in its shutdown: SYNs get no answer, \
              retransmits meet a weight of 0",
    environment: &[("STALL_MS", "9000"), ("BACKLOG", "1")],
    proxy_paused: Some(Duration::from_secs(5)),
    exit_codes: &[1],
    ..PLAIN
};

/// All variants.
pub const VARIANTS: &[Variant] = &[
    PLAIN,
    Variant {
        name: "slow-proxy",
        summary: "kube-proxy lags: the old pod goes on being chosen after it has closed and gone",
        proxy_paused: Some(Duration::from_secs(6)),
        exit_codes: &[1],
        ..PLAIN
    },
    STALLED,
    Variant {
        name: "gap",
        summary: "maxSurge 0, maxUnavailable 1: for a while there is no destination",
        max_surge: 0,
        max_unavailable: 1,
        exit_codes: &[1],
        ..PLAIN
    },
    Variant {
        name: "blocked",
        summary: "the client's own firewall drops SYNs for 3 s: they are not sent",
        client_blocked: Some(Duration::from_secs(3)),
        exit_codes: &[1],
        ..PLAIN
    },
    Variant {
        name: "linger",
        summary: "the old server goes on for 5 s after SIGTERM: the remedy, nothing may fail",
        environment: &[("LINGER_MS", "5000")],
        exit_codes: &[0],
        ..PLAIN
    },
];

/// The variant of that name.
pub fn find(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| variant.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_variant_once() {
        for variant in VARIANTS {
            let same = VARIANTS.iter().filter(|other| other.name == variant.name).count();
            assert_eq!((same, find(variant.name).map(|v| v.summary)), (1, Some(variant.summary)));
        }
        assert!(find("no such").is_none());
    }
}
