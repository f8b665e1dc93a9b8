//! Where fields lie in the running kernel: filled from its BTF at load, never compiled in.
//!
//! In: byte offsets that user space resolves from [`Offsets::PATHS`] and [`ModuleOffsets::PATHS`]. Out: constants
//! for the verifier (`OFFSETS` lies in read-only data, so branches on a missing field are pruned before they are
//! checked), and one map value for ip_vs, which may be loaded after the programs.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// This kernel has no such field.
pub const MISSING: u32 = u32::MAX;

macro_rules! offsets {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $path:literal,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
        pub struct $name {
            $(#[doc = concat!("`", $path, "`")] pub $field: u32,)*
        }

        impl $name {
            /// Structure, then members; anonymous structures and unions are transparent; a structure alone: its size.
            /// In the order of the fields.
            pub const PATHS: &[&str] = &[$($path,)*];
            /// Nothing is known.
            pub const UNKNOWN: Self = Self { $($field: MISSING,)* };
        }
    };
}

offsets! {
    /// Fields of the kernel proper, in bytes from the start of the structure.
    Offsets {
        sk_family: "sock.__sk_common.skc_family",
        sk_state: "sock.__sk_common.skc_state",
        sk_source4: "sock.__sk_common.skc_rcv_saddr",
        sk_destination4: "sock.__sk_common.skc_daddr",
        sk_source6: "sock.__sk_common.skc_v6_rcv_saddr",
        sk_destination6: "sock.__sk_common.skc_v6_daddr",
        sk_num: "sock.__sk_common.skc_num",
        sk_dport: "sock.__sk_common.skc_dport",
        sk_net: "sock.__sk_common.skc_net.net",
        sk_protocol: "sock.sk_protocol",
        sk_err: "sock.sk_err",
        sk_cgroup: "sock.sk_cgrp_data.cgroup",
        sk_backlog: "sock.sk_ack_backlog",
        sk_backlog_limit: "sock.sk_max_ack_backlog",
        inet_sport: "inet_sock.inet_sport",
        net_inum: "net.ns.inum",
        net_cookie: "net.net_cookie",
        skb_head: "sk_buff.head",
        skb_network: "sk_buff.network_header",
        skb_device: "sk_buff.dev",
        skb_socket: "sk_buff.sk",
        device_net: "net_device.nd_net.net",
        cgroup_kn: "cgroup.kn",
        cgroup_parent: "cgroup.self.parent",
        css_cgroup: "cgroup_subsys_state.cgroup",
        kn_id: "kernfs_node.id",
        task_pid: "task_struct.pid",
        task_tgid: "task_struct.tgid",
        task_comm: "task_struct.comm",
        task_leader: "task_struct.group_leader",
        task_thread_pid: "task_struct.thread_pid",
        task_cgroups: "task_struct.cgroups",
        task_exit_code: "task_struct.exit_code",
        task_files: "task_struct.files",
        css_set_default: "css_set.dfl_cgrp",
        css_set_subsys: "css_set.subsys",
        pid_level: "pid.level",
        pid_numbers: "pid.numbers",
        upid_nr: "upid.nr",
        upid_ns: "upid.ns",
        upid_size: "upid",
        files_fdt: "files_struct.fdt",
        fdtable_fd: "fdtable.fd",
        file_inode: "file.f_inode",
        file_private: "file.private_data",
        inode_mode: "inode.i_mode",
        socket_sk: "socket.sk",
        siginfo_code: "kernel_siginfo.si_code",
        regs_first: "pt_regs.di",
        regs_second: "pt_regs.si",
    }
}

offsets! {
    /// Fields of ip_vs, in bytes from the start of the structure.
    ModuleOffsets {
        param_ipvs: "ip_vs_conn_param.ipvs",
        param_client: "ip_vs_conn_param.caddr",
        param_virtual: "ip_vs_conn_param.vaddr",
        param_client_port: "ip_vs_conn_param.cport",
        param_virtual_port: "ip_vs_conn_param.vport",
        param_protocol: "ip_vs_conn_param.protocol",
        param_family: "ip_vs_conn_param.af",
        ipvs_net: "netns_ipvs.net",
        dest_weight: "ip_vs_dest.weight",
        service_family: "ip_vs_service.af",
        service_protocol: "ip_vs_service.protocol",
        service_address: "ip_vs_service.addr",
        service_port: "ip_vs_service.port",
        service_fwmark: "ip_vs_service.fwmark",
        service_ipvs: "ip_vs_service.ipvs",
        user_address: "ip_vs_dest_user_kern.addr",
        user_port: "ip_vs_dest_user_kern.port",
        user_weight: "ip_vs_dest_user_kern.weight",
        user_family: "ip_vs_dest_user_kern.af",
    }
}

/// What else the programs must know about this kernel before they are verified. 0 = no, 1 = yes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Features {
    /// `tcp_retransmit_skb` passes `err` (F6).
    pub retransmit_err: u32,
    /// `tcp_send_reset` passes `reason` (F10).
    pub reset_reason: u32,
    /// `kfree_skb` passes `reason`.
    pub drop_reason: u32,
    /// 1 + index in `css_set->subsys` of the cgroup v1 controller that names pods; 0: cgroup v2 (F19).
    pub cgroup_v1_subsys: u32,
    /// `__NR_connect`.
    pub connect_number: u32,
}

const _: () = assert!(size_of::<Offsets>() == Offsets::PATHS.len() * 4);
const _: () = assert!(size_of::<ModuleOffsets>() == ModuleOffsets::PATHS.len() * 4);
