//! The rights that `rollout` needs, as data: for the checks of `doctor` and for the ClusterRole that it prints.
//!
//! In: nothing. Out: rules and YAML.

use std::fmt::Write;

/// One rule of a ClusterRole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty = core.
    pub group: &'static str,
    /// Plural resource.
    pub resource: &'static str,
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What cannot be known without it.
    pub purpose: &'static str,
}

/// All rules. Nothing is ever written, and no Secret or ConfigMap is read.
pub const RULES: [Rule; 8] = [
    Rule {
        group: "",
        resource: "pods",
        verbs: &["list", "watch"],
        purpose: "which pod has an address, and its state",
    },
    Rule {
        group: "",
        resource: "services",
        verbs: &["list", "watch"],
        purpose: "which Service was dialled",
    },
    Rule {
        group: "discovery.k8s.io",
        resource: "endpointslices",
        verbs: &["list", "watch"],
        purpose: "what kube-proxy was told, and pods of other nodes",
    },
    Rule {
        group: "apps",
        resource: "replicasets",
        verbs: &["get", "list", "watch"],
        purpose: "which revision a pod belongs to",
    },
    Rule {
        group: "apps",
        resource: "deployments",
        verbs: &["get", "list", "watch"],
        purpose: "when an update begins and ends",
    },
    Rule {
        group: "apps",
        resource: "statefulsets",
        verbs: &["get", "list", "watch"],
        purpose: "when an update of a StatefulSet begins and ends",
    },
    Rule {
        group: "apps",
        resource: "daemonsets",
        verbs: &["get", "list", "watch"],
        purpose: "when an update of a DaemonSet begins and ends",
    },
    Rule {
        group: "apps",
        resource: "controllerrevisions",
        verbs: &["list", "watch"],
        purpose: "revisions of StatefulSets and DaemonSets",
    },
];

/// The whole ClusterRole, ready for `kubectl apply -f -`. Always whole, because applying replaces what was there.
pub fn cluster_role() -> String {
    let mut yaml = String::from(
        "apiVersion: rbac.authorization.k8s.io/v1\n\
         kind: ClusterRole\n\
         metadata:\n  name: rollout\n\
         rules:\n",
    );
    for rule in &RULES {
        let verbs: Vec<_> = rule.verbs.iter().map(|verb| format!("\"{verb}\"")).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            yaml,
            "- apiGroups: [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [{}]\n",
            rule.group,
            rule.resource,
            verbs.join(", "),
        );
    }
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_shows_the_rules_of_the_code() {
        let document = include_str!("../../../docs/rbac.md");
        assert!(
            document.contains(&cluster_role()),
            "docs/rbac.md must contain:\n{}",
            cluster_role()
        );
    }
}
