//! The build script embeds a real object or fails with a hint. Comes in: the script itself, compiled here, with
//! toolchains made for the purpose. Goes out: what it prints, and whether it left an object.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../build/elf.rs"]
mod elf;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// The script in a folder of its own, ready to run.
struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    fn compile() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["out", "package", "toolchain/bin", "cache/bpf-linker-0.13.0/bin"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        let status = Command::new("rustc")
            .args(["--edition=2024", "-o"])
            .arg(folder.path().join("script"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/build.rs"))
            .status()
            .unwrap();
        assert!(status.success());
        Self { folder }
    }

    fn path(&self, part: &str) -> std::path::PathBuf {
        self.folder.path().join(part)
    }

    /// A toolchain whose cargo runs `body`, with `$object` the place where the object belongs.
    fn toolchain(&self, body: &str) {
        let object = self.path("out/bpf/bpfel-unknown-none/release/probes");
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        let text = format!("#!/bin/sh\nobject={}\n{body}\n", object.display());
        program(&self.path("toolchain/bin/cargo"), &text);
        program(&self.path("toolchain/bin/rustc"), "#!/bin/sh\n");
        program(&self.path("cache/bpf-linker-0.13.0/bin/bpf-linker"), "#!/bin/sh\n");
        let core = self.path("toolchain/lib/rustlib/src/rust/library/core/src");
        fs::create_dir_all(&core).unwrap();
        fs::write(core.join("lib.rs"), "").unwrap();
    }

    fn run(&self, with_probes: bool) -> Output {
        let mut command = Command::new(self.path("script"));
        // The rest of the environment could name another linker or cache.
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("OUT_DIR", self.path("out"))
            .env("CARGO_MANIFEST_DIR", self.path("package"))
            .env("ROLLOUT_BPF_TOOLCHAIN", self.path("toolchain"))
            .env("ROLLOUT_CACHE", self.path("cache"));
        if with_probes {
            command.env("CARGO_FEATURE_PROBE", "1");
        }
        command.output().unwrap()
    }

    /// Runs and expects a failure that says `reason` and leaves no object.
    fn fails(&self, reason: &str) {
        let output = self.run(true);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{text}");
        assert!(text.contains(reason), "{reason} in {text}");
        assert!(text.contains("cargo::error=hint: run cargo xtask setup"), "{text}");
        assert!(!self.path("out/probes.bpf.o").exists());
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_the_feature_no_toolchain_is_asked_for() {
    let output = Script::compile().run(false);
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains("error"));
}

#[test]
fn a_build_without_a_real_object_fails_with_a_hint_and_embeds_nothing() {
    let script = Script::compile();
    script.fails("bin/cargo` is missing");
    script.toolchain("echo 'linking with `bpf-linker` failed' >&2; exit 101");
    script.fails("linking with `bpf-linker` failed");
    script.toolchain("exit 0");
    script.fails("failed to read");
    script.toolchain(": >$object");
    script.fails("is empty");
    script.toolchain("echo text >$object");
    script.fails("is not a little-endian ELF64 file");
    fs::remove_file(script.path("cache/bpf-linker-0.13.0/bin/bpf-linker")).unwrap();
    script.fails("bpf-linker` is missing");
}

/// An object with the sections `names`, all with 8 bytes; those that start with `raw_tp` are executable.
fn object(names: &[&str], machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    let mut table = Vec::new();
    let mut headers = Vec::new();
    for name in names.iter().chain(&[".strtab"]) {
        let mut header = vec![0; 64];
        header[..4].copy_from_slice(&u32::try_from(table.len()).unwrap().to_le_bytes());
        header[4] = if *name == ".strtab" { 3 } else { 1 };
        header[8] = if name.starts_with("raw_tp") || *name == ".text" { 6 } else { 0 };
        header[24..32].copy_from_slice(&64_u64.to_le_bytes());
        header[32..40].copy_from_slice(&8_u64.to_le_bytes());
        headers.push(header);
        table.extend_from_slice(name.as_bytes());
        table.push(0);
    }
    bytes.resize(72, 0);
    let names_at = bytes.len() as u64;
    bytes.extend_from_slice(&table);
    let last = headers.last_mut().unwrap();
    last[24..32].copy_from_slice(&names_at.to_le_bytes());
    last[32..40].copy_from_slice(&(table.len() as u64).to_le_bytes());
    let headers_at = bytes.len() as u64;
    bytes[40..48].copy_from_slice(&headers_at.to_le_bytes());
    let count = u16::try_from(headers.len()).unwrap();
    bytes[60..62].copy_from_slice(&count.to_le_bytes());
    bytes[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    bytes.extend(headers.concat());
    bytes
}

#[test]
fn an_object_needs_type_information_and_a_program() {
    let good = object(&[".text", "raw_tp/a", "raw_tp/b", ".BTF"], 247);
    assert_eq!(elf::check(&good), Ok(elf::Contents { btf_bytes: 8, programs: 2 }));
    let problem = |names: &[&str], machine| elf::check(&object(names, machine)).unwrap_err();
    assert_eq!(problem(&["raw_tp/a"], 247), "has no type information (section `.BTF`)");
    assert_eq!(problem(&[".text", ".BTF"], 247), "has no program");
    assert!(problem(&["raw_tp/a", ".BTF"], 62).contains("machine 62"));
}

#[test]
fn every_cut_object_is_refused_without_a_panic() {
    let good = object(&["raw_tp/a", ".BTF"], 247);
    for length in 0..good.len() {
        assert!(elf::check(&good[..length]).is_err(), "{length} bytes");
    }
}
