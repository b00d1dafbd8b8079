//! What is to happen in a world, at random.

use proptest::{collection::vec, prelude::*, sample::select};
use workroom_domain::access::{OrganizationRole, Role};

pub(super) const ACCOUNTS: usize = 24;
pub(super) const ORGANIZATIONS: usize = 5;
pub(super) const PROJECTS: usize = 8;

/// What happens, to things by their number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Join { organization: usize, account: usize, role: OrganizationRole },
    Promote { organization: usize, account: usize, role: OrganizationRole },
    Leave { organization: usize, account: usize },
    DeleteOrganization { organization: usize },
    Add { project: usize, account: usize, role: Role },
    ChangeRole { project: usize, account: usize, role: Role },
    Remove { project: usize, account: usize },
    Publish { project: usize, is_public: bool },
    DeleteProject { project: usize },
    Deactivate { account: usize },
    Erase { account: usize },
}

/// A world to make.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Whether each is personal, and whose.
    pub(super) organizations: Vec<(bool, usize)>,
    /// Where each lies, whose it is, and whether it is public.
    pub(super) projects: Vec<(usize, usize, bool)>,
    pub(super) steps: Vec<Step>,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let account = || 0..ACCOUNTS;
    let organization = || 0..ORGANIZATIONS;
    let project = || 0..PROJECTS;
    let rank = || select(vec![OrganizationRole::Auditor, OrganizationRole::Member, OrganizationRole::Admin]);
    let role = || select(vec![Role::Viewer, Role::Collaborator, Role::Owner]);
    prop_oneof![
        14 => (organization(), account(), rank()).prop_map(|(organization, account, role)| Step::Join { organization, account, role }),
        2 => (organization(), account(), rank()).prop_map(|(organization, account, role)| Step::Promote { organization, account, role }),
        2 => (organization(), account()).prop_map(|(organization, account)| Step::Leave { organization, account }),
        1 => organization().prop_map(|organization| Step::DeleteOrganization { organization }),
        8 => (project(), account(), role()).prop_map(|(project, account, role)| Step::Add { project, account, role }),
        3 => (project(), account(), role()).prop_map(|(project, account, role)| Step::ChangeRole { project, account, role }),
        3 => (project(), account()).prop_map(|(project, account)| Step::Remove { project, account }),
        2 => (project(), any::<bool>()).prop_map(|(project, is_public)| Step::Publish { project, is_public }),
        1 => project().prop_map(|project| Step::DeleteProject { project }),
        1 => account().prop_map(|account| Step::Deactivate { account }),
        1 => account().prop_map(|account| Step::Erase { account }),
    ]
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let organizations = vec((any::<bool>(), 0..ACCOUNTS), ORGANIZATIONS);
    let projects = vec((0..ORGANIZATIONS, 0..ACCOUNTS, any::<bool>()), PROJECTS);
    (organizations, projects, vec(step(), 40..160)).prop_map(|(organizations, projects, steps)| Plan {
        organizations,
        projects,
        steps,
    })
}

/// A plan in which every relation is met, with a deleted project, a personal organization, and an auditor who is a member.
pub(super) fn small_plan() -> Plan {
    let shared = vec![(false, 0), (true, 1), (false, 0), (false, 0), (false, 0)];
    let projects = vec![(0, 0, true), (0, 2, false), (1, 2, false), (1, 2, true), (0, 2, true)];
    let steps = vec![
        Step::Add { project: 0, account: 3, role: Role::Viewer },
        Step::Add { project: 1, account: 0, role: Role::Collaborator },
        Step::Add { project: 1, account: 4, role: Role::Owner },
        Step::Join { organization: 0, account: 5, role: OrganizationRole::Member },
        Step::Join { organization: 0, account: 6, role: OrganizationRole::Auditor },
        Step::Join { organization: 1, account: 6, role: OrganizationRole::Auditor },
        Step::Join { organization: 0, account: 3, role: OrganizationRole::Auditor },
        Step::DeleteProject { project: 4 },
    ];
    Plan { organizations: shared, projects, steps }
}
