//! From records to the report: facts of the kernel, whole updates, and what must never happen.

#[path = "report/causes.rs"]
mod causes;
#[path = "support/command.rs"]
mod command;
#[path = "report/dial.rs"]
#[allow(dead_code, reason = "the builder serves several tests")]
mod dial;
#[path = "report/exit_codes.rs"]
mod exit_codes;
#[path = "report/facts.rs"]
mod facts;
#[path = "report/faults.rs"]
mod faults;
#[path = "report/hostile.rs"]
mod hostile;
#[path = "report/html.rs"]
mod html;
#[path = "report/junit.rs"]
mod junit;
#[path = "report/left_out.rs"]
mod left_out;
#[path = "report/lines.rs"]
mod lines;
#[path = "report/live.rs"]
mod live;
#[path = "report/properties.rs"]
mod properties;
#[path = "report/replay.rs"]
mod replay;
#[path = "report/scenarios.rs"]
mod scenarios;
#[path = "report/schema.rs"]
mod schema;
#[path = "report/services.rs"]
mod services;
#[path = "report/sets.rs"]
mod sets;
#[path = "report/world.rs"]
#[allow(dead_code, reason = "the builder serves several tests")]
mod world;
