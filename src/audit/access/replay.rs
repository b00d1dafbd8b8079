//! Accounts and memberships, folded event by event, and the table of rights asked in between.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{self, Action, Decision, Facts, OrganizationAction, OrganizationRole, Relation, Right, Role},
    account::{Account, AccountEvent, AccountRefusal},
    actor::{Actor, SystemActor},
    audit_trail::AuditTrailEvent,
    comment::CommentEvent,
    event::DomainEventKind,
    ids::AccountId,
    invitation::{Invitation, InvitationCommand, InvitationEvent, Place},
    job::{JobEvent, Request, Work},
    job_rule::JobRuleEvent,
    membership::{Membership, MembershipEvent},
    organization::{Organization, OrganizationEvent},
    project::{Project, ProjectChanges, ProjectEvent},
    timestamp::Timestamp,
};
use workroom_projections::log::Recorded;

/// Who belongs where, and who said what.
#[derive(Default)]
pub(in crate::audit) struct Replay {
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
    /// The exports of projects, by job.
    exports: HashMap<Uuid, Request>,
    /// The accounts that were erased with what they had written.
    erased_with_content: HashSet<AccountId>,
    /// Who caused events that are redacted later, by position; each is forgotten when that has come.
    authors_of_redacted: HashMap<i64, AccountId>,
}

