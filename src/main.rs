//! The `workroom` binary; see `workroom --help`.

use std::process::ExitCode;

/// A request takes a hundred pieces of memory, many of them large, and gives them back on another thread: with the system's
/// allocator that is a quarter of what it costs.
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
