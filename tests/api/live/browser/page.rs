//! What somebody does and sees on the page, in the words of the page.

use serde_json::json;

use super::chrome::{Browser, ChromeDriver};
use crate::support::Person;

/// How far from where it is pointed a cursor may be shown: a part of the board.
const NEAR: f64 = 0.02;

/// The page `/live`, open in a browser of its own.
pub struct Page {
    browser: Browser,
}

impl Page {
    pub async fn open(driver: &ChromeDriver, address: &str) -> Self {
        let browser = driver.browser().await;
        browser.goto(&format!("http://{address}/live")).await;
        Self { browser }
    }

    /// Tries to sign in; returns the problem that is shown.
    pub async fn sign_in_wrongly(&self, email: &str) -> String {
        self.fill_sign_in(email, "not the password").await;
        let script = "return document.querySelector('#sign-in .problem')?.textContent || null";
        let problem = self.browser.until("a problem", script, Vec::new()).await;
        problem.as_str().expect("a text").to_owned()
    }

    pub async fn sign_in(&self, person: &Person) {
        self.fill_sign_in(&person.email, &person.password).await;
        self.browser.until("projects", "return Boolean(document.querySelector('#projects'))", Vec::new()).await;
    }

    async fn fill_sign_in(&self, email: &str, password: &str) {
        self.browser.fill("#sign-in [name=email]", email).await;
        self.browser.fill("#sign-in [name=password]", password).await;
        self.browser.click("#sign-in [type=submit]").await;
    }

    /// Opens a project from the list.
    pub async fn open_project(&self, project: &str) {
        self.browser.click(&format!("#projects a[href$='{project}']")).await;
        self.is_online().await;
    }

    /// The same page, loaded anew.
    pub async fn reload(&self) {
        self.browser.reload().await;
        self.is_online().await;
    }

    async fn is_online(&self) {
        let script = "const { state, transport } = document.querySelector('#connection').dataset;
            return state === 'online' && transport === 'websocket'";
        self.browser.until("online over a WebSocket", script, Vec::new()).await;
    }

    /// Waits until exactly these accounts are shown as present, as of now.
    pub async fn shows_people(&self, people: &[&Person]) {
        let mut ids: Vec<_> = people.iter().map(|person| person.id.as_str()).collect();
        ids.sort_unstable();
        let script = "const list = document.querySelector('#people');
            const ids = [...list.querySelectorAll('.person')].map((one) => one.dataset.user).sort();
            return !list.classList.contains('stale') && ids.join() === arguments[0].join()";
        self.browser.until("who is here", script, vec![json!(ids)]).await;
    }

    pub async fn point(&self, x: f64, y: f64) {
        self.browser.point("#board", x, y).await;
    }

    /// Waits until somebody's cursor is shown near a place, with their name.
    pub async fn shows_cursor(&self, person: &Person, name: &str, x: f64, y: f64) {
        let script = "const [user, name, x, y, near] = arguments;
            const at = (cursor, side) => parseFloat(cursor.style[side]) / 100;
            return [...document.querySelectorAll('#board .cursor')].some((cursor) => cursor.dataset.user === user
                && cursor.querySelector('.label').textContent === name
                && Math.abs(at(cursor, 'left') - x) < near && Math.abs(at(cursor, 'top') - y) < near)";
        let arguments = vec![json!(person.id), json!(name), json!(x), json!(y), json!(NEAR)];
        self.browser.until("a cursor", script, arguments).await;
    }

    /// Sends the form for a new task.
    pub async fn add_task(&self, title: &str) {
        self.browser.fill("#create-task [name=title]", title).await;
        self.browser.click("#create-task [type=submit]").await;
    }

    /// Waits until the form for a new task says that there is no answer.
    pub async fn waits_for_an_answer(&self) {
        let script = "return !document.querySelector('#create-task .done').hidden";
        self.browser.until("a sign of waiting", script, Vec::new()).await;
    }

