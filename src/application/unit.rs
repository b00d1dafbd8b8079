//! A unit of work: what one attempt of a command has read and decided.

use std::{any::Any, sync::Arc};

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{self, Action, Decision, Facts, OrganizationAction, Relation, Role},
    account::{Account, AccountRefusal},
    ids::{AccountId, OrganizationId, ProjectId},
    membership::Membership,
    organization::Organization,
    project::Project,
};

use super::{Context, EmailProof, Error, jobs::Room, reading::admit};
use crate::application::codes::FORBIDDEN;
use crate::event_store::{
    AppendRequest, EventLog, Expected, Latest, LoadError, Receipt, Settlement, Stored, StoredForm, StreamAppend,
    Versioned, serialize_events,
};

/// A state of an aggregate, of whatever type.
trait AnyState: Send + Sync {
    fn as_any(&self) -> &(dyn Any + Send + Sync);
    fn expected(&self) -> Expected;
    fn evict(&self, log: &EventLog, generation: u64);
    fn cache_uncommitted(&self, log: &EventLog, generation: u64, settlement: &Settlement);
    fn cache(&self, log: &EventLog, generation: u64);
    fn offer_snapshot(&self, log: &EventLog, generation: u64);
}

impl<A: Stored> AnyState for Arc<Versioned<A>> {
    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn expected(&self) -> Expected {
        Expected { aggregate_type: <A as Decide>::TYPE, aggregate_id: self.id, sequence: self.sequence }
    }

    fn evict(&self, log: &EventLog, generation: u64) {
        log.evict_exact(self, generation);
    }

    fn cache_uncommitted(&self, log: &EventLog, generation: u64, settlement: &Settlement) {
        log.cache_uncommitted(Arc::clone(self), generation, settlement);
    }

    fn cache(&self, log: &EventLog, generation: u64) {
        log.cache(Arc::clone(self), generation);
    }

    fn offer_snapshot(&self, log: &EventLog, generation: u64) {
        log.offer_snapshot(self, generation);
    }
}

/// What an attempt of a command has read and decided. Everything read becomes a guard of the append.
pub struct Unit<'a> {
    log: &'a EventLog,
    pool: &'a PgPool,
    context: &'a Context,
    email_proof: EmailProof,
    generation: u64,
    read: Vec<Box<dyn AnyState>>,
    depends_on: Vec<Settlement>,
    streams: Vec<StreamAppend>,
    decided: Vec<Box<dyn AnyState>>,
    forgets_snapshots: bool,
    room: Room,
}

/// What an attempt leaves in memory: what it read, to be evicted when it turns out to be old, and what it decided, to be
/// kept.
pub(super) struct Memory {
    generation: u64,
    read: Vec<Box<dyn AnyState>>,
    decided: Vec<Box<dyn AnyState>>,
    forgets_snapshots: bool,
}

impl Memory {
    /// Keeps what was decided for the next command, which then depends on this one.
    pub(super) fn keep_uncommitted(&self, log: &EventLog, settlement: &Settlement) {
        self.decided.iter().for_each(|state| state.cache_uncommitted(log, self.generation, settlement));
    }

    /// Keeps what was decided, now that it is committed.
    pub(super) fn keep(&self, log: &EventLog) {
        self.decided.iter().for_each(|state| state.cache(log, self.generation));
        if self.forgets_snapshots {
            self.decided.iter().for_each(|state| state.offer_snapshot(log, self.generation));
        }
    }

    /// Evicts what was read, so that the next attempt reads it from the log.
    pub(super) fn evict(&self, log: &EventLog) {
        self.read.iter().for_each(|state| state.evict(log, self.generation));
    }
}

impl<'a> Unit<'a> {
    pub(super) fn new(log: &'a EventLog, pool: &'a PgPool, context: &'a Context, email_proof: EmailProof) -> Self {
        let generation = log.incarnations().generation();
        let (read, depends_on, streams, decided) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (forgets_snapshots, room) = (false, Room::default());
        Self {
            log,
            pool,
            context,
            email_proof,
            generation,
            read,
            depends_on,
            streams,
            decided,
            forgets_snapshots,
            room,
        }
    }

