//! What the rules are asked about: the attempts that went badly, and everything around them.
//!
//! In: attempts, histories, facts, pods' lives, the servers' side. Out: [`Case`] and its [`Hit`]s.

use super::super::base::TimeBase;
use super::super::facts::Facts;
use super::super::group::deciding;
use super::super::report::attempt::{Answer, Attempt, ClientKind, Outcome, Syn, SynClass};
use super::super::workload::{Spec, Workload};
use super::endpoints::{Endpoints, ServiceKey};
use super::life::{About, PodLife};
use super::server::ServerSide;
use crate::attribute::Histories;
use crate::attribute::tag::Certainty;
use std::collections::{BTreeMap, BTreeSet};

/// All that rules may look at.
pub struct Case<'a> {
    /// Every attempt.
    pub attempts: &'a [Attempt],
    /// Who had which address when.
    pub histories: &'a Histories,
    /// The recording's statements.
    pub facts: &'a Facts,
    /// The workload and its update.
    pub workload: &'a Workload,
    /// Time base.
    pub base: &'a TimeBase,
    /// Endpoints of Services.
    pub endpoints: &'a Endpoints,
    /// The other side of connections.
    pub server: &'a ServerSide,
    /// Median time of users' attempts that went well, ns.
    pub usual_ns: u64,
    /// Lives of the workload's pods and of every pod that an attempt met, by UID.
    pub lives: BTreeMap<String, PodLife>,
}

/// An attempt that went badly, with what it met.
#[derive(Clone, Copy)]
pub struct Hit<'a> {
    /// Position in the list of attempts.
    pub position: usize,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The SYN that decided; `None`: none was tried.
    pub syn: Option<&'a Syn>,
    /// The life of the pod that this SYN was for.
    pub life: Option<&'a PodLife>,
}

impl<'a> Case<'a> {
    /// Reads the lives of all pods concerned.
    pub fn with_lives(mut self) -> Self {
        let met = self.attempts.iter().filter(|a| a.in_scope).flat_map(|a| &a.syns);
        let met = met.filter_map(|syn| Some(syn.pod.as_ref()?.pod.as_ref()?.uid.clone()));
        let clients = self.attempts.iter().filter(|a| a.in_scope);
        let clients = clients.filter_map(|a| Some(a.client.tag.pod.as_ref()?.uid.clone()));
        let uids: BTreeSet<String> =
            self.workload.members.keys().cloned().chain(met).chain(clients).collect();
        self.lives = uids.into_iter().map(|uid| (uid.clone(), self.life_of(&uid))).collect();
        self.usual_ns = super::cost::usual_ns(self.users());
        self
    }

    fn life_of(&self, uid: &str) -> PodLife {
        let member = self.workload.members.get(uid);
        let spec = member.map_or_else(Spec::default, |member| member.spec);
        let about = About {
            facts: self.facts,
            role: self.workload.role(uid),
            spec,
            containers: member.map(|member| member.containers.clone()).unwrap_or_default(),
            netns: self.histories.netns_of(uid),
            emptied: self.histories.emptied_at(uid),
            had_to_leave: &|range| self.endpoints.had_to_leave(uid, range),
        };
        PodLife::of(&self.histories.timeline_of(uid), about)
    }

