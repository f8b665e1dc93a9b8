//! Follows what is local to this node: cgroups, pods' network namespaces with their listeners, kubelet.
//!
//! In: a cgroup hierarchy, `/proc`, an inlet. Out: records `cgroup`, `pod_netns`, `listeners` and `kubelet_process`, those
//! that exist at the start first. Two threads: one sees new cgroups at once, the other waits for their processes.

use super::cgroup::hierarchy::Hierarchy;
use super::cgroup::{kubelet, scan, watch};
use super::listen_counters::Polled;
use super::listeners;
use super::netns::Namespace;
use super::pod_netns::{Look, look};
use super::worker::{Stop, Worker};
use crate::record::Body;
use crate::record::kernel::Netns;
use crate::record::meta::{Loss, Stage};
use crate::record::table::{Cgroup, CgroupOwner, KubeletProcess, PodNetns};
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a container without a namespace of its own is looked at again.
const AGAIN: Duration = Duration::from_millis(10);
/// A container that is still in the node's namespace after this time belongs to a pod with `hostNetwork`.
const SETTLED: Duration = Duration::from_secs(10);
/// How often kubelet is looked for: one `stat` while it lives, a walk through `/proc` while it does not.
const KUBELET: Duration = Duration::from_secs(2);

/// Where to look.
#[derive(Debug, Clone)]
pub struct Places {
    /// Normally `/proc`, with the node's processes in it.
    pub proc: PathBuf,
    /// The hierarchy that names pods.
    pub hierarchy: Hierarchy,
}

/// The running threads; dropping them ends both.
#[derive(Debug)]
pub struct Followers {
    _cgroups: Worker,
    _namespaces: Worker,
}

/// Path of the cgroup in which kubelet lives alone: made anew, with another id, each time kubelet starts.
type KubeletPath = Arc<Mutex<Option<String>>>;

/// Starts following. When it returns, kubelet and every cgroup that exists have been pushed; namespaces and listeners
/// follow. Each pod's namespace goes to `poll` too, if it is given.
pub fn follow(places: Places, inlet: Inlet, poll: Option<Sender<Polled>>) -> Result<Followers> {
    let host = Namespace::open(&places.proc.join("1/ns/net"))
        .or_else(|_| Namespace::current())
        .context("cannot identify the node's network namespace")?;
    let (sender, containers) = channel();
    let kubelet_path = KubeletPath::default();
    let mut kubelet = Kubelet {
        places: places.clone(),
        inlet: inlet.clone(),
        processes: Vec::new(),
        is_placed: false,
        path: kubelet_path.clone(),
    };
    // Before any cgroup is told of, so that kubelet's is never called the host's first.
    kubelet.find();
    let cgroups = inlet.clone();
    let cgroups = watch::follow(&places.hierarchy.root, move |mut cgroup| {
        if is_at(&kubelet_path, &cgroup.path) {
            cgroup.owner = CgroupOwner::Kubelet;
        }
        let is_container = matches!(cgroup.owner, CgroupOwner::Pod { container: Some(_), .. });
        cgroups.push_now(Body::Cgroup(cgroup.clone()));
        if is_container {
            // The other thread ends only together with this one.
            let _ = sender.send(cgroup);
        }
    })?;
    let mut rest = Namespaces {
        places,
        inlet,
        poll,
        host_inum: host.inum(),
        pushed: BTreeSet::new(),
        settled: BTreeSet::new(),
        kubelet,
    };
    let namespaces = Worker::start("rollout-pods", move |stop| {
        rest.push_namespace(&host, String::new());
        rest.run(&stop, &containers);
    })?;
    Ok(Followers { _cgroups: cgroups, _namespaces: namespaces })
}

struct Namespaces {
    places: Places,
    inlet: Inlet,
    poll: Option<Sender<Polled>>,
    host_inum: u32,
    /// Namespaces that were pushed, each with its pod.
    pushed: BTreeSet<(Netns, String)>,
    /// Containers whose namespace is known: pod UID and container id.
    settled: BTreeSet<(String, String)>,
    kubelet: Kubelet,
}

