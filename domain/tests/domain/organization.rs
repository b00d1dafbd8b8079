//! What an organization answers, and a slug.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    access::{
        Decision, Facts,
        OrganizationRole::{Admin, Auditor, Member},
        Relation, decide_to_audit,
    },
    ids::AccountId,
    organization::{
        Organization, OrganizationChanges, OrganizationCommand, OrganizationEvent, OrganizationPatch,
        OrganizationRefusal, OrganizationSettingsPatch, Slug,
    },
    organization_projects::{OrganizationProjects, OrganizationProjectsCommand, OrganizationProjectsEvent},
    organization_slug::{OrganizationSlug, OrganizationSlugEvent, SlugCommand, SlugTaken},
};

use crate::examples::{
    ADA, BOB, EVE, ORGANIZATION, OTHER_ORGANIZATION, PROJECT, name, organization_changes, organization_fields, picture,
    slug,
};

fn organization() -> TestFramework<Organization> {
    TestFramework::with(())
}

fn create(is_personal: bool) -> OrganizationCommand {
    OrganizationCommand::Create { is_personal, admin: ADA, fields: organization_fields() }
}

fn created(is_personal: bool) -> OrganizationEvent {
    OrganizationEvent::OrganizationCreated { is_personal, admin_id: ADA, fields: organization_fields() }
}

fn bob_added() -> OrganizationEvent {
    OrganizationEvent::OrganizationMemberAdded { account_id: BOB, role: Member }
}

fn bob_promoted() -> OrganizationEvent {
    OrganizationEvent::OrganizationMemberRoleChanged { account_id: BOB, from: Member, to: Admin }
}

fn change_role(
    account_id: workroom_domain::ids::AccountId,
    role: workroom_domain::access::OrganizationRole,
) -> OrganizationCommand {
    OrganizationCommand::ChangeRole { account_id, role }
}

fn remove(account_id: workroom_domain::ids::AccountId) -> OrganizationCommand {
    OrganizationCommand::RemoveMember { account_id }
}

#[test]
fn an_organization_is_founded_once() {
    organization().given_no_previous_events().when(create(false)).then_expect_events(vec![created(false)]);
    organization()
        .given(vec![created(false)])
        .when(create(false))
        .then_expect_error(OrganizationRefusal::AlreadyExists);
    let deleted = vec![created(false), OrganizationEvent::OrganizationDeleted {}];
    organization().given(deleted).when(create(false)).then_expect_error(OrganizationRefusal::AlreadyExists);
}

#[test]
fn an_update_tells_each_field_that_changed_from_and_to() {
    let patch = OrganizationPatch {
        name: Some(name("Ajax")),
        slug: Some(slug("ajax")),
        image_url: Some(Some(picture())),
        settings: OrganizationSettingsPatch {
            members_can_create_projects: Some(true),
            ..OrganizationSettingsPatch::default()
        },
    };
    let updated = OrganizationEvent::OrganizationUpdated { changes: organization_changes() };
    organization()
        .given(vec![created(false)])
        .when(OrganizationCommand::Update(patch.clone()))
        .then_expect_events(vec![updated.clone()]);
    organization()
        .given(vec![created(false), updated.clone()])
        .when(OrganizationCommand::Update(patch))
        .then_expect_events(vec![]);
    let cleared = workroom_domain::change::Change { from: Some(picture()), to: None };
    let changes = OrganizationChanges { image_url: Some(cleared), ..OrganizationChanges::default() };
    organization()
        .given(vec![created(false), updated])
        .when(OrganizationCommand::Update(OrganizationPatch { image_url: Some(None), ..OrganizationPatch::default() }))
        .then_expect_events(vec![OrganizationEvent::OrganizationUpdated { changes }]);
}

