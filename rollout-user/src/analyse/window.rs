//! The three windows, exactly as `design.md` and `docs/report.md` define them.
//!
//! In: users' attempts at the workload, and when counting begins. Out: [`Windows`].

use super::base::TimeBase;
use super::report::attempt::{Answer, Attempt, Role, Syn, SynClass};
use super::report::update::{Both, OnlyNew, Span, Unanswered, Windows};

/// Computes the windows over the SYNs of `attempts` (users', of the workload) at or after `from_ns`.
pub fn windows<'a>(
    attempts: impl Iterator<Item = &'a Attempt>,
    from_ns: u64,
    base: &TimeBase,
) -> Windows {
    let mut old: Vec<(u64, Answer)> = Vec::new();
    let mut new: Vec<u64> = Vec::new();
    let mut elsewhere: Vec<u64> = Vec::new();
    for syn in attempts.flat_map(|a| &a.syns).filter(|syn| syn.at.time_ns >= from_ns) {
        match delivered_to(syn) {
            Some(Role::Old) => old.push((syn.at.time_ns, syn.answer)),
            Some(Role::New) => new.push(syn.at.time_ns),
            None => elsewhere.push(syn.at.time_ns),
        }
    }
    let within = |times: &[u64], span: (u64, u64)| {
        times.iter().filter(|t| (span.0..=span.1).contains(*t)).count() as u64
    };
    let old_times: Vec<u64> = old.iter().map(|(time, _)| *time).collect();
    let silent: Vec<u64> = old
        .iter()
        .filter(|(_, answer)| *answer == Answer::Nothing)
        .map(|(time, _)| *time)
        .collect();
    let unanswered = Unanswered { span: spanning(&silent, base), syns: silent.len() as u64 };

    let last_old = old_times.iter().max().copied();
    let first_new = new.iter().min().copied();
    let both = match (first_new, last_old) {
        (Some(first), Some(last)) if first <= last => Both::Overlap {
            span: span(first, last, base),
            syns_to_old: within(&old_times, (first, last)),
            syns_to_new: within(&new, (first, last)),
        },
        (Some(first), Some(last)) => {
            Both::Gap { span: span(last, first, base), syns: within(&elsewhere, (last, first)) }
        }
        _ => Both::None,
    };
    let after: Vec<u64> =
        new.iter().copied().filter(|time| last_old.is_none_or(|last| *time > last)).collect();
    Windows {
        unanswered,
        both,
        only_new: OnlyNew { span: spanning(&after, base), syns: after.len() as u64 },
        syns_to_old: old_times.len() as u64,
        syns_to_new: new.len() as u64,
        syns_elsewhere: elsewhere.len() as u64,
    }
}

/// The side of the update that a SYN reached, if it reached a pod of the workload.
pub fn delivered_to(syn: &Syn) -> Option<Role> {
    syn.role.filter(|_| syn.class == SynClass::Pod)
}

fn span(from: u64, to: u64, base: &TimeBase) -> Span {
    Span { from: base.at(from), to: base.at(to), duration_ns: to.saturating_sub(from) }
}

fn spanning(times: &[u64], base: &TimeBase) -> Option<Span> {
    Some(span(*times.iter().min()?, *times.iter().max()?, base))
}
