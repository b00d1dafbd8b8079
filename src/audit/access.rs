//! Proves law 9 by replay: for every event, its actor could act, and held the right to cause it, at its position.
//!
//! The replay keeps nothing but accounts and memberships, folded event by event, and asks the table of roles × actions in between:
//! it shares the table with the service, but none of the code that loads, caches or guards.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{self, Action, Decision, Facts, OrganizationAction, OrganizationRole, Relation, Right, Role},
    account::{Account, AccountEvent, AccountRefusal},
    actor::Actor,
    comment::CommentEvent,
    event::DomainEventKind,
    ids::AccountId,
    invitation::{Invitation, InvitationCommand, InvitationEvent, Place},
    job::JobEvent,
    membership::{Membership, MembershipEvent},
    organization::{Organization, OrganizationEvent},
    project::{Project, ProjectChanges, ProjectEvent},
    timestamp::Timestamp,
};
use workroom_projections::log::{LogError, LogReader, Recorded};

const BATCH: i64 = 5000;

/// An event that its actor had no right to cause.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The event's position in the log.
    pub position: i64,
    /// The event's type, such as `MemberAdded`; empty where its aggregate is unknown.
    pub event_type: String,
    /// The event's actor, as `account:<id>` or `system:<part>`; empty where its aggregate is unknown.
    pub actor: String,
    /// Why it should not have been.
    pub reason: String,
}

/// What the audit found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many events were read, which is the position of the last one.
    pub events: i64,
    /// How many projects the log tells of, deleted ones included.
    pub projects: usize,
    /// Events that should not be there.
    pub violations: Vec<Violation>,
}

/// Who belongs where, and who said what.
#[derive(Default)]
struct Replay {
    accounts: HashMap<Uuid, Account>,
    projects: HashMap<Uuid, Membership>,
    fields: HashMap<Uuid, Project>,
    /// The organization of each project, also of deleted ones.
    homes: HashMap<Uuid, Uuid>,
    organizations: HashMap<Uuid, Organization>,
    /// The projects in each organization that are not deleted.
    living: HashMap<Uuid, BTreeSet<Uuid>>,
    authors: HashMap<Uuid, AccountId>,
    invitations: HashMap<Uuid, Invitation>,
    /// What somebody has accepted and not taken yet, by feed.
    joining: HashMap<(Uuid, AccountId), Place>,
}

