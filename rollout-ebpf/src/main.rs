//! Entry point of the eBPF object; on the host an empty program, so that the workspace builds as one.
fn main() {}
