//! The host's end of the command channel: `cargo xtask lab channel -- COMMAND…`, which runs inside the namespace.
//! Comes in: words and standard input. Goes out: the command's output and exit code.

use super::channel::{self, Kind};
use super::place::CHANNEL_PORT;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

/// Runs a command in the guest as if it were this process.
///
/// # Errors
/// When the guest does not answer or the connection breaks.
pub fn run(words: &[String]) -> Result<ExitCode> {
    let address = ([127, 0, 0, 1], CHANNEL_PORT).into();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))
        .context("failed to connect to the guest")?;
    stream.set_nodelay(true)?;
    channel::write(&mut stream, Kind::Command, &serde_json::to_vec(words)?)?;
    let to = stream.try_clone()?;
    std::thread::spawn(move || forward_input(to));
    loop {
        let Some((kind, bytes)) = channel::read(&mut stream)? else {
            bail!("the guest closed the connection");
        };
        match kind {
            Kind::Output => {
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()?;
            }
            Kind::Error => std::io::stderr().lock().write_all(&bytes)?,
            Kind::Exit => return Ok(exit_code(&bytes)),
            Kind::Command | Kind::Input => bail!("the guest sent what only the host sends"),
        }
    }
}

fn exit_code(bytes: &[u8]) -> ExitCode {
    let code = <[u8; 4]>::try_from(bytes).map_or(255, i32::from_be_bytes);
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}

fn forward_input(mut to: TcpStream) {
    let mut input = std::io::stdin().lock();
    let mut buffer = vec![0; channel::LARGEST];
    loop {
        let count = input.read(&mut buffer).unwrap_or(0);
        let part = buffer.get(..count).unwrap_or_default();
        // The command may have ended already; an empty part is the end of input.
        if channel::write(&mut to, Kind::Input, part).is_err() || part.is_empty() {
            return;
        }
    }
}
