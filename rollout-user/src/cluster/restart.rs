//! Starts a rolling update as `kubectl rollout restart` does: an annotation of the template with the present time.
//!
//! In: a target. Out: a changed template, or an error that names the missing right. Nothing else here writes.

use super::{Cluster, request};
use crate::record::meta::Target;
use serde_json::json;

/// The annotation that `kubectl` sets.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl Cluster {
    /// Restarts the workload. Needs the verb `patch` on it.
    pub async fn restart(&self, target: &Target) -> anyhow::Result<()> {
        let (namespace, name) =
            (request::encoded(&target.namespace), request::encoded(&target.name));
        let resource = target.resource();
        let url = format!("/apis/apps/v1/namespaces/{namespace}/{resource}/{name}");
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let annotations = json!({ RESTARTED_AT: now });
        let patch =
            json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
        match request::patch(&self.client, &url, &patch, self.timing.answer).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let error = failure.at(&self.server, &self.source);
                let what = format!("cannot restart {} (`--restart`)", target.title());
                Err(error.context(what))
            }
        }
    }
}