impl Replay {
    /// Whether the event's actor could act, and held the right to cause it; else why not.
    pub(in crate::audit) fn check(&self, recorded: &Recorded) -> Result<(), String> {
        let actor = recorded.metadata.actor;
        self.can_act(recorded)?;
        self.leaves_nothing(recorded)?;
        self.takes_guests(recorded)?;
        if actor.account().is_none() && (self.settles_erasure(recorded) || self.settles_departure(recorded)) {
            return Ok(());
        }
        let is_subject = self.is_subject(recorded);
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
            Right::RunJobs | Right::EndJob if actor.account().map(Uuid::from) == Some(recorded.feed_id) => Ok(()),
            Right::EndJob => {
                let export = self.exports.get(&recorded.aggregate_id).zip(actor.account());
                let action =
                    export.map_or(Action::RunJobs, |(request, account)| access::action_to_end(request, account));
                self.in_project(action, Some(recorded.feed_id), actor)
            }
            Right::RunJobs => self.in_project(Action::RunJobs, Some(recorded.feed_id), actor),
            Right::ReadHistory => self.reads_history(recorded),
            Right::Redact => self.redacts(recorded),
            Right::OwnAccountOrService => match actor {
                Actor::Account(account) if Uuid::from(account) != recorded.feed_id => {
                    Err("only the account itself may".to_owned())
                }
                Actor::Account(_) | Actor::System(_) => Ok(()),
            },
            Right::InOrganizationOrOperator(_) if actor == Actor::System(SystemActor::Operator) => Ok(()),
            Right::InOrganization(action) | Right::InOrganizationOrOperator(action) => {
                self.in_organization(action, recorded.feed_id, actor)
            }
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

    /// Whether the event is about its actor, or about what the actor wrote.
    fn is_subject(&self, recorded: &Recorded) -> bool {
        let account = recorded.metadata.actor.account();
        match &recorded.event {
            DomainEventKind::Membership(event) => event.subject().is_some() && event.subject() == account,
            DomainEventKind::Organization(event) => event.subject().is_some() && event.subject() == account,
            DomainEventKind::Comment(CommentEvent::CommentPosted { author_id, .. }) => account == Some(*author_id),
            DomainEventKind::Comment(_) => {
                let author = self.authors.get(&recorded.aggregate_id).copied();
                author.is_some() && author == account
            }
            _ => false,
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

    /// Whether nobody joins a project who does not belong to its organization, where that takes no guests, or is its auditor.
    fn takes_guests(&self, recorded: &Recorded) -> Result<(), String> {
        match &recorded.event {
            DomainEventKind::Membership(MembershipEvent::MemberAdded { account_id, .. })
                if self.is_outsider(project_of(recorded), *account_id) =>
            {
                Err("the project's organization takes no guests, and none of its auditors".to_owned())
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

    /// Whether the actor could redact events of this feed: its owner, be it deleted; an admin of the organization; the account itself;
    /// the operator; or the service, where somebody has ordered it.
    fn redacts(&self, recorded: &Recorded) -> Result<(), String> {
        let (feed, actor) = (recorded.feed_id, recorded.metadata.actor);
        let account = match actor {
            Actor::System(SystemActor::Operator) => return Ok(()),
            Actor::System(SystemActor::Reconciler) => return self.was_ordered(recorded),
            Actor::System(_) => return Err("this part of the service may not redact".to_owned()),
            Actor::Account(account) => account,
        };
        if Uuid::from(account) == feed {
            return Ok(());
        }
        if self.organizations.contains_key(&feed) {
            return self.in_organization(OrganizationAction::Redact, feed, actor);
        }
        match (self.fields.get(&feed), self.projects.get(&feed)) {
            (Some(Project::Deleted { .. }), Some(membership)) => {
                let organization = self.home(Some(feed)).cloned().unwrap_or_default();
                let relation = Facts::at_deletion(account, membership, &organization).relation();
                match access::decide(relation, Action::Redact) {
                    Decision::Allowed => Ok(()),
                    _ => Err(format!("{relation:?} of the deleted project may not {:?}", Action::Redact)),
                }
            }
            _ => self.in_project(Action::Redact, Some(feed), actor),
        }
    }

    /// Whether somebody has ordered what the service redacts: the purge of the project, or the erasure of who wrote it, with what
    /// they had written. It orders nothing itself.
    fn was_ordered(&self, recorded: &Recorded) -> Result<(), String> {
        let redacted = recorded.event.redaction().ok_or("the service itself orders no purge")?;
        if matches!(self.fields.get(&recorded.feed_id), Some(Project::Deleted { purge_ordered: true, .. })) {
            return Ok(());
        }
        match self.authors_of_redacted.get(&redacted.position) {
            Some(author) if self.erased_with_content.contains(author) => Ok(()),
            _ => Err("nobody has ordered that the service redacts it".to_owned()),
        }
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

    /// Whether the actor could read the whole history whose feed it is: of a project, be it deleted, or of an organization. The
    /// operator exports any, and reads no project as of a moment.
    fn reads_history(&self, recorded: &Recorded) -> Result<(), String> {
        let feed = recorded.feed_id;
        let is_export = matches!(recorded.event, DomainEventKind::AuditTrail(AuditTrailEvent::HistoryExported { .. }));
        let account = match recorded.metadata.actor {
            Actor::System(SystemActor::Operator) if is_export => return Ok(()),
            Actor::System(_) => return Err("this part of the service may not be handed a history".to_owned()),
            Actor::Account(account) => account,
        };
        if let Some(organization) = self.organizations.get(&feed) {
            return match access::decide_to_audit(account, organization) {
                Decision::Allowed => Ok(()),
                _ => Err("only an admin or an auditor reads the histories of all projects".to_owned()),
            };
        }
        let relation = match (self.fields.get(&feed), self.projects.get(&feed)) {
            (Some(Project::Deleted { .. }), Some(membership)) => {
                let organization = self.home(Some(feed)).cloned().unwrap_or_default();
                Facts::at_deletion(account, membership, &organization).relation()
            }
            _ => self.relation(Some(feed), account),
        };
        if relation.reads_whole_history() {
            Ok(())
        } else {
            Err(format!("{relation:?} may not read the whole history"))
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
        // Auditors have no role: whatever they may read, they cause nothing.
        let Some(role) = relation.role() else { return false };
        if action != Action::EditProject {
            return true;
        }
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

    /// How many projects were seen, deleted ones included.
    pub(in crate::audit) fn projects(&self) -> usize {
        self.projects.len()
    }

    /// Tells who caused an event that is redacted, before its redaction is checked.
    pub(in crate::audit) fn tell_author(&mut self, position: i64, author: Actor) {
        if let Some(author) = author.account() {
            self.authors_of_redacted.insert(position, author);
        }
    }

    /// Takes in what has happened, lawful or not.
    pub(in crate::audit) fn fold(&mut self, recorded: &Recorded) {
        if let Some(redacted) = recorded.event.redaction() {
            self.authors_of_redacted.remove(&redacted.position);
        }
        if let DomainEventKind::Account(AccountEvent::AccountErased { content_redacted: true }) = &recorded.event {
            self.erased_with_content.insert(AccountId(recorded.aggregate_id));
        }
        if let DomainEventKind::Account(event) = &recorded.event {
            self.accounts.entry(recorded.aggregate_id).or_default().evolve(event);
        }
        if let DomainEventKind::Job(JobEvent::JobRequested(request)) = &recorded.event
            && matches!(request.work, Work::ProjectExport { .. })
        {
            self.exports.insert(recorded.aggregate_id, Request::clone(request));
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
        DomainEventKind::Job(JobEvent::JobRequested(request)) => request.project_id.map(Into::into),
        DomainEventKind::JobRule(JobRuleEvent::JobRuleChanged(rule)) => rule.scope.project_id.map(Into::into),
        DomainEventKind::Job(_)
        | DomainEventKind::JobKey(_)
        | DomainEventKind::Schedule(_)
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
