//! Causes against truth: whole updates made by a model of pods, proxy and clients that knows what it did to each connect.
//!
//! In: plans in `tests/score/plans/*.toml`, and a fresh seed for each run. Out: how often each cause was named rightly. The
//! truth is the model's own log of what happened to whom; no rule has a part in it.

#[path = "score/campaign.rs"]
mod campaign;
#[path = "score/clients.rs"]
mod clients;
#[path = "report/dial.rs"]
#[allow(dead_code, reason = "the builder serves several tests")]
mod dial;
#[path = "score/judge.rs"]
mod judge;
#[path = "score/model.rs"]
mod model;
#[path = "score/plan.rs"]
mod plan;
#[path = "attribute/random.rs"]
#[allow(dead_code, reason = "the source serves several tests")]
mod random;
#[path = "score/told.rs"]
mod told;
#[path = "report/world.rs"]
#[allow(dead_code, reason = "the builder serves several tests")]
mod world;
