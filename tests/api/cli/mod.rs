//! The commands, as processes: how they start, how they fail, what they leave behind.

mod demo;
mod process;
mod refusals;
mod seed;
mod serve;
mod unreachable;
mod up;
