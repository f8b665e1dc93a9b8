//! Changes of the IPVS table where the kernel's own functions cannot be hooked: two reads compared.
//!
//! In: tables. Out: `IpvsDestination { polled: true }` and `IpvsServiceGone`, at the time of the later read; the change
//! lies between the two. What came and went between two reads is not seen.

use crate::record::Body;
use crate::record::kernel::{DestinationChange, IpvsDestination, IpvsServiceGone};
use crate::record::meta::{Loss, Stage};
use crate::record::table::{IpvsRealServer, IpvsService, IpvsTable};
use crate::tables::netns::Namespace;
use crate::tables::worker::Worker;
use crate::timeline::{Inlet, monotonic_ns};
use anyhow::Result;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Compares the table of `namespace` with `first`, then with each reading before, every `interval`.
/// A read that fails is pushed as a loss of stage `table`.
pub fn follow(
    namespace: Namespace,
    first: IpvsTable,
    interval: Duration,
    inlet: Inlet,
) -> Result<Worker> {
    Worker::start("rollout-ipvs", move |stop| {
        let mut before = first;
        let mut read_ns = monotonic_ns();
        while stop.sleep(interval) {
            let now_ns = monotonic_ns();
            match super::read(&namespace) {
                Ok(after) => {
                    let after = after
                        .unwrap_or_else(|| IpvsTable { netns: before.netns, services: Vec::new() });
                    for body in compare(&before, &after) {
                        inlet.push_now(body);
                    }
                    before = after;
                    read_ns = now_ns;
                }
                Err(_) => {
                    let program = "ipvs".to_owned();
                    inlet.push_now(Body::Loss(Loss {
                        stage: Stage::Table,
                        program,
                        count: 0,
                        since_ns: read_ns,
                    }));
                }
            }
        }
    })
}

/// What must have happened between two readings, services in the order of their addresses.
pub fn compare(before: &IpvsTable, after: &IpvsTable) -> Vec<Body> {
    let old = by_address(before);
    let new = by_address(after);
    let mut changes = Vec::new();
    for address in old.keys().filter(|address| !new.contains_key(address)) {
        let service = Some(*address);
        changes.push(Body::IpvsServiceGone(IpvsServiceGone { service, netns: before.netns }));
    }
    for (address, service) in &new {
        let none = BTreeMap::new();
        let was = old.get(address).unwrap_or(&none);
        let mut change = |change, destination: SocketAddr, weight| {
            changes.push(Body::IpvsDestination(IpvsDestination {
                change,
                service: Some(*address),
                destination,
                weight,
                result: 0,
                polled: true,
                netns: after.netns,
            }));
        };
        for (destination, server) in service {
            match was.get(destination) {
                None => change(DestinationChange::Add, *destination, Some(server.weight)),
                Some(old) if old.weight != server.weight => {
                    change(DestinationChange::Edit, *destination, Some(server.weight));
                }
                Some(_) => {}
            }
        }
        for destination in was.keys().filter(|destination| !service.contains_key(destination)) {
            change(DestinationChange::Delete, *destination, None);
        }
    }
    changes
}

type Servers<'a> = BTreeMap<SocketAddr, &'a IpvsRealServer>;

fn by_address(table: &IpvsTable) -> BTreeMap<SocketAddr, Servers<'_>> {
    table.services.iter().map(|service| (service.address, servers(service))).collect()
}

fn servers(service: &IpvsService) -> Servers<'_> {
    service.destinations.iter().map(|server| (server.address, server)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(services: &[(&str, &[(&str, i32)])]) -> IpvsTable {
        let services = services
            .iter()
            .map(|(address, servers)| IpvsService {
                address: address.parse().unwrap(),
                scheduler: "rr".into(),
                destinations: servers
                    .iter()
                    .map(|(address, weight)| IpvsRealServer {
                        address: address.parse().unwrap(),
                        weight: *weight,
                        active: 0,
                        inactive: 0,
                    })
                    .collect(),
            })
            .collect();
        IpvsTable { services, ..Default::default() }
    }

    fn described(before: &IpvsTable, after: &IpvsTable) -> Vec<String> {
        compare(before, after)
            .into_iter()
            .map(|body| match body {
                Body::IpvsDestination(change) => {
                    assert!(change.polled && change.result == 0);
                    format!("{:?} {} {:?}", change.change, change.destination, change.weight)
                }
                Body::IpvsServiceGone(gone) => format!("gone {}", gone.service.unwrap()),
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_difference_is_one_change_and_sameness_is_none() {
        let before = table(&[("10.96.0.1:80", &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])]);
        let after = table(&[("10.96.0.1:80", &[("10.0.0.1:80", 0), ("10.0.0.3:80", 1)])]);
        assert_eq!(
            described(&before, &after),
            ["Edit 10.0.0.1:80 Some(0)", "Add 10.0.0.3:80 Some(1)", "Delete 10.0.0.2:80 None"]
        );
        assert!(described(&after, &after).is_empty());
    }

    #[test]
    fn f11_a_deleted_service_is_one_event_without_deletes_of_its_destinations() {
        let before = table(&[("10.96.0.1:80", &[("10.0.0.1:80", 1)]), ("[fd00::1]:80", &[])]);
        let after = table(&[("[fd00::1]:80", &[("[fd00::5]:80", 1)])]);
        assert_eq!(described(&before, &after), ["gone 10.96.0.1:80", "Add [fd00::5]:80 Some(1)"]);
    }
}
