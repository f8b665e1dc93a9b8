//! What set-up asks of the machine. Comes in: os-release, user, architecture, Go. Goes out: what stands in the way.

use crate::exec;
use std::path::Path;
use std::process::Command;

/// Oldest Go that builds Kubernetes 1.35 (its go.mod).
const GO_MINOR: u32 = 25;

/// The facts that decide whether set-up can run here.
pub struct Machine {
    /// `ID` and `ID_LIKE` of os-release.
    families: Vec<String>,
    /// Effective user is root.
    root: bool,
    architecture: &'static str,
    /// Minor version of Go 1.x, if one is on `PATH`.
    go_minor: Option<u32>,
}

impl Machine {
    /// Looks at this machine, with the system described by the file `os_release`.
    pub fn look(os_release: &Path) -> Self {
        let text = std::fs::read_to_string(os_release).unwrap_or_default();
        let user = exec::output(Command::new("id").arg("-u")).unwrap_or_default();
        let go = exec::output(Command::new("go").args(["env", "GOVERSION"])).unwrap_or_default();
        Self {
            families: families(&text),
            root: user.trim() == "0",
            architecture: std::env::consts::ARCH,
            go_minor: go_minor(&go),
        }
    }

    /// What no step can change, one sentence each.
    pub fn obstacles(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.families.iter().any(|family| family == "debian" || family == "ubuntu") {
            let name = self.families.first().map_or("unknown", String::as_str);
            found.push(format!("it runs `{name}`, packages come from Debian or Ubuntu"));
        }
        if !self.root {
            found.push("installing packages needs root".into());
        }
        if self.architecture != "x86_64" {
            found.push(format!("it is `{}`, the guests are x86_64", self.architecture));
        }
        match self.go_minor {
            None => found.push(format!("`go` 1.{GO_MINOR} or newer is not on the path")),
            Some(minor) if minor < GO_MINOR => {
                found.push(format!("`go` is 1.{minor}, 1.{GO_MINOR} or newer is needed"));
            }
            Some(_) => {}
        }
        found
    }
}

fn families(os_release: &str) -> Vec<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.map(|value| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
    };
    let both = format!("{} {}", value("ID="), value("ID_LIKE="));
    both.split_whitespace().map(str::to_owned).collect()
}

fn go_minor(version: &str) -> Option<u32> {
    version.trim().strip_prefix("go1.")?.split(['.', 'r', 'b']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(os_release: &str) -> Machine {
        Machine {
            families: families(os_release),
            root: true,
            architecture: "x86_64",
            go_minor: Some(26),
        }
    }

    #[test]
    fn debian_ubuntu_and_derivatives_are_fine() {
        for text in
            ["ID=debian\n", "ID=ubuntu\nID_LIKE=debian\n", "ID=mint\nID_LIKE=\"ubuntu debian\"\n"]
        {
            assert_eq!(machine(text).obstacles(), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn every_obstacle_is_named_at_once() {
        let machine = Machine {
            root: false,
            architecture: "aarch64",
            go_minor: Some(19),
            ..machine("NAME=\"Fedora Linux\"\nID=fedora\n")
        };
        let text = machine.obstacles().join("\n");
        for word in ["`fedora`", "root", "`aarch64`", "1.19"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn a_system_that_does_not_say_what_it_is_cannot_be_set_up() {
        assert_eq!(machine("").obstacles().len(), 1);
    }

    #[test]
    fn go_versions_are_read() {
        assert_eq!(go_minor("go1.26.8\n"), Some(26));
        assert_eq!(go_minor("go1.25rc1\n"), Some(25));
        assert_eq!(go_minor(""), None);
    }
}
