//! Where the API server is and who we are: `--kubeconfig`, `--context`, `KUBECONFIG`, `~/.kube/config`, in-cluster.
//!
//! In: [`Access`] and the environment. Out: a [`Cluster`], or an error that names the file and says what to do.

use super::Cluster;
use crate::error::{HintExt, hinted};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How the user asked to reach the cluster.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// Waiting times; the defaults suit real clusters.
    pub timing: Timing,
}

/// Waiting times towards the API server.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long one answer may take, and how long a list may be silent in between.
    pub answer: Duration,
    /// How long the server keeps one watch request open.
    pub watch: Duration,
    /// After this much longer than `watch` a silent watch counts as dead.
    pub grace: Duration,
    /// A watch that ends sooner than this was not ended by the server's own time-out.
    pub shortest: Duration,
    /// First pause after a failure; doubled up to `pause_most`.
    pub pause_first: Duration,
    /// Longest pause.
    pub pause_most: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            answer: Duration::from_secs(15),
            watch: Duration::from_secs(120),
            grace: Duration::from_secs(10),
            shortest: Duration::from_secs(1),
            pause_first: Duration::from_millis(200),
            pause_most: Duration::from_secs(3),
        }
    }
}

pub(super) async fn open(access: &Access) -> anyhow::Result<Cluster> {
    let found = find(access, &Surroundings::read())?;
    let source = found.name();
    let mut config = match found {
        Found::Files(files) => from_files(&files, access.context.as_deref()).await?,
        Found::InCluster => Config::incluster().hint(
            "cannot use the pod's service account",
            "set `automountServiceAccountToken: true` and a service account with the rules of `rollout doctor`",
        )?,
    };
    // Retries are ours, so that each failure is seen and said.
    config.default_retry = false;
    config.connect_timeout = Some(access.timing.answer.min(Duration::from_secs(5)));
    let server = config.cluster_url.to_string();
    let namespace = config.default_namespace.clone();
    let client = kube::Client::try_from(config).hint(
        format!("cannot use the credentials of {source}"),
        "check the certificates and the user of this context",
    )?;
    Ok(Cluster { client, server, source, namespace, timing: access.timing.clone() })
}

#[derive(Debug, PartialEq)]
enum Found {
    Files(Vec<PathBuf>),
    InCluster,
}

impl Found {
    fn name(&self) -> String {
        match self {
            Found::InCluster => "the pod's service account".into(),
            Found::Files(files) => {
                let names: Vec<_> =
                    files.iter().map(|file| format!("`{}`", file.display())).collect();
                names.join(", ")
            }
        }
    }
}

/// What the environment says of a cluster.
#[derive(Debug, Default)]
struct Surroundings {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    in_cluster: bool,
}

impl Surroundings {
    fn read() -> Self {
        Surroundings {
            kubeconfig: std::env::var_os("KUBECONFIG"),
            home: std::env::var_os("HOME").map(PathBuf::from),
            in_cluster: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        }
    }
}

/// kubectl's order: the flag, `KUBECONFIG` (missing files of a list are skipped), `~/.kube/config`, in-cluster.
fn find(access: &Access, around: &Surroundings) -> anyhow::Result<Found> {
    if let Some(path) = &access.kubeconfig {
        return Ok(Found::Files(vec![path.clone()]));
    }
    let listed: Vec<PathBuf> = around
        .kubeconfig
        .as_ref()
        .map(|value| std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()))
        .into_iter()
        .flatten()
        .collect();
    if !listed.is_empty() {
        let there: Vec<_> = listed.iter().filter(|path| path.exists()).cloned().collect();
        if there.is_empty() {
            return Err(hinted(
                format!("`KUBECONFIG` names no existing file: {}", Found::Files(listed).name()),
                "correct `KUBECONFIG`, or pass --kubeconfig FILE",
            ));
        }
        return Ok(Found::Files(there));
    }
    if let Some(path) =
        around.home.as_ref().map(|home| home.join(".kube/config")).filter(|path| path.exists())
    {
        return Ok(Found::Files(vec![path]));
    }
    if around.in_cluster && access.context.is_none() {
        return Ok(Found::InCluster);
    }
    Err(hinted(
        "no configuration for a cluster was found",
        "pass --kubeconfig FILE, or set `KUBECONFIG` (sudo removes it and changes the home directory: \
         `sudo --preserve-env=KUBECONFIG`)",
    ))
}

