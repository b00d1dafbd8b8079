//! The script by which a shell inside starts the program.
//!
//! The shell is started with the sandbox, and reads its script from a pipe. So everything is made before the program is
//! known, and only the interpreter is left to start. The script has two parts: the first says that the sandbox is
//! ready, the second becomes the program.

use std::{fmt::Write, os::fd::RawFd};

/// The first part, with the numbers of two pipes inside: the script itself, and where the shell says that it is ready.
/// Neither is left to the program. (The shell reads its script by a descriptor of its own.)
///
/// Without cgroups the number of processes is lowered here: inside, because the kernel counts them per user *namespace*
/// (since 5.14), while outside all executions would share one count.
pub(crate) fn prelude(processes: Option<u64>, script: RawFd, ready: RawFd) -> String {
    // `-u` in bash, `-p` in dash.
    let lower = processes.map(|number| format!("ulimit -u {number} 2>/dev/null || ulimit -p {number} || exit 125\n"));
    format!("{}exec {script}<&-\necho >&{ready}\nexec {ready}>&-\n", lower.unwrap_or_default())
}

/// The second part: becomes a command with further variables of environment.
pub fn program<'a>(
    environment: impl Iterator<Item = (&'a str, &'a str)>,
    command: impl Iterator<Item = &'a str>,
) -> String {
    let mut script = String::new();
    for (name, value) in environment {
        let _ = writeln!(script, "export {name}={}", quoted(value));
    }
    script.push_str("exec");
    for word in command {
        script.push(' ');
        script.push_str(&quoted(word));
    }
    script.push('\n');
    script
}

/// A word as every shell reads it back.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        let words = ["plain", "", "two words", "it's", "$HOME `id` \\ \" ! * ~", "a\nb\t", "é😀", "-n", "'"];
        let environment = [("A", "it's $A"), ("B_2", "x\ny")];
        let print = r#"import os, sys; print([os.environ["A"], os.environ["B_2"]] + sys.argv[1:])"#;
        let command = ["python3", "-c", print].into_iter().chain(words);
        let script = program(environment.into_iter(), command);
        let output = Command::new("/bin/sh").arg("-c").arg(&script).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        let expected = r#"["it's $A", 'x\ny', 'plain', '', 'two words', "it's", '$HOME `id` \\ " ! * ~', 'a\nb\t', 'é😀', '-n', "'"]"#;
        assert_eq!(read.trim(), expected, "{script}");
    }

    #[test]
    fn processes_are_lowered_only_where_that_is_asked_for() {
        assert_eq!(prelude(None, 3, 6), "exec 3<&-\necho >&6\nexec 6>&-\n");
        assert!(prelude(Some(64), 3, 6).starts_with("ulimit -u 64"));
    }
}
