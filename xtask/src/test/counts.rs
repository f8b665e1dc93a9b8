//! How many tests passed, failed and were skipped. Comes in: numbers, or what libtest prints. Goes out: sums.

use std::fmt;

/// Results of a tier or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ran and were fine.
    pub passed: u64,
    /// Ran and were not, or could not run.
    pub failed: u64,
    /// Were left out on purpose.
    pub skipped: u64,
}

impl Counts {
    /// Adds the results of another part.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Sums every line `test result: …` that libtest printed into `text`; nothing when there is none.
    pub fn of_libtest(text: &str) -> Option<Self> {
        let mut sum = None;
        for line in text.lines() {
            // A marker may follow other output on its line.
            let Some((_, result)) = line.split_once("test result: ") else { continue };
            let number = |word: &str| {
                let part = result.split(['.', ';']).find(|part| part.trim().ends_with(word))?;
                part.trim().strip_suffix(word)?.trim().parse().ok()
            };
            let (Some(passed), Some(failed), Some(skipped)) =
                (number("passed"), number("failed"), number("ignored"))
            else {
                continue;
            };
            sum.get_or_insert_with(Self::default).add(Self { passed, failed, skipped });
        }
        sum
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_test_binaries_are_summed() {
        let text = "running 2 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
            noise\n\
            test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::of_libtest(text), Some(Counts { passed: 3, failed: 3, skipped: 1 }));
    }

    #[test]
    fn output_without_a_result_is_not_a_pass() {
        assert_eq!(Counts::of_libtest("running 2 tests\nKernel panic"), None);
        assert_eq!(Counts::of_libtest("test result: ok. many passed; 0 failed; 0 ignored"), None);
    }

    #[test]
    fn a_total_reads_as_the_contract_says() {
        let counts = Counts { passed: 4, failed: 0, skipped: 1 };
        assert_eq!(counts.to_string(), "4 passed, 0 failed, 1 skipped");
    }
}
