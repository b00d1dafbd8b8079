//! The `workroom-launcher` binary: started by workers, and of no use to anybody else.

use std::{io::Write, process::ExitCode};

use workroom_launcher::{BUILD, PROGRAM, TELL_BUILD, run};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == TELL_BUILD) {
        return writeln!(std::io::stdout(), "{BUILD}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let said = match run() {
        Some(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            format!("{error}{source}")
        }
        None => format!("{PROGRAM} is started by workers of Workroom"),
    };
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{said}");
    ExitCode::FAILURE
}
