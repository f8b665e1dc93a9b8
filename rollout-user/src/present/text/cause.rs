//! Why: each cause with its signs, what was ruled out, what to do; then the `preStop` sleep.
//!
//! In: the report's causes. Out: a block for each, or "no findings" and what that rests on.

use super::page::{Page, together};
use super::words::{number, pod_name};
use crate::analyse::report::Report;
use crate::analyse::report::cause::{Cause, Sign};
use crate::analyse::report::pre_stop::PreStop;
use crate::analyse::report::verdict::Finding;
use crate::present::cause::{cost, escaped, surety, title};
use crate::present::time::duration;
use crate::record::meta::Target;

/// Record ids that a sign cites, without `--all`.
const CITED: usize = 4;

/// Writes the causes.
pub fn write(page: &mut Page, report: &Report) {
    if report.causes.is_empty() {
        if let Some(rests) = no_findings(report) {
            page.heading("Why", "no findings");
            page.text(2, 0, &rests);
        }
    } else {
        page.heading("Why", "#: record ids; not: what was ruled out");
    }
    for cause in &report.causes {
        one(page, cause);
    }
}

/// What "no findings" rests on; `None` where the answer is another.
pub fn no_findings(report: &Report) -> Option<String> {
    let verdict = &report.verdict;
    let seen = number(verdict.attempts, "attempt");
    let syns = number(verdict.syns.tried, "SYN");
    let pods = number(report.pods.len() as u64, "pod");
    (verdict.result == Finding::Clean).then(|| {
        format!(
            "This rests on {seen} of users with {syns}, each placed and answered, on the lives of {pods}, and on an update that \
             was seen from its start to its end without a loss or a gap."
        )
    })
}

/// A cause's name, how sure it is, and what it cost.
pub fn head(cause: &Cause) -> String {
    let head = format!("{} ({})", title(cause.name), surety(cause.surety));
    match cost(&cause.cost) {
        spent if spent.is_empty() => head,
        spent => format!("{head}: {spent}"),
    }
}

fn one(page: &mut Page, cause: &Cause) {
    for line in super::wrap(2, 4, &head(cause)) {
        let bold = page.paint.bold(&line);
        page.line(bold);
    }
    for sign in &cause.signs {
        self::sign(page, sign);
    }
    for out in &cause.ruled_out {
        let text = format!("not: {}: {}", title(out.cause), escaped(&out.why));
        page.text(6, 2, &text);
    }
    if !cause.competing.is_empty() {
        let others: Vec<&str> = cause.competing.iter().map(|other| title(*other)).collect();
        page.text(6, 2, &format!("or: {}", others.join("; ")));
    }
    if !cause.leads_to.is_empty() {
        let led: Vec<&str> = cause.leads_to.iter().map(|other| title(*other)).collect();
        page.text(6, 2, &format!("leads to: {}", led.join("; ")));
    }
    if let Some(remedy) = &cause.remedy {
        page.text(6, 2, &format!("do: {}", escaped(&remedy.text)));
    }
}

fn sign(page: &mut Page, sign: &Sign) {
    let shown = if page.all { sign.evidence.len() } else { CITED };
    let ids: Vec<String> = sign.evidence.iter().take(shown).map(|id| format!("#{id}")).collect();
    let rest = sign.evidence.len().saturating_sub(shown);
    let mut text = escaped(&sign.text);
    if !ids.is_empty() {
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let cited = format!("[{}{more}]", ids.join(" "));
        let cited = if ids.len() > CITED { cited } else { together(&cited) };
        text.push_str(&format!(" {cited}"));
    }
    page.text(6, 2, &text);
}