impl Replay {
    fn check(&self, recorded: &Recorded) -> Result<(), String> {
        let actor = recorded.metadata.actor;
        self.can_act(recorded)?;
        self.leaves_nothing(recorded)?;
        self.takes_guests(recorded)?;
        if actor.account().is_none() && (self.settles_erasure(recorded) || self.settles_departure(recorded)) {
            return Ok(());
        }
        let is_subject = match &recorded.event {
            DomainEventKind::Membership(event) => event.subject().is_some() && event.subject() == actor.account(),
            DomainEventKind::Organization(event) => event.subject().is_some() && event.subject() == actor.account(),
            DomainEventKind::Comment(CommentEvent::CommentPosted { author_id, .. }) => {
                actor.account() == Some(*author_id)
            }
            DomainEventKind::Comment(_) => {
                let author = self.authors.get(&recorded.aggregate_id).copied();
                author.is_some() && author == actor.account()
            }
            _ => false,
        };
        let project = project_of(recorded);
        let membership = project.and_then(|id| self.projects.get(&id));
        match access::required_right(&recorded.event, is_subject, membership.is_some()) {
            Right::InProject(Action::ManageMembers) if self.adds_as_lead(recorded, project) => Ok(()),
            Right::InProject(action) => {
                let settles = match &recorded.event {
                    DomainEventKind::Project(ProjectEvent::ProjectUpdated { changes }) => {
                        let fields = project.and_then(|id| self.fields.get(&id)).and_then(|found| found.active().ok());
                        fields.is_some_and(|(_, before)| {
                            let mut after = before.clone();
                            after.apply(changes);
                            after.settles_who_adds_members(before)
                        })
                    }
                    _ => false,
                };
                if settles {
                    self.in_project(Action::ManageMembers, project, actor)?;
                }
                self.in_project(action, project, actor)
            }
            Right::FoundProject if !self.may_found(recorded) => {
                Err("the actor may not create projects in the organization".to_owned())
            }
            Right::FoundProject => match (membership, is_subject || !is_membership(recorded)) {
                (None, true) => Ok(()),
                (None, false) => Err("a project is created by its first owner".to_owned()),
                (Some(_), _) => Err("the project was created before".to_owned()),
            },
            Right::Oneself => {
                let account = actor.account().ok_or("the service itself is no member")?;
                let is_member = membership.is_some_and(|membership| membership.role_of(account).is_some());
                if is_member { Ok(()) } else { Err("only a member can leave".to_owned()) }
            }
            Right::OwnAccount => {
                if actor.account().map(Uuid::from) == Some(recorded.feed_id) {
                    Ok(())
                } else {
                    Err("only the account itself may".to_owned())
                }
            }
            Right::OwnAccountOrService => match actor {
                Actor::Account(account) if Uuid::from(account) != recorded.feed_id => {
                    Err("only the account itself may".to_owned())
                }
                Actor::Account(_) | Actor::System(_) => Ok(()),
            },
            Right::InOrganization(action) => self.in_organization(action, recorded.feed_id, actor),
            Right::Invited => {
                let account_id = actor.account().ok_or("the service itself is not invited")?;
                let at = Timestamp::new(recorded.metadata.occurred_at).map_err(|error| error.to_string())?;
                let invitation = self.invitations.get(&recorded.aggregate_id).ok_or("nobody was invited")?;
                let accepted = invitation.decide(InvitationCommand::Accept { account_id, at });
                match accepted.map_err(|refusal| refusal.to_string())?.as_slice() {
                    [event] if recorded.event == DomainEventKind::Invitation(event.clone()) => Ok(()),
                    _ => Err("the invitation says something else".to_owned()),
                }
            }
            Right::Joining if self.has_accepted(recorded, actor) => Ok(()),
            Right::Joining if is_membership(recorded) => self.in_project(Action::ManageMembers, project, actor),
            Right::Joining => self.in_organization(OrganizationAction::ManageMembers, recorded.feed_id, actor),
            Right::FoundOrganization => {
                let is_founder = actor.account().is_none() || is_subject;
                match (self.organizations.contains_key(&recorded.aggregate_id), is_founder) {
                    (false, true) => Ok(()),
                    (false, false) => Err("an organization is created by its first admin".to_owned()),
                    (true, _) => Err("the organization was created before".to_owned()),
                }
            }
            Right::Nobody => Err("only its author may".to_owned()),
            Right::ServiceOnly => match actor {
                Actor::System(_) => Ok(()),
                Actor::Account(_) => Err("only the service itself may".to_owned()),
            },
        }
    }

    /// Whether the actor's account is there, and neither deactivated nor erased.
    fn can_act(&self, recorded: &Recorded) -> Result<(), String> {
        let Some(account_id) = recorded.metadata.actor.account() else { return Ok(()) };
        let registers = matches!(recorded.event, DomainEventKind::Account(AccountEvent::AccountRegistered { .. }))
            && recorded.aggregate_id == account_id.0;
        if registers {
            return Ok(());
        }
        let account = self.accounts.get(&account_id.0).copied().unwrap_or_default();
        account.active().map_err(|refusal| format!("the actor could not act: {refusal}"))
    }

    fn is_erased(&self, account_id: AccountId) -> bool {
        self.accounts.get(&account_id.0).is_some_and(|account| account.active() == Err(AccountRefusal::Erased))
    }

    /// Whether an organization that is deleted has no projects.
    fn leaves_nothing(&self, recorded: &Recorded) -> Result<(), String> {
        let DomainEventKind::Organization(OrganizationEvent::OrganizationDeleted {}) = recorded.event else {
            return Ok(());
        };
        match self.living.get(&recorded.aggregate_id).filter(|projects| !projects.is_empty()) {
            None => Ok(()),
            Some(projects) => {
                let some: Vec<_> = projects.iter().take(3).map(Uuid::to_string).collect();
                Err(format!("{} projects are left in it, such as {}", projects.len(), some.join(", ")))
            }
        }
    }

