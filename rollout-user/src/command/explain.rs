//! `rollout explain`: a report from a recording. In: a file. Out: the report on standard output, and its exit code.

use crate::analyse::Explainer;
use crate::cli::{Explain, ReportArgs, ReportOutput};
use crate::present::{html, json, junit, text};
use crate::record::meta::Target;
use crate::recording::read::{Ending, Reader};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Reads the recording and prints its report.
///
/// # Errors
/// When the file cannot be read as a recording, or output fails.
pub fn run(args: &Explain, color: bool) -> anyhow::Result<ExitCode> {
    let target = args.workload.as_ref().map(|workload| workload.in_namespace(&args.namespace));
    report(&args.file, target, &args.report, color)
}

/// Why a report on that workload says nothing.
fn not_recorded(asked: &Target, recorded: &BTreeSet<Target>) -> String {
    let name = |it: &Target| format!("{} {}/{}", it.kind, it.namespace, it.name);
    let names: Vec<String> = recorded.iter().take(5).map(name).collect();
    let asked = format!("{} `{}/{}`", asked.kind, asked.namespace, asked.name);
    if names.is_empty() {
        return format!("the recording tells of no workload, so of none that is {asked}");
    }
    format!("the recording does not tell of {asked}; it has {}", names.join(", "))
}

/// The report of a recording: what `explain` and the end of `watch` both print. `target` replaces the recorded one.
///
/// # Errors
/// As [`run`].
pub fn report(
    file: &Path,
    target: Option<Target>,
    args: &ReportArgs,
    color: bool,
) -> anyhow::Result<ExitCode> {
    // Two passes: first every observation becomes history, then kernel events stream past it (invariant 6).
    let asked = target.clone();
    let mut explanation = Explainer::new(target);
    Reader::open(file)?.for_each(|record| explanation.observe(&record));
    let recorded = explanation.targets();
    if let Some(asked) = asked.filter(|asked| !recorded.contains(asked)) {
        eprintln!("note: {}", crate::present::escape::lines(&not_recorded(&asked, &recorded)));
    }
    let mut explanation = explanation.observed();
    let mut reader = Reader::open(file)?;
    reader.by_ref().for_each(|record| explanation.event(&record));
    let report = explanation.report();
    let rendered = match args.output {
        ReportOutput::Text => text::render(&report, text::Options { color, all: args.all }),
        ReportOutput::Json => json::render(&report)?,
        ReportOutput::Html => html::render(&report),
        ReportOutput::Junit => junit::render(&report),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(rendered.as_bytes())?;
    out.flush()?;
    if let Ending::Damaged { frame, offset, why } = reader.ending() {
        eprintln!(
            "warning: `{}` is damaged in frame {frame} at byte {offset}: {why}; the report stands on what is before",
            file.display()
        );
    }
    Ok(ExitCode::from(report.verdict.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_recording_has_instead_is_named() {
        let target = |kind: &str, namespace: &str, name: &str| Target {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let asked = target("StatefulSet", "shop", "web");
        let recorded = BTreeSet::from([target("Deployment", "shop", "web")]);
        let text = not_recorded(&asked, &recorded);
        assert!(text.contains("of StatefulSet `shop/web`"), "{text}");
        assert!(text.contains("it has Deployment shop/web"), "{text}");
        assert!(not_recorded(&asked, &BTreeSet::new()).contains("no workload"));
    }
}
