//! Reading BTF, the kernel's own description of its types: where a field lies, what an enum's values are called, how
//! many arguments a function takes.
//!
//! In: the bytes of `/sys/kernel/btf/vmlinux`, or of a module's file, which continues the kernel's. Out: a [`Btf`]
//! to ask. The bytes are not trusted: anything malformed is an error or "not found", never a panic.

mod lookup;
mod types;

use anyhow::{Context as _, Result, bail};
use std::sync::Arc;
use types::Type;

const MAGIC: u16 = 0xeb9f;

/// A parsed file, with the one that it continues.
pub struct Btf {
    base: Option<Arc<Btf>>,
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where each type of this file begins in `types`.
    starts: Vec<u32>,
}

impl Btf {
    /// Parses the kernel's own file.
    pub fn parse(data: &[u8]) -> Result<Self> {
        Self::parse_split(data, None)
    }

    /// Parses a file whose type and string numbers continue those of `base`.
    pub fn parse_split(data: &[u8], base: Option<Arc<Btf>>) -> Result<Self> {
        let magic = half(data, 0).context("BTF is empty")?;
        if magic != MAGIC {
            bail!("BTF begins with {magic:#06x}, which is not its magic number");
        }
        let [header, type_start, type_length, string_start, string_length] =
            [4, 8, 12, 16, 20].map(|at| word(data, at).map(|value| value as usize));
        let section = |start: Option<usize>, length: Option<usize>| -> Option<&[u8]> {
            let start = header?.checked_add(start?)?;
            data.get(start..start.checked_add(length?)?)
        };
        let types = section(type_start, type_length).context("BTF types are cut short")?;
        let strings = section(string_start, string_length).context("BTF strings are cut short")?;
        let starts = starts(types)?;
        Ok(Self { base, types: types.to_vec(), strings: strings.to_vec(), starts })
    }

    /// Number of the first type of this file; 0 is `void`.
    fn first_id(&self) -> u32 {
        self.base.as_ref().map_or(1, |base| base.end_id())
    }

    fn end_id(&self) -> u32 {
        self.first_id().saturating_add(self.starts.len() as u32)
    }

    fn string_end(&self) -> u32 {
        let below = self.base.as_ref().map_or(0, |base| base.string_end());
        below.saturating_add(self.strings.len() as u32)
    }

    /// A type by number, of this file or of those below it.
    fn get(&self, id: u32) -> Option<Type<'_>> {
        match id.checked_sub(self.first_id()) {
            Some(index) => {
                let start = *self.starts.get(index as usize)? as usize;
                Type::parse(self.types.get(start..)?)
            }
            None => self.base.as_ref()?.get(id),
        }
    }

    /// A string by its offset.
    fn name(&self, offset: u32) -> Option<&str> {
        let own = self.base.as_ref().map_or(0, |base| base.string_end());
        match offset.checked_sub(own) {
            Some(offset) => {
                let rest = self.strings.get(offset as usize..)?;
                let end = rest.iter().position(|byte| *byte == 0)?;
                str::from_utf8(rest.get(..end)?).ok()
            }
            None => self.base.as_ref()?.name(offset),
        }
    }
}

/// Finds where each type begins; fails on a kind that this reader does not know, because its length is unknown too.
fn starts(types: &[u8]) -> Result<Vec<u32>> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < types.len() {
        let rest = types.get(at..).unwrap_or_default();
        let length = Type::parse(rest).with_context(|| {
            format!("BTF type {} at byte {at} is malformed or unknown", starts.len() + 1)
        })?;
        starts.push(at as u32);
        at += length.size();
    }
    Ok(starts)
}

fn half(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