/// Writes what a `preStop` sleep would have had to be.
pub fn write_pre_stop(page: &mut Page, report: &Report) {
    // An update without trouble needs no remedy; the number is there for those who ask.
    let needed = page.all || !report.causes.is_empty();
    let Some(found) = report.pre_stop.as_ref().filter(|_| needed) else { return };
    let said = pre_stop(found);
    page.heading("preStop", &said.has);
    for (index, line) in said.lines.iter().enumerate() {
        page.text(2, 0, line);
        if page.all && index == 0 {
            for need in &found.pods {
                let needs = duration(need.need_ns);
                page.text(4, 2, &format!("{} {needs}", pod_name(&need.pod)));
            }
        }
    }
    let target = report.update.as_ref().map(|update| &update.target);
    for line in target.and_then(|target| command(target, found)).into_iter().flatten() {
        page.line(format!("  {line}"));
    }
}

/// The sleep in words.
pub struct Said {
    /// What the pods have.
    pub has: String,
    /// What they need, what was not seen, and whether the grace period has room.
    pub lines: Vec<String>,
}

/// Says what a `preStop` sleep would have had to be.
pub fn pre_stop(found: &PreStop) -> Said {
    let has = match found.has_seconds {
        Some(seconds) => format!("they have {seconds} s"),
        None => "they have none".to_owned(),
    };
    let PreStop { least_ns, median_ns, most_ns, margin_ns, seconds, .. } = found;
    let pods = number(found.pods.len() as u64, "old pod");
    let needed = match found.pods.len() {
        1 => format!("The old pod was chosen until {} after it began to stop", duration(*most_ns)),
        _ => format!(
            "{pods} were chosen until {} to {} (median {}) after they began to stop",
            duration(*least_ns),
            duration(*most_ns),
            duration(*median_ns)
        ),
    };
    let margin = duration(*margin_ns);
    let mut lines =
        vec![format!("{needed}: a sleep of {seconds} s covers that with {margin} to spare.")];
    if found.not_known > 0 {
        let others = number(found.not_known, "more old pod");
        lines.push(format!("{others}: stop signal or last choice not seen"));
    }
    let shutdown = match found.shutdown_ns {
        Some(ns) => format!(" and the server's {} to stop", duration(ns)),
        None => String::new(),
    };
    let needs = found.needs_grace_seconds;
    lines.push(match (found.fits, found.grace_seconds) {
        (Some(true), Some(grace)) => {
            format!("terminationGracePeriodSeconds {grace} has room for it{shutdown}.")
        }
        (Some(false), Some(grace)) => format!(
            "terminationGracePeriodSeconds {grace} has no room for it{shutdown}: set it to {needs}."
        ),
        _ => format!("With it{shutdown} terminationGracePeriodSeconds has to be {needs} at least."),
    });
    Said { has, lines }
}

/// The command, the patch broken into lines: JSON may have line ends within quotes. `None` where a name of the recording
/// is none that Kubernetes allows: a shell could take it for something else.
pub fn command(target: &Target, found: &PreStop) -> Option<Vec<String>> {
    let kind = target.kind.to_lowercase();
    let names = [kind.as_str(), &target.namespace, &target.name];
    if !names.into_iter().chain(found.containers.iter().map(String::as_str)).all(is_name) {
        return None;
    }
    let containers = found.containers.iter().map(|of| {
        let sleep = found.seconds;
        format!(
            "{{\"name\":\"{of}\",\"lifecycle\":{{\"preStop\":{{\"sleep\":{{\"seconds\":{sleep}}}}}}}}}"
        )
    });
    let containers: Vec<String> = containers.collect();
    let grace = match found.fits {
        Some(false) => format!(",\"terminationGracePeriodSeconds\":{}", found.needs_grace_seconds),
        _ => String::new(),
    };
    let mut lines = vec![
        format!("kubectl patch {kind} {} -n {} -p \\", target.name, target.namespace),
        "  '{\"spec\":{\"template\":{\"spec\":{\"containers\":[".to_owned(),
    ];
    lines.extend(containers.join(",\n").lines().map(|one| format!("  {one}")));
    lines.push(format!("  ]{grace}}}}}}}}}'"));
    Some(lines)
}

/// Whether it is a name as Kubernetes allows it (RFC 1123).
fn is_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
    !name.is_empty() && !name.starts_with('-') && name.len() <= 253 && name.bytes().all(allowed)
}
