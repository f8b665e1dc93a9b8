//! Backend choices by NAT, seen as conntrack events of the node's namespace (F14).

use super::tables_network::{Network, PATIENCE, network, nft, set, until};
use rollout::record::kernel::{BackendChosen, Chooser};
use rollout::record::meta::Stage;
use rollout::record::table::ConntrackStats;
use rollout::record::{Body, Record};
use rollout::tables::conntrack::{self, Reader, settings, stats};
use rollout::tables::netns::Namespace;
use rollout::timeline::{Timeline, monotonic_ns, queue};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const RULES: &str = "\
table inet nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr 10.96.0.10 tcp dport 80 dnat ip to 10.2.0.2:8080
    ip daddr 10.96.0.10 tcp dport 81 dnat ip to 10.2.0.2:9
    ip6 daddr fd96::10 tcp dport 80 dnat ip6 to [fd02::2]:8080
    ip6 daddr fd96::10 tcp dport 81 dnat ip6 to [fd02::2]:9
    ip daddr 10.96.0.99 tcp dport 99 dnat ip to 10.2.0.2:8080
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip daddr 10.2.0.2 tcp dport 7070 masquerade
  }
}
";
/// Dialled last: its event comes after all others.
const LAST: &str = "10.96.0.99:99";

fn dial(net: &Network, address: &str) -> std::io::Result<SocketAddr> {
    let address: SocketAddr = address.parse().unwrap();
    let connect = || TcpStream::connect_timeout(&address, PATIENCE)?.local_addr();
    net.client.enter(connect).unwrap()
}

fn listen(net: &Network, address: &str) -> TcpListener {
    net.server.enter(|| TcpListener::bind(address)).unwrap().unwrap()
}

fn choices(timeline: &mut Timeline) -> Vec<Record> {
    let last: SocketAddr = LAST.parse().unwrap();
    until(timeline, |body| matches!(body, Body::BackendChosen(it) if it.flow.destination == last))
}

fn chosen(record: &Record) -> &BackendChosen {
    match &record.body {
        Body::BackendChosen(chosen) => chosen,
        other => panic!("unexpected {other:?}"),
    }
}

pub fn f14_every_choice_is_seen_for_accepted_and_refused_backends_of_both_families() {
    let net = network();
    nft(&net.node, RULES);
    let _listeners = [listen(&net, "10.2.0.2:8080"), listen(&net, "[fd02::2]:8080")];
    let _other = listen(&net, "10.2.0.2:7070");
    let (inlet, mut timeline) = queue(100);
    let _worker = conntrack::follow(&net.node, inlet).unwrap();

    let before_ns = monotonic_ns();
    let v4 = dial(&net, "10.96.0.10:80").unwrap();
    let v6 = dial(&net, "[fd96::10]:80").unwrap();
    let refused = std::io::ErrorKind::ConnectionRefused;
    assert_eq!(dial(&net, "10.96.0.10:81").unwrap_err().kind(), refused);
    assert_eq!(dial(&net, "[fd96::10]:81").unwrap_err().kind(), refused);
    // Neither a direct connection nor a masqueraded one is a choice.
    dial(&net, "10.2.0.2:8080").unwrap();
    dial(&net, "10.2.0.2:7070").unwrap();
    dial(&net, LAST).unwrap();

    let records = choices(&mut timeline);
    let seen: Vec<_> = records
        .iter()
        .map(chosen)
        .map(|it| format!("{} -> {}", it.flow.destination, it.backend))
        .collect();
    assert_eq!(
        seen,
        [
            "10.96.0.10:80 -> 10.2.0.2:8080",
            "[fd96::10]:80 -> [fd02::2]:8080",
            "10.96.0.10:81 -> 10.2.0.2:9",
            "[fd96::10]:81 -> [fd02::2]:9",
            "10.96.0.99:99 -> 10.2.0.2:8080",
        ]
    );
    for (record, client) in records.iter().zip([v4, v6]) {
        let it = chosen(record);
        assert_eq!((it.flow.source, it.flow.source_port), (Some(client.ip()), Some(client.port())));
    }
    for record in &records {
        let it = chosen(record);
        assert_eq!((it.by, it.netns.inum), (Chooser::Conntrack, net.node.inum()));
        assert!(record.time_ns >= before_ns && record.time_ns <= monotonic_ns());
    }
}

pub fn f14_events_that_did_not_fit_are_a_loss() {
    let net = network();
    nft(&net.node, RULES);
    let (inlet, mut timeline) = queue(10_000);
    let reader = Reader::subscribe(&net.node, inlet, 1).unwrap();
    // Nobody reads yet, so these cannot fit.
    for _ in 0..200 {
        dial(&net, "10.96.0.10:81").unwrap_err();
    }
    let since_ns = monotonic_ns();
    let _worker = reader.start().unwrap();
    let records = until(&mut timeline, |body| matches!(body, Body::Loss(_)));
    let Some(Body::Loss(loss)) = records.last().map(|record| &record.body) else { panic!() };
    assert_eq!((loss.stage, loss.count), (Stage::Conntrack, 0));
    assert!(loss.since_ns <= since_ns, "the loss must reach back to the last complete moment");
}

