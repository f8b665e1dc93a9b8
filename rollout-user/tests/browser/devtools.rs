//! A browser without a window, led by its DevTools protocol over a pipe. In: calls. Out: their results.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Programs that are looked for on the path.
const PROGRAMS: [&str; 4] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
/// A browser that does not answer is ended after so many seconds.
const LIMIT_S: u64 = 120;
/// Its end of the pipe: commands on descriptor 3, answers on 4.
const LAUNCH: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null"#;

/// The browser of this machine, if it has one.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}

/// A running browser with one page.
pub struct Browser {
    child: Arc<std::sync::Mutex<Child>>,
    done: Arc<AtomicBool>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    pub fn start(program: &Path) -> Browser {
        let profile = tempfile::tempdir().expect("a folder");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let mut child = Command::new("sh")
            .args(["-c", LAUNCH])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--remote-debugging-pipe", "--no-first-run", &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (child, done) =
            (Arc::new(std::sync::Mutex::new(child)), Arc::new(AtomicBool::new(false)));
        let (watched, over) = (child.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..LIMIT_S * 10 {
                std::thread::sleep(Duration::from_millis(100));
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
            // Its pipe then ends, and the test with it.
            let _gone = watched.lock().map(|mut child| child.kill());
        });
        let (session, calls) = (None, 0);
        let mut browser = Browser { child, done, input, output, session, calls, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser
    }

    /// Calls a method and waits for its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.input.write_all(format!("{call}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut answer = Vec::new();
            let read = self.output.read_until(0, &mut answer).expect("the browser answers");
            assert!(read > 0, "the browser ended during `{method}`");
            answer.pop();
            let mut answer: Value = serde_json::from_slice(&answer).expect("an answer");
            if answer["id"] == self.calls {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// What an expression is, in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// A number of the page.
    pub fn number(&mut self, expression: &str) -> f64 {
        let value = self.value(expression);
        value.as_f64().unwrap_or_else(|| panic!("`{expression}` is {value}"))
    }

    /// Shows a file in a window of that width.
    pub fn show(&mut self, file: &Path, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let address = format!("file://{}", file.display());
        self.call("Page.navigate", json!({"url": address}));
        let ready = "document.readyState == 'complete' && location.protocol == 'file:'";
        while self.value(ready) != true {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Pretends a medium (`screen`, `print`) and a colour scheme.
    pub fn pretend(&mut self, medium: &str, scheme: &str) {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": medium, "features": feature}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Ok(mut child) = self.child.lock() {
            let _gone = child.kill();
            let _status = child.wait();
        }
    }
}
