//! IPVS with real traffic: a client, a node that balances, two pods, each in a namespace of its own.
//! Comes in: changes of the table as kube-proxy makes them. Goes out: every change, every choice, every SYN that
//! reached no pod.

use super::connects::{connect_to, failure_of, start_connect};
use super::ipvs_setup::{add, add_service, delete, delete_service, edit, flush};
use super::space::{Space, drop_syns, kernel_counter, run, set};
use super::trace::Trace;
use rollout::record::kernel::{DestinationChange, IpvsDestination};
use rollout::record::{Body, Record};
use std::net::{SocketAddr, TcpListener, TcpStream};

const SERVICE: &str = "10.96.0.10:80";
const POD_A: &str = "10.1.1.2:8080";
const POD_B: &str = "10.1.2.2:8080";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// The node in the middle, with the service's address on a dummy device as kube-proxy puts it.
struct Cluster {
    node: Space,
    client: Space,
    pods: [Space; 2],
}

impl Cluster {
    /// Leaves this thread in the node's namespace.
    fn new() -> Self {
        let cluster =
            Self { node: Space::new(), client: Space::new(), pods: [Space::new(), Space::new()] };
        cluster.node.join();
        set("ipv4/ip_forward", "1");
        set("ipv4/conf/all/rp_filter", "0");
        set("ipv4/vs/expire_nodest_conn", "1");
        set("ipv4/vs/conntrack", "1");
        run("ip link add kube-ipvs0 type dummy");
        run("ip address add 10.96.0.10/32 dev kube-ipvs0");
        for (number, space) in
            [&cluster.pods[0], &cluster.pods[1], &cluster.client].iter().enumerate()
        {
            let number = number + 1;
            let name = space.name();
            run(&format!("ip link add veth{number} type veth peer name eth0 netns {name}"));
            run(&format!("ip address add 10.1.{number}.1/24 dev veth{number}"));
            run(&format!("ip link set veth{number} up"));
            run(&format!("ip -n {name} address add 10.1.{number}.2/24 dev eth0"));
            run(&format!("ip -n {name} link set eth0 up"));
            run(&format!("ip -n {name} route add default via 10.1.{number}.1"));
        }
        cluster
    }

    /// A NAT chain registers conntrack: entries get confirmed, and IPVS takes its other branch (F27).
    fn with_nat_rule(&self) {
        run("nft add table ip rollout_nat");
        run("nft add chain ip rollout_nat post { type nat hook postrouting priority 100 ; }");
        run("nft add rule ip rollout_nat post ip daddr 10.9.9.9 masquerade");
    }
}

fn changes(records: &[Record], node: &Space) -> Vec<IpvsDestination> {
    let ours = |record: &Record| match &record.body {
        Body::IpvsDestination(it) if it.netns.inum == node.inum => Some(it.clone()),
        _ => None,
    };
    records.iter().filter_map(ours).collect()
}

pub fn f11_every_change_of_the_table_is_told_with_its_result() {
    let cluster = Cluster::new();
    let trace = Trace::with_ipvs();
    assert!(trace.is_served("ipvs_destination", "kprobe"), "{:?}", trace.hook("ipvs_destination"));
    let (service, a, b) = (at(SERVICE), at(POD_A), at(POD_B));
    add_service(service);
    add(service, a, 1).unwrap();
    assert!(add(service, a, 1).is_err(), "it is there already");
    add(service, b, 3).unwrap();
    edit(service, a, 0).unwrap();
    delete(service, a).unwrap();
    assert!(delete(service, a).is_err(), "it is gone already");
    delete_service(service);
    add_service(service);
    flush();
    let records = trace.finish();
    let told: Vec<_> = changes(&records, &cluster.node)
        .into_iter()
        .map(|it| {
            assert_eq!((it.service, it.polled), (Some(service), false));
            (it.change, it.destination, it.weight, it.result)
        })
        .collect();
    use DestinationChange::{Add, Delete, Edit};
    assert_eq!(
        told,
        [
            (Add, a, Some(1), 0),
            (Add, a, Some(1), -libc::EEXIST),
            (Add, b, Some(3), 0),
            (Edit, a, Some(0), 0),
            (Delete, a, None, 0),
            (Delete, a, None, -libc::ENOENT),
        ]
    );
    let gone: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::IpvsServiceGone(it) if it.netns.inum == cluster.node.inum => Some(it.service),
            _ => None,
        })
        .collect();
    // The deletion of the service says nothing of its destination; a flush names the table, then each service.
    assert_eq!(gone.first(), Some(&Some(service)), "{gone:?}");
    assert!(gone.contains(&None), "{gone:?}");
}

/// Backends of a client's flow to the service, in order of time.
fn choices(records: &[Record], source_port: u16) -> Vec<SocketAddr> {
    let mut found: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::BackendChosen(it) if it.flow.source_port == Some(source_port) => {
                assert_eq!(it.flow.destination, at(SERVICE));
                Some((record.time_ns, it.backend))
            }
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, backend)| backend).collect()
}