    /// Who asks, and when.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The database, for what lies outside the log.
    pub fn pool(&self) -> &'a PgPool {
        self.pool
    }

    /// When an address counts as its account's.
    pub fn email_proof(&self) -> EmailProof {
        self.email_proof
    }

    /// Room for the jobs that this attempt adds to those that wait. It is given back with the attempt.
    pub(super) fn room(&mut self) -> &mut Room {
        &mut self.room
    }

    /// Reads an aggregate, always the same state within an attempt. The command's outcome then holds only while it has not
    /// moved.
    pub async fn read<A: Stored>(&mut self, id: impl Into<Uuid>) -> Result<Arc<Versioned<A>>, LoadError> {
        let id = id.into();
        let known = self.read.iter().filter_map(|state| state.as_any().downcast_ref::<Arc<Versioned<A>>>());
        if let Some(known) = known.into_iter().find(|known| known.id == id) {
            return Ok(Arc::clone(known));
        }
        let Latest { versioned, settlement } = self.log.latest::<A>(id).await?;
        self.depends_on.extend(settlement);
        self.read.push(Box::new(Arc::clone(&versioned)));
        Ok(versioned)
    }

    /// As [`Unit::read`], but waits until the state is in the log: for whoever then looks in the database for what it tells
    /// of.
    pub async fn read_committed<A: Stored>(&mut self, id: impl Into<Uuid>) -> Result<Arc<Versioned<A>>, LoadError> {
        let versioned = self.log.load::<A>(id.into()).await?;
        self.read.push(Box::new(Arc::clone(&versioned)));
        Ok(versioned)
    }

    /// Looks at an aggregate without relying on it: no guard.
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
        let feed_id = next.state.feed(current.id);
        self.append(current, &next, feed_id, &events)?;
        Ok(next)
    }

    /// Takes up events that lead from one state of an aggregate to the next.
    fn append<A: Stored>(
        &mut self,
        current: &Versioned<A>,
        next: &Arc<Versioned<A>>,
        feed_id: Uuid,
        events: &[<A as Decide>::Event],
    ) -> Result<(), Error> {
        let events = serialize_events(events, &self.context.metadata()).map_err(Error::failure)?;
        let key = (<A as Decide>::TYPE, current.id);
        match self.streams.iter_mut().find(|s| (s.expected.aggregate_type, s.expected.aggregate_id) == key) {
            Some(stream) => stream.events.extend(events),
            None => self.streams.push(StreamAppend {
                expected: Expected { aggregate_type: key.0, aggregate_id: key.1, sequence: current.sequence },
                feed_id,
                events,
            }),
        }
        // Only the last state of an aggregate counts.
        self.decided.retain(|state| {
            let Expected { aggregate_type, aggregate_id, .. } = state.expected();
            (aggregate_type, aggregate_id) != key
        });
        self.decided.push(Box::new(Arc::clone(next)));
        Ok(())
    }

    /// Takes up events that no aggregate decides: that others were redacted. They belong to the same feed as those. The snapshot
    /// of the aggregate goes with the append, and the state behind it takes its place: others would read all events anew.
    pub(super) fn record<A: Stored>(
        &mut self,
        current: &Versioned<A>,
        feed_id: Uuid,
        events: &[<A as Decide>::Event],
    ) -> Result<(), Error> {
        let mut next = current.clone();
        for event in events {
            next.state.evolve(event);
            next.sequence += 1;
        }
        self.forgets_snapshots = true;
        self.append(current, &Arc::new(next), feed_id, events)
    }

    /// The next events of an aggregate behind a sequence, up to another, as they are stored.
    pub(super) async fn stored_events<A: Stored>(
        &self,
        id: Uuid,
        after: i64,
        until: i64,
    ) -> Result<Vec<StoredForm>, LoadError> {
        self.log.stored_events::<A>(id, after, until).await
    }

    /// The generation of the incarnation that the attempt began in.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// An event of an aggregate, in its newest form, from a stored one.
    pub(super) fn decode<A: Stored>(
        &self,
        id: Uuid,
        sequence: i64,
        stored_as: (&str, &str),
        payload: &str,
    ) -> Result<<A as Decide>::Event, Error> {
        Ok(self.log.decode::<A>(id, sequence, stored_as, payload)?)
    }

    /// Insists that the asking account can act; asked before every command. The append is guarded by this: nothing is
    /// written in the name of an account behind its deactivation or erasure.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for an account that is deactivated or erased.
    pub(super) async fn admit_actor(&mut self) -> Result<(), Error> {
        let Some(account_id) = self.context.actor.account() else { return Ok(()) };
        match self.read::<Account>(account_id).await?.state.active() {
            // It begins with this command: it registers.
            Ok(()) | Err(AccountRefusal::Absent) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// How an account stands to a project, as far as that matters for an action: where the membership alone allows it, nothing
    /// else is read. The append will be guarded by what was.
    pub async fn relation(
        &mut self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
    ) -> Result<Relation, LoadError> {
        let membership = self.read::<Membership>(project_id).await?;
        let least = Facts::of_member(membership.state.role_of(account_id)).relation();
        if access::decide(least, action) == Decision::Allowed {
            return Ok(least);
        }
        let project = self.read::<Project>(project_id).await?;
        let Ok((organization_id, _)) = project.state.active() else { return Ok(Relation::Stranger) };
        let organization = self.read::<Organization>(organization_id).await?;
        Ok(Facts::of(account_id, &project.state, &membership.state, &organization.state).relation())
    }

    /// As [`Unit::relation`]; of a deleted project, how the account stood to it when it was deleted.
    pub(super) async fn relation_or_former(
        &mut self,
        account_id: AccountId,
        project_id: ProjectId,
        action: Action,
    ) -> Result<Relation, LoadError> {
        let relation = self.relation(account_id, project_id, action).await?;
        if relation != Relation::Stranger {
            return Ok(relation);
        }
        let project = self.read::<Project>(project_id).await?;
        let Project::Deleted { organization_id, .. } = project.state else { return Ok(relation) };
        let membership = self.read::<Membership>(project_id).await?;
        let organization = self.read::<Organization>(organization_id).await?;
        Ok(Facts::at_deletion(account_id, &membership.state, &organization.state).relation())
    }

    /// Asks whether the caller may do this in the project; answers the role whose rights they have. The append will be guarded
    /// by that.
    ///
    /// # Errors
    /// `Kind::Forbidden`, or `Kind::NotFound` to whom the project does not exist.
    pub async fn authorize(
        &mut self,
        project_id: ProjectId,
        action: Action,
    ) -> Result<(Role, Arc<Versioned<Membership>>), Error> {
        let relation = self.relation(self.context.account()?, project_id, action).await?;
        // Commands are for members and admins: a visitor has no role.
        let role = admit(relation, action)?.ok_or(FORBIDDEN)?;
        Ok((role, self.read::<Membership>(project_id).await?))
    }

    /// Asks whether the caller may do this with the organization, which the append will be guarded with.
    ///
    /// # Errors
    /// `Kind::Forbidden`, or `Kind::NotFound` to whom the organization does not exist.
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
            Decision::Allowed => Ok(organization),
            Decision::Forbidden => Err(FORBIDDEN.into()),
            Decision::Hidden => Err(Error::not_found("organization")),
        }
    }

    /// Whether nothing was decided.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Evicts everything read, so that the next attempt reads it from the log.
    pub(super) fn evict(&self) {
        self.read.iter().for_each(|state| state.evict(self.log, self.generation));
    }

    /// Whether everything read still holds in the log. A refusal never reaches the append and its guards, so it is
    /// checked by hand: a membership in this process' cache may be older than the invitation that another just answered, or
    /// be decided and not yet committed.
    pub(super) async fn is_current(&self) -> Result<bool, Error> {
        for settlement in &self.depends_on {
            if !settlement.committed().await {
                return Ok(false);
            }
        }
        let expected: Vec<_> = self.read.iter().map(|state| state.expected()).collect();
        if expected.is_empty() {
            return Ok(true);
        }
        let aggregates: Vec<_> = expected.iter().map(|e| (e.aggregate_type, e.aggregate_id)).collect();
        let sequences = self.log.sequences(&aggregates).await?;
        let holds = expected.iter().zip(sequences).all(|(expected, sequence)| expected.sequence == sequence);
        Ok(holds && self.log.incarnations().generation() == self.generation)
    }

    /// Splits into what to append, what to keep in memory, and what was taken for jobs.
    pub(super) fn into_append(self, receipt: Option<Receipt>) -> (AppendRequest, Memory, Room) {
        let written: Vec<_> = self.streams.iter().map(|s| s.expected).collect();
        let guards = self.read.iter().map(|state| state.expected()).filter(|e| !written.contains(e)).collect();
        let request = AppendRequest {
            streams: self.streams,
            guards,
            receipt,
            tables: Vec::new(),
            depends_on: self.depends_on,
            generation: Some(self.generation),
        };
        let memory = Memory {
            generation: self.generation,
            read: self.read,
            decided: self.decided,
            forgets_snapshots: self.forgets_snapshots,
        };
        (request, memory, self.room)
    }
}
