//! The `workroom` binary; see `workroom --help`.

use std::process::ExitCode;

/// A request is some hundreds of short-lived allocations on several threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match workroom::cli::main() {
        Ok(code) => code,
        Err(error) => {
            workroom::cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
