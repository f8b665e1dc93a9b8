//! A pod as this node sees it: real cgroup directories, a real process, a network namespace with a listener.

use super::tables_network::{PATIENCE, namespace, until};
use rollout::record::Body;
use rollout::record::table::CgroupOwner;
use rollout::tables::cgroup::hierarchy::{self, Hierarchy};
use rollout::tables::netns::Namespace;
use rollout::tables::pods::{Places, follow};
use rollout::timeline::queue;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::channel;

const UID: &str = "8f3d2c1e-0a4b-4c5d-9e6f-7a8b9c0d1e2f";
const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";

/// A hierarchy below the node's real one, taken down at the end.
struct Tree {
    root: PathBuf,
    process: Option<Child>,
}

impl Tree {
    fn new(name: &str) -> Self {
        let real = hierarchy::find(Path::new("/proc")).unwrap().root;
        let root = real.join(format!("rollout-test-{name}-{}", std::process::id()));
        std::fs::create_dir(&root).unwrap();
        Self { root, process: None }
    }

    fn hierarchy(&self) -> Hierarchy {
        let real = hierarchy::find(Path::new("/proc")).unwrap();
        Hierarchy { root: self.root.clone(), ..real }
    }

    /// Makes the directories of a pod as kubelet and a runtime do, one after the other.
    fn add_container(&self) -> PathBuf {
        let mut directory = self.root.clone();
        for part in ["kubepods", "burstable", &format!("pod{UID}"), ID] {
            directory = directory.join(part);
            std::fs::create_dir(&directory).unwrap();
        }
        directory
    }

    /// Starts a process in `namespace` and moves it into `directory`.
    fn add_process(&mut self, namespace: &Namespace, directory: &Path) {
        let spawn = || Command::new("sleep").arg("600").spawn();
        let process = namespace.enter(spawn).unwrap().unwrap();
        std::fs::write(directory.join("cgroup.procs"), process.id().to_string()).unwrap();
        self.process = Some(process);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let mut directories = vec![self.root.clone()];
        let mut at = 0;
        while let Some(directory) = directories.get(at).cloned() {
            let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
            directories.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
            at += 1;
        }
        for directory in directories.iter().rev() {
            let _ = std::fs::remove_dir(directory);
        }
    }
}

pub fn f13_f17_a_new_pod_is_known_by_cgroup_namespace_and_listener_before_any_api_says_so() {
    let mut tree = Tree::new("new");
    let (inlet, mut timeline) = queue(1000);
    let places = Places { proc: "/proc".into(), hierarchy: tree.hierarchy() };
    let _followers = follow(places, inlet, None).unwrap();

    let directory = tree.add_container();
    let records = until(
        &mut timeline,
        |body| matches!(body, Body::Cgroup(it) if matches!(it.owner, CgroupOwner::Pod { container: Some(_), .. })),
    );
    let Some(Body::Cgroup(cgroup)) = records.last().map(|record| &record.body) else { panic!() };
    assert_eq!(cgroup.id, std::fs::metadata(&directory).unwrap().ino());
    assert_eq!(cgroup.owner, CgroupOwner::Pod { uid: UID.into(), container: Some(ID.into()) });

    let pod = namespace();
    let listener = pod.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap();
    tree.add_process(&pod, &directory);
    let of_pod = |body: &Body| matches!(body, Body::PodNetns(it) if it.uid == UID);
    let records = until(&mut timeline, of_pod);
    let Some(Body::PodNetns(found)) = records.last().map(|record| &record.body) else { panic!() };
    assert_eq!(found.netns.inum, pod.inum());
    let own = found.netns;
    let records =
        until(&mut timeline, |body| matches!(body, Body::Listeners(it) if it.netns == own));
    let Some(Body::Listeners(found)) = records.last().map(|record| &record.body) else { panic!() };
    assert_eq!(found.addresses, [listener.local_addr().unwrap()]);
}

/// Each pod's namespace is handed to the poller of listen counters with the cgroup that it lives as long as.
pub fn f08_the_counters_of_each_pods_namespace_are_polled() {
    let mut tree = Tree::new("polled");
    let (inlet, _timeline) = queue(1000);
    let places = Places { proc: "/proc".into(), hierarchy: tree.hierarchy() };
    let directory = tree.add_container();
    let pod = namespace();
    tree.add_process(&pod, &directory);
    let (poll, polled) = channel();
    let _followers = follow(places, inlet, Some(poll)).unwrap();
    let own = polled.recv_timeout(PATIENCE).unwrap();
    assert_eq!((own.netns.inum, own.namespace.inum()), (pod.inum(), pod.inum()));
    assert_eq!(own.cgroup, Some(directory));
}

pub fn a_process_that_is_still_in_the_nodes_namespace_names_no_pod() {
    let mut tree = Tree::new("early");
    let (inlet, mut timeline) = queue(1000);
    let directory = tree.add_container();
    let host = Namespace::open(Path::new("/proc/1/ns/net"));
    let host = host.or_else(|_| Namespace::current()).unwrap();
    tree.add_process(&host, &directory);
    let places = Places { proc: "/proc".into(), hierarchy: tree.hierarchy() };
    let _followers = follow(places, inlet, None).unwrap();

    // A second process, now in the pod's namespace, as after the runtime's init has entered it.
    let early = tree.process.take().unwrap();
    let pod = namespace();
    tree.add_process(&pod, &directory);
    let records = until(&mut timeline, |body| matches!(body, Body::PodNetns(it) if it.uid == UID));
    let mut early = early;
    early.kill().unwrap();
    early.wait().unwrap();
    let named: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::PodNetns(it) if it.uid == UID => Some(it.netns.inum),
            _ => None,
        })
        .collect();
    assert_eq!(named, [pod.inum()]);
}
