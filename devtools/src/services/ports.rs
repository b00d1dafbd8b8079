//! Ports for the private servers.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;

use crate::folder::{DataFolder, random_hex};

/// Below the range from which systems take ports for outgoing connections, so that a port is still free at a restart.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Whether nobody listens on the port of the loopback address.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The port that was used last time if it is free, else a free one.
pub fn kept_or_free(folder: &DataFolder, name: &str) -> anyhow::Result<u16> {
    match folder.port(name) {
        Some(port) if is_free(port) => Ok(port),
        _ => free(),
    }
}

/// A free port; random, so that two instances that start together rarely choose the same.
pub fn free() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let random = u16::from_str_radix(&random_hex::<2>()?, 16).unwrap_or_default();
        let port = RANGE.start + random % (RANGE.end - RANGE.start);
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port was found on this machine");
}
