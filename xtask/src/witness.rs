//! The independent witnesses of an end-to-end run, and whether they agree with `rollout`.
//!
//! In: the files of one run (packet captures, nginx's log, the API server's audit log, `ipvsadm` snapshots) and what
//! `rollout` said of it (report and recording, as JSON). Out: a [`Comparison`], both sides of each statement. Nothing
//! here uses the library that it checks.

mod api;
mod ipvs;
mod nginx;
mod not_sent;
mod pcap;
mod recording;
mod statement;
mod syns;
mod windows;

pub use statement::Comparison;
pub use syns::NOT_SENT;

use anyhow::Context;
use std::net::IpAddr;
use std::path::PathBuf;

/// The files of one run.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Captures on the client pod's veth.
    pub client_captures: Vec<PathBuf>,
    /// Captures on the server pods' veths, each with its pod's address.
    pub server_captures: Vec<(IpAddr, PathBuf)>,
    /// Packets that tcpdump says the kernel dropped, over all captures.
    pub dropped_by_kernel: u64,
    /// Address of the client pod (the gateway).
    pub client: IpAddr,
    /// ClusterIP of the watched Service.
    pub service: IpAddr,
    /// nginx's access log, one JSON object a line.
    pub nginx: PathBuf,
    /// The API server's audit log.
    pub audit: PathBuf,
    /// The API server's clock less the traced node's, ns.
    pub api_ahead_ns: i64,
    /// `ipvsadm -Ln` snapshots: `{"unix_ns":…,"destinations":{"10.102.0.5:8000":1}}` a line, of the watched Service.
    pub ipvs: PathBuf,
    /// `iptables -nvxL` of the client's rule that drops SYNs, if there is one.
    pub not_sent: Option<PathBuf>,
    /// `rollout explain -o json` of the recording.
    pub report: PathBuf,
    /// The recording.
    pub recording: PathBuf,
    /// Namespace and value of the label `app` of the watched workload's pods.
    pub namespace: String,
    /// Name of the watched Deployment and of its Service.
    pub workload: String,
}

/// Lays each witness beside what `rollout` said.
///
/// # Errors
/// When a file cannot be read; disagreement is no error but a statement that does not hold.
pub fn compare(sources: &Sources) -> anyhow::Result<Comparison> {
    let text = std::fs::read(&sources.report)
        .with_context(|| format!("cannot read `{}`", sources.report.display()))?;
    let report: serde_json::Value =
        serde_json::from_slice(&text).context("the report is not JSON")?;
    let said = syns::Said::from_report(&report, sources.client)?;
    let client = pcap::read_all(sources.client_captures.iter())?;
    let mut servers = Vec::new();
    for (address, path) in &sources.server_captures {
        servers.push((*address, pcap::read_all([path].into_iter())?));
    }
    let recorded = recording::read(&sources.recording)?;
    let audit = api::Audit::read(sources)?;

    let notes = recording::losses(&recorded);
    let mut comparison = Comparison { notes, ..Comparison::default() };
    comparison.equal("tcpdump: packets dropped by the kernel", 0, sources.dropped_by_kernel);
    syns::compare(&mut comparison, &said, &client, &servers, sources.service);
    if let Some(counters) = &sources.not_sent {
        not_sent::compare(&mut comparison, &said, counters, sources.service)?;
    }
    nginx::compare(&mut comparison, &said, &sources.nginx)?;
    audit.compare(&mut comparison, &recorded, said.span)?;
    ipvs::compare(&mut comparison, &recorded, &sources.ipvs, sources.service, said.span.1)?;
    windows::compare(&mut comparison, &report, &audit, &said, &servers, sources.client);
    Ok(comparison)
}