impl Namespaces {
    fn run(&mut self, stop: &Stop, containers: &Receiver<Cgroup>) {
        let mut waiting: Vec<(Cgroup, Instant)> = Vec::new();
        let mut kubelet_due = Instant::now() + KUBELET;
        while !stop.is_set() {
            if Instant::now() >= kubelet_due {
                self.kubelet.find();
                kubelet_due = Instant::now() + KUBELET;
            }
            let wait = if waiting.is_empty() { super::worker::TICK } else { AGAIN };
            match containers.recv_timeout(wait) {
                Ok(cgroup) => {
                    waiting.push((cgroup, Instant::now()));
                    waiting.extend(containers.try_iter().map(|cgroup| (cgroup, Instant::now())));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            waiting.retain(|(cgroup, since)| !self.settle(cgroup) && since.elapsed() < SETTLED);
        }
    }

    /// `true`: nothing more can be learnt from this cgroup.
    fn settle(&mut self, cgroup: &Cgroup) -> bool {
        let CgroupOwner::Pod { uid, container: Some(container) } = &cgroup.owner else {
            return true;
        };
        let key = (uid.clone(), container.clone());
        if self.settled.contains(&key) {
            return true;
        }
        let directory = scan::directory(&self.places.hierarchy.root, cgroup);
        match look(&directory, &self.places.proc, self.host_inum) {
            Look::Own(namespace) => {
                self.settled.insert(key);
                self.push_namespace(&namespace, uid.clone());
                self.poll(namespace, directory);
                true
            }
            Look::Host => false,
            Look::Empty => !directory.exists(),
        }
    }

    fn poll(&self, namespace: Namespace, directory: PathBuf) {
        if let Some(poll) = &self.poll {
            let netns = namespace.identify();
            // Fails if the poller has ended: then nothing is to be polled any more.
            let _ = poll.send(Polled { namespace, netns, cgroup: Some(directory) });
        }
    }

    fn push_namespace(&mut self, namespace: &Namespace, uid: String) {
        let netns = namespace.identify();
        if !self.pushed.insert((netns, uid.clone())) {
            return;
        }
        self.inlet.push_now(Body::PodNetns(PodNetns { netns, uid }));
        let since_ns = monotonic_ns();
        self.inlet.push_now(match listeners::read(namespace) {
            Ok(listeners) => Body::Listeners(listeners),
            Err(_) => {
                let program = "listeners".to_owned();
                Body::Loss(Loss { stage: Stage::Table, program, count: 0, since_ns })
            }
        });
    }
}

struct Kubelet {
    places: Places,
    inlet: Inlet,
    processes: Vec<KubeletProcess>,
    /// Its cgroup was looked for since it started.
    is_placed: bool,
    path: KubeletPath,
}

impl Kubelet {
    /// Looks through `/proc` only when the known ones are gone: kubelet lives long.
    fn find(&mut self) {
        let proc = &self.places.proc;
        let lives = |one: &KubeletProcess| kubelet::kubelet(proc, one.pid).as_ref() == Some(one);
        if self.processes.is_empty() || !self.processes.iter().all(lives) {
            let found = kubelet::processes(proc);
            for process in found.iter().filter(|process| !self.processes.contains(process)) {
                self.inlet.push_now(Body::KubeletProcess(process.clone()));
            }
            self.processes = found;
            self.is_placed = false;
        }
        if !self.is_placed && !self.processes.is_empty() {
            self.place();
        }
    }

    fn place(&mut self) {
        let root = &self.places.hierarchy.root;
        let Ok(scan) = scan::scan(root) else { return };
        let own = kubelet::own_cgroup(&self.places.proc, root, &scan, &self.processes);
        self.is_placed = true;
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) =
            own.as_ref().map(|cgroup| cgroup.path.clone());
        if let Some(cgroup) = own {
            self.inlet.push_now(Body::Cgroup(cgroup));
        }
    }
}

fn is_at(kubelet: &KubeletPath, path: &str) -> bool {
    kubelet.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(path)
}
