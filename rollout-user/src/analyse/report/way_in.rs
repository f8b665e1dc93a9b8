//! A way by which users reached the workload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Users' attempts during the update that dialled the same port of the same Service, or the same port of pods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WayIn {
    /// `false`: pods were dialled by their own addresses, as clients of a headless Service do.
    pub to_service: bool,
    /// Namespace of the Service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name; empty where several had the address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Name of its port, where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub port_name: String,
    /// The port that was dialled.
    pub port: u16,
    /// Attempts.
    pub attempts: u64,
    /// Of these, how many failed.
    pub failed: u64,
    /// Of these, how many were slowed.
    pub slowed: u64,
}
