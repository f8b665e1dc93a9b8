//! Rules about words that do not belong in the tree: paths of one machine, hosts that packages come from.
//! Comes in: a text file of any kind. Goes out: the lines with such a word.

use super::source::{Problem, Source};

/// Starts of paths that exist on one machine only, without their first slash, so that this file has none.
const PATHS: &[&str] = &["root/", "home/", "work/", "tmp/wt", "tmp/warm", "Users/"];
/// Hosts of package registries, in two parts for the same reason. Packages are named, never addressed.
const HOSTS: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("deb.debian", ".org"),
    ("security.debian", ".org"),
    ("archive.ubuntu", ".com"),
    ("proxy.golang", ".org"),
    ("static.rust-lang", ".org"),
];

/// No file names a path of the machine it was written on, or a registry's host. `Cargo.lock` is cargo's.
pub fn names_no_machine(source: &Source) -> Vec<Problem> {
    if source.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    // Its initrd mounts the guest's file system there.
    let is_in_guest = source.path.starts_with("xtask/lab/");
    let mut problems = Vec::new();
    for (index, text) in source.text.lines().enumerate() {
        let foreign = |path: &&&str| !(is_in_guest && **path == PATHS[0]) && has_path(text, path);
        for path in PATHS.iter().filter(foreign) {
            problems
                .push(Source::problem(index + 1, format!("`/{path}` is a path of one machine")));
        }
        for (name, end) in HOSTS {
            if text.contains(&format!("{name}{end}")) {
                problems.push(Source::problem(index + 1, "a registry's host is named"));
            }
        }
    }
    problems
}

/// Whether an absolute path that starts so is in the text; the same folder further down a path is another.
fn has_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let mut before = text[..at].chars().rev();
        let absolute = before.next() == Some('/');
        let inner = |it: char| it.is_alphanumeric() || "._-/}*)$~".contains(it);
        absolute && !before.next().is_some_and(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        names_no_machine(&Source { path: path.into(), text: text.into() }).len()
    }

    #[test]
    fn absolute_paths_of_one_machine_are_problems_in_any_file() {
        for start in PATHS {
            assert_eq!(problems("docs/a.md", &format!("see `/{start}a`")), 1, "{start}");
            assert_eq!(problems("a.rs", &format!("\"/{start}a\"")), 1, "{start}");
            assert_eq!(problems("a.rs", &format!("./{start}a and $DIR/{start}a")), 0, "{start}");
        }
    }

    #[test]
    fn the_guest_of_the_lab_has_a_root_of_its_own() {
        assert_eq!(problems("xtask/lab/initrd.sh", &format!("mount /dev/vda /{}dev", PATHS[0])), 0);
        assert_eq!(problems("xtask/lab/initrd.sh", &format!("cat /{}a", PATHS[1])), 1);
    }

    #[test]
    fn hosts_of_registries_are_problems_except_in_the_lock_file() {
        for (name, end) in HOSTS {
            let line = format!("https://{name}{end}/a");
            assert_eq!(problems("a.toml", &line), 1);
            assert_eq!(problems("Cargo.lock", &line), 0);
        }
    }
}
