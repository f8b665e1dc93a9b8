//! The full screen: pictures of given moments of updates, made in memory. In: scenarios and recordings. Out: text of screens.

#[path = "top/filters.rs"]
mod filters;
#[path = "top/hostile.rs"]
mod hostile;
#[path = "top/looks.rs"]
mod looks;
#[path = "top/moments.rs"]
mod moments;
#[path = "top/play.rs"]
mod play;
#[path = "top/updates.rs"]
mod updates;
