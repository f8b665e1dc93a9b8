//! The kinds of workloads that can be watched, and what follows from a kind.
//!
//! In: words such as `sts`, or a [`Target`]. Out: kinds, resources, owners.

use super::Target;

/// Each kind with the words that kubectl takes for it, the usual one first.
const KINDS: [(&str, [&str; 5]); 3] = [
    ("Deployment", ["deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"]),
    (
        "StatefulSet",
        ["statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"],
    ),
    ("DaemonSet", ["daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"]),
];

impl Target {
    /// The kind that a word means, in any case.
    pub fn kind_of(word: &str) -> Option<&'static str> {
        let word = word.to_ascii_lowercase();
        KINDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(kind, _)| *kind)
    }

    /// As kubectl writes it: `statefulset/db`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.to_ascii_lowercase(), self.name)
    }

    /// Its resource in URLs: `statefulsets`.
    pub fn resource(&self) -> &'static str {
        match self.kind.as_str() {
            "StatefulSet" => "statefulsets",
            "DaemonSet" => "daemonsets",
            _ => "deployments",
        }
    }

    /// The resource that holds its revisions.
    pub fn revisions(&self) -> &'static str {
        if self.owns_pods() { "controllerrevisions" } else { "replicasets" }
    }

    /// Whether its pods name the workload itself as their owner, and not a ReplicaSet.
    pub fn owns_pods(&self) -> bool {
        matches!(self.kind.as_str(), "StatefulSet" | "DaemonSet")
    }
}
