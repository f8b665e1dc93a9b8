//! The end of a `trace`: what was printed, what was lost, what could not be seen. In: counts. Out: text or JSON. Pure.

use crate::present::escape;
use crate::present::text::stage;
use crate::record::meta::Loss;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a trace ends with.
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
    /// What could not be seen, by fact.
    pub blind: BTreeMap<String, String>,
}

/// How a loss is named in the footer.
pub fn loss_name(loss: &Loss) -> String {
    let stage = stage(loss.stage);
    if loss.program.is_empty() { stage.to_owned() } else { format!("{stage} ({})", loss.program) }
}

impl Footer {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{} events", self.printed);
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
            text.push_str(&format!(
                "  {} records skipped: the output was too slow\n",
                self.skipped
            ));
        }
        if self.overtaken > 0 {
            text.push_str(&format!(
                "  {} events out of order: later than --reorder-window\n",
                self.overtaken
            ));
        }
        for (fact, why) in &self.blind {
            text.push_str(&format!("  not seen: {why} ({fact})\n"));
        }
        text
    }

    /// For programs: one object of kind `end`.
    pub fn json(&self) -> String {
        serde_json::json!({ "kind": "end", "end": self }).to_string()
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
            blind: [("ipvs_choice".to_owned(), "backends of IPVS are not seen".to_owned())].into(),
        };
        let text = footer.text();
        for part in [
            "7 events, 3 lost",
            "3 lost at the ring buffer",
            "2 records skipped",
            "1 events out of order",
            "not seen: backends",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(Footer { printed: 1, ..Footer::default() }.text().contains("none lost"));
        assert!(footer.json().starts_with("{\"end\":"));
    }
}
