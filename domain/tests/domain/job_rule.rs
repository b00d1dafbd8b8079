//! What a rule for jobs answers: what is set, and what stays.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    ids::AccountId,
    job_rule::{JobRule, JobRuleCommand, JobRuleEvent, Rate, Rule, RuleOwner, RuleScope, Running, Weight},
};

use crate::examples::{ADA, ORGANIZATION, PROJECT, job_rule};

fn rule() -> TestFramework<JobRule> {
    TestFramework::with(())
}

fn scope() -> RuleScope {
    RuleScope::all_of(RuleOwner::Project(PROJECT))
}

fn changed(rule: Rule) -> JobRuleEvent {
    JobRuleEvent::JobRuleChanged(Box::new(rule))
}

fn limited() -> Rule {
    Rule { running: Running::from_number(4), rate: Rate::new(2, 1), ..Rule::none(scope()) }
}

fn limit(rule: Rule) -> JobRuleCommand {
    let Rule { scope, weight, running, rate, .. } = rule;
    JobRuleCommand::Limit { scope, weight, running, rate }
}

#[test]
fn what_is_paused_is_paused_once_and_resumed_once() {
    let (pause, resume) = (JobRuleCommand::Pause { scope: scope() }, JobRuleCommand::Resume { scope: scope() });
    let paused = changed(Rule { paused: true, ..Rule::none(scope()) });
    let resumed = changed(Rule::none(scope()));
    rule().given_no_previous_events().when(pause.clone()).then_expect_events(vec![paused.clone()]);
    rule().given_no_previous_events().when(resume.clone()).then_expect_events(vec![]);
    rule().given(vec![paused.clone()]).when(pause).then_expect_events(vec![]);
    rule().given(vec![paused.clone()]).when(resume.clone()).then_expect_events(vec![resumed.clone()]);
    rule().given(vec![paused, resumed]).when(resume).then_expect_events(vec![]);
}

#[test]
fn limits_are_set_as_a_whole_and_a_pause_stays() {
    rule().given_no_previous_events().when(limit(limited())).then_expect_events(vec![changed(limited())]);
    rule().given(vec![changed(limited())]).when(limit(limited())).then_expect_events(vec![]);
    let paused = Rule { paused: true, ..limited() };
    let pause = JobRuleCommand::Pause { scope: scope() };
    rule().given(vec![changed(limited())]).when(pause).then_expect_events(vec![changed(paused.clone())]);
    let fewer = Rule { rate: None, ..limited() };
    let expected = changed(Rule { paused: true, ..fewer.clone() });
    rule().given(vec![changed(paused)]).when(limit(fewer)).then_expect_events(vec![expected]);
    let cleared = limit(Rule::none(scope()));
    rule().given(vec![changed(limited())]).when(cleared).then_expect_events(vec![changed(Rule::none(scope()))]);
}

#[test]
fn a_rule_is_in_the_feed_of_whose_jobs_it_is_about() {
    let owners = [
        (RuleOwner::Organization(ORGANIZATION), ORGANIZATION.uuid()),
        (RuleOwner::Project(PROJECT), PROJECT.uuid()),
        (RuleOwner::Account(ADA), AccountId::uuid(ADA)),
    ];
    for (owner, feed) in owners {
        let mut rule = JobRule::default();
        let scope = RuleScope::all_of(owner);
        rule.evolve(&changed(Rule { paused: true, ..Rule::none(scope.clone()) }));
        assert_eq!(rule.feed(ADA.uuid()), feed);
        assert_eq!(scope.owner(), Some(owner));
        assert!(rule.rule(&scope).paused && !rule.rule(&scope).is_none());
    }
    assert!(JobRule::default().rule(&scope()).is_none());
    assert!(!job_rule().is_none());
}

#[test]
fn limits_have_bounds() {
    assert!([0, 101].into_iter().all(|number| Weight::from_number(number).is_none()));
    assert!([0, 10_001].into_iter().all(|number| Running::from_number(number).is_none()));
    for (count, seconds) in [(0, 1), (1, 0), (10_001, 1), (1, 86_401)] {
        assert_eq!(Rate::new(count, seconds), None);
    }
    assert!(Rate::new(10_000, 86_400).is_some());
}
