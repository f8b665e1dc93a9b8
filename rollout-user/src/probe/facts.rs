//! The hook table: what each fact can be seen by, best first.
//!
//! In: nothing. Out: [`FACTS`], which `ladder` walks in order.

use super::ladder::Rung;

/// One way to attach one program of the object.
#[derive(Debug, Clone, Copy)]
pub enum Hook {
    /// `fentry` of a function.
    Fentry(&'static str, &'static str),
    /// `fexit` of a function.
    Fexit(&'static str, &'static str),
    /// `kprobe` of a function, under its own name or a compiler's variant (`.isra.0`) (F11).
    Kprobe(&'static str, &'static str),
    /// `kretprobe`, as above.
    Kretprobe(&'static str, &'static str),
    /// A tracepoint by category and name: needs tracefs.
    Tracepoint(&'static str, &'static str, &'static str),
    /// A raw tracepoint.
    Raw(&'static str, &'static str),
}

impl Hook {
    /// The program's name in the object.
    pub const fn program(&self) -> &'static str {
        match self {
            Self::Fentry(program, _)
            | Self::Fexit(program, _)
            | Self::Kprobe(program, _)
            | Self::Kretprobe(program, _)
            | Self::Tracepoint(program, _, _)
            | Self::Raw(program, _) => program,
        }
    }
}

/// One rung of a fact's ladder.
pub struct Step {
    /// What kind of hook.
    pub rung: Rung,
    /// As a user reads it.
    pub label: &'static str,
    /// All of them, or the rung is refused.
    pub hooks: &'static [Hook],
    /// What the kernel must offer beyond the hooks.
    pub needs: Needs,
    /// What cannot be known with this rung.
    pub blind: Option<&'static str>,
}

/// Conditions that attaching alone would not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Nothing,
    /// `tcp_send_reset` must pass a reason: before that it is silent for closed ports (F10).
    ResetReason,
    /// ip_vs must be there with its types.
    Ipvs,
}

/// A fact and its ladder.
pub struct Fact {
    /// Key in `Hooks`.
    pub name: &'static str,
    /// Best first.
    pub steps: &'static [Step],
    /// What cannot be known without any.
    pub blind: &'static str,
    /// Only if ip_vs is asked for; it may come later.
    pub of_ipvs: bool,
}

const fn step(rung: Rung, label: &'static str, hooks: &'static [Hook]) -> Step {
    Step { rung, label, hooks, needs: Needs::Nothing, blind: None }
}

const fn fact(name: &'static str, steps: &'static [Step], blind: &'static str) -> Fact {
    Fact { name, steps, blind, of_ipvs: false }
}

const fn ipvs(name: &'static str, steps: &'static [Step], blind: &'static str) -> Fact {
    Fact { name, steps, blind, of_ipvs: true }
}

const fn ipvs_step(label: &'static str, hooks: &'static [Hook]) -> Step {
    Step { needs: Needs::Ipvs, ..step(Rung::Kprobe, label, hooks) }
}

/// One program at one hook: the kind, the program, where.
macro_rules! single {
    (raw $program:literal $tracepoint:literal) => {
        step(
            Rung::RawTracepoint,
            concat!("raw tracepoint ", $tracepoint),
            &[Hook::Raw($program, $tracepoint)],
        )
    };
    (raw twice $program:literal $again:literal $tracepoint:literal) => {
        step(
            Rung::RawTracepoint,
            concat!("raw tracepoint ", $tracepoint),
            &[Hook::Raw($program, $tracepoint), Hook::Raw($again, $tracepoint)],
        )
    };
    (kprobe $program:literal $function:literal) => {
        step(Rung::Kprobe, concat!("kprobe ", $function), &[Hook::Kprobe($program, $function)])
    };
    (ipvs $program:literal $function:literal) => {
        ipvs_step(concat!("kprobe ", $function), &[Hook::Kprobe($program, $function)])
    };
}

