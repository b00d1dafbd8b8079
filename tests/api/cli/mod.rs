//! The commands, as processes: how they start, how they fail, what they leave behind.

mod process;
mod refusals;
mod serve;
mod unreachable;
mod up;