async fn from_files(files: &[PathBuf], context: Option<&str>) -> anyhow::Result<Config> {
    let mut merged = Kubeconfig::default();
    for file in files {
        let parsed = match Kubeconfig::read_from(file) {
            Err(KubeconfigError::ReadConfig(error, _)) => Err(error).hint(
                format!("cannot read the kubeconfig `{}`", file.display()),
                "check the path and its permissions",
            )?,
            // The parser's message can quote the file, which holds secrets: only its first line is shown.
            Err(error) => Err(anyhow::anyhow!("{}", first_line(&error.to_string()))).hint(
                format!("the kubeconfig `{}` is malformed", file.display()),
                "compare it with what `kubectl config view` makes of it",
            )?,
            Ok(parsed) => parsed,
        };
        merged = merged.merge(parsed).hint(
            format!("the kubeconfig `{}` cannot be merged", file.display()),
            "name one file with --kubeconfig FILE",
        )?;
    }
    let name = match context.or(merged.current_context.as_deref()) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => {
            return Err(hinted(
                format!("{} has no current context", Found::Files(files.to_vec()).name()),
                format!("pass --context NAME: {}", contexts(&merged)),
            ));
        }
    };
    if !merged.contexts.iter().any(|context| context.name == name) {
        return Err(hinted(
            format!("no context `{name}` in {}", Found::Files(files.to_vec()).name()),
            format!("pass --context NAME: {}", contexts(&merged)),
        ));
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(merged, &options).await.hint(
        format!("cannot use context `{name}` of {}", Found::Files(files.to_vec()).name()),
        "check the context's cluster and user entries",
    )
}

fn contexts(config: &Kubeconfig) -> String {
    let names: Vec<_> =
        config.contexts.iter().map(|context| format!("`{}`", context.name)).collect();
    if names.is_empty() {
        "the file has none".into()
    } else {
        format!("it has {}", names.join(", "))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    fn file(directory: &tempfile::TempDir, name: &str) -> PathBuf {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn the_order_is_flag_variable_home_pod() {
        let directory = tempfile::tempdir().unwrap();
        let home = file(&directory, ".kube/config");
        let listed = file(&directory, "listed");
        let list = std::env::join_paths(["/nonexistent".as_ref(), listed.as_path()]).unwrap();
        let mut access = Access { kubeconfig: Some("flag".into()), ..Access::default() };
        let mut around = Surroundings {
            kubeconfig: Some(list),
            home: Some(directory.path().into()),
            in_cluster: true,
        };
        assert_eq!(find(&access, &around).unwrap(), Found::Files(vec!["flag".into()]));
        access.kubeconfig = None;
        assert_eq!(find(&access, &around).unwrap(), Found::Files(vec![listed]));
        around.kubeconfig = Some(OsString::new());
        assert_eq!(find(&access, &around).unwrap(), Found::Files(vec![home]));
        around.home = None;
        assert_eq!(find(&access, &around).unwrap(), Found::InCluster);
    }

    #[test]
    fn nothing_at_all_is_an_error_with_a_hint() {
        let error = find(&Access::default(), &Surroundings::default()).unwrap_err();
        assert!(error.to_string().contains("no configuration for a cluster"));
        assert!(hint_of(&error).unwrap().contains("--kubeconfig"));
    }

    #[test]
    fn a_variable_that_names_no_file_is_an_error() {
        let around = Surroundings {
            kubeconfig: Some("/nonexistent/a:/nonexistent/b".into()),
            in_cluster: true,
            ..Surroundings::default()
        };
        let error = find(&Access::default(), &around).unwrap_err();
        assert!(error.to_string().contains("`/nonexistent/b`"), "{error}");
    }
}
