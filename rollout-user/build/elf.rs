//! Checks that a file is a BPF object worth embedding: ELF64 for BPF, with BTF and at least one program.
//! Comes in: the bytes of the object. Goes out: what it holds, or why it must not be embedded.
//! It reads only section headers, never follows an offset outside the bytes and knows no relocations.

/// ELF machine number of BPF (`EM_BPF`, linux/elf-em.h).
const EM_BPF: u16 = 247;
/// Section type of a section with bytes in the file (`SHT_PROGBITS`).
const SHT_PROGBITS: u32 = 1;
/// Section flag of executable sections (`SHF_EXECINSTR`).
const SHF_EXECINSTR: u64 = 4;
/// Bytes of one 64-bit section header.
const SECTION_HEADER: usize = 64;

/// What an object that passed the check contains.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Bytes of type information in `.BTF`.
    pub btf_bytes: u64,
    /// Executable sections other than `.text` with at least one instruction.
    pub programs: usize,
}

/// Checks `object` and counts its programs.
///
/// # Errors
/// A sentence without a subject that says what is wrong with it, such as "has no program".
pub fn check(object: &[u8]) -> Result<Contents, String> {
    if object.is_empty() {
        return Err("is empty".into());
    }
    if object.get(..6) != Some(&[0x7f, b'E', b'L', b'F', 2, 1]) {
        return Err("is not a little-endian ELF64 file".into());
    }
    let machine = u16_at(object, 18)?;
    if machine != EM_BPF {
        return Err(format!("is for ELF machine {machine}, not for BPF ({EM_BPF})"));
    }
    let headers = usize_at(object, 40)?;
    let count = usize::from(u16_at(object, 60)?);
    let names = section(object, headers, usize::from(u16_at(object, 62)?))?;

    let mut contents = Contents { btf_bytes: 0, programs: 0 };
    for index in 0..count {
        let header = section(object, headers, index)?;
        if header.kind != SHT_PROGBITS || header.size == 0 {
            continue;
        }
        slice(object, header.offset, header.size)?;
        let name = name_at(object, &names, header.name)?;
        if name == b".BTF" {
            contents.btf_bytes = header.size;
        } else if header.flags & SHF_EXECINSTR != 0 && name != b".text" {
            contents.programs += 1;
        }
    }
    match contents {
        Contents { btf_bytes: 0, .. } => Err("has no type information (section `.BTF`)".into()),
        Contents { programs: 0, .. } => Err("has no program".into()),
        contents => Ok(contents),
    }
}

struct Section {
    name: usize,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
}

fn section(object: &[u8], headers: usize, index: usize) -> Result<Section, String> {
    let start = index
        .checked_mul(SECTION_HEADER)
        .and_then(|bytes| bytes.checked_add(headers))
        .ok_or_else(cut)?;
    let header =
        start.checked_add(SECTION_HEADER).and_then(|end| object.get(start..end)).ok_or_else(cut)?;
    Ok(Section {
        name: u32_at(header, 0)? as usize,
        kind: u32_at(header, 4)?,
        flags: u64_at(header, 8)?,
        offset: u64_at(header, 24)?,
        size: u64_at(header, 32)?,
    })
}

fn name_at<'a>(object: &'a [u8], names: &Section, at: usize) -> Result<&'a [u8], String> {
    let table = slice(object, names.offset, names.size)?;
    let name = table.get(at..).ok_or_else(cut)?;
    Ok(name.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn slice(object: &[u8], offset: u64, size: u64) -> Result<&[u8], String> {
    let start = usize::try_from(offset).map_err(|_| cut())?;
    let size = usize::try_from(size).map_err(|_| cut())?;
    let end = start.checked_add(size).ok_or_else(cut)?;
    object.get(start..end).ok_or_else(cut)
}

fn bytes<const N: usize>(object: &[u8], at: usize) -> Result<[u8; N], String> {
    let end = at.checked_add(N).ok_or_else(cut)?;
    object.get(at..end).and_then(|bytes| bytes.try_into().ok()).ok_or_else(cut)
}

fn u16_at(object: &[u8], at: usize) -> Result<u16, String> {
    bytes(object, at).map(u16::from_le_bytes)
}

fn u32_at(object: &[u8], at: usize) -> Result<u32, String> {
    bytes(object, at).map(u32::from_le_bytes)
}

fn u64_at(object: &[u8], at: usize) -> Result<u64, String> {
    bytes(object, at).map(u64::from_le_bytes)
}

fn usize_at(object: &[u8], at: usize) -> Result<usize, String> {
    u64_at(object, at).and_then(|value| usize::try_from(value).map_err(|_| cut()))
}

fn cut() -> String {
    "is cut short".into()
}
