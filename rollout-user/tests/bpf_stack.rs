//! The embedded programs fit the stack of every kernel. Comes in: the object that the build made. Goes out: a failure
//! that names the program.
//!
//! The verifier adds up the stacks of a chain of calls, each rounded up to 32 bytes, and before Linux 6.13 refuses more
//! than 512 in all. This machine's kernel may be newer and accept what others refuse.

#![cfg(feature = "probe")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probes.bpf.o"));
/// `MAX_BPF_STACK`.
const LIMIT: u64 = 512;
/// The frame pointer's number.
const FRAME: u8 = 10;
/// `SHT_SYMTAB`.
const SYMBOLS: u64 = 2;
/// `SHT_REL`.
const RELOCATIONS: u64 = 9;
/// `STT_FUNC`.
const FUNCTION: u8 = 2;
/// `R_BPF_64_32`.
const CALL_OF_FUNCTION: u64 = 10;
const MOVE: u8 = 0xbf;
const ADD: u8 = 0x07;

fn number<const N: usize>(at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..N].copy_from_slice(&OBJECT[at..at + N]);
    u64::from_le_bytes(bytes)
}

struct Section {
    name: usize,
    kind: u64,
    is_code: bool,
    at: usize,
    size: usize,
    /// For relocations: the section that they are about.
    about: usize,
}

fn sections() -> Vec<Section> {
    let headers = number::<8>(40) as usize;
    (0..number::<2>(60) as usize)
        .map(|index| {
            let header = headers + index * 64;
            Section {
                name: number::<4>(header) as usize,
                kind: number::<4>(header + 4),
                is_code: number::<8>(header + 8) & 4 != 0,
                at: number::<8>(header + 24) as usize,
                size: number::<8>(header + 32) as usize,
                about: number::<4>(header + 44) as usize,
            }
        })
        .collect()
}

#[derive(Debug)]
struct Function {
    name: String,
    is_program: bool,
    /// Where its code lies: section, first byte in it, bytes.
    place: (usize, u64, u64),
    /// Bytes of stack, as the verifier rounds them.
    stack: u64,
    /// Positions in the list of functions.
    calls: Vec<usize>,
}

fn text(at: usize) -> String {
    let end = OBJECT[at..].iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8_lossy(&OBJECT[at..at + end]).into_owned()
}

fn functions() -> Vec<Function> {
    let sections = sections();
    let names = sections[number::<2>(62) as usize].at;
    let symbols = sections.iter().find(|section| section.kind == SYMBOLS).unwrap();
    let strings =
        sections.iter().find(|section| text(names + section.name) == ".strtab").unwrap().at;
    let mut functions: Vec<_> = (0..symbols.size / 24)
        .map(|index| symbols.at + index * 24)
        .filter(|symbol| OBJECT[symbol + 4] & 15 == FUNCTION)
        .filter_map(|symbol| {
            let index = number::<2>(symbol + 6) as usize;
            let section = sections.get(index)?;
            let (start, size) = (number::<8>(symbol + 8), number::<8>(symbol + 16));
            let at = section.at + start as usize;
            Some(Function {
                name: text(strings + number::<4>(symbol) as usize),
                is_program: section.is_code && text(names + section.name) != ".text",
                place: (index, start, size),
                stack: stack(&OBJECT[at..at + size as usize]),
                calls: Vec::new(),
            })
        })
        .collect();
    let at = |functions: &[Function], section: usize, offset: u64| {
        functions.iter().position(|it| {
            it.place.0 == section && (it.place.1..it.place.1 + it.place.2).contains(&offset)
        })
    };
    for relocations in sections.iter().filter(|section| section.kind == RELOCATIONS) {
        for entry in (0..relocations.size / 16).map(|index| relocations.at + index * 16) {
            if number::<4>(entry + 8) != CALL_OF_FUNCTION {
                continue;
            }
            let offset = number::<8>(entry);
            let symbol = symbols.at + number::<4>(entry + 12) as usize * 24;
            // A symbol of a whole section is at its start: then the instruction has the distance from there.
            let call = sections[relocations.about].at + offset as usize;
            let distance = (number::<4>(call + 4) as u32 as i32 + 1) as i64 * 8;
            let target = number::<8>(symbol + 8) + distance as u64;
            let to = at(&functions, number::<2>(symbol + 6) as usize, target).expect("a function");
            let from = at(&functions, relocations.about, offset).expect("a function");
            functions[from].calls.push(to);
        }
    }
    functions
}

/// The deepest chain of calls from a function.
fn chain(functions: &[Function], from: usize) -> u64 {
    let below = functions[from].calls.iter().map(|to| chain(functions, *to)).max();
    functions[from].stack + below.unwrap_or(0)
}

/// How far below the frame pointer the code reads or writes, or takes an address.
fn stack(code: &[u8]) -> u64 {
    let mut deepest = 0;
    let mut is_frame = [false; 11];
    is_frame[usize::from(FRAME)] = true;
    for instruction in code.chunks_exact(8) {
        let (to, from) = (instruction[1] & 15, instruction[1] >> 4);
        let offset = i64::from(i16::from_le_bytes([instruction[2], instruction[3]]));
        let value = i64::from(i32::from_le_bytes(instruction[4..8].try_into().unwrap()));
        let below = match instruction[0] {
            ADD if is_frame[usize::from(to)] => value,
            // Loads have the address in the source, stores in the destination.
            code if code & 7 == 1 && from == FRAME => offset,
            code if matches!(code & 7, 2 | 3) && to == FRAME => offset,
            _ => 0,
        };
        deepest = deepest.min(below);
        if to != FRAME && usize::from(to) < is_frame.len() {
            is_frame[usize::from(to)] = instruction[0] == MOVE && from == FRAME;
        }
    }
    deepest.unsigned_abs().max(1).next_multiple_of(32)
}

#[test]
fn every_chain_of_calls_fits_the_stack_of_older_kernels() {
    let functions = functions();
    assert!(functions.iter().filter(|it| it.is_program).count() > 20, "{functions:?}");
    assert!(functions.iter().any(|it| it.is_program && !it.calls.is_empty()), "{functions:?}");
    for (index, function) in functions.iter().enumerate() {
        let sum = chain(&functions, index);
        assert!(sum <= LIMIT, "`{}`: {sum} bytes", function.name);
    }
}
