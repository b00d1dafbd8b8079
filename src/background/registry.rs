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
    application::{
        jobs::OpenJobs,
        reactor::{Reaction, Reactor},
        redaction::{Redactions, Statistics},
        webhooks::WebhookFollower,
    },
    config::Role,
    identity::Identity,
    jobs::{
        Pool,
        dispatcher::Dispatcher,
        output_bell::OutputBell,
        pool::PerPool,
        sandbox::Sandbox,
        scheduler::{self, Scheduler},
        types::Types,
        worker::{Worker, WorkerConfig},
    },
    log_tree::{LogTree, Publisher, TreeStatus, Trees},
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
    pub fn outputs(&self, bell: &OutputBell) {
        let bell = bell.clone();
        self.driver.service("job_outputs", Aborted, move |_| bell.clone().run());
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

    /// The role `projector`, too. It is led, by the tree's own session.
    pub fn log_tree(&self, election: &Election) -> watch::Receiver<TreeStatus> {
        let Self { driver, base } = self;
        // Connections of its own: requests that use up the others do not hold up what is signed.
        let trees = Trees::new(base.database.pool(2));
        let tree =
            LogTree::new(trees.clone(), base.options.clone(), base.log.head(), base.log.recent(), election.clone());
        let status = tree.status();
        if let Some(folder) = base.config.process.checkpoints_dir.clone() {
            let publisher = Publisher::new(folder, trees, tree.signed(), status.clone());
            driver.service("checkpoints", Aborted, move |_| publisher.clone().run());
        }
        driver.service("log_tree", Aborted, move |_| tree.clone().run());
        status.subscribe()
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

    /// The role `worker`, where code can be run, and the role `scheduler`, which runs the service's own jobs.
    pub fn worker(&self, sandbox: Option<&Sandbox>) {
        let Self { driver, base } = self;
        let service = base.plays(Role::Scheduler).then(|| base.config.jobs.webhooks.destinations());
        let open = OpenJobs::new(base.config.jobs.open_limits());
        let types = Types::new(sandbox, service, &open);
        let slots = |pool, slots| if types.serves(pool) { slots } else { 0 };
        let slots = PerPool::new(
            slots(Pool::Sandbox, base.worker_slots()),
            slots(Pool::Service, base.config.jobs.service_slots),
        );
        let grace = base.config.jobs.grace();
        if let Some(sandbox) = sandbox.cloned() {
            let sweep = each(move || {
                let sandbox = sandbox.clone();
                async move {
                    sandbox.sweep().await;
                    Ok(())
                }
            });
            driver.task(About::every(Duration::from_secs(30), "sandbox_sweep", Aborted), sweep);
        }
        let storage_quota = base.config.jobs.storage_quota();
        let config = WorkerConfig { types, slots, grace, storage_quota, sandbox: sandbox.cloned() };
        let (app, options) = (base.app.clone(), base.options.clone());
        let worker = Worker::new(app, options, base.messaging.clone(), base.epoch.clone(), config);
        driver.service("worker", Waited, move |context| worker.clone().run(context.shutdown));
    }

    /// The role `scheduler`.
    ///
    /// # Errors
    /// Settings for mails that do not fit.
    pub fn scheduler(&self, election: &Election, address: SocketAddr) -> anyhow::Result<()> {
        let Self { driver, base } = self;
        let app = || base.app.clone();
        let dispatcher = Dispatcher::new(
            app(),
            base.options.clone(),
            base.messaging.clone(),
            election.clone(),
            base.epoch.clone(),
            base.config.jobs.running_limits(),
        );
        driver.service("dispatcher", Aborted, move |_| dispatcher.clone().run());

        let lead = Lead { name: "schedules", election: election.clone(), options: base.options.clone() };
        let about = About::every(scheduler::PERIOD, "schedules", Waited).gathering(scheduler::GATHERING);
        driver.task(about.led(lead), Scheduler::new(app(), OpenJobs::new(base.config.jobs.open_limits())));

        // Not led: each checkpoint is leased, each mail too, and what is deleted may be deleted by anybody.
        for (name, reaction) in [
            ("reactor_departures", Reaction::Departures),
            ("reactor_deletions", Reaction::Deletions),
            ("reactor_failures", Reaction::Failures),
        ] {
            let reactor = Following(Reactor::new(app(), reaction));
            driver.task(About::every(Duration::from_secs(1), name, Waited), reactor);
        }

        // Not led: each order is leased.
        driver.task(About::every(Duration::from_secs(1), "redactions", Waited), Redactions::new(app()));
        let statistics = Statistics::new(base.pool.clone());
        driver.task(About::every(Duration::from_secs(5), "redaction_statistics", Waited), statistics);

        let about = About::every(Duration::from_millis(500), "webhooks", Waited).gathering(Duration::from_millis(50));
        let open = base.config.jobs.webhooks.open_deliveries;
        driver.task(about, Following(WebhookFollower::new(app(), open)));

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
        driver.task(about, Cleanup::new(base.pool.clone(), base.config.jobs.job_data_days));
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
