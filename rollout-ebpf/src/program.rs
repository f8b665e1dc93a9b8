//! Names of the programs, so that a loss can be counted by program.
//!
//! In: nothing. Out: [`Program`], and the layout of the per-CPU loss counters.

macro_rules! programs {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Who wanted to write. Several hooks of one fact share a name.
        #[repr(u32)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Program {
            $($(#[$doc])* $name,)*
        }

        impl Program {
            /// In the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As a `Loss` names it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

programs! {
    /// `tcp_connect`.
    Connect = "connect",
    /// `inet_sock_set_state`, for connects.
    Outcome = "outcome",
    /// `inet_sock_set_state`, for listeners.
    Listener = "listener",
    /// Entry and exit of the connect call.
    ConnectCall = "connect_call",
    /// `tcp_retransmit_skb`.
    SynRetransmit = "syn_retransmit",
    /// `tcp_send_reset` and its function hooks.
    ResetSent = "reset_sent",
    /// `tcp_receive_reset`.
    ResetReceived = "reset_received",
    /// `kfree_skb`.
    SynDropped = "syn_dropped",
    /// `icmp_send` and its function hooks.
    IcmpSent = "icmp_sent",
    /// `ip_vs_leave`.
    NoDestination = "no_destination",
    /// `ip_vs_conn_new`.
    IpvsChoice = "ipvs_choice",
    /// `ip_vs_{add,edit,del}_dest`.
    IpvsDestination = "ipvs_destination",
    /// `ip_vs_unlink_service`, `ip_vs_flush`.
    IpvsService = "ipvs_service",
    /// `tcp_retransmit_synack`.
    SynAckRetransmit = "syn_ack_retransmit",
    /// `tcp_conn_request`, `tcp_v{4,6}_syn_recv_sock`.
    BacklogFull = "backlog_full",
    /// `signal_generate`.
    Signal = "signal",
    /// `sched_process_exit`.
    Exit = "exit",
}

/// Programs with a second one that does the work when the kernel skips the first.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// The program `outcome`.
    Outcome,
    /// The program `listener`.
    Listener,
    /// The program `syn_dropped`.
    SynDropped,
    /// The program `reset_received`.
    ResetReceived,
    /// The program `reset_sent`.
    ResetSent,
    /// The program `icmp_sent`.
    IcmpSent,
}

impl Guarded {
    /// In the order of their counters.
    pub const ALL: &[Self] = &[
        Self::Outcome,
        Self::Listener,
        Self::SynDropped,
        Self::ResetReceived,
        Self::ResetSent,
        Self::IcmpSent,
    ];

    /// The first program's name in the object.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Listener => "listener",
            Self::SynDropped => "syn_dropped",
            Self::ResetReceived => "reset_received",
            Self::ResetSent => "reset_sent",
            Self::IcmpSent => "icmp_sent",
        }
    }
}

/// Where a program lost something.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossPlace {
    /// The ring was full.
    Ring,
    /// A map was full.
    Map,
}

impl LossPlace {
    /// Both.
    pub const ALL: &[Self] = &[Self::Ring, Self::Map];
}

/// Number of counters.
pub const LOSS_COUNTERS: u32 = (Program::ALL.len() * LossPlace::ALL.len()) as u32;

/// Index of a counter in the per-CPU array.
#[inline(always)]
pub const fn loss_counter(program: Program, place: LossPlace) -> u32 {
    program as u32 * LossPlace::ALL.len() as u32 + place as u32
}
