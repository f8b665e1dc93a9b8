//! Runs commands in the guest: the host's end of the command channel. Comes in: words, input. Goes out: what the
//! command writes, while it runs, and its exit code. A command whose caller goes away is ended by the other end.

use super::channel::{self, Kind};
use super::place::{self, CHANNEL_PORT};
use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// A command that runs in the guest.
pub struct Running(TcpStream);

/// Starts a command.
///
/// # Errors
/// When the guest does not answer.
pub fn start(words: &[&str]) -> Result<Running> {
    let mut stream = connect()?;
    channel::write(&mut stream, Kind::Command, &serde_json::to_vec(words)?)?;
    Ok(Running(stream))
}

impl Running {
    /// Gives up when the guest says nothing for `limit`.
    ///
    /// # Errors
    /// When the limit is zero.
    pub fn with_limit(self, limit: Duration) -> Result<Self> {
        self.0.set_read_timeout(Some(limit))?;
        Ok(self)
    }

    /// Another handle of the same command, for its input.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn input(&self) -> Result<Input> {
        Ok(Input(self.0.try_clone()?))
    }

    /// Passes on what the command writes until it ends; returns its exit code.
    ///
    /// # Errors
    /// When the connection breaks or the output cannot be written.
    pub fn finish(mut self, mut out: impl Write, mut err: impl Write) -> Result<i32> {
        loop {
            let (kind, bytes) =
                channel::read(&mut self.0)?.context("the guest ended the connection")?;
            match kind {
                Kind::Output => {
                    out.write_all(&bytes)?;
                    out.flush()?;
                }
                Kind::Error => {
                    err.write_all(&bytes)?;
                    err.flush()?;
                }
                Kind::Exit => {
                    let code = <[u8; 4]>::try_from(bytes.as_slice());
                    return Ok(i32::from_be_bytes(code.context("a damaged exit code")?));
                }
                Kind::Command | Kind::Input => bail!("the guest sent a frame of the host"),
            }
        }
    }
}

/// Standard input of a command.
pub struct Input(TcpStream);

impl Input {
    /// Sends everything that `from` has, then the end.
    ///
    /// # Errors
    /// When the command is gone.
    pub fn send(&mut self, mut from: impl Read) -> Result<()> {
        let mut buffer = vec![0; channel::LARGEST];
        loop {
            let count = from.read(&mut buffer)?;
            channel::write(&mut self.0, Kind::Input, buffer.get(..count).unwrap_or_default())?;
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Ends the input: what the lab's own long-running commands take as the wish to end.
    ///
    /// # Errors
    /// When the command is gone.
    pub fn end(&mut self) -> Result<()> {
        Ok(channel::write(&mut self.0, Kind::Input, &[])?)
    }
}

/// A command that runs while the host does other things, its output going to files.
pub struct Background {
    name: String,
    input: Input,
    thread: JoinHandle<Result<i32>>,
}

impl Background {
    /// Starts a command with its standard output in `out` and its standard error in `err`.
    ///
    /// # Errors
    /// When the guest does not answer or a file cannot be made.
    pub fn start(words: &[&str], out: &Path, err: &Path) -> Result<Self> {
        let make = |path: &Path| {
            File::create(path).with_context(|| format!("failed to make `{}`", path.display()))
        };
        let (out, err) = (make(out)?, make(err)?);
        let running = start(words)?;
        let input = running.input()?;
        let thread = std::thread::spawn(move || running.finish(out, err));
        Ok(Self { name: words.join(" "), input, thread })
    }

    /// It has ended by itself.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends its input and waits for its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn end(mut self) -> Result<i32> {
        // It may have ended before.
        let _ = self.input.end();
        self.wait()
    }

    /// Waits for its end; returns its exit code.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn wait(self) -> Result<i32> {
        let name = self.name;
        let result = self.thread.join().map_err(|_| anyhow!("the reader of `{name}` panicked"))?;
        result.with_context(|| format!("`{name}` in the guest"))
    }
}

/// Runs a command and returns what it wrote to standard output.
///
/// # Errors
/// When it fails; the error ends with what it wrote to standard error.
pub fn output(words: &[&str]) -> Result<Vec<u8>> {
    with_input(words, io::empty())
}

/// As [`output`], as text without the last line's end.
///
/// # Errors
/// As [`output`].
pub fn text(words: &[&str]) -> Result<String> {
    Ok(String::from_utf8_lossy(&output(words)?).trim_end().to_owned())
}

/// Copies bytes into a file of the guest that everybody may run.
///
/// # Errors
/// When it cannot be written.
pub fn put(content: impl Read, path: &str) -> Result<()> {
    let script = "cat >\"$1.new\" && chmod 755 \"$1.new\" && mv \"$1.new\" \"$1\"";
    with_input(&["sh", "-c", script, "put", path], content)?;
    Ok(())
}

/// Copies a file of the guest to the host.
///
/// # Errors
/// When it cannot be read.
pub fn get(path: &str, target: &Path) -> Result<()> {
    let file =
        File::create(target).with_context(|| format!("failed to make `{}`", target.display()))?;
    let mut err = Vec::new();
    let code = start(&["cat", "--", path])?.finish(file, &mut err)?;
    ensure!(code == 0, "failed to read `{path}`: {}", String::from_utf8_lossy(&err).trim_end());
    Ok(())
}

fn with_input(words: &[&str], content: impl Read) -> Result<Vec<u8>> {
    let running = start(words)?;
    // A command that ends early says itself why.
    let _ = running.input()?.send(content);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = running.finish(&mut out, &mut err)?;
    let said = String::from_utf8_lossy(&err);
    ensure!(code == 0, "`{}` in the guest ended with {code}: {}", words.join(" "), said.trim_end());
    Ok(out)
}

/// Connects from inside the namespace. Only a thread that then ends enters it.
fn connect() -> Result<TcpStream> {
    let thread = std::thread::spawn(|| -> Result<TcpStream> {
        let path = Path::new("/run/netns").join(place::name());
        let file = File::open(path).context("the lab is not up")?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        let stream = TcpStream::connect(("127.0.0.1", CHANNEL_PORT))
            .context("the guest's channel is not open")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    thread.join().map_err(|_| anyhow!("the connecting thread panicked"))?
}
