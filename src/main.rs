//! The `workroom` binary; see `workroom --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match workroom::cli::main() {
        Ok(code) => code,
        Err(error) => {
            workroom::cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
