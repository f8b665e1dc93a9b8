//! Entry point of the eBPF object; on the host an empty program, so that the workspace builds as one.
//! Comes in: nothing. Goes out: the ELF object `probes` with every program, the maps and BTF.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
mod probes;

#[cfg(target_arch = "bpf")]
mod entry {
    /// The licence the kernel asks for: GPL-compatible, as GPL-only helpers are used.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo) -> ! {
        loop {}
    }
}
