//! Every background task of the service, on one page: under the role that runs it, with its period, its name, how it ends with
//! the process, and whether it is led.
//!
//! Not here is what belongs to another part and lives as long as that: the log's writer and what writes its snapshots
//! (`event_store/`), what says that this process' leaders live (`projections/src/leader.rs`), the feeds of the live gateway
//! (`live/`).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::watch;
use workroom_projections::{GROUPS, leader::Election, runner::Announce, runner::Runner};

use super::{
    About,
    AtStop::{Aborted, Waited},
    Driver, Following, Lead,
    cleanup::{self, Cleanup},
    each,
};
use crate::{
    application::reactor::{Reaction, Reactor},
    identity::Identity,
    jobs::{reconciler::Reconciler, sandbox::Sandbox, worker::Worker},
    messaging::{
        doorbell::{Doorbell, Ringer},
        seal::Seal,
    },
    notify::{Sender, tasks::TaskMails},
    rate_limit::Share,
    readiness::Followers,
    relay::{Relay, RelayStatus},
    startup::Base,
};

/// Registers the tasks of a process.
pub(crate) struct Registry<'a> {
    /// What runs them.
    pub driver: &'a Driver,
    /// What they work with.
    pub base: &'a Base,
}

impl Registry<'_> {
    /// In every process.
    pub fn every_process(&self) -> Followers {
        let Self { driver, base } = self;
        let (incarnations, pool) = (base.log.incarnations().clone(), base.pool.clone());
        driver.service("incarnation", Aborted, move |_| incarnations.clone().run(pool.clone()));

        let followers = Followers::default();
        let (seen, pool, relay) = (followers.clone(), base.pool.clone(), base.relay_config.clone());
        let look = each(move || seen.clone().look(pool.clone(), relay.clone()));
        driver.task(About::every(Duration::from_secs(1), "followers", Aborted), look);
        followers
    }

    /// In a process that only runs jobs.
    pub fn only_jobs(&self) {
        let ringer = Ringer::new(self.base.messaging.clone(), self.base.epoch.clone(), self.base.log.head());
        self.driver.service("ringer", Aborted, move |_| ringer.clone().run());
    }

    /// In every process that does not only run jobs.
    pub fn doorbell(&self, doorbell: Doorbell) {
        self.driver.service("doorbell", Aborted, move |_| doorbell.clone().run());
    }

    /// In every process that does not only run jobs.
    pub fn identity(&self, identity: &Identity, seal: Seal) {
        let Self { driver, base } = self;
        let keys = identity.clone();
        let keys = each(move || keys.clone().refresh_keys());
        driver.task(About::every(Duration::from_millis(500), "signing_keys", Aborted), keys);

        let kinds = identity.clone();
        let kinds = each(move || kinds.clone().refresh_hash_kinds());
        driver.task(About::every(Duration::from_mins(1), "hash_kinds", Aborted), kinds);

        let (identity, messaging, epoch) = (identity.clone(), base.messaging.clone(), base.epoch.clone());
        driver.service("revocations", Aborted, move |_| {
            identity.clone().share_revocations(messaging.clone(), seal.clone(), epoch.clone())
        });
    }

    /// In every process that does not only run jobs.
    pub fn rate_limits(&self, share: Share) {
        self.driver.service("rate_limits", Aborted, move |_| share.clone().run());
    }

    /// The role `projector`. Each group of views is led, by the runner's own session.
    pub fn projector(&self, election: &Election, announce: &Announce) {
        let Self { driver, base } = self;
        for group in workroom_projections::groups() {
            let name = runner_name(group.name);
            let runner = Runner::new(
                group,
                base.options.clone(),
                base.log.head(),
                base.progress.clone(),
                Arc::clone(announce),
                election.clone(),
            );
            let runner = runner.with_recent(base.log.recent());
            driver.service(name, Aborted, move |_| runner.clone().run());
        }
    }

    /// The role `relay`. It is led, by the relay's own session.
    pub fn relay(&self, election: &Election) -> watch::Receiver<RelayStatus> {
        let Self { driver, base } = self;
        let relay = Relay::new(
            base.pool.clone(),
            base.options.clone(),
            base.log.head(),
            base.messaging.clone(),
            base.relay_config.clone(),
            election.clone(),
        );
        let relay = relay.with_recent(base.log.recent());
        let status = relay.status();
        driver.service("relay", Aborted, move |_| relay.clone().run());
        status
    }

    /// The role `worker`, where code can be run.
    pub fn worker(&self, sandbox: &Sandbox) {
        let Self { driver, base } = self;
        let stream = &base.relay_config.jobs_stream;
        let worker = Worker::new(base.app.clone(), base.messaging.clone(), stream, sandbox.clone());
        let slots = base.worker_slots();
        driver.service("worker", Waited, move |context| worker.clone().run(slots, context.shutdown));
    }

    /// The role `scheduler`.
    ///
    /// # Errors
    /// Settings for mails that do not fit.
    pub fn scheduler(&self, election: &Election, address: SocketAddr) -> anyhow::Result<()> {
        let Self { driver, base } = self;
        let app = || base.app.clone();
        let lead = |name| Lead { name, election: election.clone(), options: base.options.clone() };

        let about = About::every(Duration::from_secs(1), "reconciler", Waited).led(lead("reconciler"));
        driver.task(about, Reconciler::new(app(), base.messaging.clone(), &base.relay_config.jobs_stream));

        // Not led: each checkpoint is leased, each mail too, and what is deleted may be deleted by anybody.
        for (name, reaction) in
            [("reactor_departures", Reaction::Departures), ("reactor_deletions", Reaction::Deletions)]
        {
            let reactor = Following(Reactor::new(app(), reaction));
            driver.task(About::every(Duration::from_secs(1), name, Waited), reactor);
        }

        let about = About::every(Duration::from_millis(500), "task_mails", Waited);
        // Not once for each command: what comes within a moment is seen together.
        let about = about.gathering(Duration::from_millis(100));
        driver.task(about, Following(TaskMails::new(app(), base.config.mail.reminder_latest())));

        if let Some(sender) = Sender::new(base.pool.clone(), &base.config.mail.config(address))? {
            driver.task(About::every(Duration::from_secs(1), "mail_sender", Waited), sender);
        } else {
            tracing::warn!("no mail is sent: neither WORKROOM_SMTP_URL nor WORKROOM_MAIL_FOLDER is set");
        }

        let about = About::every(cleanup::SHORTEST_PERIOD, "cleanup", Aborted);
        driver.task(about, Cleanup::new(base.pool.clone()));
        Ok(())
    }
}

/// The name of the service loop that keeps a group of views.
fn runner_name(group: &str) -> &'static str {
    let [workspace, jobs] = ["views_workspace", "views_jobs"];
    match GROUPS.iter().position(|name| *name == group) {
        Some(0) => workspace,
        Some(1) => jobs,
        _ => "views",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_group_of_views_has_a_name_of_its_own() {
        let names: BTreeSet<_> = GROUPS.iter().map(|group| runner_name(group)).collect();
        assert_eq!(names.len(), GROUPS.len());
        assert!(!names.contains("views"));
    }
}
