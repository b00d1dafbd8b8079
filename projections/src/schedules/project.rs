//! Folds schedule events into `views.schedules`.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job::Work,
    redaction::Placeholder,
    schedule::{JobTemplate, NewSchedule, PassedOver, Schedule, ScheduleChanges, ScheduleEvent, Timing},
};

use crate::{
    Projection,
    changes::{Changes, Row, Table},
    log::Recorded,
};

/// The projection behind `views.schedules`.
pub struct Schedules;

const SCHEDULES: Table = Table::new("schedules", &["id"]);

const TEXTS: &[(&str, Placeholder)] =
    &[("name", Placeholder::Text), ("key", Placeholder::Unique), ("fairness_key", Placeholder::Unique)];

impl Projection for Schedules {
    fn tables(&self) -> &'static [Table] {
        &[SCHEDULES]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Schedule::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::Schedule(event) = &recorded.event else { return };
        let id = recorded.aggregate_id;
        match event {
            ScheduleEvent::ScheduleCreated(new) => {
                let schedule = changes.create(&SCHEDULES, id);
                create(schedule, new);
                schedule.created(recorded);
            }
            ScheduleEvent::ScheduleUpdated(update) => {
                let schedule = changes.change(&SCHEDULES, id);
                change(schedule, &update.changes);
                schedule.set("acts_for", update.acts_for).set("counted_from", update.counted_from);
                schedule.set("next_at", update.next_at).updated(recorded);
            }
            ScheduleEvent::ScheduleTicked { tick_at, job_id, next_at, passed_over, .. } => {
                let schedule = changes.change(&SCHEDULES, id);
                schedule.set("next_at", next_at).set("passed_over", passed_over.map(PassedOver::as_str));
                if let Some(job_id) = job_id {
                    schedule.set("last_run_at", tick_at).set("last_job_id", job_id);
                }
            }
            ScheduleEvent::ScheduleSuspended { reason } => {
                let schedule = changes.change(&SCHEDULES, id);
                schedule.set("suspended", reason.as_str()).set("next_at", ()).updated(recorded);
            }
            ScheduleEvent::ScheduleResumed { acts_for, next_at } => {
                let schedule = changes.change(&SCHEDULES, id);
                schedule.set("suspended", ()).set("acts_for", acts_for).set("next_at", next_at).updated(recorded);
            }
            ScheduleEvent::ScheduleDeleted {} => changes.delete(&SCHEDULES, id),
            ScheduleEvent::PayloadRedacted(redacted) => {
                changes.change(&SCHEDULES, id).redact(redacted, TEXTS).updated(recorded);
            }
        }
    }
}

fn create(schedule: &mut Row, new: &NewSchedule) {
    let NewSchedule { project_id, created_by, fields, counted_from, next_at } = new;
    schedule.set("project_id", project_id).set("acts_for", created_by);
    schedule.set("counted_from", counted_from).set("next_at", next_at);
    schedule.set("name", &fields.name).set("time_zone", &fields.time_zone);
    schedule.set("missed", fields.missed.as_str()).set("paused", fields.paused);
    set_timing(schedule, &fields.timing);
    set_job(schedule, &fields.job);
}

fn change(schedule: &mut Row, changes: &ScheduleChanges) {
    let ScheduleChanges { name, timing, time_zone, missed, paused, job } = changes;
    if let Some(name) = name {
        schedule.set("name", &name.to);
    }
    if let Some(timing) = timing {
        set_timing(schedule, &timing.to);
    }
    if let Some(time_zone) = time_zone {
        schedule.set("time_zone", &time_zone.to);
    }
    if let Some(missed) = missed {
        schedule.set("missed", missed.to.as_str());
    }
    if let Some(paused) = paused {
        schedule.set("paused", paused.to);
    }
    if let Some(job) = job {
        set_job(schedule, &job.to);
    }
}

fn set_timing(schedule: &mut Row, timing: &Timing) {
    match timing {
        Timing::Cron(expression) => schedule.set("cron", expression).set("every_seconds", ()),
        Timing::EverySeconds(seconds) => schedule.set("cron", ()).set("every_seconds", seconds),
    };
}

fn set_job(schedule: &mut Row, job: &JobTemplate) {
    let (language, timeout_seconds) = match &job.work {
        Work::CodeExecution { language, timeout_seconds, .. } => {
            (Some(language.as_str()), Some(timeout_seconds.seconds()))
        }
        _ => (None, None),
    };
    schedule.set("job_type", job.work.job_type()).set("language", language).set("timeout_seconds", timeout_seconds);
    schedule.set("max_attempts", job.max_attempts.number()).set("priority", job.priority.number());
    schedule.set("key", &job.key).set("fairness_key", &job.fairness_key);
    schedule.set("workspace_id", job.workspace_id).set("unique_seconds", job.unique_seconds);
}
