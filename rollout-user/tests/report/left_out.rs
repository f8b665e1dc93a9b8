//! Clients that the user wished to leave out count nowhere, whether the kernel has told of them or not.

use crate::scenarios::clean;
use crate::world::*;
use rollout::analyse::explain;
use rollout::analyse::report::Report;
use rollout::analyse::report::verdict::Doubt;
use rollout::present::text;
use rollout::record::Body;
use rollout::record::cluster::Pod;
use rollout::record::kernel::{Flow, Netns};
use rollout::record::meta::LeftOut;
use rollout::record::table::{Cgroup, CgroupOwner};

const CGROUP: u64 = 777;

/// A whole update with traffic, and a pod of namespace `monitoring` that dials the Service.
fn world(namespaces: &[&str]) -> World {
    let mut world = clean();
    for record in &mut world.records {
        if let Body::Header(header) = &mut record.body {
            let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
            header.left_out = LeftOut { namespaces, netns: Vec::new() };
        }
    }
    let mut pod = Pod {
        meta: meta("monitoring", "prober", "uid-prober"),
        node: Some("node1".into()),
        ips: vec![ip(3)],
        phase: "Running".into(),
        ready: true,
        ..Pod::default()
    };
    pod.meta.created = Some(UNIX - 4_010);
    let observed = world.observed("uid-prober", 19 * MS, true, pod);
    world.push(19 * MS, Body::Pod(observed));
    let owner = CgroupOwner::Pod { uid: "uid-prober".into(), container: None };
    world.push(19 * MS, Body::Cgroup(Cgroup { id: CGROUP, path: String::new(), owner }));
    world
}

fn flow(port: u16) -> Flow {
    Flow { source: Some(ip(3)), source_port: Some(port), destination: vip() }
}

/// One that fails, told by the kernel, and one of which the kernel tells the packet alone.
fn probe(mut world: World) -> Report {
    let netns = Netns { inum: 99, cookie: 99 };
    let mut told = world.dial_as(8 * S, flow(50_001), netns, CGROUP, "prober");
    told.chosen(20, 10);
    told.refused(220, 10);
    let mut untold = world.dial_as(8500 * MS, flow(50_002), netns, CGROUP, "prober");
    untold.chosen(20, 10);
    world.records.retain(|record| match &record.body {
        Body::Connect(connect) => connect.flow.source_port != Some(50_002),
        _ => true,
    });
    explain(&world.records)
}

#[test]
fn what_the_user_leaves_out_is_no_failure_and_no_doubt() {
    let counted = probe(world(&[]));
    assert_eq!(counted.verdict.failed, 1);
    assert!(counted.verdict.doubts.iter().any(|d| matches!(d, Doubt::ClientsElsewhere { .. })));
    let left_out = probe(world(&["monitoring"]));
    assert_eq!(left_out.verdict.failed, 0);
    assert_eq!(left_out.verdict.doubts, []);
    assert_eq!(left_out.verdict.exit_code, 0);
    assert_eq!(left_out.unmatched.choices, 0);
    let page = text::render(&left_out, text::Options { color: false, all: false });
    assert!(
        page.contains("left out by the user's wish: connections of pods of namespace"),
        "{page}"
    );
}