pub fn f14_the_time_is_the_kernels_where_it_gives_one() {
    let net = network();
    nft(&net.node, RULES);
    set(&net.node, "net/netfilter/nf_conntrack_timestamp", "1");
    let _listener = listen(&net, "10.2.0.2:8080");
    let (inlet, mut timeline) = queue(100);
    let reader = Reader::subscribe(&net.node, inlet, 1 << 20).unwrap();
    dial(&net, LAST).unwrap();
    let done_ns = monotonic_ns();
    // Arrival is later than this by construction, so that the two cannot be taken for each other.
    std::thread::sleep(Duration::from_millis(50));
    let _worker = reader.start().unwrap();
    let records = choices(&mut timeline);
    let at_ns = records.last().unwrap().time_ns;
    let margin_ns = 10_000_000;
    if kernel_is_at_least(6, 14) {
        assert!(at_ns <= done_ns + margin_ns, "{at_ns} is not the kernel's time ({done_ns})");
    } else {
        assert!(at_ns > done_ns, "older kernels give none: arrival");
    }
}

pub fn switched_off_events_show_in_the_settings_and_nothing_is_switched_on() {
    let net = network();
    nft(&net.node, RULES);
    set(&net.node, "net/netfilter/nf_conntrack_events", "0");
    let (inlet, _timeline) = queue(100);
    let _worker = conntrack::follow(&net.node, inlet).unwrap();
    let settings = net.node.enter(|| settings::read(Path::new("/proc"))).unwrap();
    assert_eq!(settings.events, Some(0));
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = rollout::tables::host::kernel_release();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (major, minor)
}

fn table(timeline: &mut Timeline, wanted: impl Fn(&ConntrackStats) -> bool) -> Vec<ConntrackStats> {
    let records = until(timeline, |body| matches!(body, Body::ConntrackStats(it) if wanted(it)));
    let stats = records.into_iter().filter_map(|record| match record.body {
        Body::ConntrackStats(stats) => Some(stats),
        _ => None,
    });
    stats.collect()
}

/// The first reading is told, then each that differs, and the end is read too.
pub fn the_connection_table_is_told_when_it_changes() {
    let net = network();
    nft(&net.node, RULES);
    let _listener = listen(&net, "10.2.0.2:8080");
    let node = || Namespace::open(Path::new(&net.node_path())).unwrap();
    let (inlet, mut timeline) = queue(1000);
    let worker = stats::follow(node(), Duration::from_millis(50), inlet).unwrap();
    let first = table(&mut timeline, |_| true);
    assert_eq!((first[0].count, first[0].netns.inum), (0, net.node.inum()));
    assert!(first[0].max > 0);
    // As long as nobody dials nothing changes, however often it is read.
    std::thread::sleep(Duration::from_millis(300));
    dial(&net, "10.96.0.10:80").unwrap();
    let after = table(&mut timeline, |stats| stats.count > 0);
    assert_eq!((after.len(), after[0].count), (1, 1), "{after:?}");
    drop(worker);

    let (inlet, mut timeline) = queue(1000);
    let worker = stats::follow(node(), Duration::from_secs(3600), inlet).unwrap();
    dial(&net, "10.96.0.10:80").unwrap();
    drop(worker);
    let all = table(&mut timeline, |stats| stats.count == 2);
    assert_eq!(all.len(), 2, "the base and the end: {all:?}");
}

/// The limit is one for the machine, so that only a guest can change it.
pub fn a_full_connection_table_shows_in_its_counters() {
    const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
    let before = std::fs::read_to_string(LIMIT).unwrap();
    let net = network();
    nft(&net.node, RULES);
    let _listener = listen(&net, "10.2.0.2:8080");
    let node = Namespace::open(Path::new(&net.node_path())).unwrap();
    let (inlet, mut timeline) = queue(1000);
    let _worker = stats::follow(node, Duration::from_millis(50), inlet).unwrap();
    let first = table(&mut timeline, |_| true);
    dial(&net, "10.2.0.2:8080").unwrap();
    std::fs::write(LIMIT, "1").unwrap();
    let address: SocketAddr = "10.2.0.2:8080".parse().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err();
    // The kernel allows one more than its limit.
    let refused = net.client.enter(|| (0..3).filter(|_| connect()).count());
    std::fs::write(LIMIT, before.trim()).unwrap();
    assert_ne!(refused.unwrap(), 0);
    let rose = table(&mut timeline, |stats| stats.drop > first[0].drop);
    assert_eq!(rose.last().unwrap().max, 1);
}