    /// Whether the service puts in order what an erased account has left: takes it off, and hands over, or ends, what
    /// nobody else could.
    fn settles_erasure(&self, recorded: &Recorded) -> bool {
        let membership = project_of(recorded).and_then(|id| self.projects.get(&id));
        let all_erased = |mut ids: Box<dyn Iterator<Item = AccountId> + '_>| ids.all(|id| self.is_erased(id));
        match &recorded.event {
            DomainEventKind::Membership(MembershipEvent::MemberRemoved { account_id, .. })
            | DomainEventKind::Organization(OrganizationEvent::OrganizationMemberRemoved { account_id, .. }) => {
                self.is_erased(*account_id)
            }
            DomainEventKind::Membership(MembershipEvent::MemberRoleChanged { to: Role::Owner, .. }) => membership
                .is_some_and(|membership| {
                    let owners = membership.members().filter(|(_, role)| *role == Role::Owner).map(|(id, _)| id);
                    all_erased(Box::new(owners))
                }),
            DomainEventKind::Organization(OrganizationEvent::OrganizationMemberRoleChanged {
                to: OrganizationRole::Admin,
                ..
            }) => {
                let state = self.organizations.get(&recorded.aggregate_id).and_then(|found| found.active().ok());
                state.is_some_and(|state| {
                    let admins = state.members().filter(|(_, role)| *role == OrganizationRole::Admin);
                    all_erased(Box::new(admins.map(|(id, _)| id)))
                })
            }
            DomainEventKind::Project(ProjectEvent::ProjectDeleted {})
            | DomainEventKind::Membership(MembershipEvent::MembershipClosed {}) => {
                membership.is_some_and(|membership| all_erased(Box::new(membership.members().map(|(id, _)| id))))
            }
            // Whoever is gone leads nothing.
            DomainEventKind::Project(ProjectEvent::ProjectUpdated { changes }) => {
                dismissed_lead(changes).is_some_and(|lead| self.is_erased(lead))
            }
            _ => false,
        }
    }

    /// The organization that a project lives in.
    fn home(&self, project: Option<Uuid>) -> Option<&Organization> {
        project.and_then(|id| self.homes.get(&id)).and_then(|id| self.organizations.get(id))
    }

    /// Whether the account is neither a member of the project's organization nor, where that takes guests, welcome as one.
    fn is_outsider(&self, project: Option<Uuid>, account_id: AccountId) -> bool {
        let state = self.home(project).and_then(|organization| organization.active().ok());
        state.is_some_and(|state| !state.allows_in_projects(account_id))
    }

