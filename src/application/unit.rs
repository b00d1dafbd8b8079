//! A unit of work: what one try of a command has read and decided.

use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{self, Action, OrganizationAction, Role, Standing, Verdict},
    account::{Account, AccountRefusal},
    ids::{OrganizationId, ProjectId},
    membership::Membership,
    organization::Organization,
    project::Project,
};

use super::{Context, Error};
use crate::event_store::{
    AppendRequest, EventLog, Expected, LoadError, Receipt, Stored, StreamAppend, Versioned, serialize_events,
};

type Remember = Box<dyn FnOnce(&EventLog) + Send + Sync>;

/// What one try of a command has read and decided. Everything read becomes a guard of the append.
pub struct Unit<'a> {
    log: &'a EventLog,
    pool: &'a PgPool,
    context: &'a Context,
    read: Vec<Expected>,
    streams: Vec<StreamAppend>,
    remember: Vec<Remember>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(log: &'a EventLog, pool: &'a PgPool, context: &'a Context) -> Self {
        Self { log, pool, context, read: Vec::new(), streams: Vec::new(), remember: Vec::new() }
    }

    /// Who asks, and when.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The database, for what lies outside the log.
    pub fn pool(&self) -> &'a PgPool {
        self.pool
    }

    /// Reads an aggregate. The command's outcome then holds only while it has not moved.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn read<A: Stored>(&mut self, id: impl Into<Uuid>) -> Result<Arc<Versioned<A>>, LoadError> {
        let loaded = self.log.load::<A>(id.into()).await?;
        let expected =
            Expected { aggregate_type: <A as Decide>::TYPE, aggregate_id: loaded.id, sequence: loaded.sequence };
        if !self.read.contains(&expected) {
            self.read.push(expected);
        }
        Ok(loaded)
    }

    /// Looks at an aggregate without relying on it: no guard.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn peek<A: Stored>(&self, id: impl Into<Uuid>) -> Result<Arc<Versioned<A>>, LoadError> {
        self.log.load::<A>(id.into()).await
    }

    /// An aggregate that does not exist yet, under a new id: nothing to read.
    pub fn new_aggregate<A: Stored>(id: impl Into<Uuid>) -> Versioned<A> {
        Versioned { id: id.into(), state: A::default(), sequence: 0 }
    }

    /// Decides a command on an aggregate, and returns its state afterwards.
    ///
    /// # Errors
    /// The aggregate's refusal.
    pub fn decide<A: Stored>(
        &mut self,
        current: &Versioned<A>,
        command: <A as Decide>::Command,
    ) -> Result<Arc<Versioned<A>>, Error>
    where
        Error: From<<A as Decide>::Refusal>,
    {
        let events = current.state.decide(command)?;
        let mut next = current.clone();
        for event in &events {
            next.state.evolve(event);
            next.sequence += 1;
        }
        let next = Arc::new(next);
        if events.is_empty() {
            return Ok(next);
        }
        let events = serialize_events(&events, &self.context.metadata()).map_err(Error::failure)?;
        let key = (<A as Decide>::TYPE, current.id);
        match self.streams.iter_mut().find(|s| (s.expected.aggregate_type, s.expected.aggregate_id) == key) {
            Some(stream) => stream.events.extend(events),
            None => self.streams.push(StreamAppend {
                expected: Expected { aggregate_type: key.0, aggregate_id: key.1, sequence: current.sequence },
                feed_id: next.state.feed(current.id),
                events,
            }),
        }
        let remembered = Arc::clone(&next);
        self.remember.push(Box::new(move |log| log.remember(remembered)));
        Ok(next)
    }

    /// Insists that the asking account can act; asked before every command. The append is guarded by this: nothing is
    /// written in the name of an account behind its deactivation or erasure.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for an account that is deactivated or erased.
    pub(super) async fn admit_actor(&mut self) -> Result<(), Error> {
        let Some(account_id) = self.context.actor.account() else { return Ok(()) };
        match self.read::<Account>(account_id).await?.state.active() {
            // It begins with this command: it registers.
            Ok(()) | Err(AccountRefusal::Absent) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Asks whether the caller may do this in the project, by the roster that the append will be guarded with.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or [`Error::NotFound`] to whom the project does not exist.
    pub async fn authorize(
        &mut self,
        project_id: ProjectId,
        action: Action,
    ) -> Result<(Role, Arc<Versioned<Membership>>), Error> {
        let roster = self.read::<Membership>(project_id).await?;
        let account_id = self.context.account()?;
        let role = roster.state.role_of(account_id);
        if let Some(role) = role
            && access::decide(Standing::Member(role), action) == Verdict::Allowed
        {
            return Ok((role, roster));
        }
        // Only who may not by the roster costs more: a look at the project and its organization.
        let project = self.read::<Project>(project_id).await?;
        let Ok((organization_id, fields)) = project.state.active() else { return Err(Error::NotFound("project")) };
        if self.read::<Organization>(organization_id).await?.state.rules_projects(account_id) {
            return Ok((Role::Owner, roster));
        }
        match role {
            Some(_) => Err(Error::Forbidden),
            None if fields.is_public => Err(Error::Forbidden),
            None => Err(Error::NotFound("project")),
        }
    }

    /// Asks whether the caller may do this with the organization, which the append will be guarded with.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or [`Error::NotFound`] to whom the organization does not exist.
    pub async fn authorize_in_organization(
        &mut self,
        organization_id: OrganizationId,
        action: OrganizationAction,
    ) -> Result<Arc<Versioned<Organization>>, Error> {
        let organization = self.read::<Organization>(organization_id).await?;
        let state = organization.state.active()?;
        let role = state.role_of(self.context.account()?);
        let members_may = state.fields.settings.members_can_create_projects;
        match access::decide_in_organization(role, members_may, action) {
            Verdict::Allowed => Ok(organization),
            Verdict::Forbidden => Err(Error::Forbidden),
            Verdict::Hidden => Err(Error::NotFound("organization")),
        }
    }

    /// Whether nothing was decided.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Every aggregate that was read or written.
    pub(super) fn aggregates(&self) -> Vec<(&'static str, Uuid)> {
        let written = self.streams.iter().map(|stream| &stream.expected);
        self.read.iter().chain(written).map(|e| (e.aggregate_type, e.aggregate_id)).collect()
    }

    /// Forgets everything read, so that the next try reads it from the log.
    pub(super) fn forget(&self) {
        for expected in &self.read {
            self.log.forget(expected.aggregate_type, expected.aggregate_id);
        }
    }

    /// Whether everything read still stands in the log. A refusal never reaches the append and its guards, so it is
    /// checked by hand: a roster in this process' cache may be older than the invitation that another just answered.
    pub(super) async fn still_stands(&self) -> Result<bool, Error> {
        let aggregates: Vec<_> = self.read.iter().map(|e| (e.aggregate_type, e.aggregate_id)).collect();
        if aggregates.is_empty() {
            return Ok(true);
        }
        let sequences = self.log.sequences(&aggregates).await?;
        Ok(self.read.iter().zip(sequences).all(|(expected, sequence)| expected.sequence == sequence))
    }

    /// Splits into what to append and what to remember once it is committed.
    pub(super) fn into_append(self, receipt: Option<Receipt>) -> (AppendRequest, Vec<Remember>) {
        let written: Vec<_> = self.streams.iter().map(|s| s.expected).collect();
        let guards = self.read.into_iter().filter(|expected| !written.contains(expected)).collect();
        (AppendRequest { streams: self.streams, guards, receipt }, self.remember)
    }
}
