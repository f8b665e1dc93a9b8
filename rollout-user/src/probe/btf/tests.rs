//! The reader against a file made by hand, against damage, and against the running kernel.

use super::Btf;
use proptest::prelude::*;
use std::sync::Arc;

/// Writes BTF: the sections in order, with a header.
fn file(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut data = vec![0x9f, 0xeb, 1, 0];
    let lengths = [24, 0, types.len(), types.len(), strings.len()];
    data.extend(lengths.iter().flat_map(|value| (*value as u32).to_le_bytes()));
    data.extend(types);
    data.extend(strings);
    data
}

/// `struct outer { int a; union { int b; const struct inner c; }; int field: 3; }`, `enum reason { R_ONE = 1 }`, and
/// `typedef void (*btf_trace_t)(void *, int, int)`.
fn kernel() -> Vec<u8> {
    let strings = b"\0outer\0a\0b\0c\0inner\0d\0field\0reason\0R_ONE\0btf_trace_t\0int\0";
    let at = |name: &str| {
        let needle = [b"\0", name.as_bytes(), b"\0"].concat();
        strings.windows(needle.len()).position(|window| window == needle).unwrap() as u32 + 1
    };
    let kind = |kind: u32, count: u32| kind << 24 | count;
    let types = [
        vec![at("int"), kind(1, 0), 4, 32], // 1
        vec![at("inner"), kind(4, 2), 16, at("a"), 1, 0, at("d"), 1, 64], // 2
        vec![0, kind(10, 0), 2],            // 3 const inner
        vec![0, kind(5, 2), 16, at("b"), 1, 0, at("c"), 3, 0], // 4
        vec![
            at("outer"),
            kind(4, 3) | 1 << 31,
            32,
            at("a"),
            1,
            0,
            0,
            4,
            64,
            at("field"),
            1,
            3 << 24 | 192,
        ], // 5
        vec![at("reason"), kind(6, 1), 4, at("R_ONE"), 1], // 6
        vec![0, kind(13, 3), 0, 0, 0, 0, 1, 0, 1], // 7
        vec![0, kind(2, 0), 7],             // 8
        vec![at("btf_trace_t"), kind(8, 0), 8], // 9
    ];
    file(&types.concat(), strings)
}

#[test]
fn fields_are_found_through_anonymous_unions_and_modifiers() {
    let btf = Btf::parse(&kernel()).unwrap();
    let paths = ["outer.a", "outer.b", "outer.c.d", "outer.nothing", "outer.field", "outer"];
    let found = btf.offsets(&paths);
    assert_eq!(found.get("outer.a"), Some(&0));
    assert_eq!(found.get("outer.b"), Some(&8));
    assert_eq!(found.get("outer.c.d"), Some(&16));
    assert_eq!(found.get("outer"), Some(&32));
    assert_eq!(found.get("outer.nothing"), None);
    assert_eq!(found.get("outer.field"), None, "a bit field has no byte offset");
}

#[test]
fn enum_values_and_tracepoint_arguments_are_found() {
    let btf = Btf::parse(&kernel()).unwrap();
    assert_eq!(btf.enumeration("reason").get(&1).map(String::as_str), Some("R_ONE"));
    assert!(btf.enumeration("none").is_empty());
    assert_eq!(btf.tracepoint_arguments("t"), Some(2));
    assert_eq!(btf.tracepoint_arguments("u"), None);
}

#[test]
fn a_module_continues_the_numbers_of_the_kernel() {
    let base = Btf::parse(&kernel()).unwrap();
    let strings = b"module\0e\0";
    let own = base.string_end();
    // Its one type is number 10, its strings begin where the kernel's end; member `e` is the kernel's type 2.
    let types = [own, 4 << 24 | 1, 24, own + 7, 2, 64];
    let module = Btf::parse_split(&file(&types, strings), Some(Arc::new(base))).unwrap();
    let found = module.offsets(&["module.e.d", "outer.c.d"]);
    assert_eq!(found.get("module.e.d"), Some(&16));
    assert_eq!(found.get("outer.c.d"), Some(&16));
}

#[test]
fn damage_is_an_error_and_a_type_that_refers_to_itself_ends() {
    assert!(Btf::parse(&[]).is_err());
    assert!(Btf::parse(&[0; 64]).is_err());
    let whole = kernel();
    assert!(Btf::parse(&whole[..whole.len() - 1]).is_err());
    let unknown_kind = file(&[0, 31 << 24, 0], b"\0");
    assert!(Btf::parse(&unknown_kind).is_err());
    // `typedef btf_trace_x btf_trace_x`, and a structure whose anonymous member is itself.
    let types = [1, 8 << 24, 1, 13, 4 << 24 | 1, 8, 0, 2, 0];
    let circular = Btf::parse(&file(&types, b"\0btf_trace_x\0s\0")).unwrap();
    assert_eq!(circular.tracepoint_arguments("x"), None);
    assert!(circular.offsets(&["s.member"]).is_empty());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(noise in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..400, at in 0usize..400) {
        let mut data = kernel();
        data.truncate(cut);
        for (index, byte) in noise.iter().enumerate() {
            if let Some(target) = data.get_mut(at.saturating_add(index)) {
                *target = *byte;
            }
        }
        if let Ok(btf) = Btf::parse(&data) {
            btf.offsets(&["outer.c.d", "inner.d", "outer"]);
            btf.enumeration("reason");
            btf.tracepoint_arguments("t");
        }
    }
}

#[test]
fn the_running_kernel_is_understood() {
    let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        // A kernel without BTF: nothing to compare with.
        return;
    };
    let btf = Btf::parse(&data).unwrap();
    let found = btf.offsets(&["sock.__sk_common.skc_num", "sock.sk_err", "upid"]);
    // `skc_num` stands behind `skc_dport` in one word since Linux 3.8; `struct upid` is an int and a pointer.
    assert_eq!(found.get("sock.__sk_common.skc_num"), Some(&14));
    assert_eq!(found.get("upid"), Some(&16));
    assert!(found.contains_key("sock.sk_err"));
    assert_eq!(btf.tracepoint_arguments("inet_sock_set_state"), Some(3));
    assert!(btf.has_function("tcp_connect"));
}
