//! The library behind the `rollout` binary.
