//! The IPVS reader against a real table: services and destinations of both families, changes found by polling,
//! connections, and conntrack's view of the same choice. Comes in: a guest with ip_vs. Goes out: a panic where they differ.

use super::ipvs_admin::Ipvs;
use super::tables_network::{Network, PATIENCE, network, nft, run, set, until};
use rollout::record::Body;
use rollout::record::kernel::{DestinationChange, Netns};
use rollout::record::meta::DataPath;
use rollout::tables::ipvs::{self, connections, poll};
use rollout::tables::{conntrack, data_path};
use rollout::timeline::{Next, Timeline, queue};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const SERVICE: &str = "10.96.0.10:80";
const SERVICE_V6: &str = "[fd96::10]:80";
const SERVER: &str = "10.2.0.2:8080";
const SERVER_V6: &str = "[fd02::2]:8080";

const TRACKING: &str = "\
table inet track {
  chain prerouting {
    type filter hook prerouting priority filter;
    ct state invalid drop
  }
}
";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A network whose node balances both service addresses to the server.
fn balanced() -> (Network, Ipvs) {
    let net = network();
    run(&net.node, "ip addr add 10.96.0.10/32 dev lo");
    run(&net.node, "ip addr add fd96::10/128 dev lo nodad");
    let mut table = Ipvs::open(&net.node);
    for (service, server) in [(SERVICE, SERVER), (SERVICE_V6, SERVER_V6)] {
        table.add_service(addr(service));
        table.add_destination(addr(service), addr(server), 1);
    }
    (net, table)
}

fn described(net: &Network) -> Vec<String> {
    let table = ipvs::read(&net.node).unwrap().expect("ip_vs is loaded");
    assert_eq!(table.netns, net.node.identify());
    let mut lines = Vec::new();
    for service in &table.services {
        lines.push(format!("{} {}", service.address, service.scheduler));
        for server in &service.destinations {
            lines.push(format!("  {} {}", server.address, server.weight));
        }
    }
    lines
}

pub fn the_table_is_read_for_both_families_with_weights() {
    let (net, mut table) = balanced();
    assert_eq!(
        described(&net),
        ["10.96.0.10:80 rr", "  10.2.0.2:8080 1", "[fd96::10]:80 rr", "  [fd02::2]:8080 1"]
    );
    table.set_weight(addr(SERVICE), addr(SERVER), 0);
    table.delete_destination(addr(SERVICE_V6), addr(SERVER_V6));
    assert_eq!(described(&net), ["10.96.0.10:80 rr", "  10.2.0.2:8080 0", "[fd96::10]:80 rr"]);
    let found = data_path::find(&net.node, None, Path::new("/proc"));
    assert_eq!((found.path, found.evidence.as_str()), (DataPath::Ipvs, "2 IPVS services"));
    // Another namespace has a table of its own.
    assert_eq!(ipvs::read(&net.client).unwrap().unwrap().services, []);
}

pub fn f11_changes_are_found_by_polling_where_hooks_are_missing() {
    let (net, mut table) = balanced();
    let first = ipvs::read(&net.node).unwrap().unwrap();
    let (inlet, mut timeline) = queue(100);
    let node = rollout::tables::netns::Namespace::open(Path::new(&net.node_path())).unwrap();
    let _worker = poll::follow(node, first, Duration::from_millis(20), inlet).unwrap();

    table.set_weight(addr(SERVICE), addr(SERVER), 0);
    let change = next_change(&mut timeline);
    assert_eq!(change, (DestinationChange::Edit, addr(SERVER), Some(0)));
    table.delete_destination(addr(SERVICE), addr(SERVER));
    let change = next_change(&mut timeline);
    assert_eq!(change, (DestinationChange::Delete, addr(SERVER), None));
    table.add_destination(addr(SERVICE_V6), addr("[fd02::3]:8080"), 7);
    let change = next_change(&mut timeline);
    assert_eq!(change, (DestinationChange::Add, addr("[fd02::3]:8080"), Some(7)));
    table.delete_service(addr(SERVICE_V6));
    match timeline.next(PATIENCE) {
        Next::Record(record) => match &record.body {
            Body::IpvsServiceGone(gone) => assert_eq!(gone.service, Some(addr(SERVICE_V6))),
            other => panic!("unexpected {other:?}"),
        },
        other => panic!("unexpected {other:?}"),
    }
}

fn next_change(timeline: &mut Timeline) -> (DestinationChange, SocketAddr, Option<i32>) {
    match timeline.next(PATIENCE) {
        Next::Record(record) => match &record.body {
            Body::IpvsDestination(it) if it.polled => (it.change, it.destination, it.weight),
            other => panic!("unexpected {other:?}"),
        },
        other => panic!("unexpected {other:?}"),
    }
}

fn dial(net: &Network, address: &str) -> TcpStream {
    let address = addr(address);
    net.client.enter(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap().unwrap()
}

fn listen(net: &Network, address: &str) -> TcpListener {
    net.server.enter(|| TcpListener::bind(address)).unwrap().unwrap()
}

pub fn f15_connections_of_ipvs_are_read_for_both_families() {
    let (net, _table) = balanced();
    let _listeners = [listen(&net, SERVER), listen(&net, SERVER_V6)];
    let clients = [dial(&net, SERVICE), dial(&net, SERVICE_V6)];
    let read = || connections::read(Path::new("/proc/thread-self/net"), Netns::default(), 100);
    let found = net.node.enter(read).unwrap().unwrap();
    let mut seen: Vec<_> =
        found.entries.iter().map(|it| (it.client, it.service, it.backend)).collect();
    seen.sort();
    let [v4, v6] = clients.map(|client| client.local_addr().unwrap());
    assert_eq!(seen, [(v4, addr(SERVICE), addr(SERVER)), (v6, addr(SERVICE_V6), addr(SERVER_V6))]);
    assert!(found.entries.iter().all(|it| it.state == "ESTABLISHED"), "{found:?}");
}

pub fn f14_conntrack_tells_the_backend_that_ipvs_chose() {
    let (net, _table) = balanced();
    set(&net.node, "net/ipv4/vs/conntrack", "1");
    // A namespace tracks connections only while some rule asks about them, as those of kube-proxy do.
    nft(&net.node, TRACKING);
    let _listener = listen(&net, SERVER);
    let (inlet, mut timeline) = queue(100);
    let _worker = conntrack::follow(&net.node, inlet).unwrap();
    let client = dial(&net, SERVICE).local_addr().unwrap();
    let records = until(&mut timeline, |body| matches!(body, Body::BackendChosen(_)));
    let Some(Body::BackendChosen(chosen)) = records.last().map(|record| &record.body) else {
        panic!("{records:?}");
    };
    assert_eq!((chosen.flow.destination, chosen.backend), (addr(SERVICE), addr(SERVER)));
    assert_eq!(chosen.flow.source_port, Some(client.port()));
}
