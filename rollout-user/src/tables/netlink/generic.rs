//! Generic netlink: which number a family has.
//!
//! In: a family's name. Out: its message type, or `None`. The list of families is dumped rather than asked for by name,
//! because a question by name makes the kernel load the family's module.

use super::socket::{Answer, Netlink};
use super::wire::{self, Request};
use anyhow::Result;

/// `GENL_ID_CTRL`.
const CONTROL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Size of `struct genlmsghdr`.
pub const HEADER: usize = 4;

/// `struct genlmsghdr`: command and the family's version.
pub fn header(command: u8, version: u8) -> [u8; HEADER] {
    [command, version, 0, 0]
}

/// Finds the family `name`; `None`: no such family is registered.
pub fn family(netlink: &mut Netlink, name: &str) -> Result<Option<u16>> {
    let request = Request::new(CONTROL, wire::DUMP, &header(CTRL_CMD_GETFAMILY, 1));
    Ok(netlink.dump(&request)?.iter().find_map(|answer| family_of(answer, name)))
}

fn family_of(answer: &Answer, name: &str) -> Option<u16> {
    let mut id = None;
    let mut named = false;
    for attribute in wire::attributes(answer.payload.get(HEADER..)?).flatten() {
        match attribute.kind {
            CTRL_ATTR_FAMILY_ID => id = wire::host_u16(attribute.value),
            CTRL_ATTR_FAMILY_NAME => named = wire::text(attribute.value) == name,
            _ => {}
        }
    }
    id.filter(|_| named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_family_itself_is_listed_and_a_stranger_is_not() {
        let mut netlink = Netlink::open(rustix::net::netlink::GENERIC, None).unwrap();
        assert_eq!(family(&mut netlink, "nlctrl").unwrap(), Some(CONTROL));
        assert_eq!(family(&mut netlink, "rollout-test").unwrap(), None);
    }
}