#[test]
fn members_come_change_and_go() {
    let add = OrganizationCommand::AddMember { account_id: BOB, role: Member };
    organization().given(vec![created(false)]).when(add.clone()).then_expect_events(vec![bob_added()]);
    let with_bob = vec![created(false), bob_added()];
    organization().given(with_bob.clone()).when(add).then_expect_error(OrganizationRefusal::AlreadyMember);
    organization().given(with_bob.clone()).when(change_role(BOB, Admin)).then_expect_events(vec![bob_promoted()]);
    organization().given(with_bob.clone()).when(change_role(BOB, Member)).then_expect_events(vec![]);
    let removed = OrganizationEvent::OrganizationMemberRemoved { account_id: BOB, role: Member };
    organization().given(with_bob.clone()).when(remove(BOB)).then_expect_events(vec![removed]);
    for command in [change_role(EVE, Admin), remove(EVE)] {
        organization().given(with_bob.clone()).when(command).then_expect_error(OrganizationRefusal::NotAMember);
    }
}

#[test]
fn the_last_admin_can_neither_leave_nor_be_demoted() {
    for command in [change_role(ADA, Member), remove(ADA)] {
        let with_bob = vec![created(false), bob_added()];
        organization().given(with_bob).when(command.clone()).then_expect_error(OrganizationRefusal::LastAdmin);
        let two = vec![created(false), bob_added(), bob_promoted()];
        organization().given(two).when(command).inspect_result().unwrap();
    }
}

#[test]
fn an_auditor_is_no_admin_and_may_leave() {
    let audits = OrganizationEvent::OrganizationMemberAdded { account_id: BOB, role: Auditor };
    let with_bob = vec![created(false), audits.clone()];
    let add = OrganizationCommand::AddMember { account_id: BOB, role: Auditor };
    organization().given(vec![created(false)]).when(add).then_expect_events(vec![audits]);
    for command in [change_role(ADA, Auditor), change_role(ADA, Member), remove(ADA)] {
        organization().given(with_bob.clone()).when(command).then_expect_error(OrganizationRefusal::LastAdmin);
    }
    let removed = OrganizationEvent::OrganizationMemberRemoved { account_id: BOB, role: Auditor };
    organization().given(with_bob.clone()).when(remove(BOB)).then_expect_events(vec![removed]);
    let promoted = OrganizationEvent::OrganizationMemberRoleChanged { account_id: BOB, from: Auditor, to: Admin };
    organization().given(with_bob).when(change_role(BOB, Admin)).then_expect_events(vec![promoted]);
}

#[test]
fn an_auditor_belongs_to_no_project_whether_it_takes_guests_or_not() {
    use workroom_domain::Decide;
    let audits = OrganizationEvent::OrganizationMemberAdded { account_id: BOB, role: Auditor };
    for (is_personal, allows_guests) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut organization = Organization::default();
        organization.evolve(&created(is_personal));
        let settings =
            OrganizationSettingsPatch { allow_guests: Some(allows_guests), ..OrganizationSettingsPatch::default() };
        let patch = OrganizationPatch { settings, ..OrganizationPatch::default() };
        for event in organization.decide(OrganizationCommand::Update(patch)).unwrap() {
            organization.evolve(&event);
        }
        organization.evolve(&audits);
        let state = organization.active().unwrap();
        assert_eq!(state.allows_in_projects(BOB), is_personal);
        assert!(state.allows_in_projects(ADA));
        assert_eq!(state.allows_in_projects(EVE), allows_guests);
    }
}

#[test]
fn a_shared_organization_is_audited_by_its_admins_and_auditors_and_a_personal_one_by_nobody() {
    use workroom_domain::Decide;
    let audits = OrganizationEvent::OrganizationMemberAdded { account_id: BOB, role: Auditor };
    let belongs = OrganizationEvent::OrganizationMemberAdded { account_id: EVE, role: Member };
    let nobody = AccountId(uuid::Uuid::from_u128(99));
    let (allowed, forbidden, hidden) = (Decision::Allowed, Decision::Forbidden, Decision::Hidden);
    for (is_personal, expected) in
        [(false, [allowed, allowed, forbidden, hidden]), (true, [forbidden, forbidden, forbidden, hidden])]
    {
        let mut organization = Organization::default();
        for event in [created(is_personal), audits.clone(), belongs.clone()] {
            organization.evolve(&event);
        }
        assert_eq!([ADA, BOB, EVE, nobody].map(|id| decide_to_audit(id, &organization)), expected);
        organization.evolve(&OrganizationEvent::OrganizationDeleted {});
        assert_eq!(decide_to_audit(ADA, &organization), hidden);
    }
}

