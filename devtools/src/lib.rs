//! Runs Workroom on a developer's machine: `./dev up`, its tests and its benchmarks get a private Postgres and NATS.
//!
//! The aim is that a machine with a Rust toolchain and one package client needs nothing else, and that nothing outside
//! the data folder is ever changed. From the outside in:
//!
//! - [`cli`]: the commands, and the checks that turn a bad start into one sentence;
//! - [`up`]: the service over private servers, until Ctrl-C;
//! - [`services`]: starts, stops and harms (for tests) the two servers;
//! - [`tools`]: finds each program on the machine, or fetches it with its version and hash pinned;
//! - [`child`] and [`exec_child`]: processes that cannot outlive the service, however it dies;
//! - [`folder`]: the data folder: its marker, its lock, what lies where;
//! - [`demo`] and [`seed`]: clients of a running instance: one shows it, the other fills it.
//!
//! It knows the service as its users do: by its binary, its settings and its API. A production deployment uses none of this: it is given `DATABASE_URL` and `NATS_URL`.

pub mod address;
pub mod child;
pub mod cli;
mod client;
pub mod demo;
pub mod doctor;
pub mod exec_child;
pub mod folder;
mod out;
pub mod reset;
mod run;
pub mod seed;
pub mod services;
pub mod tools;
pub mod up;
