//! What is compared: statements with a witness's side, `rollout`'s side, and whether they agree.

use std::collections::BTreeMap;
use std::fmt;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What is stated.
    pub what: String,
    /// What the witness says.
    pub witness: String,
    /// What `rollout` says.
    pub rollout: String,
    /// Whether they agree.
    pub holds: bool,
}

/// All statements of a run, and how many SYNs each class had.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// In the order in which they were made.
    pub statements: Vec<Statement>,
    /// SYNs by class, as `rollout` classed them.
    pub classes: BTreeMap<String, u64>,
    /// What helps to understand a statement that does not hold.
    pub notes: Vec<String>,
}

impl Comparison {
    /// States that two values are equal.
    pub fn equal<T: PartialEq + fmt::Display>(&mut self, what: &str, witness: T, rollout: T) {
        let holds = witness == rollout;
        self.state(what, witness.to_string(), rollout.to_string(), holds);
    }

    /// States something with a verdict of its own.
    pub fn state(&mut self, what: &str, witness: String, rollout: String, holds: bool) {
        self.statements.push(Statement { what: what.to_owned(), witness, rollout, holds });
    }

    /// Whether all statements hold, and there are any.
    pub fn agrees(&self) -> bool {
        !self.statements.is_empty() && self.statements.iter().all(|statement| statement.holds)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "   statement: witness | rollout")?;
        for s in &self.statements {
            let mark = if s.holds { "ok" } else { "NO" };
            let line = format!("{mark} {}: {} | {}", s.what, s.witness, s.rollout);
            if line.chars().count() <= 80 {
                writeln!(f, "{line}")?;
            } else {
                writeln!(f, "{mark} {}:\n     {} | {}", s.what, s.witness, s.rollout)?;
            }
        }
        for note in &self.notes {
            writeln!(f, "-- {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stated_is_no_agreement() {
        let mut comparison = Comparison::default();
        assert!(!comparison.agrees());
        comparison.equal("a", 1, 1);
        assert!(comparison.agrees());
        comparison.equal("b", 1, 2);
        assert!(!comparison.agrees());
        assert!(comparison.to_string().contains("NO b"));
    }
}
