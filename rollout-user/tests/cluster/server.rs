//! A mock API server: scripted answers over real HTTP on loopback, with faults that a library server would not make.
//!
//! In: for each path, a row of answers to lists and a row of answers to watches; the last of a row repeats. Out: what
//! was asked. Paths without a script list nothing and watch silently.

use jiff::ToSpan;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One answer.
#[derive(Clone)]
pub enum Answer {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status and any body.
    Text(u16, String),
    /// Bytes instead of HTTP.
    NotHttp(Vec<u8>),
    /// 200, then these steps.
    Stream(Vec<Step>),
}

/// One step of a watch.
#[derive(Clone)]
pub enum Step {
    /// A whole line.
    Line(Value),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// The regular end.
    End,
    /// The connection breaks.
    Break,
    /// Nothing more, for ever.
    Hold,
}

#[derive(Default)]
struct Script {
    lists: BTreeMap<String, VecDeque<Answer>>,
    watches: BTreeMap<String, VecDeque<Answer>>,
    asked: Vec<String>,
    /// Seconds by which the `Date` of answers is ahead; `None`: answers have none.
    ahead: Option<i64>,
}

/// The server; dropping it closes everything.
pub struct Server {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    tasks: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Server { address, script: Arc::default(), tasks: JoinSet::new() };
        server.serve(listener);
        server
    }

    fn serve(&mut self, listener: TcpListener) {
        let script = self.script.clone();
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(connection(stream, script.clone()));
            }
        });
    }

    /// Closes the port and every connection.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Opens the same port again, with an empty script.
    pub async fn restart(&mut self) {
        *self.script.lock().unwrap() = Script::default();
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn list(&self, path: &str, answer: Answer) {
        let mut script = self.script.lock().unwrap();
        script.lists.entry(path.into()).or_default().push_back(answer);
    }

    pub fn watch(&self, path: &str, answer: Answer) {
        let mut script = self.script.lock().unwrap();
        script.watches.entry(path.into()).or_default().push_back(answer);
    }

    /// Answers carry a date from now on, by a clock that is ahead.
    pub fn date_ahead(&self, seconds: i64) {
        self.script.lock().unwrap().ahead = Some(seconds);
    }

    /// Every request so far, as `METHOD URL`.
    pub fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// The requests whose line contains all of `parts`.
    pub fn asked_for(&self, parts: &[&str]) -> Vec<String> {
        let mut asked = self.asked();
        asked.retain(|line| parts.iter().all(|part| line.contains(part)));
        asked
    }
}

fn next(rows: &mut BTreeMap<String, VecDeque<Answer>>, path: &str) -> Option<Answer> {
    let row = rows.get_mut(path)?;
    if row.len() > 1 { row.pop_front() } else { row.front().cloned() }
}

fn answer(script: &Mutex<Script>, request: &str, body: &str) -> Answer {
    let mut script = script.lock().unwrap();
    script.asked.push(if body.is_empty() { request.into() } else { format!("{request} {body}") });
    let url = request.split(' ').nth(1).unwrap();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if query.contains("watch=true") {
        let silent = Answer::Stream(vec![Step::Hold]);
        return next(&mut script.watches, path).unwrap_or(silent);
    }
    let empty = Answer::Json(200, json!({"metadata": {"resourceVersion": "1"}, "items": []}));
    next(&mut script.lists, path).unwrap_or(empty)
}

async fn connection(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let request = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
        let reply = answer(&script, request, &String::from_utf8(body).unwrap());
        let ahead = script.lock().unwrap().ahead;
        let date = ahead.map(|seconds| jiff::Timestamp::now() + seconds.seconds());
        let date =
            date.map(|date| date.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string());
        if !respond(stream.get_mut(), reply, &date.unwrap_or_default()).await {
            return;
        }
    }
}

/// Whether the connection can go on.
async fn respond(stream: &mut TcpStream, reply: Answer, date: &str) -> bool {
    let (code, text) = match reply {
        Answer::Json(code, value) => (code, value.to_string()),
        Answer::Text(code, text) => (code, text),
        Answer::NotHttp(bytes) => {
            let _ = stream.write_all(&bytes).await;
            return false;
        }
        Answer::Stream(steps) => return follow(stream, steps).await,
    };
    let head = format!("HTTP/1.1 {code} X\r\n{date}content-length: {}\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).await.is_ok()
        && stream.write_all(text.as_bytes()).await.is_ok()
}

async fn follow(stream: &mut TcpStream, steps: Vec<Step>) -> bool {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    if stream.write_all(head).await.is_err() {
        return false;
    }
    for step in steps {
        let bytes = match step {
            Step::Line(value) => format!("{value}\n").into_bytes(),
            Step::Bytes(bytes) => bytes,
            Step::End => return stream.write_all(b"0\r\n\r\n").await.is_ok(),
            Step::Break => return false,
            Step::Hold => {
                // Ends when the client closes.
                let _ = stream.read(&mut [0]).await;
                return false;
            }
        };
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
        if stream.write_all(&chunk).await.is_err() {
            return false;
        }
    }
    false
}
