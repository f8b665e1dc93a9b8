//! Checks of the running kernel: release, type information, kprobes, tracefs, lockdown.
//!
//! In: `/proc` and `/sys`. Out: checks of area `kernel`.

use super::{Area, Check, Options, Status, Tried};
use std::path::Path;

/// Older kernels refuse the programs: see `docs/kernel-support.md`.
const OLDEST: (u32, u32) = (5, 12);
/// The oldest kernel that the tests run on.
const TESTED: (u32, u32) = (6, 1);
/// Both byte orders of the magic number at the start of BTF.
const BTF_MAGIC: [[u8; 2]; 2] = [[0x9f, 0xeb], [0xeb, 0x9f]];

pub(super) fn checks(options: &Options) -> Vec<Check> {
    let sys = &options.sys;
    vec![
        release(&options.proc),
        btf(sys),
        module_btf(sys),
        kprobes(sys),
        tracefs(sys),
        lockdown(sys, &options.hooks),
    ]
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(Area::Kernel, name, status, detail)
}

fn release(proc: &Path) -> Check {
    let name = "release";
    let Ok(text) = std::fs::read_to_string(proc.join("sys/kernel/osrelease")) else {
        return check(name, Status::Unknown, "cannot be read");
    };
    let text = text.trim();
    match version(text) {
        None => check(name, Status::Unknown, format!("`{text}` is not understood")),
        Some(found) if found < OLDEST => {
            check(name, Status::Fail, format!("{text} cannot run the programs"))
                .remedy("use Linux 6.1 or later")
        }
        Some(found) if found < TESTED => {
            check(name, Status::Warn, format!("{text} is older than what is tested"))
                .remedy("use Linux 6.1 or later")
        }
        Some(_) => check(name, Status::Ok, text),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn btf(sys: &Path) -> Check {
    let path = sys.join("kernel/btf/vmlinux");
    match start_of(&path) {
        Ok(start) if BTF_MAGIC.contains(&start) => {
            check("BTF", Status::Ok, "the kernel's types can be read")
        }
        Ok(_) => check("BTF", Status::Fail, format!("`{}` is damaged", path.display())),
        Err(error) => {
            let detail = format!("`{}`: {error}; no program can be loaded", path.display());
            check("BTF", Status::Fail, detail)
                .remedy("use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount sysfs at /sys")
        }
    }
}

/// The file has some megabytes; its start tells enough.
fn start_of(path: &Path) -> std::io::Result<[u8; 2]> {
    use std::io::Read as _;
    let mut start = [0; 2];
    std::fs::File::open(path)?.read_exact(&mut start)?;
    Ok(start)
}

fn module_btf(sys: &Path) -> Check {
    let name = "BTF of ip_vs";
    if sys.join("kernel/btf/ip_vs").exists() {
        check(name, Status::Ok, "its types can be read")
    } else if sys.join("module/ip_vs/coresize").exists() {
        let detail = "ip_vs is loaded without its types: its changes are found by polling only";
        check(name, Status::Warn, detail)
            .remedy("use a kernel with CONFIG_DEBUG_INFO_BTF_MODULES=y")
    } else {
        check(name, Status::Ok, "ip_vs is not loaded as a module")
    }
}

fn kprobes(sys: &Path) -> Check {
    if sys.join("bus/event_source/devices/kprobe").exists() {
        check("kprobes", Status::Ok, "available")
    } else {
        let detail =
            "not available: what IPVS does is found by polling, and its choices by conntrack";
        check("kprobes", Status::Warn, detail).remedy("use a kernel with CONFIG_KPROBES=y")
    }
}

/// Not needed where fentry or raw tracepoints attach, which the hooks themselves tell.
fn tracefs(sys: &Path) -> Check {
    let at = ["kernel/tracing", "kernel/debug/tracing"].map(|place| sys.join(place).join("events"));
    match at.iter().find(|events| events.exists()) {
        Some(events) => check("tracefs", Status::Ok, format!("at `{}`", events.display())),
        None => check("tracefs", Status::Ok, "not mounted; only ordinary tracepoints need it"),
    }
}

fn lockdown(sys: &Path, hooks: &Tried) -> Check {
    let name = "lockdown";
    match std::fs::read_to_string(sys.join("kernel/security/lockdown")) {
        Ok(text) if text.contains("[confidentiality]") => {
            check(name, Status::Fail, "`confidentiality` forbids programs to read the kernel")
                .remedy("boot with lockdown=integrity, or without")
        }
        Ok(text) => {
            let mode = text.split(['[', ']']).nth(1).unwrap_or("none");
            check(name, Status::Ok, format!("`{mode}`"))
        }
        Err(_) if matches!(hooks, Tried::Attached(_)) => {
            check(name, Status::Ok, "programs attach, whatever it is")
        }
        Err(_) => check(name, Status::Unknown, "not shown here (no securityfs)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(path: &str, content: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        root
    }

    #[test]
    fn releases_are_told_apart() {
        let status = |text: &str| {
            let proc = with_file("sys/kernel/osrelease", text.as_bytes());
            release(proc.path()).status
        };
        assert_eq!(status("6.12.117-cloud-amd64\n"), Status::Ok);
        assert_eq!(status("6.1\n"), Status::Ok);
        assert_eq!(status("5.15.0-32\n"), Status::Warn);
        assert_eq!(status("5.10.0-32\n"), Status::Fail);
        assert_eq!(status("4.19.1\n"), Status::Fail);
        assert_eq!(status("unknown\n"), Status::Unknown);
    }

    #[test]
    fn without_btf_nothing_can_work() {
        let sys = with_file("kernel/btf/vmlinux", &[0x9f, 0xeb, 1, 0]);
        assert_eq!(btf(sys.path()).status, Status::Ok);
        let damaged = with_file("kernel/btf/vmlinux", b"no");
        assert_eq!(btf(damaged.path()).status, Status::Fail);
        let missing = btf(Path::new("/no/such/sys"));
        assert_eq!(missing.status, Status::Fail);
        assert!(missing.remedy.is_some_and(|remedy| remedy.contains("CONFIG_DEBUG_INFO_BTF")));
    }

    #[test]
    fn a_loaded_ip_vs_without_types_is_a_limit() {
        let sys = with_file("module/ip_vs/coresize", b"1\n");
        assert_eq!(module_btf(sys.path()).status, Status::Warn);
        assert_eq!(module_btf(Path::new("/no/such/sys")).status, Status::Ok);
    }

    #[test]
    fn lockdown_matters_only_in_its_strictest_form() {
        let nothing = Tried::No { reason: "not built in".into() };
        let status = |text: &str| {
            let sys = with_file("kernel/security/lockdown", text.as_bytes());
            lockdown(sys.path(), &nothing).status
        };
        assert_eq!(status("none [integrity] confidentiality\n"), Status::Ok);
        assert_eq!(status("none integrity [confidentiality]\n"), Status::Fail);
        assert_eq!(lockdown(Path::new("/no"), &nothing).status, Status::Unknown);
    }
}
