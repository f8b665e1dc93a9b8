//! One live run: starts every source in the order that loses nothing, and stops them all.
//!
//! In: a [`Plan`]. Out: a [`Session`] whose records arrive at the hub. Probes come first, so that no event falls between
//! a table's snapshot and the first change that is seen; watches come last, and `watching` is said when all are in sync.

use super::exclude::{Change, Exclusion};
use super::hub::Hub;
use super::interrupt::Interrupt;
use crate::cluster::{Cluster, Scope, Watches};
use crate::error::HintExt as _;
use crate::probe::{self, Filter, Probes, Running};
use crate::record::meta::{FORMAT_VERSION, Header, Hook, Hooks, LeftOut, Phase, Target};
use crate::record::{Body, Record};
use crate::recording::space::Limits;
use crate::recording::write::{Summary, Writer};
use crate::tables::cgroup::hierarchy::{self, Version};
use crate::tables::listen_counters::Polled;
use crate::tables::netns::Namespace;
use crate::tables::worker::Worker;
use crate::tables::{conntrack, data_path, host, ipvs, listen_counters, pods};
use crate::timeline::{Inlet, queue};
use anyhow::Context;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// Records that may wait between the sources and the hub.
const QUEUE: usize = 262_144;
/// Entries of `/proc/net/ip_vs_conn` that are kept from the start.
const CONNECTIONS: usize = 65_536;
/// How often the IPVS table is read where the kernel's functions cannot be hooked.
const POLL: Duration = Duration::from_millis(50);
/// How often counters are read that tell what no hook can tell.
const COUNTERS: Duration = Duration::from_secs(1);
const PROC: &str = "/proc";
/// As a user reads it.
const LISTEN_OVERFLOWS: &str = "polling ListenOverflows";
/// What counters leave out.
const BY_COUNTERS: &str = "which connections met a full accept queue is not seen, only how many in which namespace and second";

/// What to start.
pub struct Plan {
    /// This node's name.
    pub node: String,
    /// The watched workload, for the header.
    pub target: Option<Target>,
    /// API server and what to watch there; `None`: do without.
    pub cluster: Option<(Cluster, Scope)>,
    /// Ports for the filter in the kernel; empty: all.
    pub ports: BTreeSet<u16>,
    /// What the kernel is to leave out.
    pub left_out: LeftOut,
    /// Where to record, and how much.
    pub record: Option<(PathBuf, Limits)>,
    /// Wait of live output, for the header.
    pub reorder_window: Duration,
    /// How to load the probes.
    pub probes: probe::Options,
}

/// A running session. Everything stops when it is finished or dropped.
pub struct Session {
    hub: Hub,
    inlet: Inlet,
    filter: Filter,
    exclusion: RefCell<Exclusion>,
    /// Open, so that the kernel gives their numbers to no other namespace while the filter has them.
    _left_out: Vec<Namespace>,
    sources: Sources,
    /// What a user should know from the start: degradations, each with its reason.
    pub notes: Vec<String>,
}

struct Sources {
    probes: Running,
    watches: Option<Watches>,
    _followers: Option<pods::Followers>,
    _workers: Vec<Worker>,
    /// They read once more when they end.
    pollers: Vec<Worker>,
}

impl Session {
    /// Starts everything.
    ///
    /// # Errors
    /// When the probes cannot be loaded or the recording cannot be created; all else degrades, with a note.
    pub fn start(runtime: &tokio::runtime::Runtime, plan: Plan) -> anyhow::Result<Session> {
        let left_out = plan.left_out.netns.iter().map(|path| left_out(path));
        let left_out: Vec<Namespace> = left_out.collect::<anyhow::Result<_>>()?;
        // Before the recording, so that a run that cannot start leaves none behind.
        let probes = Probes::load(&plan.probes)?;
        let (inlet, timeline) = queue(QUEUE);
        let writer = plan.record.as_ref().map(|(path, limits)| Writer::create(path, *limits));
        let hub = Hub::start(timeline, writer.transpose()?)?;
        let mut starter = Starter {
            inlet: inlet.clone(),
            notes: Vec::new(),
            workers: Vec::new(),
            pollers: Vec::new(),
        };
        starter.header(&plan);

        let filter = probes.filter();
        if !plan.ports.is_empty() {
            filter.set_ports(&plan.ports)?;
        }
        for namespace in &left_out {
            filter.deny_netns(namespace.inum())?;
        }
        let exclusion = RefCell::new(Exclusion::new(&plan.left_out.namespaces));
        let mut hooks = probes.hooks();
        let probes = probes.run(inlet.clone())?;
        let followers = starter.tables(&mut hooks);
        inlet.push_now(Body::Hooks(hooks));

        let watches = plan.cluster.map(|(cluster, scope)| {
            let _inside = runtime.enter();
            cluster.watch(scope, inlet.clone())
        });
        let Starter { notes, workers: _workers, pollers, .. } = starter;
        let sources = Sources { probes, watches, _followers: followers, _workers, pollers };
        Ok(Session { hub, inlet, filter, exclusion, _left_out: left_out, sources, notes })
    }

