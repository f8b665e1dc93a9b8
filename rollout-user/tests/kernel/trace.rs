//! A trace around one test: programs attached, everything that they tell kept.
//!
//! In: options. Out: records, for waiting and for counting. What happens elsewhere on the machine is told too: tests
//! look at their own namespace only.

use rollout::probe::{Filter, Options, Probes, Running};
use rollout::record::meta::{Hook, Hooks, Loss, Stage};
use rollout::record::{Body, Record};
use rollout::timeline::{Next, Timeline, queue};
use std::time::{Duration, Instant};

/// Nothing in the tests takes longer; guests are some 30 times slower than a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Attached programs and what they told so far.
pub struct Trace {
    running: Option<Running>,
    timeline: Timeline,
    filter: Filter,
    hooks: Hooks,
    records: Vec<Record>,
}

impl Trace {
    /// Attaches with the defaults, but for ip_vs: in a guest its hooks take longer to detach than all others.
    pub fn start() -> Self {
        Self::with(&Options { ipvs: false, ..Options::default() })
    }

    /// Attaches everything.
    pub fn with_ipvs() -> Self {
        Self::with(&Options::default())
    }

    /// Attaches.
    pub fn with(options: &Options) -> Self {
        Self::of(Probes::load(options).expect("programs attach"))
    }

    /// Reads what attached programs tell.
    pub fn of(probes: Probes) -> Self {
        let (inlet, timeline) = queue(1 << 20);
        let (filter, hooks) = (probes.filter(), probes.hooks());
        let running = Some(probes.run(inlet).expect("the reader starts"));
        Self { running, timeline, filter, hooks, records: Vec::new() }
    }

    /// The hook that serves a fact.
    pub fn hook(&self, fact: &str) -> &Hook {
        self.hooks.facts.get(fact).expect(fact)
    }

    /// The filter in the kernel.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether a fact is served by a hook whose name contains `word`.
    pub fn is_served(&self, fact: &str, word: &str) -> bool {
        self.hook(fact).attached.as_ref().is_some_and(|attached| attached.contains(word))
    }

    /// Waits until `find` finds something in the records so far.
    pub fn wait<T>(&mut self, what: &str, find: impl Fn(&[Record]) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find(&self.records) {
                return found;
            }
            assert!(Instant::now() < end, "no {what} in {:#?}", self.records);
            if let Next::Record(record) = self.timeline.next(Duration::from_millis(50)) {
                self.records.push(*record);
            }
        }
    }

    /// Waits for a body that `find` accepts.
    pub fn body<T>(&mut self, what: &str, find: impl Fn(&Body) -> Option<T>) -> T {
        self.wait(what, |records| records.iter().find_map(|record| find(&record.body)))
    }

    /// Detaches and returns everything.
    pub fn finish(mut self) -> Vec<Record> {
        drop(self.running.take());
        while let Next::Record(record) = self.timeline.next(Duration::ZERO) {
            self.records.push(*record);
        }
        self.records
    }
}

/// What was lost, by stage and program.
pub fn lost(records: &[Record], stage: Stage, program: &str) -> u64 {
    let count = |loss: &Loss| {
        if loss.stage == stage && loss.program == program { loss.count } else { 0 }
    };
    records
        .iter()
        .map(|record| match &record.body {
            Body::Loss(loss) => count(loss),
            _ => 0,
        })
        .sum()
}
