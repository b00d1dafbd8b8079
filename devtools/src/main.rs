//! The `workroom-dev` binary, which the script `./dev` calls.

use std::process::ExitCode;

use workroom_dev::cli;

fn main() -> ExitCode {
    match cli::main() {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
