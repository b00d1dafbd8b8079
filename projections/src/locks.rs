//! The advisory locks of Postgres, all in one list: two features that share a number wait for each other.
//!
//! To add one: take the next number, use it in one place, and list it here. The statements themselves hold the numbers, so that
//! they can be read, and run by hand, as they are.

/// An advisory lock, or a class of them: `pg_advisory_lock(number)`, or `pg_advisory_lock(number, key)`.
#[derive(Clone, Copy, Debug)]
pub struct AdvisoryLock {
    /// The number, or the class.
    pub number: u32,
    /// What is done by one session at a time.
    pub purpose: &'static str,
    /// The files whose statements take it, or look at it.
    pub files: &'static [&'static str],
}

/// Every advisory lock that the service takes.
pub const ADVISORY_LOCKS: &[AdvisoryLock] = &[
    AdvisoryLock {
        number: 7_770_001,
        purpose: "append to the log: positions are given out in the order of commits",
        files: &["migrations/0001_event_log.sql", "migrations/0014_append.sql"],
    },
    AdvisoryLock {
        number: 7_770_002,
        purpose: "lead, by name: one leader for each group of views, the relay, and other work of one process",
        files: &["projections/src/leader.rs", "migrations/0017_leaders.sql"],
    },
    AdvisoryLock {
        number: 7_770_003,
        purpose: "make or rotate the keys that sign access tokens",
        files: &["src/identity/signing_keys/store.rs"],
    },
    AdvisoryLock {
        number: 7_770_004,
        purpose: "decide about one person of another issuer, by the digest of their identity",
        files: &["src/identity/external/store.rs"],
    },
    AdvisoryLock {
        number: 7_770_005,
        purpose: "make the views of one group again, by the group's name",
        files: &["projections/src/rebuild.rs"],
    },
    AdvisoryLock {
        number: 7_770_009,
        purpose: "find out whether a pooler hands out sessions by the transaction, by a random key",
        files: &["src/database.rs"],
    },
    AdvisoryLock {
        number: 7_770_011,
        purpose: "make the roles of Postgres, and give them their rights",
        files: &["src/database/grants.sql", "src/database/roles.sql"],
    },
    AdvisoryLock {
        number: 7_770_014,
        purpose: "count the webhooks of a project, by the project",
        files: &["src/application/webhooks/create.rs"],
    },
    AdvisoryLock {
        number: 7_770_015,
        purpose: "count the schedules of an owner, by the owner",
        files: &["src/application/schedules/slots.rs"],
    },
    AdvisoryLock {
        number: 7_770_016,
        purpose: "count the rules for jobs of an owner, by the owner",
        files: &["src/application/job_rules/slots.rs"],
    },
    AdvisoryLock {
        number: 7_770_017,
        purpose: "save or forget what was folded of a project, by the project",
        files: &["migrations/0045_project_states.sql"],
    },
    AdvisoryLock {
        number: 7_770_018,
        purpose: "save or forget the snapshot of an aggregate, by the aggregate",
        files: &["migrations/0047_redaction.sql", "migrations/0055_redaction_of_long_streams.sql"],
    },
    AdvisoryLock {
        number: 7_770_019,
        purpose: "store what a job prints, or redact in its feed, by the feed",
        files: &["migrations/0048_redacted_jobs.sql", "src/application/redaction/tables.rs"],
    },
];

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
                found.push(path);
            }
        }
    }

    /// The numbers of seven digits that begin as ours do.
    fn numbers(text: &str) -> BTreeSet<u32> {
        let runs = text.split(|c: char| !c.is_ascii_digit());
        runs.filter(|run| run.len() == 7 && run.starts_with("7770")).filter_map(|run| run.parse().ok()).collect()
    }

    #[test]
    fn each_lock_is_taken_where_the_list_says_and_nowhere_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for folder in
            ["src", "projections/src", "domain/src", "credentials/src", "proofs/src", "migrations", "devtools/src"]
        {
            sources(&root.join(folder), &mut files);
        }
        let taken: BTreeSet<_> = files
            .iter()
            .flat_map(|path| {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                numbers(&fs::read_to_string(path).unwrap()).into_iter().map(move |number| (number, name.clone()))
            })
            .collect();
        let listed: BTreeSet<_> = ADVISORY_LOCKS
            .iter()
            .flat_map(|lock| lock.files.iter().map(|file| (lock.number, (*file).to_owned())))
            .collect();
        assert_eq!(taken, listed);
        let distinct: BTreeSet<_> = ADVISORY_LOCKS.iter().map(|lock| lock.number).collect();
        assert_eq!(distinct.len(), ADVISORY_LOCKS.len());
    }
}