#[test]
fn a_personal_organization_goes_with_its_account() {
    let delete = OrganizationCommand::Delete;
    organization().given(vec![created(true)]).when(delete.clone()).then_expect_error(OrganizationRefusal::Personal);
    let deleted = vec![OrganizationEvent::OrganizationDeleted {}];
    organization().given(vec![created(false)]).when(delete.clone()).then_expect_events(deleted.clone());
    let gone = vec![created(false), deleted[0].clone()];
    for command in [delete, remove(ADA), OrganizationCommand::AddMember { account_id: BOB, role: Member }] {
        organization().given(gone.clone()).when(command).then_expect_error(OrganizationRefusal::Absent);
    }
}

#[test]
fn a_slug_has_one_holder() {
    let held = || TestFramework::<OrganizationSlug>::with(());
    let claim = |organization_id| SlugCommand::Claim { slug: slug("acme"), organization_id };
    let claimed = |organization_id| OrganizationSlugEvent::SlugClaimed { slug: slug("acme"), organization_id };
    let release = |organization_id| SlugCommand::Release { organization_id };
    let released = OrganizationSlugEvent::SlugReleased { organization_id: ORGANIZATION };
    held().given_no_previous_events().when(claim(ORGANIZATION)).then_expect_events(vec![claimed(ORGANIZATION)]);
    held().given(vec![claimed(ORGANIZATION)]).when(claim(ORGANIZATION)).then_expect_events(vec![]);
    held().given(vec![claimed(ORGANIZATION)]).when(claim(OTHER_ORGANIZATION)).then_expect_error(SlugTaken);
    held().given(vec![claimed(ORGANIZATION)]).when(release(OTHER_ORGANIZATION)).then_expect_events(vec![]);
    held().given(vec![claimed(ORGANIZATION)]).when(release(ORGANIZATION)).then_expect_events(vec![released.clone()]);
    held()
        .given(vec![claimed(ORGANIZATION), released])
        .when(claim(OTHER_ORGANIZATION))
        .then_expect_events(vec![claimed(OTHER_ORGANIZATION)]);
}

#[test]
fn the_slug_of_a_personal_organization_is_for_nobody_else() {
    let claim = |organization_id| SlugCommand::Claim { slug: Slug::personal(ORGANIZATION), organization_id };
    let free = || TestFramework::<OrganizationSlug>::with(()).given_no_previous_events();
    free().when(claim(OTHER_ORGANIZATION)).then_expect_error(SlugTaken);
    let organization_id = ORGANIZATION;
    let claimed = OrganizationSlugEvent::SlugClaimed { slug: Slug::personal(ORGANIZATION), organization_id };
    free().when(claim(ORGANIZATION)).then_expect_events(vec![claimed]);
}

#[test]
fn what_is_created_in_an_organization_moves_its_projects_and_belongs_to_the_projects_feed() {
    use workroom_domain::Decide;
    let (organization_id, project_id) = (ORGANIZATION, PROJECT);
    let added = OrganizationProjectsEvent::ProjectAddedToOrganization { organization_id, project_id };
    TestFramework::<OrganizationProjects>::with(())
        .given(vec![added.clone()])
        .when(OrganizationProjectsCommand::Add { organization_id, project_id })
        .then_expect_events(vec![added.clone()]);
    let mut projects = OrganizationProjects::default();
    projects.evolve(&added);
    assert_eq!(projects.feed(ORGANIZATION.0), PROJECT.0);
}

#[test]
fn admins_rule_the_projects_of_an_organization_but_not_of_their_own() {
    use workroom_domain::Decide;
    let rules_projects = |organization: &Organization, id: AccountId| {
        Facts::of_member(None).with_organization(id, organization).relation() == Relation::Admin
    };
    let mut organization = Organization::default();
    organization.evolve(&created(false));
    organization.evolve(&bob_added());
    assert_eq!([ADA, BOB, EVE].map(|id| rules_projects(&organization, id)), [true, false, false]);
    organization.evolve(&OrganizationEvent::OrganizationDeleted {});
    assert!(!rules_projects(&organization, ADA));
    organization.evolve(&created(true));
    assert!(!rules_projects(&organization, ADA));
}
