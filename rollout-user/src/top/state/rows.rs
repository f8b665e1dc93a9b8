//! Rows of pods, backends and losses, from what was counted.
//!
//! In: the state at one moment. Out: rows, the busiest of too many, and how many there are more.

use super::Top;
use crate::attribute::tag::{Certainty, PodState, StateAt, Tag};
use crate::present::escape::{name, plain};
use crate::present::event_line::{self, Tone};
use crate::stream::footer::Footer;
use crate::top::backends::Key;
use crate::top::pods::One;
use crate::top::view::{BackendRow, Counts, LossRow, PodRow, ROWS};
use crate::top::window::Window;
use std::net::SocketAddr;

/// Letters of a hash that stand for a revision without a number.
const HASH: usize = 5;

impl Top {
    pub(super) fn pod_rows(&self, now_ns: u64) -> (Vec<PodRow>, u64) {
        let wanted = self.pods.iter().filter(|(uid, pod)| self.wants_pod(uid, pod, now_ns));
        let counted = wanted
            .map(|(uid, pod)| (self.counts(self.by_pod.get(uid), now_ns), (uid.as_str(), pod)));
        let (kept, more) = busiest(counted.collect());
        let row =
            |(counts, (uid, pod)): (Counts, (&str, &One))| self.pod_row(uid, pod, counts, now_ns);
        (kept.into_iter().map(row).collect(), more + self.pods.left_out())
    }

    /// Whether the filter lets a pod be shown that no event names.
    fn wants_pod(&self, uid: &str, pod: &One, now_ns: u64) -> bool {
        let filter = &self.setting.filter;
        filter.namespace.as_ref().is_none_or(|wanted| *wanted == pod.namespace)
            && filter.pod.as_ref().is_none_or(|wanted| *wanted == pod.name)
            && filter.selector.as_ref().is_none_or(|selector| {
                selector.matches(|key| self.tagger.label_at(uid, key, now_ns))
            })
            && filter.ip.is_none_or(|ip| pod.address == Some(ip.to_canonical()))
    }

    fn pod_row(&self, uid: &str, pod: &One, counts: Counts, now_ns: u64) -> PodRow {
        let histories = self.tagger.histories();
        let tag = histories.pod_by_uid_at(uid, now_ns);
        let (state, tone) = state(&tag);
        let number = histories.pod_ref(uid).revision.map(|number| number.to_string());
        let hash = || pod.hash.as_ref().map(|hash| plain(hash, HASH));
        PodRow {
            name: format!("{}/{}", name(&pod.namespace), name(&pod.name)),
            revision: number.or_else(hash).unwrap_or_else(|| "-".to_owned()),
            state,
            tone,
            address: pod.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
            counts,
        }
    }

    pub(super) fn backend_rows(&self, now_ns: u64) -> (Vec<BackendRow>, u64) {
        let keys = self.backends.keys().into_iter().filter(|key| self.wants_backend(key, now_ns));
        let counted = keys.map(|key| (self.counts(self.backends.window(&key), now_ns), key));
        let (kept, more) = busiest(counted.collect());
        let rows = kept.into_iter().map(|(counts, key)| self.backend_row(key, counts, now_ns));
        (rows.collect(), more + self.backends.left_out())
    }

    /// What was counted has passed the filter; what only has a weight has not been asked.
    fn wants_backend(&self, key: &Key, now_ns: u64) -> bool {
        let filter = &self.setting.filter;
        if self.backends.window(key).is_some() {
            return true;
        }
        if filter.pod.is_some() || filter.selector.is_some() {
            return false;
        }
        let service = self.tagger.histories().service_at(key.0, now_ns);
        let named = service.as_ref().filter(|service| !service.name.is_empty());
        let wanted = |given: &Option<String>, own: Option<&str>| {
            given.as_deref().is_none_or(|given| own == Some(given))
        };
        wanted(&filter.service, named.map(|service| service.name.as_str()))
            && wanted(&filter.namespace, named.map(|service| service.namespace.as_str()))
    }

