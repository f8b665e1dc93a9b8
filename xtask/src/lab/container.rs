//! Container images of the lab, as tars that `ctr images import` reads. Comes in: files, or the guest's packages.
//! Goes out: a tar with one layer, its configuration and a manifest (the layout of `docker save`).

use crate::exec;
use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tar::{Builder, EntryType, Header};

/// The image of every pod's sandbox.
pub const PAUSE: &str = "docker.io/lab/pause:1";
/// The web server behind the proxy.
pub const SERV: &str = "docker.io/lab/serv:1";
/// The proxy.
pub const GATEWAY: &str = "docker.io/lab/gateway:1";

/// An image to write.
#[derive(Default)]
pub struct Image {
    /// Path in the image (without the first slash) and content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Folders that every user may write to.
    pub folders: Vec<String>,
    /// What it runs.
    pub entrypoint: Vec<String>,
    /// The signal that asks it to stop, where it is not SIGTERM.
    pub stop_signal: Option<&'static str>,
}

impl Image {
    /// An image that holds one static program and runs it.
    pub fn of_program(name: &str, content: Vec<u8>) -> Self {
        Self {
            files: BTreeMap::from([(format!("bin/{name}"), content)]),
            folders: vec!["tmp".into()],
            entrypoint: vec![format!("/bin/{name}")],
            stop_signal: None,
        }
    }

    /// Writes it to the file `target` under the name `reference`. The same image gives the same bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, reference: &str, target: &Path) -> Result<()> {
        let layer = self.layer()?;
        let config = serde_json::to_vec(&json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "StopSignal": self.stop_signal.unwrap_or("SIGTERM"),
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hash(&layer))]},
            "history": [{"created_by": "rollout lab"}],
        }))?;
        let name = format!("{}.json", hash(&config));
        let manifest = serde_json::to_vec(&json!([
            {"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}
        ]))?;
        let file = fs::File::create(target)
            .with_context(|| format!("failed to make `{}`", target.display()))?;
        let mut archive = Builder::new(file);
        for (name, content) in
            [(name.as_str(), &config), ("layer.tar", &layer), ("manifest.json", &manifest)]
        {
            append(&mut archive, name, content, 0o644)?;
        }
        archive.into_inner()?;
        Ok(())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for folder in &self.folders {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o1777);
            header.set_size(0);
            archive.append_data(&mut header, format!("{folder}/"), &[][..])?;
        }
        for (name, content) in &self.files {
            append(&mut archive, name, content, 0o755)?;
        }
        Ok(archive.into_inner()?)
    }
}

/// Adds a file that belongs to root and has no time.
///
/// # Errors
/// When the archive cannot be written.
pub fn append<W: std::io::Write>(
    archive: &mut Builder<W>,
    name: &str,
    content: &[u8],
    mode: u32,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, content)?;
    Ok(())
}

/// The proxy's image: nginx and its libraries out of the guest's packages in `root`.
///
/// # Errors
/// When nginx is not there.
pub fn gateway(root: &Path, target: &Path) -> Result<()> {
    let text = exec::output(Command::new("chroot").arg(root).args(["ldd", "/usr/sbin/nginx"]))?;
    let libraries = text.lines().filter_map(|line| {
        let path = line.split_once("=> ").map_or(line, |(_, path)| path);
        path.split_whitespace().next().filter(|path| path.starts_with('/'))
    });
    let mut image = Image {
        entrypoint: vec!["/usr/sbin/nginx".into(), "-c".into(), "/etc/gateway/nginx.conf".into()],
        folders: vec!["tmp".into()],
        // As in nginx's own images: end gracefully.
        stop_signal: Some("SIGQUIT"),
        ..Image::default()
    };
    for path in libraries.chain(["/usr/sbin/nginx"]) {
        let name = path.trim_start_matches('/');
        let content =
            fs::read(root.join(name)).with_context(|| format!("failed to read `{name}`"))?;
        image.files.insert(name.to_owned(), content);
    }
    image.files.insert("etc/passwd".into(), b"root:x:0:0:root:/:/bin/false\n".to_vec());
    image.files.insert("etc/group".into(), b"root:x:0:\n".to_vec());
    image.write(GATEWAY, target)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_its_layer_by_content_and_is_reproducible() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::of_program("serv", b"program".to_vec());
        let write = |name: &str| {
            let path = folder.path().join(name);
            image.write(SERV, &path).unwrap();
            fs::read(path).unwrap()
        };
        let bytes = write("a");
        assert_eq!(bytes, write("b"));
        let mut names = Vec::new();
        let mut config = String::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            if name.len() > 60 {
                std::io::Read::read_to_string(&mut entry, &mut config).unwrap();
            }
            names.push(name);
        }
        assert_eq!(names[1..], ["layer.tar", "manifest.json"]);
        assert!(config.contains(&hash(&image.layer().unwrap())), "{config}");
    }
}