/// `connect` comes before `outcome`: whether `tcp_connect` is hooked must be known when the first attempt begins.
pub static FACTS: &[Fact] = &[
    fact(
        "connect",
        &[
            step(
                Rung::Fentry,
                "fentry tcp_connect",
                &[Hook::Fentry("connect_fentry", "tcp_connect")],
            ),
            single!(kprobe "connect_kprobe" "tcp_connect"),
            Step {
                // The programs of `outcome` do it.
                blind: Some(
                    "the source port of a connect is known only once it is established, retransmits or fails",
                ),
                ..step(Rung::RawTracepoint, "raw tracepoint inet_sock_set_state", &[])
            },
        ],
        "connects are not seen",
    ),
    fact(
        "outcome",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoints inet_sock_set_state, tcp_destroy_sock",
            &[
                Hook::Raw("outcome", "inet_sock_set_state"),
                Hook::Raw("outcome_again", "inet_sock_set_state"),
                Hook::Raw("outcome_destroyed", "tcp_destroy_sock"),
            ],
        )],
        "connects and their outcomes are not seen",
    ),
    fact(
        "listener",
        &[single!(raw twice "listener" "listener_again" "inet_sock_set_state")],
        "when a server began or stopped to listen is not seen",
    ),
    fact(
        "connect_call",
        &[
            step(
                Rung::Fentry,
                "fentry and fexit __x64_sys_connect",
                &[
                    Hook::Fexit("connect_exit_fexit", "__x64_sys_connect"),
                    Hook::Fentry("connect_enter_fentry", "__x64_sys_connect"),
                ],
            ),
            step(
                Rung::Tracepoint,
                "tracepoints sys_enter_connect, sys_exit_connect",
                &[
                    Hook::Tracepoint("connect_exit_tracepoint", "syscalls", "sys_exit_connect"),
                    Hook::Tracepoint("connect_enter_tracepoint", "syscalls", "sys_enter_connect"),
                ],
            ),
            step(
                Rung::RawTracepoint,
                "raw tracepoints sys_enter, sys_exit",
                &[
                    Hook::Raw("connect_exit_raw", "sys_exit"),
                    Hook::Raw("connect_enter_raw", "sys_enter"),
                ],
            ),
        ],
        "connects that fail before anything is sent (no route, no permission) are not seen",
    ),
    fact(
        "syn_retransmit",
        &[single!(raw "syn_retransmit" "tcp_retransmit_skb")],
        "retransmitted SYNs are not seen",
    ),
    fact(
        "syn_ack_retransmit",
        &[single!(raw "syn_ack_retransmit" "tcp_retransmit_synack")],
        "retransmitted SYN-ACKs are not seen",
    ),
    fact(
        "backlog_full",
        &[step(
            Rung::Kprobe,
            "kprobes tcp_conn_request, tcp_v4_syn_recv_sock, tcp_v6_syn_recv_sock",
            &[
                Hook::Kprobe("backlog_syn", "tcp_conn_request"),
                Hook::Kprobe("backlog_ack_v4", "tcp_v4_syn_recv_sock"),
                Hook::Kprobe("backlog_ack_v6", "tcp_v6_syn_recv_sock"),
            ],
        )],
        "drops at a full accept queue are known from polled counters only",
    ),
    fact(
        "syn_dropped",
        &[single!(raw twice "syn_dropped" "syn_dropped_again" "kfree_skb")],
        "where a SYN was dropped is not seen",
    ),
    fact(
        "reset_received",
        &[single!(raw twice "reset_received" "reset_received_again" "tcp_receive_reset")],
        "RSTs received are not seen",
    ),
    fact(
        "reset_sent",
        &[
            Step {
                needs: Needs::ResetReason,
                ..single!(raw twice "reset_sent" "reset_sent_again" "tcp_send_reset")
            },
            step(
                Rung::Kprobe,
                "kprobes tcp_v4_send_reset, tcp_v6_send_reset; raw tracepoint tcp_send_reset",
                &[
                    Hook::Kprobe("reset_sent_v4", "tcp_v4_send_reset"),
                    Hook::Kprobe("reset_sent_v6", "tcp_v6_send_reset"),
                    Hook::Raw("reset_sent", "tcp_send_reset"),
                    Hook::Raw("reset_sent_again", "tcp_send_reset"),
                ],
            ),
            Step {
                blind: Some("RSTs from closed ports are not seen on this kernel"),
                ..single!(raw twice "reset_sent" "reset_sent_again" "tcp_send_reset")
            },
        ],
        "RSTs sent are not seen",
    ),
    fact(
        "icmp_sent",
        &[
            single!(raw twice "icmp_sent" "icmp_sent_again" "icmp_send"),
            single!(kprobe "icmp_sent_v4" "__icmp_send"),
        ],
        "ICMP errors sent for IPv4 are not seen",
    ),
    fact(
        "icmp6_sent",
        &[single!(kprobe "icmp_sent_v6" "icmp6_send")],
        "ICMPv6 errors sent are not seen",
    ),
    ipvs(
        "ipvs_choice",
        &[single!(ipvs "ipvs_choice" "ip_vs_conn_new")],
        "which backend IPVS chose is known from conntrack at best",
    ),
    ipvs(
        "no_destination",
        &[single!(ipvs "no_destination" "ip_vs_leave")],
        "SYNs for which IPVS had no destination are not told apart",
    ),
    ipvs(
        "ipvs_destination",
        &[ipvs_step(
            "kprobes and kretprobes ip_vs_add_dest, ip_vs_edit_dest, ip_vs_del_dest",
            &[
                Hook::Kretprobe("ipvs_returned", "ip_vs_add_dest"),
                Hook::Kretprobe("ipvs_returned", "ip_vs_edit_dest"),
                Hook::Kretprobe("ipvs_returned", "ip_vs_del_dest"),
                Hook::Kprobe("ipvs_add", "ip_vs_add_dest"),
                Hook::Kprobe("ipvs_edit", "ip_vs_edit_dest"),
                Hook::Kprobe("ipvs_delete", "ip_vs_del_dest"),
            ],
        )],
        "changes of IPVS destinations are known from polling only",
    ),
    ipvs(
        "ipvs_service",
        &[ipvs_step(
            "kprobes ip_vs_unlink_service, ip_vs_flush",
            &[
                Hook::Kprobe("ipvs_unlink", "ip_vs_unlink_service"),
                Hook::Kprobe("ipvs_flush", "ip_vs_flush"),
            ],
        )],
        "deletions of IPVS services are known from polling only",
    ),
    fact(
        "signal",
        &[single!(raw "signal" "signal_generate")],
        "when a container was told to stop is not seen",
    ),
    fact(
        "exit",
        &[single!(raw "exit" "sched_process_exit")],
        "when a container's process ended is not seen",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_comes_before_outcome_and_names_are_unique() {
        let names: Vec<_> = FACTS.iter().map(|fact| fact.name).collect();
        let at = |name: &str| names.iter().position(|other| *other == name);
        assert!(at("connect") < at("outcome"));
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }
}
