//! Questions to a [`Btf`].

use super::Btf;
use super::types::{Type, kind};
use std::collections::{BTreeMap, BTreeSet};

/// Modifiers and anonymous members are followed this far; real types need fewer than ten.
const MAX_DEPTH: u32 = 32;

impl Btf {
    /// Byte offsets of many fields at once, each as `structure.member.member`; a structure alone gives its size.
    /// Anonymous structures and unions are transparent. What is not there is left out of the answer.
    pub fn offsets<'p>(&self, paths: &[&'p str]) -> BTreeMap<&'p str, u32> {
        let wanted: BTreeSet<&str> =
            paths.iter().map(|path| path.split('.').next().unwrap_or(path)).collect();
        let mut found = BTreeMap::new();
        // A module may repeat a structure of the kernel: the first that has the field wins.
        for level in self.levels() {
            for (name, structure) in level.structures(&wanted) {
                for path in paths {
                    let mut parts = path.split('.');
                    if parts.next() != Some(name) || found.contains_key(path) {
                        continue;
                    }
                    if let Some(offset) = self.offset(structure, parts) {
                        found.insert(*path, offset);
                    }
                }
            }
        }
        found
    }

    fn levels(&self) -> impl Iterator<Item = &Btf> {
        std::iter::successors(Some(self), |level| level.base.as_deref())
    }

    fn own_types(&self) -> impl Iterator<Item = Type<'_>> {
        self.starts.iter().filter_map(|start| Type::parse(self.types.get(*start as usize..)?))
    }

    fn structures<'b>(&'b self, wanted: &BTreeSet<&str>) -> Vec<(&'b str, Type<'b>)> {
        self.own_types()
            .filter(|found| matches!(found.kind, kind::STRUCT | kind::UNION))
            .filter_map(|found| Some((self.name(found.name)?, found)))
            .filter(|(name, _)| wanted.contains(name))
            .collect()
    }

    fn offset<'p>(&self, start: Type<'_>, parts: impl Iterator<Item = &'p str>) -> Option<u32> {
        let mut structure = start;
        let mut offset = None;
        for part in parts {
            let (byte, type_id) = self.member(structure, part, 0)?;
            offset = Some(offset.unwrap_or(0u32).checked_add(byte)?);
            structure = self.bare(type_id).unwrap_or(structure);
        }
        offset.or(Some(structure.size_or_type))
    }

    fn member(&self, structure: Type<'_>, wanted: &str, depth: u32) -> Option<(u32, u32)> {
        if depth > MAX_DEPTH {
            return None;
        }
        structure.members().find_map(|member| {
            if member.name != 0 && self.name(member.name)? == wanted {
                return Some((member.byte?, member.type_id));
            }
            if member.name != 0 {
                return None;
            }
            let (inner, type_id) = self.member(self.bare(member.type_id)?, wanted, depth + 1)?;
            Some((member.byte?.checked_add(inner)?, type_id))
        })
    }

    /// A type without `const`, `volatile`, `restrict`, tags and typedefs.
    fn bare(&self, id: u32) -> Option<Type<'_>> {
        let mut found = self.get(id)?;
        for _ in 0..MAX_DEPTH {
            match found.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    found = self.get(found.size_or_type)?;
                }
                _ => return Some(found),
            }
        }
        None
    }

    /// Names of an enumeration by value; empty if there is none of that name.
    pub fn enumeration(&self, wanted: &str) -> BTreeMap<u32, String> {
        let is_wanted = |found: &Type<'_>| matches!(found.kind, kind::ENUM | kind::ENUM64);
        self.named(wanted, is_wanted).map_or_else(BTreeMap::new, |found| {
            found
                .values()
                .filter_map(|(name, value)| Some((value, self.name(name)?.to_owned())))
                .collect()
        })
    }

    /// Number of arguments that a tracepoint passes; `None` if this kernel does not have it.
    pub fn tracepoint_arguments(&self, tracepoint: &str) -> Option<usize> {
        let name = format!("btf_trace_{tracepoint}");
        let alias = self.named(&name, |found| found.kind == kind::TYPEDEF)?;
        let pointer = self.bare(alias.size_or_type)?;
        let prototype = self.bare(pointer.size_or_type)?;
        // The first is the tracepoint's own `void *`.
        prototype.parameters().checked_sub(1)
    }

    /// Whether a function is described, so that it can be an fentry target.
    pub fn has_function(&self, function: &str) -> bool {
        self.named(function, |found| found.kind == kind::FUNC).is_some()
    }

    fn named(&self, wanted: &str, is_wanted: impl Fn(&Type<'_>) -> bool) -> Option<Type<'_>> {
        self.levels().find_map(|level| {
            level
                .own_types()
                .find(|found| is_wanted(found) && level.name(found.name) == Some(wanted))
        })
    }
}
