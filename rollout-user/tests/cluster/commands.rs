//! The binary against API servers that refuse, do not answer, or do not have what it is asked for: what a user reads.
//!
//! `doctor` needs no probes; `watch` fails before it loads any.

use crate::command::rollout;
use crate::run::kubeconfig;
use std::path::Path;
use std::process::Output;

/// Runs the binary while the mock server answers.
async fn run(config: &Path, args: &[&str]) -> Output {
    let mut command = rollout(args);
    command.arg("--kubeconfig").arg(config);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn config(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[tokio::test]
async fn doctor_names_what_is_wrong_with_the_way_to_the_cluster() {
    for (text, said) in [
        ("users: [", "is malformed"),
        (&kubeconfig("http://127.0.0.1:1"), "cannot be reached"),
        (
            &kubeconfig("http://127.0.0.1:1").replace("current-context: test\n", ""),
            "no current context",
        ),
    ] {
        let (_folder, path) = config(text);
        let output = run(&path, &["doctor", "-o", "json"]).await;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["exit_code"], output.status.code().unwrap());
        let failed =
            |check: &&serde_json::Value| check["area"] == "cluster" && check["status"] == "fail";
        let failed: Vec<_> = report["checks"].as_array().unwrap().iter().filter(failed).collect();
        assert!(
            failed.iter().any(|check| check["detail"].as_str().unwrap().contains(said)),
            "{failed:?}"
        );
        assert!(failed.iter().all(|check| check["remedy"].is_string()), "{failed:?}");
    }
}

#[cfg(feature = "probe")]
mod with_probes {
    use super::*;
    use crate::objects::{deployment, page, status};
    use crate::server::{Answer, Server};
    use serde_json::json;

    /// What `watch deployment/NAME` says when it gives up.
    async fn refused(config: &Path, name: &str, more: &[&str]) -> String {
        let workload = format!("deployment/{name}");
        let output = run(config, &[&["watch", &workload], more].concat()).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }

    #[tokio::test]
    async fn a_configuration_that_cannot_be_used_is_named_with_a_hint() {
        let good = kubeconfig("http://127.0.0.1:1");
        for (text, more, said, hint) in [
            ("users: [{token: hunter2", &[][..], "is malformed", "hint: "),
            (
                &good,
                &["--context", "prod"],
                "no context `prod`",
                "hint: pass --context NAME: it has `test`",
            ),
            (&good, &[], "cannot be reached", "hint: is the API server up"),
        ] {
            let (_folder, path) = config(text);
            let said_in = refused(&path, "serv", more).await;
            assert!(said_in.starts_with("error: ") && said_in.contains(said), "{said_in}");
            assert!(said_in.lines().any(|line| line.starts_with(hint)), "{said_in}");
            assert!(!said_in.contains("hunter2"), "{said_in}");
        }
        let said = refused(Path::new("/nonexistent/config"), "serv", &[]).await;
        assert!(said.contains("cannot read the kubeconfig `/nonexistent/config`"), "{said}");
    }

    async fn server() -> (Server, tempfile::TempDir, std::path::PathBuf) {
        let server = Server::start().await;
        server.list("/version", Answer::Json(200, json!({"gitVersion": "v1.35.4"})));
        let (folder, path) = config(&kubeconfig(&server.url()));
        (server, folder, path)
    }

    const NONE: &str = "/apis/apps/v1/namespaces/default/deployments/none";

    #[tokio::test]
    async fn a_deployment_that_is_not_there_is_named_with_those_that_are() {
        let (server, _folder, path) = server().await;
        server.list(NONE, status(404, "not found"));
        let all = "/apis/apps/v1/namespaces/default/deployments";
        server.list(all, page(9, &[deployment("serv")]));
        let said = refused(&path, "none", &[]).await;
        assert!(said.starts_with("error: no Deployment `none` in namespace `default`"), "{said}");
        assert!(said.contains("\nhint: `kubectl -n default get deployments` lists"), "{said}");
    }

    #[tokio::test]
    async fn a_set_that_is_not_there_is_named_by_its_kind() {
        let (server, _folder, path) = server().await;
        server.list("/apis/apps/v1/namespaces/shop/daemonsets/none", status(404, "not found"));
        let output = run(&path, &["watch", "ds/none", "-n", "shop", "--restart"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: no DaemonSet `none` in namespace `shop`"), "{said}");
        assert!(said.contains("hint: no DaemonSet was found in namespace `shop`"), "{said}");
        assert!(server.asked_for(&["PATCH"]).is_empty());
    }

    #[tokio::test]
    async fn a_wrong_token_and_a_missing_right_are_told_apart() {
        let (server, _folder, path) = server().await;
        server.list(NONE, status(403, "deployments.apps is forbidden"));
        let said = refused(&path, "none", &[]).await;
        assert!(said.contains("403") && said.contains("hint: a permission is missing"), "{said}");

        let server = Server::start().await;
        server.list("/version", status(401, "Unauthorized"));
        let (_folder, path) = config(&kubeconfig(&server.url()));
        let said = refused(&path, "none", &[]).await;
        assert!(
            said.contains("401") && said.contains("hint: the server does not accept"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn what_a_server_says_cannot_write_to_the_terminal() {
        let (server, _folder, path) = server().await;
        server.list(NONE, status(403, "no\x1b[2J\r\u{202e}way"));
        let said = refused(&path, "none", &[]).await;
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(raw), "{said:?}");
        assert!(said.contains("\\u{202e}way"), "{said}");
    }

    #[tokio::test]
    async fn a_filter_that_needs_tags_needs_the_cluster() {
        let (_folder, path) = config(&kubeconfig("http://127.0.0.1:1"));
        let output = run(&path, &["trace", "--duration", "1s", "--pod", "web-1"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: `--pod` needs the cluster: "), "{said}");
        assert!(said.contains("\nhint: is the API server up"), "{said}");
    }
}