    fn backend_row(&self, key: Key, counts: Counts, now_ns: u64) -> BackendRow {
        let (dialled, backend) = key;
        let service = self.tagger.histories().service_at(dialled, now_ns);
        let service = match service.filter(|service| !service.name.is_empty()) {
            Some(one) => {
                let port =
                    if one.port.is_empty() { dialled.port().to_string() } else { name(&one.port) };
                format!("{}/{}:{port}", name(&one.namespace), name(&one.name))
            }
            None if backend == Some(dialled) => "dialled directly".to_owned(),
            None => dialled.to_string(),
        };
        let weight = self.backends.weight(key).map(|weight| {
            let doubt = if self.backends.unsure() { "?" } else { "" };
            format!("{weight}{doubt}")
        });
        BackendRow {
            service,
            backend: backend.map_or_else(|| "-".to_owned(), |one| self.who(one, now_ns)),
            weight: weight.unwrap_or_else(|| "-".to_owned()),
            counts,
        }
    }

    fn who(&self, address: SocketAddr, now_ns: u64) -> String {
        let tag = self.tagger.histories().pod_at_address(address.ip(), now_ns);
        event_line::who(&tag).unwrap_or_else(|| address.to_string())
    }

    fn counts(&self, window: Option<&Window>, now_ns: u64) -> Counts {
        let Some(window) = window else { return Counts::default() };
        Counts {
            rate: self.rate(window, now_ns, |sums| sums.syns),
            last_10: window.last(now_ns, 10),
            last_60: window.last(now_ns, 60),
        }
    }

    pub(super) fn loss_rows(&self, footer: &Footer) -> Vec<LossRow> {
        let mut rows = Vec::new();
        let mut say = |tone, text: String| rows.push(LossRow { text, tone });
        for (what, count) in &footer.lost {
            say(Tone::Bad, format!("{count} lost {}", plain(what, 200)));
        }
        let counted = [
            (footer.skipped, Tone::Bad, "records skipped because this display was too slow"),
            (footer.overtaken, Tone::Slow, "events out of order because they came too late"),
            (
                self.setting.cluster.as_ref().map_or(0, |_| self.unplaced.total().syns),
                Tone::Calm,
                "SYNs to no pod that is surely known, so in the counts of no pod",
            ),
        ];
        for (count, tone, what) in counted.into_iter().filter(|(count, ..)| *count > 0) {
            say(tone, format!("{what}: {count}"));
        }
        if self.backends.unsure() {
            say(Tone::Slow, "weights with `?` may have changed unseen".to_owned());
        }
        for (fact, why) in &footer.blind {
            say(Tone::Slow, format!("not seen: {}: {}", name(fact), plain(why, 300)));
        }
        self.notes().for_each(|note| say(Tone::Slow, note));
        rows
    }
}

/// The state in a word, and how sure it is.
fn state(tag: &Tag) -> (String, Tone) {
    let word = tag.state.map(|at| event_line::state(at, false));
    let doubt = event_line::certainty(tag);
    let text = match word {
        None => "unknown".to_owned(),
        Some(word) if doubt.is_empty() => word,
        Some(word) => format!("{word} {doubt}"),
    };
    let tone = match tag.state {
        Some(StateAt::Is(PodState::Ready)) if tag.certainty == Certainty::Known => Tone::Good,
        Some(StateAt::Is(PodState::Gone | PodState::Finished)) => Tone::Calm,
        Some(StateAt::Is(PodState::NotReady)) => Tone::Bad,
        _ => Tone::Slow,
    };
    (text, tone)
}

/// The rows that a view has room for: those with failures first, then those with most SYNs; and how many are left out.
fn busiest<T>(mut rows: Vec<(Counts, T)>) -> (Vec<(Counts, T)>, u64) {
    if rows.len() <= ROWS {
        return (rows, 0);
    }
    rows.sort_by_key(|(counts, _)| {
        std::cmp::Reverse((counts.last_60.failed, counts.last_60.slowed, counts.last_60.syns))
    });
    let more = rows.split_off(ROWS).len() as u64;
    (rows, more)
}
