//! The independent witnesses of a run, and their files. Comes in: a running lab. Goes out: a running collector, and
//! afterwards packet captures, nginx's log, the audit log and `ipvsadm` snapshots in the run's folder.

use super::place::SERV_IP;
use super::{control, guest};
use crate::exec;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Folder of the witnesses' files, in the guest and below the run's folder.
const FOLDER: &str = "witness";
const GUEST_FOLDER: &str = "/tmp/witness";
/// The access log and the audit log, in the run's folder.
const NGINX: &str = "nginx.jsonl";
const AUDIT: &str = "audit.jsonl";
/// nginx's log as kubelet keeps it.
const NGINX_LOGS: &str = "/var/log/pods/default_gateway-*/nginx/*.log";

/// The collector in the guest. Dropping it ends it.
pub struct Witnesses {
    child: Child,
}

/// What the witnesses left.
pub struct Files {
    /// Captures by the pod's address.
    pub captures: BTreeMap<IpAddr, PathBuf>,
    /// Packets that tcpdump says the kernel dropped.
    pub dropped_by_kernel: u64,
    /// nginx's access log.
    pub nginx: PathBuf,
    /// The audit log.
    pub audit: PathBuf,
    /// `ipvsadm` snapshots.
    pub ipvs: PathBuf,
    /// Counters of the client's rule that drops SYNs, if the variant has one.
    pub not_sent: Option<PathBuf>,
}

impl Witnesses {
    /// Starts them; returns when everything that is there is watched.
    ///
    /// # Errors
    /// When they do not start.
    pub fn start() -> Result<Self> {
        guest::shell(&format!("rm -rf {GUEST_FOLDER}"))?;
        let service = format!("{SERV_IP}:8000");
        let mut child = guest::command(&["lab-witness", GUEST_FOLDER, &service])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let witnesses = Self { child };
        ensure!(line.trim() == "ready", "the witnesses did not start");
        Ok(witnesses)
    }

    /// Ends them and brings their files into `folder`. What nginx logged before `since`, Unix seconds, is left out.
    ///
    /// # Errors
    /// When one of them failed.
    pub fn end(mut self, folder: &Path, since: f64) -> Result<Files> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the witnesses ended with {status}");
        let archive = folder.join("witness.tar");
        fs::write(&archive, "")?;
        let file = fs::File::create(&archive)?;
        let mut pack = guest::command(&["tar", "-C", "/tmp", "-c", FOLDER]);
        ensure!(
            pack.stdin(Stdio::null()).stdout(file).status()?.success(),
            "failed to copy the captures"
        );
        exec::output(Command::new("tar").arg("-C").arg(folder).arg("-xf").arg(&archive))?;
        fs::remove_file(archive)?;
        fs::copy(control::audit_log(), folder.join(AUDIT))
            .context("failed to copy the audit log")?;
        let lines = guest::shell(&format!("cat {NGINX_LOGS}"))?;
        fs::write(folder.join(NGINX), access_lines(&lines, since))?;
        Files::of(folder)
    }
}

impl Files {
    /// The witnesses' files in a run's folder.
    ///
    /// # Errors
    /// When they are not all there.
    pub fn of(folder: &Path) -> Result<Self> {
        let own = folder.join(FOLDER);
        let not_sent = own.join("not-sent.rules");
        Ok(Self {
            not_sent: not_sent.exists().then_some(not_sent),
            captures: captures(&own)?,
            dropped_by_kernel: dropped(&own)?,
            nginx: folder.join(NGINX),
            audit: folder.join(AUDIT),
            ipvs: own.join("ipvs.jsonl"),
        })
    }
}

/// The access log's lines out of a container's log: `TIME stdout F LINE`.
fn access_lines(log: &str, since: f64) -> String {
    let mut text = String::new();
    for line in log.lines() {
        let Some((_, rest)) = line.split_once(" stdout F ") else { continue };
        let Ok(value) = serde_json::from_str::<Value>(rest) else { continue };
        let end: Option<f64> = value["msec"].as_str().and_then(|text| text.parse().ok());
        if end.is_some_and(|end| end >= since) {
            text.push_str(rest);
            text.push('\n');
        }
    }
    text
}

fn captures(folder: &Path) -> Result<BTreeMap<IpAddr, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(folder.join("veths.jsonl"))?.lines() {
        let value: Value = serde_json::from_str(line)?;
        let (veth, address) = (value["veth"].as_str(), value["address"].as_str());
        let (Some(veth), Some(address)) = (veth, address) else {
            bail!("`veths.jsonl` is damaged")
        };
        found.insert(address.parse()?, folder.join(format!("{veth}.pcap")));
    }
    Ok(found)
}

/// Sum over all captures; a tcpdump that did not count is an error.
fn dropped(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let said = fs::read_to_string(&path)?;
            sum += dropped_of(&said).with_context(|| {
                format!("tcpdump has no counts in `{}`: {said}", path.display())
            })?;
        }
    }
    Ok(sum)
}

fn dropped_of(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_suffix(" dropped by kernel"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tcpdump_dropped_is_read_and_its_absence_is_noticed() {
        let said = "tcpdump: listening on veth1\n^C12 packets captured\n13 packets received by filter\n1 packets dropped by kernel\n";
        assert_eq!(dropped_of(said), Some(1));
        assert_eq!(dropped_of(&said.replace("1 packets dropped", "0 packets dropped")), Some(0));
        assert_eq!(dropped_of("tcpdump: listening on veth1\n"), None);
    }

    #[test]
    fn only_access_lines_of_the_run_are_kept() {
        let log =
            "T stdout F {\"msec\":\"9.9\"}\nT stdout F {\"msec\":\"10.1\"}\nT stderr F [info]\n";
        assert_eq!(access_lines(log, 10.0), "{\"msec\":\"10.1\"}\n");
    }
}
