//! Runs the `rollout` binary as a user would, in surroundings that say nothing.

use std::process::Command;

/// The binary with these arguments: no cluster in the environment, 80 columns, colours by default.
pub fn rollout(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollout"));
    let home = env!("CARGO_TARGET_TMPDIR");
    command.args(args).env("HOME", home).env("COLUMNS", "80");
    let cluster = ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NODE_NAME"];
    for name in cluster.iter().chain(&["NO_COLOR"]) {
        command.env_remove(name);
    }
    command
}
