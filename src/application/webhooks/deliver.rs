//! Ask for an event to be sent: a job for each webhook that takes it.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use uuid::{Builder, Uuid};
use workroom_domain::{
    access::{self, Decision},
    account::Account,
    actor::{Actor, SystemActor},
    ids::{AccountId, JobId, OrganizationId, ProjectId, WebhookId},
    job::{Job, JobCommand, Key, MaxAttempts, Priority, Request, Work},
    project::Project,
    webhook::{DisableReason, Webhook, WebhookCommand},
};

use super::MANAGE;
use crate::application::{App, Command, Context, Error, Unit};

/// How often a delivery is tried; with the pauses of its type, within about a day.
const MAX_ATTEMPTS: u32 = 12;

/// A delivery that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewDelivery {
    /// Its id, and that of its job.
    pub id: JobId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The version of the webhook that this was found by.
    pub webhook_version: i64,
    /// The project whose event it is.
    pub project_id: ProjectId,
    /// The organization that the project lives in: organizations share the workers among them.
    pub organization_id: OrganizationId,
    /// The account that the webhook acts for: who created it, or enabled it last.
    pub acts_for: AccountId,
    /// The event that is sent.
    pub event_id: Uuid,
    /// Its place in the log.
    pub position: i64,
}

/// The id of an event's first delivery to a webhook (a `UUIDv8`): always the same, so that it is asked for once,
/// whatever dies. It begins with the time of the event, to the millisecond: deliveries are listed in the order of their
/// events.
pub fn delivery_id(webhook_id: WebhookId, event_id: Uuid) -> JobId {
    let mut digest = Digest::new(&SHA256);
    digest.update(webhook_id.0.as_bytes());
    digest.update(event_id.as_bytes());
    let mut bytes = *event_id.as_bytes();
    bytes[6..].copy_from_slice(&digest.finish().as_ref()[..10]);
    JobId(Builder::from_custom_bytes(bytes).into_uuid())
}

impl NewDelivery {
    fn request(&self) -> Result<Request, Error> {
        let Self { webhook_id, event_id, position, .. } = *self;
        Ok(Request {
            project_id: Some(self.project_id),
            organization_id: Some(self.organization_id),
            submitted_by: self.acts_for,
            work: Work::WebhookDelivery { webhook_id, event_id, position },
            max_attempts: MaxAttempts::from_number(MAX_ATTEMPTS).unwrap_or_default(),
            priority: Priority::default(),
            run_at: None,
            key: None,
            // An address that answers slowly must not hold up the others. Open deliveries are counted by it, too.
            fairness_key: Some(Key::parse(&format!("webhook:{webhook_id}")).map_err(Error::failure)?),
            schedule_id: None,
        })
    }
}

/// What becomes of a delivery, by the rights of the account that its webhook acts for. The append is guarded by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// It is asked for.
    Admitted,
    /// Its webhook is disabled: that account may not manage it any more.
    RightLost,
    /// The project is deleted, and its webhooks with it.
    ProjectDeleted,
    /// Its webhook is deleted, and its deliveries with it.
    WebhookDeleted,
}

impl NewDelivery {
    async fn admission(&self, unit: &mut Unit<'_>) -> Result<Admission, Error> {
        if matches!(unit.read::<Webhook>(self.webhook_id).await?.state, Webhook::Deleted { .. }) {
            return Ok(Admission::WebhookDeleted);
        }
        if unit.read::<Account>(self.acts_for).await?.state.active().is_ok() {
            let relation = unit.relation(self.acts_for, self.project_id, MANAGE).await?;
            if access::decide(relation, MANAGE) == Decision::Allowed {
                return Ok(Admission::Admitted);
            }
        }
        let project = unit.read::<Project>(self.project_id).await?;
        Ok(if project.state.active().is_ok() { Admission::RightLost } else { Admission::ProjectDeleted })
    }

    async fn disable_webhook(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let webhook = unit.read::<Webhook>(self.webhook_id).await?;
        let sends = matches!(&webhook.state, Webhook::Present(state) if state.disabled.is_none());
        if !sends {
            return Ok(());
        }
        if webhook.sequence != self.webhook_version {
            // It may act for somebody else by now, as the views will show.
            return Err(Error::Overtaken);
        }
        unit.decide(&webhook, WebhookCommand::Disable { reason: DisableReason::CreatorLeft })?;
        Ok(())
    }
}

/// Ask for deliveries; those that were asked for before are passed over. A webhook whose account has lost the right to
/// manage it is disabled instead.
struct RequestDeliveries<'a>(&'a [NewDelivery]);

impl Command for RequestDeliveries<'_> {
    type Reply = ();

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let mut disabled = BTreeSet::new();
        for delivery in self.0 {
            let job = unit.read::<Job>(delivery.id).await?;
            if job.state.requested().is_ok() {
                continue;
            }
            match delivery.admission(unit).await? {
                Admission::Admitted => {
                    unit.decide(&job, JobCommand::Request(Box::new(delivery.request()?)))?;
                }
                Admission::RightLost if disabled.insert(delivery.webhook_id) => delivery.disable_webhook(unit).await?,
                Admission::RightLost | Admission::ProjectDeleted | Admission::WebhookDeleted => {}
            }
        }
        Ok(())
    }
}

impl App {
    /// Asks for the deliveries that follow from one event; returns once that is committed.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn request_deliveries(&self, cause: Uuid, deliveries: &[NewDelivery]) -> Result<(), Error> {
        let context = Context { causation_id: Some(cause), ..service() };
        self.run_unseen(&context, &RequestDeliveries(deliveries)).await
    }
}

/// The service does what follows from an event.
pub(super) fn service() -> Context {
    Context::new(Actor::System(SystemActor::Reconciler), Uuid::now_v7())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_one_first_delivery_to_each_webhook_in_the_order_of_events() {
        let (one, other) = (WebhookId(Uuid::from_u128(1)), WebhookId(Uuid::from_u128(2)));
        let event = |millis: u64| Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
        let (early, late) = (event(1_700_000_000_000), event(1_700_000_000_001));
        assert_eq!(delivery_id(one, early), delivery_id(one, early));
        assert_ne!(delivery_id(one, early), delivery_id(other, early));
        assert!(delivery_id(one, early) < delivery_id(one, late));
        assert!(delivery_id(other, early) < delivery_id(one, late));
        assert_eq!(delivery_id(one, early).0.get_version_num(), 8);
    }
}
