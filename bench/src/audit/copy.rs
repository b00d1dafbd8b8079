//! The yardstick of an export: psql copies the same rows into a file.

use std::{fs::File, path::Path};

use anyhow::Context;
use tokio::process::Command;
use workroom_dev::{
    folder::DataFolder,
    tools::{self, ToolStore},
};

use super::process::{self, Run};

const COPY: &str = "COPY (SELECT * FROM events ORDER BY position) TO STDOUT";

/// psql.
pub struct Psql(tools::Tool);

impl Psql {
    /// Finds or fetches it.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn find() -> anyhow::Result<Self> {
        let data_dir = std::env::var_os("WORKROOM_DATA_DIR").unwrap_or_else(|| ".workroom".into());
        let store = ToolStore::new(&DataFolder::open(Path::new(&data_dir))?);
        Ok(Self(tools::find(&store, |store| tools::psql::RECIPE.ensure(store)).await?))
    }

    /// Copies all events into a file, in the order of their positions.
    ///
    /// # Errors
    /// psql fails, or the file cannot be written.
    pub async fn copy(&self, database_url: &str, file: &Path) -> anyhow::Result<Run> {
        let output = File::create(file).context("a file for the copy cannot be made")?;
        let mut command = Command::new(&self.0.path);
        command.args(["--no-psqlrc", "--quiet", "--dbname", database_url, "--command", COPY]).stdout(output);
        process::run(&mut command).await
    }
}
