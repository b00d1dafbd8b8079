//! The commands, as processes: how they start, how they fail, what they leave behind.

mod demo;
mod logs;
pub mod process;
mod programs;
mod refusals;
mod seed;
mod serve;
mod unreachable;
mod up;
mod waiting;