    /// Waits until a text is shown in a line of the events, and insists that no other line has it.
    pub async fn shows_event_once(&self, text: &str) {
        let script = "return [...document.querySelectorAll('#events .event')]
            .filter((line) => line.textContent.includes(arguments[0])).length || null";
        assert_eq!(self.browser.until(text, script, vec![json!(text)]).await, 1, "{text}");
    }

    /// Waits until the newest event of the list has this number; returns the numbers of all, oldest first.
    pub async fn seqs_up_to(&self, head: i64) -> Vec<i64> {
        let script = "const seqs = [...document.querySelectorAll('#events .event')].map((line) => +line.dataset.seq);
            return seqs[0] >= arguments[0] && seqs.reverse()";
        let seqs = self.browser.until("the newest event", script, vec![json!(head)]).await;
        seqs.as_array().expect("numbers").iter().map(|seq| seq.as_i64().expect("a number")).collect()
    }

    pub async fn say(&self, text: &str) {
        self.browser.fill("#say [name=text]", text).await;
        self.browser.click("#say [type=submit]").await;
    }

    pub async fn shows_message(&self, text: &str) {
        let script = "return [...document.querySelectorAll('#messages .text')]
            .some((message) => message.textContent === arguments[0])";
        self.browser.until("a message", script, vec![json!(text)]).await;
    }

    /// Waits until the page says that the connection is lost; nobody is then said to be here.
    pub async fn says_that_it_is_lost(&self) {
        let script = "return document.querySelector('#notice').dataset.kind === 'lost'
            && document.querySelector('#people').classList.contains('stale')
            && !document.querySelector('#board .cursor')
            && document.querySelector('#notice-text').textContent";
        let text = self.browser.until("that it is lost", script, Vec::new()).await;
        assert!(text.as_str().is_some_and(|text| text.contains("was lost at")), "{text}");
    }

    /// Waits until the page says that the connection is back; returns how it says it.
    pub async fn says_that_it_is_back(&self) -> String {
        let script = "return document.querySelector('#notice').dataset.kind === 'back'
            && document.querySelector('#notice-text').textContent";
        let text = self.browser.until("that it is back", script, Vec::new()).await;
        self.is_online().await;
        text.as_str().expect("a text").to_owned()
    }

    /// Signs out, and insists that nothing of the session is kept.
    pub async fn sign_out(&self) {
        self.browser.click("#sign-out").await;
        let script = "return Boolean(document.querySelector('#sign-in')) && sessionStorage.length === 0";
        self.browser.until("the form", script, Vec::new()).await;
    }

    /// Insists that the browser has logged nothing.
    pub async fn has_logged_nothing(&self) {
        let log = self.browser.log().await;
        assert!(log.is_empty(), "{log:?}");
    }

    /// Insists that the browser has logged nothing but requests that failed; returns what it says of those. A breach of
    /// the page's policy, and an error in a script, come from other sources.
    pub async fn failed_requests(&self) -> Vec<String> {
        let log = self.browser.log().await;
        assert!(log.iter().all(|(source, _)| source == "network"), "{log:?}");
        log.into_iter().map(|(_, message)| message).collect()
    }

    /// Insists that the policy holds: what it forbids is not done, and is logged.
    pub async fn obeys_its_policy(&self) {
        let script = "const line = document.createElement('p');
            line.setAttribute('style', 'color: red');
            let isRefused = false;
            try { line.innerHTML = '<b>x</b>'; } catch { isRefused = true; }
            return [isRefused, line.style.color]";
        assert_eq!(self.browser.ask(script, Vec::new()).await, json!([true, ""]));
        let log = self.browser.log().await;
        assert!(!log.is_empty() && log.iter().all(|(source, _)| source == "security"), "{log:?}");
    }

    pub async fn close(self) {
        self.browser.close().await;
    }
}

/// The numbers from 1 to the last of a list, which has to have each once, in order.
pub fn assert_whole(seqs: &[i64]) {
    let expected: Vec<i64> = (1..).take(seqs.len()).collect();
    assert_eq!(seqs, expected);
}
