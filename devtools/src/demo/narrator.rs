//! What the page looks like: acts, the three points of view, and lines of at most [`WIDTH`] columns.

use std::io::IsTerminal;

use serde_json::Value;

use super::{
    client::{BASE, Reply},
    event::{Event, Names},
};
use crate::out;

const WIDTH: usize = 100;
/// The hyphenated length of an id.
const ID: usize = 36;
/// The longest name of an event, `FileContentWritten`.
const KIND: usize = 18;
/// The columns of a path.
const PATH: usize = 44;

/// From where one looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Rest,
    Live,
    Audit,
}

impl View {
    fn heading(self) -> &'static str {
        match self {
            Self::Rest => "REST   what the clients ask and are told",
            Self::Live => "LIVE   what the subscribers are sent",
            Self::Audit => "AUDIT  what the history says",
        }
    }
}

/// Writes the page.
pub(super) struct Narrator {
    view: Option<View>,
    bold: bool,
}

impl Narrator {
    /// With bold headings where there is a terminal to show them.
    pub(super) fn new() -> Self {
        let bold = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { view: None, bold }
    }

    /// An act begins.
    pub(super) fn act(&mut self, title: &str) {
        self.view = None;
        out::line("");
        self.heading(title);
    }

    /// A request and its reply.
    pub(super) fn rest(&mut self, who: &str, reply: &Reply, note: &str) {
        self.look(View::Rest);
        let path = end_of(shorten(reply.path.strip_prefix(BASE).unwrap_or(&reply.path)));
        write(&format!("    {who:<6} {:<6} {path:<PATH$} {}  {note}", reply.method.as_str(), reply.status));
    }

    /// A problem document, as the client gets it.
    pub(super) fn problem(&mut self, reply: &Reply) {
        self.look(View::Rest);
        for name in ["type", "title", "detail", "instance"] {
            write(&format!("           {name:<9} {}", reply.body[name].as_str().unwrap_or_default()));
        }
    }

    /// Output of a program.
    pub(super) fn output(&mut self, name: &str, output: &Value) {
        self.look(View::Rest);
        for line in output.as_str().unwrap_or_default().lines() {
            write(&format!("           {name} | {line}"));
        }
    }

    /// A remark on what the clients do.
    pub(super) fn remark(&mut self, text: &str) {
        self.look(View::Rest);
        write(&format!("    {text}"));
    }

    /// Something that a subscriber is sent.
    pub(super) fn live(&mut self, who: &str, frame: &str, text: &str) {
        self.look(View::Live);
        write(&format!("    {who:<6} {frame:<13} {text}"));
    }

    /// An event that a subscriber is sent.
    pub(super) fn event(&mut self, who: &str, event: &Event, names: &Names) {
        let (seq, actor) = (format!("#{}", event.seq), names.of(&event.actor));
        self.live(who, "event", &format!("{seq:<4} {:<KIND$} by {actor:<10} {}", event.kind, event.words(names)));
    }

    /// Something that the auditor finds.
    pub(super) fn audit(&mut self, text: &str) {
        self.look(View::Audit);
        write(&format!("    {text}"));
    }

    /// The history, as a table.
    pub(super) fn table(&mut self, events: &[Event], names: &Names) {
        self.audit(&format!(
            "{:>4}  {:>8}  {:<12}  {:<10}  {:<KIND$}  what",
            "seq", "position", "time", "who", "event"
        ));
        for event in events {
            let Event { seq, position, kind, actor, .. } = event;
            let (time, who, what) = (event.time(), names.of(actor), event.words(names));
            self.audit(&format!("{seq:>4}  {position:>8}  {time:<12}  {who:<10}  {kind:<KIND$}  {what}"));
        }
    }

    pub(super) fn close(&mut self, not_shown: Option<&str>, proof: &str) {
        out::line("");
        if let Some(not_shown) = not_shown {
            write(not_shown);
        }
        self.heading(proof);
    }

    fn look(&mut self, view: View) {
        if self.view != Some(view) {
            self.view = Some(view);
            self.heading(&format!("  {}", view.heading()));
        }
    }

    fn heading(&self, text: &str) {
        let text = clip(text);
        if self.bold { out::line(&format!("\u{1b}[1m{text}\u{1b}[0m")) } else { out::line(&text) }
    }
}

fn write(text: &str) {
    out::line(&clip(text));
}

/// One line without control characters, that fits.
fn clip(text: &str) -> String {
    let text: String = text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Ids in a text by their last six digits, which differ; the first are the time.
pub(super) fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..ID).filter(|id| uuid::Uuid::try_parse(id).is_ok());
        let taken = if let Some(id) = id {
            short.push('…');
            short.push_str(&id[ID - 6..]);
            ID
        } else {
            short.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    short
}

/// A path without the first of its parts, if all of them are too long.
fn end_of(path: String) -> String {
    if path.chars().count() <= PATH {
        return path;
    }
    let mut rest = path.as_str();
    while rest.chars().count() >= PATH {
        let Some(next) = rest.get(1..).and_then(|below| below.find('/')) else { return path };
        rest = &rest[next + 1..];
    }
    format!("…{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_wherever_they_stand() {
        let id = "018f6b5a-0000-7000-8000-000000abcdef";
        assert_eq!(shorten(&format!("/a/{id}/b?c={id}&d=1")), "/a/…abcdef/b?c=…abcdef&d=1");
        assert_eq!(shorten("ünicode"), "ünicode");
        assert_eq!(shorten(""), "");
    }

    #[test]
    fn of_a_long_path_the_end_is_shown() {
        assert_eq!(end_of("/projects/…abcdef".to_owned()), "/projects/…abcdef");
        let path = "/projects/…abcdef/workspaces/…abcdef/files/…abcdef/content".to_owned();
        assert_eq!(end_of(path), "…/workspaces/…abcdef/files/…abcdef/content");
        assert_eq!(end_of("x".repeat(80)), "x".repeat(80));
    }

    #[test]
    fn a_long_line_is_clipped() {
        assert_eq!(clip("a\nb  "), "a b");
        assert_eq!(clip(&"é".repeat(101)).chars().count(), 100);
        assert_eq!(clip(&"é".repeat(100)), "é".repeat(100));
    }
}
