//! What worker and launcher say to each other over their two pipes: lines of JSON, some followed by content.
//!
//! ```text
//! worker → launcher   an order and the content of its files; `t` to ask the program to end; the end of the pipe kills
//! launcher → worker   ready; started; ended; then each artifact with its content, and collected
//! ```

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest line. An order names up to 1,000 files, and holds arguments and variables of 256 KiB, which JSON makes several times longer.
pub const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// The byte that asks the program to end.
pub const TERMINATE: u8 = b't';

/// What a sandbox that is ready is to run. The content of the files follows, one after the other.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What is put into the work directory.
    pub files: Vec<Entry>,
    /// What is started then.
    pub program: Program,
    /// What may be left as artifacts; nothing is read without it.
    pub artifacts: Option<ArtifactLimits>,
}

/// A command and its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Variables beside those that every program has; of two with one name the last counts.
    pub environment: Vec<(String, String)>,
    /// The interpreter, and its arguments.
    pub command: Vec<String>,
}

/// A file, and how much content follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the work directory, or the folder of artifacts.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// What may be left as artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactLimits {
    /// How many.
    pub files: usize,
    /// How long all of them together.
    pub bytes: u64,
    /// How long the path of one.
    pub path_bytes: usize,
}

/// What a launcher says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Everything is made, and waits for an order.
    Ready,
    /// The program is about to begin; before this, it has certainly not.
    Started,
    /// The program has ended, and all it has started is dead.
    Ended(Ended),
    /// A file that it has left; its content follows.
    Artifact(Entry),
    /// These were all.
    Collected {
        /// What was left beside them.
        dropped: u32,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// 128 + the signal when process 1 was killed, and it with it; none when process 1 failed.
    pub exit_code: Option<i32>,
    /// The launcher killed it for its memory.
    pub out_of_memory: bool,
    /// The launcher killed it because its memory cannot be watched.
    pub unwatched: bool,
    /// A folder that it may write to was full, or a file had its limit.
    pub disk_full: bool,
}

/// A line.
pub fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes a line.
pub fn write(message: &impl Serialize, mut to: impl Write) -> io::Result<()> {
    to.write_all(&line(message)?)
}

/// Reads a line; `None` at the end.
pub fn read<M: DeserializeOwned>(from: impl BufRead) -> io::Result<Option<M>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    parse(&line)
}

/// What a line says. One that was cut off is none: whoever wrote it has died.
pub fn parse<M: DeserializeOwned>(line: &[u8]) -> io::Result<Option<M>> {
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(Some(serde_json::from_slice(line)?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let entry = Entry { path: "a\nb".to_owned(), bytes: 3 };
        let mut pipe = Vec::new();
        let ended = Ended { exit_code: Some(7), ..Ended::default() };
        write(&Message::Ready, &mut pipe).unwrap();
        write(&Message::Ended(ended), &mut pipe).unwrap();
        write(&Message::Artifact(entry.clone()), &mut pipe).unwrap();
        pipe.extend_from_slice(b"{\"ready");

        let mut from = pipe.as_slice();
        for expected in [Message::Ready, Message::Ended(ended), Message::Artifact(entry)] {
            assert_eq!(read::<Message>(&mut from).unwrap(), Some(expected));
        }
        assert_eq!(read::<Message>(&mut from).unwrap(), None, "cut off");
    }

    #[test]
    fn an_order_is_one_line_before_its_content() {
        let order = Order {
            files: vec![Entry { path: "a".to_owned(), bytes: 2 }],
            program: Program {
                environment: vec![("A".to_owned(), "it's $A\n".to_owned())],
                command: vec!["sh".to_owned(), String::new()],
            },
            artifacts: Some(ArtifactLimits { files: 1, bytes: 2, path_bytes: 3 }),
        };
        let mut pipe = line(&order).unwrap();
        pipe.extend_from_slice(b"xyt");
        let mut from = pipe.as_slice();
        assert_eq!(read::<Order>(&mut from).unwrap(), Some(order));
        assert_eq!(from, b"xyt");
    }
}
