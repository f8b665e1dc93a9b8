//! Filters of the event stream, as flags. What each means is decided in `stream::select`.

use crate::stream::select::EVENT_KINDS;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::net::IpAddr;

/// Which events to print; all conditions that are given must hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Events whose client or backend pod, or whose Service, is in this namespace.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Events whose client or backend pod has these labels, e.g. `app=web,tier!=cache`.
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = selector)]
    pub selector: Option<Selector>,
    /// Events whose client or backend is, or may be, this pod.
    #[arg(long, value_name = "NAME")]
    pub pod: Option<String>,
    /// Events of connections to this Service.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Events that have this address on either side, or as their backend.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub ip: Option<IpAddr>,
    /// As `--ip`, for a range such as `10.0.0.0/8`.
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub cidr: Option<Cidr>,
    /// Connections to these ports of a Service or a pod, e.g. `80,8080`; applied in the kernel by `trace` and `top`.
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Kinds of events, e.g. `connect_failed,syn_retransmit`.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(EVENT_KINDS))]
    pub kind: Vec<String>,
}

impl FilterArgs {
    /// The flags that nothing satisfies as long as pods and Services are not known.
    pub fn needing_cluster(&self) -> Vec<&'static str> {
        let given = [
            ("--namespace", self.namespace.is_some()),
            ("--selector", self.selector.is_some()),
            ("--pod", self.pod.is_some()),
            ("--service", self.service.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect()
    }
}

/// An address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether `ip` lies in the range. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.prefix);
                u32::from(network).checked_shr(shift) == u32::from(ip).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.prefix);
                u128::from(network).checked_shr(shift) == u128::from(ip).checked_shr(shift)
            }
            _ => false,
        }
    }
}

/// Parses `10.1.2.3` or `fd00::1`.
///
/// # Errors
/// When it is no address.
pub fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "give an address such as `10.1.2.3` or `fd00::1`".to_owned())
}

/// Parses `10.0.0.0/8` or `fd00::/8`.
///
/// # Errors
/// When address or prefix length cannot be read.
pub fn cidr(text: &str) -> Result<Cidr, String> {
    let form = "give a range such as `10.0.0.0/8` or `fd00::/8`";
    let (network, prefix) = text.split_once('/').ok_or(form)?;
    let network: IpAddr = network.parse().map_err(|_| form)?;
    let prefix: u8 = prefix.parse().map_err(|_| form)?;
    let longest = if network.is_ipv4() { 32 } else { 128 };
    if prefix > longest {
        return Err(format!("a prefix of this family has at most {longest} bits"));
    }
    Ok(Cidr { network, prefix })
}

/// An equality-based label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Equals(String, String),
    Differs(String, String),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Whether labels satisfy every requirement; `get` returns a label's value.
    pub fn matches(&self, get: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Equals(key, value) => get(key).as_ref() == Some(value),
            Requirement::Differs(key, value) => get(key).as_ref() != Some(value),
            Requirement::Exists(key) => get(key).is_some(),
            Requirement::Absent(key) => get(key).is_none(),
        })
    }
}

/// Parses `a=b,c==d,e!=f,g,!h`.
///
/// # Errors
/// When a part has no key, or uses set-based syntax.
pub fn selector(text: &str) -> Result<Selector, String> {
    text.split(',').map(|part| requirement(part.trim())).collect::<Result<_, _>>().map(Selector)
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let (requirement, key) = if let Some((key, value)) = part.split_once("!=") {
        (Requirement::Differs(key.trim().into(), value.trim().into()), key)
    } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (Requirement::Equals(key.trim().into(), value.trim().into()), key)
    } else if let Some(key) = part.strip_prefix('!') {
        (Requirement::Absent(key.trim().into()), key)
    } else {
        (Requirement::Exists(part.into()), part)
    };
    if key.trim().is_empty() || key.contains(['(', ')', ' ']) {
        return Err("give labels such as `app=web,tier!=cache`".to_owned());
    }
    Ok(requirement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let inside = |range: &str, ip: &str| {
            cidr(range).is_ok_and(|range| ip.parse().is_ok_and(|ip| range.contains(ip)))
        };
        assert!(inside("10.0.0.0/8", "10.255.0.1"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("0.0.0.0/0", "11.0.0.1"));
        assert!(inside("10.1.2.3/32", "::ffff:10.1.2.3"));
        assert!(inside("fd00::/8", "fd12::1"));
        assert!(!inside("::/0", "10.0.0.1"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "fd00::/129"] {
            assert!(cidr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn selectors() {
        let labels = [("app", "web"), ("tier", "front")];
        let get = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
        let matches = |text: &str| selector(text).is_ok_and(|selector| selector.matches(get));
        assert!(matches("app=web"));
        assert!(matches("app==web,tier!=cache,tier,!old"));
        assert!(!matches("app=api"));
        assert!(!matches("old"));
        for bad in ["", "=x", "app in (a)", ","] {
            assert!(selector(bad).is_err(), "{bad}");
        }
    }
}