/// Pod A does not answer, gets weight 0 while the client waits, and pod B takes over. Returns how many SYNs of the
/// client were dropped inside the node, and how many it sent in all.
fn moves_to_another_pod(cluster: &Cluster) -> (usize, u64) {
    let (service, a, b) = (at(SERVICE), at(POD_A), at(POD_B));
    cluster.pods[0].join();
    drop_syns(a.port());
    cluster.pods[1].join();
    let _server = TcpListener::bind(b).unwrap();
    cluster.node.join();
    add_service(service);
    add(service, a, 1).unwrap();
    let mut trace = Trace::with_ipvs();
    cluster.client.join();
    let _socket = start_connect(service);
    let begun = connect_to(&mut trace, &cluster.client, service);
    trace.body("choice", |body| match body {
        Body::BackendChosen(it) if it.backend == a => Some(()),
        _ => None,
    });
    cluster.node.join();
    edit(service, a, 0).unwrap();
    add(service, b, 1).unwrap();
    let made = trace.body("established", |body| match body {
        Body::Established(it) if it.attempt == begun.attempt => Some(it.clone()),
        _ => None,
    });
    let port = made.flow.source_port.expect("a port");
    let records = trace.finish();
    assert_eq!(choices(&records, port), [a, b]);
    let dropped = records.iter().filter(|record| {
        matches!(&record.body, Body::SynDropped(it)
            if it.netns.inum == cluster.node.inum && it.flow.source_port == Some(port)
                && it.reason.as_deref() == Some("NETFILTER_DROP"))
    });
    let dropped = dropped.count();
    cluster.client.join();
    let sent = 1 + kernel_counter("TCPSynRetrans");
    let retransmits = records.iter().filter(|record| {
        matches!(&record.body, Body::SynRetransmit(it) if it.attempt == Some(begun.attempt) && it.errno.is_none())
    });
    assert_eq!(1 + retransmits.count() as u64, sent, "the kernel's own count");
    // Each SYN is accounted for: dropped by pod A, dropped inside IPVS, answered by pod B.
    let by_pod = records.iter().filter(|record| {
        matches!(&record.body, Body::SynDropped(it) if it.netns.inum == cluster.pods[0].inum)
    });
    assert_eq!(by_pod.count() as u64 + dropped as u64 + 1, sent);
    (dropped, sent)
}

pub fn f01_a_retransmit_is_dropped_inside_ipvs_and_the_next_goes_to_another_pod() {
    let cluster = Cluster::new();
    cluster.with_nat_rule();
    let (dropped, sent) = moves_to_another_pod(&cluster);
    assert_eq!(dropped, 1, "of {sent} SYNs");
}

pub fn f27_without_a_nat_rule_the_retransmit_itself_moves_to_another_pod() {
    let cluster = Cluster::new();
    let (dropped, sent) = moves_to_another_pod(&cluster);
    assert_eq!(dropped, 0, "of {sent} SYNs");
}

/// Every backend of attempts that fail: round robin over two pods, both of which refuse.
pub fn f01_choices_of_refused_attempts_are_told() {
    let cluster = Cluster::new();
    let (service, a, b) = (at(SERVICE), at(POD_A), at(POD_B));
    add_service(service);
    add(service, a, 1).unwrap();
    add(service, b, 1).unwrap();
    let mut trace = Trace::with_ipvs();
    cluster.client.join();
    for _ in 0..4 {
        assert!(TcpStream::connect(service).is_err());
    }
    let count = |records: &[Record]| {
        let refused = records
            .iter()
            .filter_map(|record| match &record.body {
                Body::ConnectFailed(it)
                    if it.flow.destination == service && it.errno == Some(libc::ECONNREFUSED) =>
                {
                    it.flow.source_port
                }
                _ => None,
            })
            .collect::<Vec<_>>();
        (refused.len() == 4).then_some(refused)
    };
    let ports = trace.wait("four refusals", count);
    let records = trace.finish();
    let chosen: Vec<_> = ports.iter().map(|port| choices(&records, *port)).collect();
    assert!(chosen.iter().all(|choices| choices.len() == 1), "{chosen:?}");
    let to_a = chosen.iter().filter(|choices| choices.as_slice() == [a]).count();
    assert_eq!(to_a, 2, "{chosen:?}");
    // The RST comes from the pod, not from the service.
    let answered = records.iter().filter(|record| {
        matches!(&record.body, Body::ResetSent(it)
            if it.flow.destination == a && it.netns.inum == cluster.pods[0].inum && !it.has_socket)
    });
    assert_eq!(answered.count(), 2);
}

/// A service without pods refuses by ICMP; the client is on the node itself.
fn refuses_by_icmp(service: SocketAddr, icmp: (u8, u8)) {
    let cluster = Cluster::new();
    add_service(service);
    if service.is_ipv6() {
        run(&format!("ip address add {}/128 dev kube-ipvs0 nodad", service.ip()));
        run("ip link set kube-ipvs0 up");
    }
    let mut trace = Trace::with_ipvs();
    let error = TcpStream::connect(service).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    let begun = connect_to(&mut trace, &cluster.node, service);
    assert_eq!(failure_of(&mut trace, begun.attempt).errno, Some(libc::ECONNREFUSED));
    let records = trace.finish();
    let port = records.iter().find_map(|record| match &record.body {
        Body::ConnectFailed(it) if it.attempt == begun.attempt => it.flow.source_port,
        _ => None,
    });
    let left = records.iter().filter(|record| {
        matches!(&record.body, Body::NoDestination(it)
            if it.netns.inum == cluster.node.inum && it.flow.source_port == port && it.flow.destination == service)
    });
    assert!(left.count() >= 1, "IPVS had no destination");
    let sent = records.iter().filter(|record| {
        matches!(&record.body, Body::IcmpSent(it)
            if it.flow.destination == service && (it.icmp_type, it.code) == icmp)
    });
    assert!(sent.count() >= 1, "ICMP was sent");
    let reset = records.iter().any(|record| {
        matches!(&record.body, Body::ResetReceived(it) if it.attempt == Some(begun.attempt))
    });
    assert!(!reset, "no RST was involved");
}

pub fn f02_a_service_without_pods_refuses_by_icmp() {
    refuses_by_icmp(at(SERVICE), (3, 3));
}

pub fn f02_a_service_without_pods_refuses_by_icmp_over_ipv6() {
    refuses_by_icmp(at("[fd96::10]:80"), (1, 4));
}
