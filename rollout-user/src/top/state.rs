//! Everything that `top` knows: takes the stream's records, counts, and says what a screen shows.
//!
//! In: records in order of arrival, the present time. Out: [`View`]s. Memory is bounded but for the histories, which grow
//! as those of `trace` do. Counts are provisional: an event is counted once, with what is known when its wait is over.

use super::attempts::{Added, Attempts};
use super::backends::Backends;
use super::pods::Pods;
use super::updates::Updates;
use super::view::{EVENTS, EventRow, Head, View};
use super::window::{Sums, Window, Windows};
use crate::attribute::tag::{EventTags, HostClient};
use crate::cli::TraceOutput;
use crate::cli::filter::FilterArgs;
use crate::present::escape::{name, plain};
use crate::present::event_line::{self, EventLine, Standing};
use crate::present::paint::Paint;
use crate::record::meta::{DataPath, Header, Phase};
use crate::record::{Body, Record};
use crate::stream::footer::Footer;
use crate::stream::printer::{Options, Printer};
use crate::stream::select::{flow_of, is_event, is_kind};
use crate::stream::tagging::Tagger;
use crate::stream::waiting::Waiting;
use std::collections::VecDeque;
use std::sync::Arc;

mod rows;

/// Pods whose connects are counted.
const PODS: usize = 4096;
/// Events that are kept to be shown.
const RECENT: usize = 1024;
/// How long after a SYN the choice that it led to may come, ns.
const CHOICE_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// What is fixed for a run.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Which events count and are shown; kinds narrow what is shown alone.
    pub filter: FilterArgs,
    /// How the cluster is called; `None`: done without.
    pub cluster: Option<String>,
    /// How long events wait for late observations, ns.
    pub reorder_window_ns: u64,
    /// What a user should know from the start.
    pub notes: Vec<String>,
}

/// The state.
pub struct Top {
    setting: Setting,
    /// Selects without regard to kinds, and keeps losses and blind spots.
    printer: Printer,
    tagger: Tagger,
    waiting: Waiting,
    attempts: Attempts,
    all: Window,
    by_pod: Windows<String>,
    /// Connects to no pod that is surely known.
    unplaced: Window,
    pods: Pods,
    backends: Backends,
    updates: Updates,
    recent: VecDeque<(Arc<Record>, EventTags)>,
    header: Option<Header>,
    data_path: Option<DataPath>,
    begun_ns: Option<u64>,
    watching_ns: Option<u64>,
    skipped: u64,
}

impl Top {
    /// One that has seen nothing.
    pub fn new(setting: Setting) -> Top {
        let filter = FilterArgs { kind: Vec::new(), ..setting.filter.clone() };
        let options = Options { filter, output: TraceOutput::Table, color: false };
        Top {
            printer: Printer::new(options),
            tagger: Tagger::live(),
            waiting: Waiting::new(setting.reorder_window_ns),
            attempts: Attempts::default(),
            all: Window::default(),
            by_pod: Windows::new(PODS),
            unplaced: Window::default(),
            pods: Pods::default(),
            backends: Backends::default(),
            updates: Updates::default(),
            recent: VecDeque::new(),
            header: None,
            data_path: None,
            begun_ns: None,
            watching_ns: None,
            skipped: 0,
            setting,
        }
    }

    /// Takes the next record.
    pub fn observe(&mut self, record: &Arc<Record>) {
        self.begun_ns.get_or_insert(record.time_ns);
        self.printer.observe(&record.body);
        match &record.body {
            Body::Header(header) => self.header = Some(header.clone()),
            Body::DataPath(found) => self.data_path = Some(found.path),
            Body::Phase(Phase::Watching) => self.watching_ns = Some(record.time_ns),
            Body::Pod(observed) => self.pods.observe(record.time_ns, observed),
            Body::IpvsTable(table) => self.backends.table(table),
            Body::IpvsDestination(change) => self.backends.destination(change),
            Body::IpvsServiceGone(gone) => self.backends.service_gone(gone),
            Body::Loss(_) => self.backends.lost(),
            _ => {}
        }
        if is_event(&record.body) {
            self.waiting.hold(record.clone());
        }
        self.tagger.observe(record);
    }

    /// Counts what has waited long enough. `skipped`: records that never came here, because this was too slow.
    pub fn advance(&mut self, now_ns: u64, skipped: u64) {
        if skipped > self.skipped {
            self.skipped = skipped;
            self.backends.lost();
        }
        while let Some(event) = self.waiting.due(now_ns) {
            self.count(event);
        }
        for uid in self.pods.forget(now_ns) {
            self.by_pod.remove(&uid);
        }
    }

    /// What a screen shows at that moment.
    pub fn view(&mut self, now_ns: u64) -> View {
        let histories = self.tagger.histories();
        let mut updates = self.updates.rows(now_ns, self.watching_ns, &self.pods, histories);
        let namespace = self.setting.filter.namespace.as_deref();
        updates.retain(|row| namespace.is_none_or(|wanted| wanted == row.namespace));
        let (pods, more_pods) = self.pod_rows(now_ns);
        let (backends, more_backends) = self.backend_rows(now_ns);
        let footer = self.footer();
        View {
            head: self.head(now_ns, &footer),
            updates,
            pods,
            more_pods,
            backends,
            more_backends,
            events: self.event_rows(),
            losses: self.loss_rows(&footer),
        }
    }