    /// Waits until all watches are in sync, then says so on the timeline. Returns notes on what is degraded.
    ///
    /// # Errors
    /// When the API server refuses or does not answer within `patience`.
    pub fn sync(
        &self,
        runtime: &tokio::runtime::Runtime,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Vec<String>> {
        let mut notes = Vec::new();
        if let Some(watches) = &self.sources.watches {
            let interrupted = async {
                while interrupt.requested().is_none() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    synced = watches.synced_within(patience) => synced,
                    () = interrupted => Err(anyhow::anyhow!("interrupted before the watches were in sync")),
                }
            })?;
            notes = runtime.block_on(watches.notes());
        }
        self.inlet.push_now(Body::Phase(Phase::Watching));
        Ok(notes)
    }

    /// Changes the ports that the kernel lets pass.
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn set_ports(&self, ports: &BTreeSet<u16>) -> anyhow::Result<()> {
        self.filter.set_ports(ports)
    }

    /// The next record for live output, if one comes within `wait`.
    pub fn next(&self, wait: Duration) -> Option<Arc<Record>> {
        let live: &Receiver<Arc<Record>> = &self.hub.live;
        let record = live.recv_timeout(wait).ok()?;
        for change in self.exclusion.borrow_mut().observe(&record.body) {
            let changed = match change {
                Change::Deny(cgroup) => self.filter.deny_cgroup(cgroup),
                Change::Allow(cgroup) => self.filter.allow_cgroup(cgroup),
            };
            // The analysis leaves its connections out all the same.
            if let Err(error) = changed {
                eprintln!("warning: the filter in the kernel cannot be changed: {error:#}");
            }
        }
        Some(record)
    }

    /// Puts what the kernel has told and lost so far on the timeline, so that [`Session::next`] brings it.
    pub fn settle(&self) {
        self.sources.probes.flush_losses();
    }

    /// Records that live output was too slow for.
    pub fn skipped(&self) -> u64 {
        self.hub.skipped()
    }

    /// Says how the run ended, stops the sources, and waits until everything is recorded.
    ///
    /// # Errors
    /// When the recording thread died.
    pub fn finish(self, ended: Phase) -> anyhow::Result<Option<Summary>> {
        let Session { hub, inlet, mut sources, filter, .. } = self;
        // What they count is then told up to here.
        sources.pollers.clear();
        // Sources stop one after another: what they tell after this time is not the whole.
        inlet.push_now(Body::Phase(ended));
        sources.probes.flush_losses();
        drop(sources);
        drop(filter);
        push_clock(&inlet);
        drop(inlet);
        hub.finish()
    }

    /// Pairs the two clocks again; to be called now and then, so that a clock step is seen.
    pub fn calibrate(&self) {
        push_clock(&self.inlet);
    }
}

fn push_clock(inlet: &Inlet) {
    let (time_ns, clock) = host::clock();
    inlet.push(time_ns, Body::Clock(clock));
}

struct Starter {
    inlet: Inlet,
    notes: Vec<String>,
    workers: Vec<Worker>,
    pollers: Vec<Worker>,
}

impl Starter {
    fn header(&mut self, plan: &Plan) {
        let boot_id = host::boot_id(Path::new(PROC)).unwrap_or_else(|error| {
            self.notes.push(format!("{error:#}"));
            String::new()
        });
        self.inlet.push_now(Body::Header(Header {
            format: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: plan.node.clone(),
            boot_id,
            kernel: host::kernel_release(),
            target: plan.target.clone(),
            reorder_window_ns: u64::try_from(plan.reorder_window.as_nanos()).unwrap_or(u64::MAX),
            left_out: plan.left_out.clone(),
        }));
        push_clock(&self.inlet);
    }

    /// Reads tables and follows what has no kernel hook. Each failure becomes a hook that is missing.
    fn tables(&mut self, hooks: &mut Hooks) -> Option<pods::Followers> {
        let proc = Path::new(PROC);
        let node = node_namespace();
        let hierarchy = hierarchy::find(proc);
        if let Ok(node) = &node {
            // Socket load balancers attach to the unified hierarchy only.
            let unified = hierarchy.as_ref().ok().filter(|found| found.version == Version::V2);
            let root = unified.map(|hierarchy| hierarchy.root.as_path());
            self.inlet.push_now(Body::DataPath(data_path::find(node, root, proc)));
            self.ipvs(node, hooks);
            let followed = conntrack::follow(node, self.inlet.clone());
            self.attach(
                hooks,
                "conntrack_choice",
                "netlink conntrack events",
                followed,
                "backends that netfilter chose (kube-proxy iptables, nftables) are not seen",
            );
        }
        self.conntrack_stats(hooks);
        let (poll, poller) = self.listen_counters(hooks).unzip();
        let followers = hierarchy.and_then(|hierarchy| {
            pods::follow(
                pods::Places { proc: proc.to_owned(), hierarchy },
                self.inlet.clone(),
                poll,
            )
        });
        match followers {
            Ok(followers) => {
                poller.into_iter().for_each(|poller| self.poll_listeners(hooks, poller));
                Some(followers)
            }
            Err(error) => {
                let blind = "clients cannot be told apart by their cgroup";
                self.missing(hooks, "cgroups", &error, blind);
                None
            }
        }
    }

