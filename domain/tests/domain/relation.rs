//! How an account stands to a project: every combination of facts, and what may be left unread.

use workroom_domain::access::{
    Action, Decision, Facts,
    OrganizationRole::{Admin, Auditor, Member},
    Relation, Role, Visibility, decide,
};

const MEMBERSHIPS: [Option<Role>; 4] = [None, Some(Role::Viewer), Some(Role::Collaborator), Some(Role::Owner)];

/// Every combination: 3 × 4 × 4 × 2.
fn all_facts() -> Vec<Facts> {
    let mut all = Vec::new();
    for visibility in [None, Some(Visibility::Private), Some(Visibility::Public)] {
        for membership in MEMBERSHIPS {
            for organization_role in [None, Some(Auditor), Some(Member), Some(Admin)] {
                for organization_is_personal in [false, true] {
                    all.push(Facts { visibility, membership, organization_role, organization_is_personal });
                }
            }
        }
    }
    all
}

#[test]
fn every_combination_of_facts_has_its_relation() {
    let facts = all_facts();
    assert_eq!(facts.len(), 96);
    for facts in facts {
        let expected = match facts {
            Facts { visibility: None, .. } => Relation::Stranger,
            Facts { organization_role: Some(Admin), organization_is_personal: false, .. } => Relation::Admin,
            Facts { membership: Some(role), .. } => Relation::Member(role),
            Facts { organization_role: Some(Auditor), organization_is_personal: false, .. } => Relation::Auditor,
            Facts { visibility: Some(Visibility::Public), .. } => Relation::Visitor,
            Facts { visibility: Some(Visibility::Private), .. } => Relation::Stranger,
        };
        assert_eq!(facts.relation(), expected, "{facts:?}");
    }
}

#[test]
fn what_the_membership_alone_allows_is_allowed() {
    for facts in all_facts().into_iter().filter(|facts| facts.visibility.is_some()) {
        let least = Facts::of_member(facts.membership).relation();
        for action in Action::ALL {
            let allowed = |relation| decide(relation, action) == Decision::Allowed;
            assert!(!allowed(least) || allowed(facts.relation()), "{facts:?} {action:?}");
        }
    }
}

#[test]
fn a_relation_is_read_by_its_name() {
    for relation in Relation::ALL {
        assert_eq!(Relation::try_from(relation.as_str().map(str::to_owned)), Ok(relation));
    }
    assert!(Relation::try_from(Some("stranger".to_owned())).is_err());
}

#[test]
fn an_admin_has_an_owners_rights_and_a_visitor_has_no_role() {
    assert_eq!(Relation::Admin.role(), Some(Role::Owner));
    for role in MEMBERSHIPS.into_iter().flatten() {
        assert_eq!(Relation::Member(role).role(), Some(role));
    }
    assert_eq!([Relation::Auditor, Relation::Visitor, Relation::Stranger].map(Relation::role), [None, None, None]);
}

#[test]
fn an_auditor_reads_what_happened_where_a_visitor_reads_that_something_did() {
    for relation in Relation::ALL {
        let expected = !matches!(relation, Relation::Visitor | Relation::Stranger);
        assert_eq!(relation.reads_whole_history(), expected, "{relation:?}");
        let may_read = decide(relation, Action::ViewHistory) == Decision::Allowed;
        assert!(may_read || !relation.reads_whole_history(), "{relation:?}");
    }
}

#[test]
fn whom_the_organization_makes_an_auditor_has_no_less_than_before() {
    for facts in all_facts().into_iter().filter(|facts| facts.organization_role == Some(Auditor)) {
        let before = Facts { organization_role: Some(Member), ..facts }.relation();
        for action in Action::ALL {
            let allowed = |relation| decide(relation, action) == Decision::Allowed;
            assert!(!allowed(before) || allowed(facts.relation()), "{facts:?} {action:?}");
        }
    }
}