    fn count(&mut self, event: Arc<Record>) {
        let tags = self.tagger.tags(&event);
        if !self.printer.is_wanted(&event, &tags, &self.tagger) {
            return;
        }
        self.printer.printed += 1;
        let mut added = self.attempts.count(&event.body);
        let client = tags.client.as_ref().and_then(|client| client.host);
        if client == Some(HostClient::Kubelet) {
            // Probes are no user's connects (F25).
            let events = added.all.events;
            added = Added::default();
            added.all.events = events;
        }
        self.all.count(event.time_ns, added.all);
        self.place(&event, &tags, added);
        self.recent.push_back((event, tags));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Counts for the pod and the backend that an event went to.
    fn place(&mut self, event: &Record, tags: &EventTags, added: Added) {
        let Some(flow) = flow_of(&event.body).filter(|_| added.backend != Default::default())
        else {
            return;
        };
        let chosen = choice_time(event, tags).and_then(|(from_ns, until_ns)| {
            self.tagger.histories().backends(flow, from_ns, until_ns).choices.pop()
        });
        let last = chosen.as_ref().or(tags.backends.last());
        let pod = last.and_then(|backend| backend.tag.pod.as_ref());
        match pod {
            Some(pod) => self.by_pod.count(pod.uid.clone(), event.time_ns, added.backend),
            None => self.unplaced.count(event.time_ns, added.backend),
        }
        // What was dialled is a backend only where it is known to be a pod's.
        let address = last.map(|backend| backend.address);
        let address = address.filter(|address| *address != flow.destination || pod.is_some());
        self.backends.count((flow.destination, address), event.time_ns, added.backend);
    }

    /// What to end with.
    pub fn footer(&self) -> Footer {
        Footer {
            skipped: self.skipped,
            overtaken: self.waiting.overtaken(),
            ..self.printer.footer()
        }
    }

    /// What happened in a second, of what `pick` picks: over the last ten that are over and whose events have all been
    /// counted; over fewer in the beginning.
    fn rate(&self, window: &Window, now_ns: u64, pick: fn(Sums) -> u64) -> f64 {
        let counted_ns = now_ns.saturating_sub(self.setting.reorder_window_ns);
        let end_ns = counted_ns - counted_ns % SECOND_NS;
        let begun_ns = self.begun_ns.unwrap_or(end_ns);
        let seconds = (end_ns.saturating_sub(begun_ns) / SECOND_NS).clamp(1, 10);
        let sums = window.last(end_ns.saturating_sub(1), seconds);
        pick(sums) as f64 / seconds as f64
    }

    fn head(&self, now_ns: u64, footer: &Footer) -> Head {
        let header = self.header.as_ref();
        let path = match self.data_path {
            Some(DataPath::Ipvs) => "IPVS",
            Some(DataPath::Iptables) => "iptables",
            Some(DataPath::Nftables) => "nftables",
            Some(DataPath::SocketLb) => "socket LB (not covered)",
            Some(DataPath::None) => "no balancing",
            Some(DataPath::Unknown) | None => "balancing unknown",
        };
        Head {
            node: header.map_or_else(|| "?".to_owned(), |header| name(&header.node)),
            kernel: header.map_or_else(|| "?".to_owned(), |header| name(&header.kernel)),
            data_path: path.to_owned(),
            cluster: self.setting.cluster.as_ref().map(|cluster| name(cluster)),
            up_ns: now_ns.saturating_sub(self.begun_ns.unwrap_or(now_ns)),
            events: self.rate(&self.all, now_ns, |sums| sums.events),
            syns: self.rate(&self.all, now_ns, |sums| sums.syns),
            last_10: self.all.last(now_ns, 10),
            last_60: self.all.last(now_ns, 60),
            total: self.all.total().events,
            lost: footer.lost.values().sum::<u64>().saturating_add(footer.skipped),
        }
    }

    /// With the tags that are right now; `*` marks those that were others when the event was counted.
    fn event_rows(&self) -> Vec<EventRow> {
        let shown = self.recent.iter().rev().filter_map(|(record, counted)| {
            if !is_kind(&self.setting.filter, &record.body) {
                return None;
            }
            let tags = self.tagger.tags(record);
            let standing = match tags == *counted {
                true => Standing::Provisional,
                false => Standing::Correction,
            };
            let unix = self.tagger.unix_at(record.time_ns);
            let line = EventLine { record, tags: &tags, unix, standing };
            let text = event_line::table(&line, Paint { on: false });
            Some(EventRow { text, tone: event_line::tone(&record.body) })
        });
        shown.take(EVENTS).collect()
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        self.setting.notes.iter().map(|note| plain(note, 300))
    }
}

/// When the choice was made that an event is to be counted for, where its tags do not tell: a SYN's backend is chosen after
/// the SYN was told of, and where Services are not known no tag names the choice.
fn choice_time(event: &Record, tags: &EventTags) -> Option<(u64, u64)> {
    let time_ns = event.time_ns;
    let since = |latency_ns: u64| Some((time_ns.saturating_sub(latency_ns), time_ns));
    match (&event.body, &tags.service) {
        (Body::Connect(_) | Body::SynRetransmit(_), _) => {
            Some((time_ns, time_ns.saturating_add(CHOICE_NS)))
        }
        (Body::Established(event), None) => since(event.latency_ns),
        (Body::ConnectFailed(event), None) => since(event.latency_ns),
        _ => None,
    }
}
