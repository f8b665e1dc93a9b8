//! Walks each fact's ladder: the first rung whose hooks all attach serves it, and the reasons of the others are kept.
//!
//! In: `facts::FACTS`, forced rungs. Out: attached programs, and [`Hooks`] for the recording and the user.

use super::Options;
use super::attach::{self, Attached};
use super::facts::{FACTS, Fact, Needs, Step};
use super::kernel::Kernel;
use super::load::{Loaded, ModuleValue};
use super::missed::Missed;
use crate::error::hinted;
use crate::record::meta::{Hook, Hooks};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Kinds of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// fentry and fexit.
    Fentry,
    /// kprobe and kretprobe.
    Kprobe,
    /// A tracepoint through tracefs.
    Tracepoint,
    /// A raw tracepoint.
    RawTracepoint,
}

/// State of all facts.
pub struct Ladder {
    force: BTreeMap<String, Rung>,
    with_ipvs: bool,
    /// Which ip_vs the hooks are in.
    ipvs: Option<u64>,
    served: BTreeMap<&'static str, Hook>,
    /// Attached programs, for the runs that the kernel skips.
    pub missed: Missed,
}

impl Ladder {
    pub fn new(options: &Options) -> Self {
        Self {
            force: options.force.clone(),
            with_ipvs: options.ipvs,
            ipvs: loaded_ipvs(),
            served: BTreeMap::new(),
            missed: Missed::default(),
        }
    }

    /// Tries every fact that nothing serves yet. Returns whether something new was attached.
    pub fn climb(&mut self, loaded: &mut Loaded, kernel: &Kernel) -> bool {
        let with_ipvs = self.with_ipvs;
        self.try_missing(loaded, kernel, |fact| with_ipvs || !fact.of_ipvs)
    }

    /// Hooks ip_vs when it was loaded since the last look, and gives it up when it was unloaded. Returns whether
    /// anything changed.
    pub fn follow_ipvs(&mut self, loaded: &mut Loaded, kernel: &Kernel) -> bool {
        let now = loaded_ipvs();
        if now == self.ipvs || !self.with_ipvs {
            return false;
        }
        let had = std::mem::replace(&mut self.ipvs, now).is_some();
        let has_left = had && self.leave_ipvs(loaded);
        let has_come =
            now.is_some() && self.try_missing(loaded, kernel, |fact: &Fact| fact.of_ipvs);
        has_left || has_come
    }

    fn try_missing(
        &mut self,
        loaded: &mut Loaded,
        kernel: &Kernel,
        is_wanted: impl Fn(&Fact) -> bool,
    ) -> bool {
        let mut is_new = false;
        for fact in FACTS.iter().filter(|fact| is_wanted(fact)) {
            is_new |= self.is_missing(fact) && self.serve(fact, loaded, kernel);
        }
        is_new
    }

    /// Gives up hooks that the kernel disabled when it unloaded ip_vs.
    fn leave_ipvs(&mut self, loaded: &mut Loaded) -> bool {
        let mut has_left = false;
        for fact in FACTS.iter().filter(|fact| fact.of_ipvs) {
            if self.is_missing(fact) {
                continue;
            }
            for hook in fact.steps.iter().flat_map(|step| step.hooks) {
                attach::unload(&mut loaded.ebpf, hook.program());
            }
            let refused = vec!["ip_vs was unloaded".to_owned()];
            let blind = Some(fact.blind.to_owned());
            self.served.insert(fact.name, Hook { attached: None, refused, blind });
            has_left = true;
        }
        has_left
    }

    fn is_missing(&self, fact: &Fact) -> bool {
        self.served.get(fact.name).is_none_or(|hook| hook.attached.is_none())
    }

    fn serve(&mut self, fact: &'static Fact, loaded: &mut Loaded, kernel: &Kernel) -> bool {
        let mut refused = Vec::new();
        let forced = self.force.get(fact.name).copied();
        for step in fact.steps.iter().filter(|step| forced.is_none_or(|rung| rung == step.rung)) {
            match try_step(step, loaded, kernel) {
                Ok(attached) => {
                    for Attached { program, descriptor } in attached {
                        self.missed.watch(program, fact.name, descriptor);
                    }
                    let blind = step.blind.map(str::to_owned);
                    let attached = Some(step.label.to_owned());
                    self.served.insert(fact.name, Hook { attached, refused, blind });
                    return true;
                }
                Err(reason) => refused.push(format!("{}: {reason:#}", step.label)),
            }
        }
        if refused.is_empty() {
            refused.push("no hook of the forced kind".to_owned());
        }
        let blind = Some(fact.blind.to_owned());
        self.served.insert(fact.name, Hook { attached: None, refused, blind });
        false
    }

    /// Which hook serves which fact of ip_vs.
    pub fn hooks_of_ipvs(&self) -> Hooks {
        let of_ipvs = FACTS.iter().filter(|fact| fact.of_ipvs).map(|fact| fact.name);
        let served =
            of_ipvs.filter_map(|name| Some((name.to_owned(), self.served.get(name)?.clone())));
        Hooks { facts: served.collect() }
    }

    /// Which hook serves which fact.
    pub fn hooks(&self) -> Hooks {
        let facts = self.served.iter().map(|(name, hook)| ((*name).to_owned(), hook.clone()));
        Hooks { facts: facts.collect() }
    }

    /// Fails if not even the outcome of connects can be seen: then nothing works.
    pub fn check(&self) -> Result<()> {
        match self.served.get("outcome") {
            Some(hook) if hook.attached.is_none() => Err(hinted(
                format!("cannot attach to the kernel: {}", hook.refused.join("; ")),
                "run as root, or with CAP_BPF and CAP_PERFMON",
            )),
            _ => Ok(()),
        }
    }
}

fn try_step(step: &Step, loaded: &mut Loaded, kernel: &Kernel) -> Result<Vec<Attached>> {
    match step.needs {
        Needs::Nothing => {}
        Needs::ResetReason if kernel.features.reset_reason == 0 => {
            bail!("on this kernel it is silent for closed ports");
        }
        Needs::ResetReason => {}
        Needs::Ipvs => {
            let offsets = kernel.ipvs_offsets()?;
            loaded.module.set(0, ModuleValue(offsets), 0).context("map `MODULE_OFFSETS`")?;
        }
    }
    let mut attached: Vec<Attached> = Vec::new();
    for hook in step.hooks {
        match attach::attach(&mut loaded.ebpf, kernel, hook) {
            Ok(program) => attached.push(program),
            Err(reason) => {
                for done in &attached {
                    attach::unload(&mut loaded.ebpf, done.program);
                }
                return Err(reason);
            }
        }
    }
    tell_programs(step, loaded)?;
    Ok(attached)
}

/// Some programs behave by what else is attached.
fn tell_programs(step: &Step, loaded: &Loaded) -> Result<()> {
    match (step.label, step.rung) {
        (_, Rung::Fentry | Rung::Kprobe) if step.label.ends_with(" tcp_connect") => {
            loaded.filter.change(|control| control.connect_hooked = 1)
        }
        (_, Rung::Kprobe) if step.label.contains("tcp_send_reset") => {
            loaded.filter.change(|control| control.reset_functions_hooked = 1)
        }
        _ => Ok(()),
    }
}

/// The module as it is loaded now, by the inode of its directory in sysfs: unloaded and loaded again it has another.
fn loaded_ipvs() -> Option<u64> {
    let state = fs::read_to_string("/sys/module/ip_vs/initstate").ok()?;
    let directory = fs::metadata("/sys/module/ip_vs").ok()?;
    (state.trim() == "live").then(|| directory.ino())
}
