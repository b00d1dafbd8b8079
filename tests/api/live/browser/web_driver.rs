//! A session of WebDriver (W3C, "WebDriver", 2018): the few commands that the tests need.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

/// The name under which an element's id stands ("web element identifier").
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Between two looks for an element.
const PAUSE: Duration = Duration::from_millis(50);

/// A session: one browser.
pub struct Session {
    http: reqwest::Client,
    /// Where its commands are.
    base: String,
}

/// A command's result, or what is wrong.
type Answer = Result<Value, String>;

async fn send(http: &reqwest::Client, method: Method, url: &str, body: Option<&Value>) -> Answer {
    let request = http.request(method, url);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let reply = request.send().await.map_err(|error| format!("{error:?}"))?;
    let is_success = reply.status().is_success();
    let mut reply: Value = reply.json().await.map_err(|error| format!("{error:?}"))?;
    let value = reply["value"].take();
    if is_success { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
}

impl Session {
    /// Starts a browser.
    pub async fn start(driver: &str, capabilities: &Value) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let started = send(&http, Method::POST, &format!("{driver}/session"), Some(&body)).await.expect("a browser");
        let id = started["sessionId"].as_str().expect("a session");
        Self { base: format!("{driver}/session/{id}"), http }
    }

    async fn command(&self, path: &str, body: Value) -> Answer {
        send(&self.http, Method::POST, &format!("{}/{path}", self.base), Some(&body)).await
    }

    pub async fn goto(&self, url: &str) {
        self.command("url", json!({"url": url})).await.expect("a page");
    }

    pub async fn refresh(&self) {
        self.command("refresh", json!({})).await.expect("a page");
    }

    /// Waits for an element; returns its id.
    pub async fn element(&self, css: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        loop {
            match self.command("element", json!({"using": "css selector", "value": css})).await {
                Ok(found) => return found[ELEMENT].as_str().expect("an element").to_owned(),
                Err(error) => assert!(Instant::now() < deadline, "{css}: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub async fn click(&self, element: &str) {
        self.command(&format!("element/{element}/click"), json!({})).await.expect("a click");
    }

    pub async fn clear(&self, element: &str) {
        self.command(&format!("element/{element}/clear"), json!({})).await.expect("an empty field");
    }

    pub async fn send_keys(&self, element: &str, text: &str) {
        self.command(&format!("element/{element}/value"), json!({"text": text})).await.expect("keys");
    }

    /// Where an element is: left, top, width, height.
    pub async fn rectangle(&self, element: &str) -> [f64; 4] {
        let url = format!("{}/element/{element}/rect", self.base);
        let rectangle = send(&self.http, Method::GET, &url, None).await.expect("a place");
        ["x", "y", "width", "height"].map(|side| rectangle[side].as_f64().expect("a number"))
    }

    /// Moves the mouse through these places, each after so many milliseconds.
    pub async fn move_mouse(&self, places: &[(f64, f64, u64)]) {
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let moves = places.iter().map(|(x, y, milliseconds)| {
            json!({"type": "pointerMove", "duration": milliseconds, "x": x.round() as i64, "y": y.round() as i64})
        });
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": moves.collect::<Vec<_>>()});
        self.command("actions", json!({"actions": [mouse]})).await.expect("a move");
    }

    /// What a script in the page returns.
    pub async fn execute(&self, script: &str, arguments: &[Value]) -> Value {
        let ran = self.command("execute/sync", json!({"script": script, "args": arguments})).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The browser's log since it was asked last. (ChromeDriver's own command: WebDriver has none.)
    pub async fn log(&self) -> Value {
        self.command("se/log", json!({"type": "browser"})).await.expect("a log")
    }

    /// Ends the browser.
    pub async fn close(self) {
        send(&self.http, Method::DELETE, &self.base, None).await.expect("an end");
    }
}
