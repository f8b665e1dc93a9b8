//! `rollout top` without its terminal: what the records of the stream add up to, and how a full screen shows it.
//!
//! In: records in order of arrival, the present time, keys. Out: cells of a screen. Pure: touches no clock, socket, file or
//! terminal. [`state::Top`] counts, [`view::View`] is what it looked like at one moment, [`draw::draw`] puts that on a screen.

mod attempts;
mod backends;
pub mod draw;
mod pods;
pub mod state;
pub mod ui;
mod updates;
pub mod view;
pub mod window;