    /// Users' attempts at the workload during the update that failed or were slowed, by time.
    pub fn hits(&'a self) -> Vec<Hit<'a>> {
        self.users().filter(|hit| hit.attempt.failed || hit.attempt.slowed).collect()
    }

    /// All users' attempts at the workload during the update, by time.
    pub fn users(&'a self) -> impl Iterator<Item = Hit<'a>> {
        let all = self.attempts.iter().enumerate();
        all.filter(|(_, a)| a.in_scope && !a.baseline && a.client.kind == ClientKind::User)
            .map(|(position, attempt)| self.hit(position, attempt))
    }

    fn hit(&'a self, position: usize, attempt: &'a Attempt) -> Hit<'a> {
        let syn = deciding(attempt);
        let uid = syn.and_then(|syn| Some(&syn.pod.as_ref()?.pod.as_ref()?.uid));
        Hit { position, attempt, syn, life: uid.and_then(|uid| self.lives.get(uid)) }
    }

    /// The same attempt, as if another of its SYNs had decided.
    pub fn hit_of<'b>(&'b self, hit: &Hit<'b>, syn: &'b Syn) -> Hit<'b> {
        let uid = syn.pod.as_ref().and_then(|tag| tag.pod.as_ref()).map(|pod| &pod.uid);
        Hit { syn: Some(syn), life: uid.and_then(|uid| self.lives.get(uid)), ..*hit }
    }

    /// Whether a hook serves `fact`; an empty fact needs none.
    pub fn sees(&self, fact: &str) -> bool {
        fact.is_empty() || self.facts.serves(fact)
    }

    /// The Service that an attempt dialled.
    pub fn service_of(&self, attempt: &Attempt) -> Option<ServiceKey> {
        let tag = attempt.service.as_ref().filter(|tag| !tag.name.is_empty())?;
        Some((tag.namespace.clone(), tag.name.clone()))
    }
}

impl<'a> Hit<'a> {
    /// When the deciding SYN was sent; without one, when the connect began, ns.
    pub fn time_ns(&self) -> u64 {
        self.syn.map_or(self.attempt.begun.time_ns, |syn| syn.at.time_ns)
    }

    /// When the outcome was certain, ns.
    pub fn ended_ns(&self) -> Option<u64> {
        self.attempt.ended.map(|ended| ended.time_ns)
    }

    /// Whether the deciding SYN went to a pod and nothing answered it.
    pub fn is_silent(&self) -> bool {
        self.syn.is_some_and(|syn| syn.class == SynClass::Pod && syn.answer == Answer::Nothing)
    }

    /// Whether the client dialled the pod by its own address, as those of a headless Service do: nothing chose for it.
    pub fn is_direct(&self) -> bool {
        self.attempt.service.is_none()
            && self.attempt.backends.is_empty()
            && self.syn.is_some_and(|syn| syn.address == Some(self.attempt.destination))
    }

    /// Whether a pod's RST answered the deciding SYN.
    pub fn is_refused_by_pod(&self) -> bool {
        let by_pod = |syn: &Syn| matches!(syn.class, SynClass::Pod | SynClass::Unknown);
        self.attempt.outcome == Outcome::RefusedByRst && self.syn.is_some_and(by_pod)
    }

    /// The error after which an established connection was broken.
    pub fn reset_errno(&self) -> Option<i32> {
        match self.attempt.outcome {
            Outcome::ResetAfterwards { errno } => Some(errno),
            _ => None,
        }
    }

    /// Whether the pod is certain, though perhaps between two states, and no loss overlaps the attempt.
    pub fn is_sure(&self) -> bool {
        let tag = self.syn.and_then(|syn| syn.pod.as_ref());
        !self.attempt.uncertain && tag.is_none_or(|tag| tag.certainty <= Certainty::Changing)
    }

    /// What the attempt took until it was decided or given up, ns.
    pub fn took_ns(&self) -> u64 {
        let from = self.attempt.begun.time_ns;
        match self.attempt.outcome {
            Outcome::ResetAfterwards { .. } => self.attempt.latency_ns.unwrap_or(0),
            _ => self
                .attempt
                .latency_ns
                .or_else(|| Some(self.ended_ns()?.saturating_sub(from)))
                .unwrap_or(0),
        }
    }

    /// Records of the deciding SYN and of the outcome.
    pub fn evidence(&self) -> Vec<u64> {
        let of_syn = self.syn.map(|syn| syn.evidence.as_slice()).unwrap_or_default();
        let mut ids: Vec<u64> = of_syn.iter().chain(&self.attempt.evidence).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
