//! ChromeDriver, and the browsers that it starts.

use std::{
    ffi::OsString,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::web_driver::Session;

/// How long the page may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(40);

/// A browser asks the network for nothing by itself. Its sandbox needs rights that containers do not give.
const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
];

/// A ChromeDriver process; it ends with its browsers when dropped.
pub struct ChromeDriver {
    port: u16,
    _process: Child,
    /// Kept, so that it can go on writing.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Drop for ChromeDriver {
    /// Killed, it would leave its browsers behind: it is asked to end, and killed after that.
    fn drop(&mut self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let asked = write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        if asked.is_ok() {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

impl ChromeDriver {
    pub async fn start() -> Self {
        let program = std::env::var_os("WORKROOM_CHROMEDRIVER").unwrap_or_else(|| OsString::from("chromedriver"));
        let mut process = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut output = BufReader::new(process.stdout.take().expect("stdout")).lines();
        let started = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = output.next_line().await.expect("a line") {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().expect("a port");
                }
            }
            panic!("ChromeDriver ended before it listened");
        });
        let port = started.await.expect("ChromeDriver to start in time");
        Self { port, _process: process, _output: output }
    }

    /// A new browser, with nothing in it.
    pub async fn browser(&self) -> Browser {
        let profile = tempfile::tempdir().expect("a folder");
        let mut arguments: Vec<_> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium(), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let session = Session::start(&format!("http://127.0.0.1:{}", self.port), &capabilities).await;
        Browser { session, _profile: profile }
    }
}

fn chromium() -> PathBuf {
    if let Some(program) = std::env::var_os("WORKROOM_CHROMIUM") {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let programs = ["chromium", "google-chrome"].into_iter();
    let mut found = programs.flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.find(|program| program.is_file()).expect("chromium or google-chrome in PATH, or WORKROOM_CHROMIUM")
}

/// A browser with one page.
pub struct Browser {
    session: Session,
    _profile: TempDir,
}

impl Browser {
    pub async fn goto(&self, url: &str) {
        self.session.goto(url).await;
    }

    pub async fn reload(&self) {
        self.session.refresh().await;
    }

    pub async fn click(&self, css: &str) {
        self.session.click(&self.element(css).await).await;
    }

    /// Writes into a field, instead of what was in it.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        self.session.clear(&field).await;
        self.session.send_keys(&field, text).await;
    }

    /// Waits for an element.
    async fn element(&self, css: &str) -> String {
        self.session.element(css, PATIENCE).await
    }

    /// Moves the mouse to a place in an element: a part of its width, and of its height.
    pub async fn point(&self, css: &str, x: f64, y: f64) {
        let [left, top, width, height] = self.session.rectangle(&self.element(css).await).await;
        self.session.move_mouse(&[(left + 1.0, top + 1.0, 0), (left + x * width, top + y * height, 200)]).await;
    }

    /// What a script in the page returns.
    pub async fn ask(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.session.execute(script, &arguments).await
    }

    /// Waits until a script returns something, or true; returns that.
    pub async fn until(&self, what: &str, script: &str, arguments: Vec<Value>) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(script, arguments.clone()).await;
            if !matches!(answer, Value::Null | Value::Bool(false)) {
                return answer;
            }
            if Instant::now() > deadline {
                let shown = self.ask("return document.body.innerText", Vec::new()).await;
                panic!("never: {what}; the page shows {shown}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The browser's log since it was asked last: `(source, message)`.
    pub async fn log(&self) -> Vec<(String, String)> {
        let entries = self.session.log().await;
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let entries = entries.as_array().expect("entries").iter();
        entries.map(|entry| (text(entry, "source"), text(entry, "message"))).collect()
    }

    pub async fn close(self) {
        self.session.close().await;
    }
}
