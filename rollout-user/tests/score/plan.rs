//! One scenario as data: the cluster, how servers behave, what is done to the node and to connects.
//!
//! In: `tests/score/plans/NAME.toml`. Out: [`Plan`]. Ranges are drawn anew for each run.

use serde::Deserialize;
use std::path::PathBuf;

/// A range of milliseconds, both ends included.
pub type Range = [u64; 2];

/// How an old server takes its stop signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStop {
    /// Accepts on for `linger_ms`, finishes what is open, closes, exits.
    Drain,
    /// Closes its listener at once, finishes what is open, exits after `linger_ms`.
    Close,
    /// Exits at once.
    Exit,
    /// Keeps its listener and accepts no more, closes after `linger_ms` and exits.
    Hang,
    /// Goes on as before, until it is killed.
    Ignore,
}

/// What is done to connects besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The node's conntrack table is full for a second.
    ConntrackFull,
    /// Some SYNs lose a race for their source port.
    SourceNatRace,
    /// The network of a terminating pod is cut while it still serves.
    CniCut,
    /// Clients use ports again whose entries led to an old pod.
    WeightZero,
    /// Clients use ports again whose entries are in TIME_WAIT.
    ReuseDrop,
    /// Another workload's pod gets an old pod's address, and entries still lead there.
    StaleEntry,
    /// A failed pod's address is given to another pod while the slice still lists it.
    FailedPodIp,
    /// Packets of servers lose their translation.
    Invalid,
    /// Something between client and pod resets connections when the pod is taken out.
    FlowCut,
    /// Clients send on idle connections that the server has just closed.
    KeepAlive,
    /// The client's own firewall drops SYNs for a while.
    ClientBlocked,
    /// The gateway's readiness depends on the backend.
    Cascade,
    /// The new pods' accept queues overflow at first.
    Surge,
    /// The Service is Local, and the node's last pod goes.
    LocalPolicy,
    /// The route to a gone pod is gone too.
    NoRoute,
    /// The ring overruns.
    Loss,
}

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// In a sentence, for people.
    #[serde(rename = "summary")]
    pub _summary: String,
    /// Old pods, and new ones.
    pub replicas: [u64; 2],
    /// All old pods go before new ones come.
    #[serde(default)]
    pub recreate: bool,
    /// How old servers stop.
    pub on_stop: OnStop,
    /// See [`OnStop`].
    #[serde(default)]
    pub linger_ms: Range,
    /// The `preStop` sleep, seconds.
    #[serde(default)]
    pub pre_stop_s: u64,
    /// The grace period, seconds.
    #[serde(default = "grace")]
    pub grace_s: u64,
    /// From a pod's change to its slice's.
    #[serde(default = "quick")]
    pub controller_ms: Range,
    /// From a slice's change to the balancer's.
    #[serde(default = "quick")]
    pub proxy_ms: Range,
    /// New pods listen so long after they are ready.
    #[serde(default)]
    pub listens_late_ms: Range,
    /// The client closes a connect that has no answer after this time; 0: never.
    #[serde(default)]
    pub connect_timeout_ms: u64,
    /// A request takes so long.
    #[serde(default = "request")]
    pub request_ms: Range,
    /// Connects a second.
    #[serde(default = "rate")]
    pub rate: u64,
    /// Clients dial pods themselves, and learn of endpoints so late; absent: they dial the Service.
    pub direct_ms: Option<u64>,
    /// What is done besides.
    pub fault: Option<Fault>,
}

fn grace() -> u64 {
    30
}

fn quick() -> Range {
    [5, 60]
}

fn request() -> Range {
    [2, 20]
}

fn rate() -> u64 {
    60
}

/// All plans by name, sorted.
pub fn plans() -> Vec<(String, Plan)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/score/plans");
    let files = std::fs::read_dir(&folder).expect("the folder of plans");
    let mut plans: Vec<(String, Plan)> = files
        .map(|file| {
            let path = file.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a plan");
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let plan = toml::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
            (name.to_owned(), plan)
        })
        .collect();
    plans.sort_by(|a, b| a.0.cmp(&b.0));
    plans
}
