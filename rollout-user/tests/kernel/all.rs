//! Tests that need a kernel to themselves, and where each runs. Comes in: nothing. Goes out: the list [`TESTS`],
//! which the binaries `native` (this machine's kernel) and `guest` (init of a virtual machine) share.
//! To add a test: a function without arguments that panics when it fails, and a line in the list.
#![allow(clippy::unwrap_used, reason = "a test panics when something is not as expected")]

mod backlog;
mod child;
mod connects;
mod faults;
mod filters;
mod full_screen;
pub mod harness;
mod ipvs;
mod ipvs_admin;
mod ipvs_setup;
mod left_behind;
mod listeners;
mod losses;
mod modules;
mod platform;
mod processes;
mod resets;
mod rungs;
mod softirq;
mod space;
mod stopped_reader;
mod tables_conntrack;
mod tables_data_path;
mod tables_ipvs;
mod tables_network;
mod tables_pods;
mod trace;
mod ways_out;

use harness::{On, Test};

macro_rules! tests {
    ($($on:ident $module:ident::$name:ident),* $(,)?) => {
        &[$(Test { name: stringify!($name), on: On::$on, run: $module::$name }),*]
    };
}

/// Every test, in the order in which they run.
pub const TESTS: &[Test] = tests![
    Everywhere platform::the_kernel_has_type_information,
    Everywhere platform::rollout_runs,
    Guest platform::the_kernel_is_the_one_that_was_asked_for,
    Guest platform::ip_vs_is_loaded_and_has_type_information,
    Guest platform::the_file_systems_that_tracing_needs_are_mounted,
    Guest platform::programs_for_network_set_ups_run,
    Everywhere connects::an_accepted_connect_is_established_and_closed,
    Everywhere connects::an_accepted_connect_over_ipv6_is_established_and_closed,
    Everywhere connects::an_ipv4_mapped_connect_is_told_as_ipv4,
    Everywhere connects::f04_a_refused_connect_has_its_errno_and_its_reset,
    Everywhere connects::f04_a_refused_connect_over_ipv6_has_its_errno_and_its_reset,
    Everywhere connects::f04_a_connect_that_times_out_tells_its_retransmits_and_where_its_syns_went,
    Everywhere connects::f06_a_retransmit_that_was_not_sent_is_told_apart,
    Everywhere connects::f03_no_route_is_told_without_an_attempt,
    Everywhere connects::f03_a_prohibited_destination_is_told_without_an_attempt,
    Everywhere connects::f03_only_tcp_calls_are_told,
    Everywhere connects::a_neighbour_that_does_not_answer_makes_the_host_unreachable,
    Everywhere connects::f03_an_abandoned_connect_has_no_error,
    Everywhere connects::a_retransmitted_connect_succeeds_later,
    Everywhere connects::f05_a_socket_that_connects_again_is_another_attempt_with_its_own_port,
    Everywhere resets::f10_a_closed_port_answers_with_a_reset_without_a_socket,
    Everywhere resets::f10_a_closed_port_answers_with_a_reset_over_ipv6,
    Everywhere resets::an_established_connection_that_is_reset_carries_its_attempt,
    Everywhere resets::f07_unaccepted_connections_are_reset_when_their_listener_closes,
    Guest backlog::f08_each_syn_at_a_full_accept_queue_is_told,
    Guest backlog::f08_each_syn_at_a_full_accept_queue_is_told_over_ipv6,
    Guest backlog::f08_each_ipv4_syn_at_a_full_queue_of_ipv6_is_told,
    Guest backlog::f08_the_last_ack_at_a_full_accept_queue_is_told,
    Guest backlog::f08_the_last_ack_at_a_full_accept_queue_is_told_over_ipv6,
    Guest backlog::f08_the_last_ipv4_ack_at_a_full_queue_of_ipv6_is_told_once,
    Everywhere backlog::f08_a_queue_with_room_is_silent,
    Everywhere backlog::f08_counters_tell_what_a_full_accept_queue_dropped,
    Everywhere backlog::each_syn_ack_that_is_sent_again_is_told,
    Everywhere backlog::each_syn_ack_that_is_sent_again_is_told_over_ipv6,
    Everywhere backlog::each_syn_ack_of_an_ipv6_listener_to_ipv4_is_told_as_ipv4,
    Everywhere backlog::f17_syn_acks_that_are_sent_again_are_filtered_by_port,
    Everywhere listeners::f09_a_listener_opens_and_closes_once,
    Everywhere listeners::f09_a_listener_on_ipv6_opens_and_closes_once,
    Everywhere listeners::f09_every_child_of_a_listener_is_not_an_opening,
    Everywhere listeners::f09_a_failed_listen_opens_and_closes_its_own_socket_only,
    Everywhere listeners::f09_two_listeners_of_one_address_are_told_apart,
    Everywhere listeners::f09_an_mptcp_listener_is_told_once,
    Everywhere filters::f17_only_wanted_ports_are_told_until_the_filter_is_open_again,
    Everywhere filters::f17_a_namespace_that_was_denied_is_silent_and_an_unknown_one_is_not,
    Everywhere losses::a_burst_into_a_small_ring_is_delivered_or_counted_exactly,
    Everywhere losses::a_full_map_of_attempts_is_counted,
    Native stopped_reader::a_stopped_pager_stops_neither_the_trace_nor_its_recording,
    Native full_screen::a_full_screen_shows_events_follows_its_size_and_ends_with_q,
    Native full_screen::whatever_ends_it_the_terminal_is_given_back,
    Native full_screen::a_terminal_that_is_not_read_does_not_keep_it_from_ending,
    Everywhere tables_conntrack::f14_every_choice_is_seen_for_accepted_and_refused_backends_of_both_families,
    Everywhere tables_conntrack::f14_events_that_did_not_fit_are_a_loss,
    Everywhere tables_conntrack::f14_the_time_is_the_kernels_where_it_gives_one,
    Everywhere tables_conntrack::switched_off_events_show_in_the_settings_and_nothing_is_switched_on,
    Everywhere tables_conntrack::the_connection_table_is_told_when_it_changes,
    Guest tables_conntrack::a_full_connection_table_shows_in_its_counters,
    Native tables_data_path::a_fresh_namespace_has_none,
    Everywhere tables_data_path::the_table_of_kube_proxy_in_nftables_mode_is_found,
    Everywhere tables_data_path::chains_of_services_are_found_and_those_of_ipvs_mode_are_not,
    Native tables_data_path::chains_of_the_older_iptables_are_found,
    Everywhere tables_data_path::a_socket_balancer_is_found_by_its_connect_program,
    Guest tables_ipvs::the_table_is_read_for_both_families_with_weights,
    Guest tables_ipvs::f11_changes_are_found_by_polling_where_hooks_are_missing,
    Guest tables_ipvs::f14_conntrack_tells_the_backend_that_ipvs_chose,
    Guest tables_ipvs::f15_connections_of_ipvs_are_read_for_both_families,
    Everywhere tables_pods::f13_f17_a_new_pod_is_known_by_cgroup_namespace_and_listener_before_any_api_says_so,
    Everywhere tables_pods::f08_the_counters_of_each_pods_namespace_are_polled,
    Everywhere tables_pods::a_process_that_is_still_in_the_nodes_namespace_names_no_pod,
    Everywhere processes::f22_sigterm_for_a_containers_init_is_told_with_the_targets_cgroup,
    Everywhere processes::f22_an_init_without_a_handler_ignores_sigterm_and_is_killed,
    Everywhere processes::f22_only_signals_from_outside_for_an_init_are_told,
    Everywhere processes::f23_only_the_leaders_exit_is_told,
    Everywhere processes::f13_f19_a_connect_carries_the_cgroup_of_its_process,
    Everywhere processes::f17_a_denied_cgroup_is_silent_with_everything_below_it,
    Everywhere softirq::f18_every_retransmit_is_filtered_by_its_sockets_cgroup,
    Guest softirq::f18_a_denied_sockets_retransmit_stays_denied,
    Everywhere rungs::rung_connect_by_fentry,
    Everywhere rungs::rung_connect_by_kprobe,
    Everywhere rungs::rung_connect_by_raw_tracepoint,
    Everywhere rungs::rung_connect_call_by_fentry,
    Everywhere rungs::rung_connect_call_by_tracepoint,
    Everywhere rungs::rung_connect_call_by_raw_tracepoint,
    Everywhere rungs::rung_reset_sent_by_kprobe,
    Everywhere rungs::rung_reset_sent_by_raw_tracepoint,
    Everywhere rungs::rung_icmp_sent_by_raw_tracepoint,
    Everywhere rungs::rung_icmp_sent_by_kprobe,
    Everywhere rungs::doctor_tells_every_fact,
    Everywhere left_behind::nothing_stays_attached_after_a_kill,
    Everywhere faults::without_type_information_it_says_what_kernel_it_needs,
    Everywhere faults::without_a_right_it_says_which_ones_it_needs,
    Native ways_out::a_killed_recorder_leaves_all_that_was_written_before,
    Native ways_out::without_an_api_server_in_reach_it_traces_and_says_what_is_missing,
    Native ways_out::doctor_run_by_nobody_says_what_it_could_not_check,
    Native ways_out::a_network_namespace_that_is_left_out_is_not_traced,
    Everywhere faults::a_missing_hook_is_said_by_fact_at_the_end,
    Everywhere faults::f08_without_a_hook_full_accept_queues_are_counted,
    Everywhere faults::a_burst_into_a_small_ring_ends_with_exit_code_3,
    Guest faults::a_stepped_clock_moves_no_event_and_is_recorded,
    Everywhere rungs::messages_cost_nothing_when_they_are_off,
    Guest ipvs::f11_every_change_of_the_table_is_told_with_its_result,
    Guest ipvs::f01_a_retransmit_is_dropped_inside_ipvs_and_the_next_goes_to_another_pod,
    Guest ipvs::f27_without_a_nat_rule_the_retransmit_itself_moves_to_another_pod,
    Guest ipvs::f01_choices_of_refused_attempts_are_told,
    Guest ipvs::f02_a_service_without_pods_refuses_by_icmp,
    Guest ipvs::f02_a_service_without_pods_refuses_by_icmp_over_ipv6,
    Guest modules::ip_vs_that_is_loaded_later_is_hooked_then,
    Guest modules::ip_vs_that_is_loaded_again_is_hooked_again,
];
