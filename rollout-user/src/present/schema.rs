//! The JSON Schema of a report, made from the types that are written. `docs/report.schema.json` is what this gives.
//!
//! In: the types of [`Report`]. Out: one JSON document (draft 2020-12).

use crate::analyse::report::{REPORT_VERSION, Report};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

/// Renders the schema.
///
/// # Errors
/// When it cannot be written as JSON, which no schema of ours causes.
pub fn render() -> anyhow::Result<String> {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Report>();
    PlainText.transform(&mut schema);
    schema.insert("title".to_owned(), "Report of rollout".into());
    if let Some(version) = schema.pointer_mut("/properties/version") {
        *version = json!({ "const": REPORT_VERSION, "description": "Version of this form." });
    }
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Descriptions without the marks of Rust's documentation.
struct PlainText;

impl Transform for PlainText {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = plain(text);
        }
        transform_subschemas(self, schema);
    }
}

/// `` [`Report::attempts`](super::Report::attempts) `` is `` `attempts` `` to readers of JSON.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        out.push_str(before);
        out.push_str(&format!("`{}`", name.rsplit("::").next().unwrap_or(name)));
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    without_facts(&(out + rest).replace('\n', " ").replace("`None`", "`null`"))
}

/// Without the numbers of kernel facts, ` (F12)`, which are for readers of the code.
fn without_facts(text: &str) -> String {
    let mut parts = text.split(" (F");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| match part.split_once(')') {
        Some((number, rest)) if number.bytes().all(|c| c.is_ascii_digit()) => out + rest,
        _ => format!("{out} (F{part}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_documentation_become_names() {
        let text =
            "Positions in\n[`Report::attempts`](super::Report::attempts), see [`Syn`] and [x].";
        assert_eq!(plain(text), "Positions in `attempts`, see `Syn` and [x].");
        assert_eq!(plain("[`a"), "[`a");
        assert_eq!(plain("Sent (F6), `None` if not (Fnord)."), "Sent, `null` if not (Fnord).");
    }
}