    /// Whether nobody joins a project who does not belong to its organization, where that takes no guests.
    fn takes_guests(&self, recorded: &Recorded) -> Result<(), String> {
        match &recorded.event {
            DomainEventKind::Membership(MembershipEvent::MemberAdded { account_id, .. })
                if self.is_outsider(project_of(recorded), *account_id) =>
            {
                Err("the project's organization takes no guests".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether the service takes off a project who does not belong to its organization any more, and hands to an admin of that what
    /// only they owned.
    fn settles_departure(&self, recorded: &Recorded) -> bool {
        let project = project_of(recorded);
        let membership = project.and_then(|id| self.projects.get(&id));
        match &recorded.event {
            DomainEventKind::Membership(MembershipEvent::MemberRemoved { account_id, .. }) => {
                self.is_outsider(project, *account_id)
            }
            DomainEventKind::Membership(
                MembershipEvent::MemberAdded { account_id, role: Role::Owner }
                | MembershipEvent::MemberRoleChanged { account_id, to: Role::Owner, .. },
            ) => {
                let mut owners =
                    membership.into_iter().flat_map(Membership::members).filter(|(_, role)| *role == Role::Owner);
                owners.all(|(id, _)| self.is_outsider(project, id))
                    && self.relation(project, *account_id) == Relation::Admin
            }
            DomainEventKind::Project(ProjectEvent::ProjectUpdated { changes }) => {
                dismissed_lead(changes).is_some_and(|lead| self.is_outsider(project, lead))
            }
            _ => false,
        }
    }

    /// Whether the actor adds somebody, or invites somebody, as a lead who may.
    fn adds_as_lead(&self, recorded: &Recorded, project: Option<Uuid>) -> bool {
        let (DomainEventKind::Membership(MembershipEvent::MemberAdded { role, .. })
        | DomainEventKind::Invitation(InvitationEvent::InvitationSent {
            place: Place::Project { role, .. }, ..
        })) = &recorded.event
        else {
            return false;
        };
        let Some(account) = recorded.metadata.actor.account() else { return false };
        let project = project.and_then(|id| self.fields.get(&id));
        *role != Role::Owner && project.is_some_and(|project| project.lead_adds_members(account))
    }

    /// How an account stood to a project. Whether that was public does not matter: visitors cause no events. Nor whether it was
    /// deleted: its membership ends one event later, and the same actor ends it.
    fn relation(&self, project: Option<Uuid>, account: AccountId) -> Relation {
        let membership = project.and_then(|id| self.projects.get(&id));
        let facts = Facts::of_member(membership.and_then(|membership| membership.role_of(account)));
        match self.home(project) {
            Some(organization) => facts.with_organization(account, organization).relation(),
            None => facts.relation(),
        }
    }

    fn in_project(&self, action: Action, project: Option<Uuid>, actor: Actor) -> Result<(), String> {
        let account = actor.account().ok_or("the service itself may not do this")?;
        let relation = self.relation(project, account);
        if self.allows(relation, action, project, account) {
            Ok(())
        } else {
            Err(format!("{relation:?} may not {action:?}"))
        }
    }

    fn in_organization(&self, action: OrganizationAction, organization: Uuid, actor: Actor) -> Result<(), String> {
        let account = actor.account().ok_or("the service itself may not do this")?;
        let state = self.organizations.get(&organization).and_then(|found| found.active().ok());
        let role = state.and_then(|state| state.role_of(account));
        match access::decide_in_organization(role, false, action) {
            Decision::Allowed => Ok(()),
            _ => Err(format!("{role:?} may not {action:?} in the organization")),
        }
    }

    /// Whether somebody joins as what they have accepted to be.
    fn has_accepted(&self, recorded: &Recorded, actor: Actor) -> bool {
        let accepted = actor.account().and_then(|account| self.joining.get(&(recorded.feed_id, account)));
        match (&recorded.event, accepted) {
            (
                DomainEventKind::Membership(MembershipEvent::MemberAdded { role: taken, .. }),
                Some(Place::Project { role, .. }),
            ) => taken == role,
            (
                DomainEventKind::Organization(OrganizationEvent::OrganizationMemberAdded { role: taken, .. }),
                Some(Place::Organization { role, .. }),
            ) => taken == role,
            _ => false,
        }
    }

    fn allows(&self, relation: Relation, action: Action, project: Option<Uuid>, account: AccountId) -> bool {
        if access::decide(relation, action) != Decision::Allowed {
            return false;
        }
        let (Some(role), Action::EditProject) = (relation.role(), action) else { return true };
        let fields = project.and_then(|id| self.fields.get(&id)).and_then(|project| project.active().ok());
        fields.is_none_or(|(_, fields)| {
            access::policy_allows(fields.edit_policy, role, fields.team_lead == Some(account))
        })
    }

    /// Whether the organization lets the actor create the project that the event is about. Logs of earlier versions know
    /// no organizations.
    fn may_found(&self, recorded: &Recorded) -> bool {
        let DomainEventKind::Project(ProjectEvent::ProjectCreated { organization_id, .. }) = &recorded.event else {
            return true;
        };
        let Some(organization) = self.organizations.get(&organization_id.0) else { return true };
        organization.active().is_ok_and(|state| {
            let role = recorded.metadata.actor.account().and_then(|account| state.role_of(account));
            let members_may = state.fields.settings.members_can_create_projects;
            let action = OrganizationAction::CreateProjects;
            access::decide_in_organization(role, members_may, action) == Decision::Allowed
        })
    }

    fn fold(&mut self, recorded: &Recorded) {
        if let DomainEventKind::Account(event) = &recorded.event {
            self.accounts.entry(recorded.aggregate_id).or_default().evolve(event);
        }
        if let DomainEventKind::Membership(event) = &recorded.event {
            self.projects.entry(recorded.aggregate_id).or_default().evolve(event);
        }
        if let DomainEventKind::Project(event) = &recorded.event {
            if let ProjectEvent::ProjectCreated { organization_id, .. } = event {
                self.homes.insert(recorded.aggregate_id, organization_id.0);
                self.living.entry(organization_id.0).or_default().insert(recorded.aggregate_id);
            }
            let home =
                self.homes.get(&recorded.aggregate_id).filter(|_| matches!(event, ProjectEvent::ProjectDeleted {}));
            if let Some(projects) = home.and_then(|home| self.living.get_mut(home)) {
                projects.remove(&recorded.aggregate_id);
            }
            self.fields.entry(recorded.aggregate_id).or_default().evolve(event);
        }
        if let DomainEventKind::Organization(event) = &recorded.event {
            self.organizations.entry(recorded.aggregate_id).or_default().evolve(event);
        }
        if let DomainEventKind::Comment(CommentEvent::CommentPosted { author_id, .. }) = &recorded.event {
            self.authors.insert(recorded.aggregate_id, *author_id);
        }
        if let DomainEventKind::Invitation(event) = &recorded.event {
            self.invitations.entry(recorded.aggregate_id).or_default().evolve(event);
            if let InvitationEvent::InvitationAccepted { place, account_id } = event {
                self.joining.insert((recorded.feed_id, *account_id), *place);
            }
        }
        if let DomainEventKind::Membership(MembershipEvent::MemberAdded { account_id, .. })
        | DomainEventKind::Organization(OrganizationEvent::OrganizationMemberAdded { account_id, .. }) =
            &recorded.event
        {
            self.joining.remove(&(recorded.feed_id, *account_id));
        }
    }
}

/// Who led a project until it was nobody, if that is all that changed.
fn dismissed_lead(changes: &ProjectChanges) -> Option<AccountId> {
    let only = ProjectChanges { team_lead: changes.team_lead.clone(), ..ProjectChanges::default() };
    let lead = changes.team_lead.as_ref().filter(|lead| lead.to.is_none() && *changes == only)?;
    lead.from
}

fn is_membership(recorded: &Recorded) -> bool {
    matches!(recorded.event, DomainEventKind::Membership(_))
}

/// The project that an event belongs to.
fn project_of(recorded: &Recorded) -> Option<Uuid> {
    match &recorded.event {
        DomainEventKind::Project(_) | DomainEventKind::Membership(_) => Some(recorded.aggregate_id),
        DomainEventKind::Job(JobEvent::JobRequested { project_id, .. }) => project_id.map(Into::into),
        DomainEventKind::Job(_)
        | DomainEventKind::Account(_)
        | DomainEventKind::Organization(_)
        | DomainEventKind::OrganizationSlug(_) => None,
        DomainEventKind::Invitation(event) => match event.place() {
            Place::Project { .. } => Some(recorded.feed_id),
            Place::Organization { .. } => None,
        },
        // What else is in a project is in its feed. Were it another feed, nobody would be a member there.
        _ => Some(recorded.feed_id),
    }
}

/// Replays the log from its first event, and judges each.
pub async fn audit(pool: &PgPool, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Report, LogError> {
    let reader = LogReader::everything();
    let mut replay = Replay::default();
    let mut report = Report::default();
    loop {
        let entries = reader.read(pool, report.events, i64::MAX, BATCH).await?;
        if entries.is_empty() {
            report.projects = replay.projects.len();
            return Ok(report);
        }
        for entry in entries {
            report.events = entry.position;
            let Some(recorded) = entry.recorded else {
                report.violations.push(Violation {
                    position: entry.position,
                    event_type: String::new(),
                    actor: String::new(),
                    reason: "an event of an unknown aggregate".to_owned(),
                });
                continue;
            };
            if let Err(reason) = replay.check(&recorded) {
                report.violations.push(Violation {
                    position: recorded.position,
                    event_type: recorded.event.event_type(),
                    actor: recorded.metadata.actor.to_string(),
                    reason,
                });
            }
            replay.fold(&recorded);
        }
        progress(report.events);
    }
}
