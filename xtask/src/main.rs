//! Development commands of rollout: `cargo xtask …`.
fn main() {}
