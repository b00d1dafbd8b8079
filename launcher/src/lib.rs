//! The launcher of sandboxes: between the worker, which has many threads and many rights, and a program of somebody else.
//!
//! What must happen between `fork` and `exec` would need unsafe code in a process full of threads; a fresh process has one
//! thread and may do it all safely. So there are two: the launcher, which stays outside and gives up what it has, and process 1
//! of the sandbox, which is the same program once more. It is a program of its own, and a small one, because it is started for each
//! program that is run: to start the service's own binary as one takes twice the processor time. (Where that is all there is, it does.)
//!
//! | module | |
//! |---|---|
//! | [`plan`] | what the worker tells the launcher before the program is known |
//! | [`message`] | what the two say to each other after that |
//! | `launch` | the launcher |
//! | `init` | process 1: makes the world that the program sees, and starts it |

mod failure;
mod init;
mod launch;
pub mod message;
pub mod plan;

use std::env::args_os;

pub use failure::Failure;
use init::InitArguments;
use plan::LaunchArguments;

/// The program's name; the worker looks for it beside its own.
pub const PROGRAM: &str = "workroom-launcher";

/// What the sources of the launcher are, as a number in hexadecimal: a worker starts no launcher of another build, for that might not
/// know of a limit that it is told.
pub const BUILD: &str = env!("WORKROOM_LAUNCHER_BUILD");

/// The argument by which the program prints [`BUILD`], and does nothing else.
pub const TELL_BUILD: &str = "--build";

/// Does what the arguments of this process say, if they are those of a launcher or of process 1 of a sandbox, and ends the process then. Returns only
/// if nothing could be started; `None` if the process is to be something else. The service's own binary can be both too.
///
/// Must run before the process has a second thread: limits, users and namespaces belong to threads.
pub fn run() -> Option<Failure> {
    if let Some(arguments) = LaunchArguments::read(args_os()) {
        return Some(launch::launch(&arguments));
    }
    InitArguments::read(args_os()).map(init::init)
}