    fn conntrack_stats(&mut self, hooks: &mut Hooks) {
        let followed = node_namespace()
            .and_then(|node| conntrack::stats::follow(node, COUNTERS, self.inlet.clone()));
        let fact = "conntrack_stats";
        match followed {
            Ok(worker) => {
                self.pollers.push(worker);
                serve(hooks, fact, "polling /proc/net/stat/nf_conntrack");
            }
            Err(error) => {
                let blind = "whether the connection table was full is not seen";
                self.missing(hooks, fact, &error, blind);
            }
        }
    }

    /// Starts what polls listen counters, where no hook tells each drop at a full accept queue.
    fn listen_counters(&self, hooks: &mut Hooks) -> Option<(Sender<Polled>, Worker)> {
        let hook = hooks.facts.get_mut("backlog_full").filter(|hook| hook.attached.is_none())?;
        let started = node_namespace().and_then(|namespace| {
            let netns = namespace.identify();
            let node = Polled { namespace, netns, cgroup: None };
            listen_counters::follow([node], COUNTERS, self.inlet.clone())
        });
        started.map_err(|error| hook.refused.push(format!("{LISTEN_OVERFLOWS}: {error:#}"))).ok()
    }

    fn poll_listeners(&mut self, hooks: &mut Hooks, poller: Worker) {
        self.pollers.push(poller);
        if let Some(hook) = hooks.facts.get_mut("backlog_full") {
            hook.attached = Some(LISTEN_OVERFLOWS.to_owned());
            hook.blind = Some(BY_COUNTERS.to_owned());
        }
    }

    fn ipvs(&mut self, node: &Namespace, hooks: &mut Hooks) {
        let table = match ipvs::read(node) {
            Ok(Some(table)) => table,
            Ok(None) => return,
            Err(error) => {
                return self.missing(
                    hooks,
                    "ipvs_table",
                    &error,
                    "the IPVS table at the start is not known",
                );
            }
        };
        self.inlet.push_now(Body::IpvsTable(table.clone()));
        match ipvs::connections::read(&Path::new(PROC).join("1/net"), table.netns, CONNECTIONS) {
            Ok(connections) => self.inlet.push_now(Body::IpvsConnections(connections)),
            Err(error) => self.missing(
                hooks,
                "ipvs_connections",
                &error,
                "backends of connections older than the start are not known",
            ),
        }
        let hooked =
            hooks.facts.get("ipvs_destination").is_some_and(|hook| hook.attached.is_some());
        if hooked {
            return;
        }
        let polled = Namespace::open(&Path::new(PROC).join("1/ns/net"))
            .and_then(|node| ipvs::poll::follow(node, table, POLL, self.inlet.clone()));
        self.attach(
            hooks,
            "ipvs_destination_polled",
            "polling the table over generic netlink",
            polled,
            "when destinations were added, drained or removed is not seen",
        );
    }

    fn attach(
        &mut self,
        hooks: &mut Hooks,
        fact: &str,
        label: &str,
        started: anyhow::Result<Worker>,
        blind: &str,
    ) {
        match started {
            Ok(worker) => {
                self.workers.push(worker);
                serve(hooks, fact, label);
            }
            Err(error) => self.missing(hooks, fact, &error, blind),
        }
    }

    fn missing(&mut self, hooks: &mut Hooks, fact: &str, error: &anyhow::Error, blind: &str) {
        self.notes.push(format!("{error:#}: {blind}"));
        let refused = vec![format!("{error:#}")];
        let hook = Hook { attached: None, refused, blind: Some(blind.into()) };
        hooks.facts.insert(fact.into(), hook);
    }
}

fn left_out(path: &str) -> anyhow::Result<Namespace> {
    let remedy = "`--exclude-netns` takes a path such as `/run/netns/blue` or `/proc/PID/ns/net`";
    Namespace::open(Path::new(path)).hint(format!("cannot leave out `{path}`"), remedy)
}

fn node_namespace() -> anyhow::Result<Namespace> {
    Namespace::open(&Path::new(PROC).join("1/ns/net")).or_else(|_| Namespace::current())
}

fn serve(hooks: &mut Hooks, fact: &str, label: &str) {
    let hook = Hook { attached: Some(label.into()), refused: Vec::new(), blind: None };
    hooks.facts.insert(fact.into(), hook);
}

/// Makes the runtime for the watches.
///
/// # Errors
/// When its threads cannot be started.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")
}
