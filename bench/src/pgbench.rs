//! The yardstick: pgbench inserting one row of 300 bytes a transaction, with prepared statements.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::samples::Figures;

/// Bytes of a row's payload, and of an event's in the other measurements.
pub const PAYLOAD_BYTES: usize = 300;

/// Measures one-row inserts over this many connections.
///
/// # Errors
/// pgbench could not run.
pub async fn insert(
    pgbench: &Path,
    library_path: Option<&Path>,
    database_url: &str,
    folder: &Path,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Figures> {
    let script = folder.join("insert.sql");
    fs::write(&script, format!("INSERT INTO bench_rows (payload) VALUES ('{}');\n", "x".repeat(PAYLOAD_BYTES)))?;
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("latency.") {
            fs::remove_file(entry.path())?;
        }
    }
    let mut command = Command::new(pgbench);
    if let Some(path) = library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    let output = command
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--log-prefix=latency", "--jobs=2"])
        .arg(format!("--client={connections}"))
        .arg(format!("--time={}", duration.as_secs()))
        .arg("--file")
        .arg(&script)
        .arg(database_url)
        .current_dir(folder)
        .output()
        .await
        .context("pgbench could not be started")?;
    if !output.status.success() {
        bail!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut latencies = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("latency.") {
            let log = fs::read_to_string(entry.path())?;
            // client, transaction number, microseconds, …
            latencies.extend(log.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
        }
    }
    if latencies.is_empty() {
        bail!("pgbench logged no transaction");
    }
    Ok(Figures::of(latencies, duration))
}
