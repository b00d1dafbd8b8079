//! The `workroom-launcher` binary: started by workers, and of no use to anybody else.

use std::{io::Write, process::ExitCode};

use workroom_launcher::{PROGRAM, launch, plan::LaunchArguments};

fn main() -> ExitCode {
    let said = match LaunchArguments::read(std::env::args_os()) {
        Some(arguments) => {
            let error = launch(&arguments);
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            format!("{error}{source}")
        }
        None => format!("{PROGRAM} is started by workers of Workroom"),
    };
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{said}");
    ExitCode::FAILURE
}
