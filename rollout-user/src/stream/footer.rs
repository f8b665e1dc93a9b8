//! The end of a stream: what was printed, what was lost, what could not be seen. In: counts. Out: text or JSON. Pure.

use crate::present::escape;
use crate::present::text::{stage, wrap};
use crate::record::meta::Loss;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a stream ends with.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Footer {
    /// Events printed.
    pub printed: u64,
    /// Lost events by stage and program.
    pub lost: BTreeMap<String, u64>,
    /// Records that the output was too slow for; a recording has them.
    pub skipped: u64,
    /// Events that came later than the reorder window and were printed out of order.
    pub overtaken: u64,
    /// Events that were forgotten before they were too old to be corrected: their tags may be out of date.
    pub given_up: u64,
    /// What could not be seen, by fact.
    pub blind: BTreeMap<String, String>,
}

/// How a loss is named in the footer.
pub fn loss_name(loss: &Loss) -> String {
    let stage = stage(loss.stage);
    if loss.program.is_empty() { stage.to_owned() } else { format!("{stage} ({})", loss.program) }
}

fn count(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl Footer {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = count(self.printed, "event");
        let lost: u64 = self.lost.values().sum();
        text.push_str(&if lost == 0 {
            ", none lost\n".to_owned()
        } else {
            format!(", {lost} lost\n")
        });
        for (name, count) in &self.lost {
            text.push_str(&format!("  {count} lost {}\n", escape::plain(name, 200)));
        }
        if self.skipped > 0 {
            let skipped = count(self.skipped, "record");
            text.push_str(&format!("  {skipped} skipped: the output was too slow\n"));
        }
        if self.overtaken > 0 {
            let overtaken = count(self.overtaken, "event");
            text.push_str(&format!("  {overtaken} out of order: they came too late\n"));
        }
        if self.given_up > 0 {
            let given_up = count(self.given_up, "event");
            text.push_str(&format!("  {given_up} not corrected any more: too many at once\n"));
        }
        if !self.blind.is_empty() {
            text.push_str("not seen, or only in part:\n");
        }
        for (fact, why) in &self.blind {
            let line = format!("{}: {}", escape::name(fact), escape::plain(why, 200));
            text.extend(wrap(2, 2, &line).into_iter().map(|line| format!("{line}\n")));
        }
        text
    }

    /// For programs: one object of kind `end`.
    pub fn json(&self) -> String {
        escape::json(&serde_json::json!({ "kind": "end", "end": self }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_blind_spots_are_named() {
        let footer = Footer {
            printed: 7,
            lost: [("at the ring buffer (connect)".to_owned(), 3)].into(),
            skipped: 2,
            overtaken: 1,
            given_up: 4,
            blind: [("ipvs_choice".to_owned(), "backends of IPVS are not seen".to_owned())].into(),
        };
        let text = footer.text();
        for part in [
            "7 events, 3 lost",
            "3 lost at the ring buffer",
            "2 records skipped",
            "1 event out of order",
            "4 events not corrected any more",
            "not seen, or only in part:\n  ipvs_choice: backends of IPVS are not seen\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(Footer { printed: 1, ..Footer::default() }.text(), "1 event, none lost\n");
        assert!(footer.json().starts_with("{\"end\":"));
    }
}
