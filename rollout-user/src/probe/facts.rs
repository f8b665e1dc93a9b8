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

const fn raw(name: &'static str, step: &'static [Step], blind: &'static str) -> Fact {
    Fact { name, steps: step, blind, of_ipvs: false }
}

const fn ipvs(label: &'static str, hooks: &'static [Hook]) -> Step {
    Step { rung: Rung::Kprobe, label, hooks, needs: Needs::Ipvs, blind: None }
}

/// `connect` comes before `outcome`: whether `tcp_connect` is hooked must be known when the first attempt begins.
pub static FACTS: &[Fact] = &[
    Fact {
        name: "connect",
        steps: &[
            step(
                Rung::Fentry,
                "fentry tcp_connect",
                &[Hook::Fentry("connect_fentry", "tcp_connect")],
            ),
            step(
                Rung::Kprobe,
                "kprobe tcp_connect",
                &[Hook::Kprobe("connect_kprobe", "tcp_connect")],
            ),
            Step {
                // The programs of `outcome` do it.
                blind: Some(
                    "the source port of a connect is known only once it is established, retransmits or fails",
                ),
                ..step(Rung::RawTracepoint, "raw tracepoint inet_sock_set_state", &[])
            },
        ],
        blind: "connects are not seen",
        of_ipvs: false,
    },
    raw(
        "outcome",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoints inet_sock_set_state, tcp_destroy_sock",
            &[
                Hook::Raw("outcome", "inet_sock_set_state"),
                Hook::Raw("outcome_destroyed", "tcp_destroy_sock"),
            ],
        )],
        "connects and their outcomes are not seen",
    ),
    raw(
        "listener",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint inet_sock_set_state",
            &[Hook::Raw("listener", "inet_sock_set_state")],
        )],
        "when a server began or stopped to listen is not seen",
    ),
    raw(
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
    raw(
        "syn_retransmit",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint tcp_retransmit_skb",
            &[Hook::Raw("syn_retransmit", "tcp_retransmit_skb")],
        )],
        "retransmitted SYNs are not seen",
    ),
    raw(
        "syn_dropped",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint kfree_skb",
            &[Hook::Raw("syn_dropped", "kfree_skb")],
        )],
        "where a SYN was dropped is not seen",
    ),
    raw(
        "reset_received",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint tcp_receive_reset",
            &[Hook::Raw("reset_received", "tcp_receive_reset")],
        )],
        "RSTs received are not seen",
    ),
    raw(
        "reset_sent",
        &[
            Step {
                needs: Needs::ResetReason,
                ..step(
                    Rung::RawTracepoint,
                    "raw tracepoint tcp_send_reset",
                    &[Hook::Raw("reset_sent", "tcp_send_reset")],
                )
            },
            step(
                Rung::Kprobe,
                "kprobes tcp_v4_send_reset, tcp_v6_send_reset; raw tracepoint tcp_send_reset",
                &[
                    Hook::Kprobe("reset_sent_v4", "tcp_v4_send_reset"),
                    Hook::Kprobe("reset_sent_v6", "tcp_v6_send_reset"),
                    Hook::Raw("reset_sent", "tcp_send_reset"),
                ],
            ),
            Step {
                blind: Some("RSTs from closed ports are not seen on this kernel"),
                ..step(
                    Rung::RawTracepoint,
                    "raw tracepoint tcp_send_reset",
                    &[Hook::Raw("reset_sent", "tcp_send_reset")],
                )
            },
        ],
        "RSTs sent are not seen",
    ),
    raw(
        "icmp_sent",
        &[
            step(
                Rung::RawTracepoint,
                "raw tracepoint icmp_send",
                &[Hook::Raw("icmp_sent", "icmp_send")],
            ),
            step(
                Rung::Kprobe,
                "kprobe __icmp_send",
                &[Hook::Kprobe("icmp_sent_v4", "__icmp_send")],
            ),
        ],
        "ICMP errors sent for IPv4 are not seen",
    ),
    raw(
        "icmp6_sent",
        &[step(Rung::Kprobe, "kprobe icmp6_send", &[Hook::Kprobe("icmp_sent_v6", "icmp6_send")])],
        "ICMPv6 errors sent are not seen",
    ),
    Fact {
        name: "ipvs_choice",
        steps: &[ipvs("kprobe ip_vs_conn_new", &[Hook::Kprobe("ipvs_choice", "ip_vs_conn_new")])],
        blind: "which backend IPVS chose is known from conntrack at best",
        of_ipvs: true,
    },
    Fact {
        name: "no_destination",
        steps: &[ipvs("kprobe ip_vs_leave", &[Hook::Kprobe("no_destination", "ip_vs_leave")])],
        blind: "SYNs for which IPVS had no destination are not told apart",
        of_ipvs: true,
    },
    Fact {
        name: "ipvs_destination",
        steps: &[ipvs(
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
        blind: "changes of IPVS destinations are known from polling only",
        of_ipvs: true,
    },
    Fact {
        name: "ipvs_service",
        steps: &[ipvs(
            "kprobes ip_vs_unlink_service, ip_vs_flush",
            &[
                Hook::Kprobe("ipvs_unlink", "ip_vs_unlink_service"),
                Hook::Kprobe("ipvs_flush", "ip_vs_flush"),
            ],
        )],
        blind: "deletions of IPVS services are known from polling only",
        of_ipvs: true,
    },
    raw(
        "signal",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint signal_generate",
            &[Hook::Raw("signal", "signal_generate")],
        )],
        "when a container was told to stop is not seen",
    ),
    raw(
        "exit",
        &[step(
            Rung::RawTracepoint,
            "raw tracepoint sched_process_exit",
            &[Hook::Raw("exit", "sched_process_exit")],
        )],
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
