//! What this kernel's numbers are called: drop reasons, reset reasons, code addresses.

use std::collections::BTreeMap;

/// Filled once at load, from BTF and `/proc/kallsyms`; empty where they cannot be read.
#[derive(Debug, Default)]
pub struct Names {
    /// `enum skb_drop_reason`, without its prefix.
    pub drop_reasons: BTreeMap<u32, String>,
    /// `enum sk_rst_reason`, without its prefix.
    pub reset_reasons: BTreeMap<u32, String>,
    /// Functions by address.
    pub functions: Functions,
}

/// A reason's name, or its number where it has none.
pub fn reason(names: &BTreeMap<u32, String>, number: u32) -> String {
    names.get(&number).cloned().unwrap_or_else(|| format!("{number:#x}"))
}

/// Functions of the kernel in order of address. Names lie in one string: there are over a hundred thousand.
#[derive(Debug, Default)]
pub struct Functions {
    starts: Vec<(u64, u32)>,
    names: String,
}

impl Functions {
    /// Reads lines of `/proc/kallsyms`. Without permission all addresses are 0: then nothing is known.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let address = u64::from_str_radix(address, 16).unwrap_or(0);
            if address != 0 && matches!(kind, "t" | "T" | "w" | "W") {
                found.starts.push((address, found.names.len() as u32));
                found.names.push_str(name);
                found.names.push('\n');
            }
        }
        found.starts.sort_unstable();
        found
    }

    /// A function by name, or the compiler's variant of it (`name.isra.0`).
    pub fn variant_of(&self, function: &str) -> Option<&str> {
        let is_variant = |name: &&str| {
            name.strip_prefix(function).is_some_and(|rest| rest.starts_with(".isra."))
        };
        self.names
            .lines()
            .find(|name| *name == function)
            .or_else(|| self.names.lines().find(is_variant))
    }

    /// The function that an address lies in.
    pub fn at(&self, address: u64) -> Option<&str> {
        let after = self.starts.partition_point(|(start, _)| *start <= address);
        let (_, name) = self.starts.get(after.checked_sub(1)?)?;
        self.names.get(*name as usize..)?.lines().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_the_function_around_it() {
        let text = "0000000000001000 T first\n0000000000003000 d data\n0000000000002000 t second\t[ip_vs]\n";
        let functions = Functions::parse(text);
        assert_eq!(functions.at(0xfff), None);
        assert_eq!(functions.at(0x1000), Some("first"));
        assert_eq!(functions.at(0x1fff), Some("first"));
        assert_eq!(functions.at(0x3000), Some("second"));
    }

    #[test]
    fn f11_a_compilers_variant_of_a_function_is_found() {
        let text = "0000000000001000 t ip_vs_flush.isra.0\n0000000000002000 t ip_vs_flush_all\n";
        assert_eq!(Functions::parse(text).variant_of("ip_vs_flush"), Some("ip_vs_flush.isra.0"));
        assert_eq!(Functions::parse(text).variant_of("ip_vs"), None);
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        let functions = Functions::parse("0000000000000000 T first\n");
        assert_eq!(functions.at(0x1000), None);
    }
}
