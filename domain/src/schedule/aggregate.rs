//! The state of a schedule, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    JobTemplate, NewSchedule, PassedOver, Run, ScheduleChanges, ScheduleCommand, ScheduleEvent, ScheduleFields,
    SchedulePatch, ScheduleRefusal, ScheduleUpdate, Suspension, Tick, Timing, Update, fields,
};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{AccountId, JobId, ProjectId},
    job::Key,
    redaction::{PayloadRedacted, Texts, redactable},
    text::Name,
    timestamp::Timestamp,
};

/// Most missed runs in a row that are made up. What was missed before the next one that then comes is not.
pub const MAX_MADE_UP: u32 = 100;

/// A schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schedule {
    /// Not created yet.
    #[default]
    Absent,
    /// It exists, and runs unless it rests.
    Present(Box<ScheduleState>),
    /// It was deleted, and no other schedule can have its id.
    Deleted {
        /// The feed that it belonged to.
        feed_id: Uuid,
    },
}

/// What is known of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// The project it belongs to. It never changes.
    pub project_id: Option<ProjectId>,
    /// Who created it. Without a project it belongs to this account.
    pub created_by: AccountId,
    /// Whose right each run rests on.
    pub acts_for: AccountId,
    /// The values that its fields have.
    pub fields: ScheduleFields,
    /// What `every_seconds` is counted from.
    pub counted_from: Timestamp,
    /// When it runs next; none while it rests.
    pub next_at: Option<Timestamp>,
    /// How many missed runs in a row were made up.
    pub made_up: u32,
    /// Why it cannot go on, if it cannot.
    pub suspended: Option<Suspension>,
    /// When the latest job was submitted for, and the job.
    pub last_run: Option<(Timestamp, JobId)>,
    /// Why the latest run that was due submitted no job, if it did not.
    pub passed_over: Option<PassedOver>,
    /// Sequence of the last event that changed it. Runs do not: who read it before a run can still change what they
    /// read.
    pub version: i64,
    /// Sequence of the last event.
    sequence: i64,
}

impl Schedule {
    /// What is known of it.
    ///
    /// # Errors
    /// [`ScheduleRefusal::Absent`] before it is created, and after it is deleted.
    pub fn present(&self) -> Result<&ScheduleState, ScheduleRefusal> {
        match self {
            Self::Present(state) => Ok(state),
            Self::Absent | Self::Deleted { .. } => Err(ScheduleRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Present(state) = self {
            texts.add_some("name", state.fields.name.as_ref().map(Name::as_str));
            let JobTemplate { work, key, fairness_key, .. } = &state.fields.job;
            texts.add_some("key", key.as_ref().map(Key::as_str));
            texts.add_some("fairness_key", fairness_key.as_ref().map(Key::as_str));
            work.tell_texts(texts);
        }
    }
}

impl ScheduleFields {
    fn redact(&mut self, redacted: &PayloadRedacted) {
        if redacted.has("name") {
            self.name = Some(Name::redacted());
        }
        let JobTemplate { work, key, fairness_key, .. } = &mut self.job;
        if redacted.has("key") {
            *key = Some(Key::redacted(redacted.position));
        }
        if redacted.has("fairness_key") {
            *fairness_key = Some(Key::redacted(redacted.position));
        }
        work.redact(redacted);
    }
}

impl ScheduleState {
    /// The fields as a patch leaves them.
    pub fn patched(&self, patch: SchedulePatch) -> ScheduleFields {
        let mut fields = self.fields.clone();
        fields.apply(&self.fields.changes(patch));
        fields
    }

    fn feed(&self) -> Uuid {
        self.project_id.map_or_else(|| self.created_by.uuid(), ProjectId::uuid)
    }

    fn update(&self, update: Update) -> Vec<ScheduleEvent> {
        let Update { patch, by, resumes, at, next_at } = update;
        let changes = self.fields.changes(patch);
        let is_paused = changes.paused.as_ref().map_or(self.fields.paused, |paused| paused.to);
        let next_at = next_at.filter(|_| !is_paused);
        let mut events = Vec::new();
        if !changes.is_empty() {
            let acts_for = if decides_runs(&changes) { by } else { self.acts_for };
            let counted_from = if changes.timing.is_some() { at } else { self.counted_from };
            let next_at = next_at.filter(|_| self.suspended.is_none());
            let update = ScheduleUpdate { changes, acts_for, counted_from, next_at };
            events.push(ScheduleEvent::ScheduleUpdated(Box::new(update)));
        }
        if resumes && self.suspended.is_some() {
            events.push(ScheduleEvent::ScheduleResumed { acts_for: by, next_at });
        }
        events
    }

    fn tick(&self, tick: Tick) -> Result<Vec<ScheduleEvent>, ScheduleRefusal> {
        let Tick { tick_at, run, made_up, next_at } = tick;
        if self.next_at != Some(tick_at) {
            return Err(ScheduleRefusal::NotDue);
        }
        let (job_id, passed_over) = match run {
            Run::Submitted(job_id) => (Some(job_id), None),
            Run::PassedOver(reason) => (None, Some(reason)),
        };
        Ok(vec![ScheduleEvent::ScheduleTicked { tick_at, job_id, made_up, next_at, passed_over }])
    }

    /// Folds an event that does not end it; whether it changed the schedule.
    fn evolve(&mut self, event: &ScheduleEvent) -> bool {
        match event {
            ScheduleEvent::ScheduleUpdated(update) => {
                self.fields.apply(&update.changes);
                (self.acts_for, self.counted_from) = (update.acts_for, update.counted_from);
                self.next_at = update.next_at;
                // Only another timetable has other missed runs.
                if update.changes.timing.is_some() || update.changes.time_zone.is_some() {
                    self.made_up = 0;
                }
            }
            ScheduleEvent::ScheduleTicked { tick_at, job_id, made_up, next_at, passed_over } => {
                (self.next_at, self.made_up, self.passed_over) = (*next_at, *made_up, *passed_over);
                self.last_run = job_id.map(|job_id| (*tick_at, job_id)).or(self.last_run);
                return false;
            }
            ScheduleEvent::ScheduleSuspended { reason } => {
                (self.suspended, self.next_at, self.made_up) = (Some(*reason), None, 0);
            }
            ScheduleEvent::ScheduleResumed { acts_for, next_at } => {
                (self.suspended, self.acts_for, self.next_at) = (None, *acts_for, *next_at);
            }
            ScheduleEvent::PayloadRedacted(redacted) => self.fields.redact(redacted),
            ScheduleEvent::ScheduleCreated(_) | ScheduleEvent::ScheduleDeleted {} => {}
        }
        true
    }
}

/// Whether changes decide which jobs are submitted, or when. Whoever makes such a change answers for the runs.
fn decides_runs(changes: &ScheduleChanges) -> bool {
    let ScheduleChanges { name: _, timing, time_zone, missed, paused, job } = changes;
    let goes_on = paused.as_ref().is_some_and(|paused| !paused.to);
    timing.is_some() || time_zone.is_some() || missed.is_some() || job.is_some() || goes_on
}

impl From<&NewSchedule> for ScheduleState {
    fn from(new: &NewSchedule) -> Self {
        Self {
            project_id: new.project_id,
            created_by: new.created_by,
            acts_for: new.created_by,
            fields: new.fields.clone(),
            counted_from: new.counted_from,
            next_at: new.next_at,
            made_up: 0,
            suspended: None,
            last_run: None,
            passed_over: None,
            version: 1,
            sequence: 1,
        }
    }
}

impl Decide for Schedule {
    const TYPE: &'static str = "schedule";
    const SHAPE: u32 = fields::SHAPE;
    type Command = ScheduleCommand;
    type Event = ScheduleEvent;
    type Refusal = ScheduleRefusal;

    fn decide(&self, command: ScheduleCommand) -> Result<Vec<ScheduleEvent>, ScheduleRefusal> {
        match command {
            ScheduleCommand::Create(mut new) => {
                if *self != Self::Absent {
                    return Err(ScheduleRefusal::AlreadyExists);
                }
                new.next_at = new.next_at.filter(|_| !new.fields.paused);
                Ok(vec![ScheduleEvent::ScheduleCreated(new)])
            }
            ScheduleCommand::Update(update) => Ok(self.present()?.update(*update)),
            ScheduleCommand::Tick(tick) => self.present()?.tick(tick),
            ScheduleCommand::Suspend { reason } => {
                let rests = self.present()?.next_at.is_none();
                Ok(if rests { vec![] } else { vec![ScheduleEvent::ScheduleSuspended { reason }] })
            }
            ScheduleCommand::Delete => {
                self.present()?;
                Ok(vec![ScheduleEvent::ScheduleDeleted {}])
            }
        }
    }

    fn evolve(&mut self, event: &ScheduleEvent) {
        match (event, &mut *self) {
            (ScheduleEvent::ScheduleCreated(new), _) => *self = Self::Present(Box::new(ScheduleState::from(&**new))),
            (ScheduleEvent::ScheduleDeleted {}, Self::Present(state)) => {
                *self = Self::Deleted { feed_id: state.feed() };
            }
            (event, Self::Present(state)) => {
                state.sequence += 1;
                if state.evolve(event) {
                    state.version = state.sequence;
                }
            }
            (_, Self::Absent | Self::Deleted { .. }) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self {
            Self::Absent => id,
            Self::Present(state) => state.feed(),
            Self::Deleted { feed_id } => *feed_id,
        }
    }

    fn weight(&self) -> usize {
        let Self::Present(state) = self else { return 0 };
        let ScheduleFields { name, timing, time_zone, job, .. } = &state.fields;
        let cron = match timing {
            Timing::Cron(expression) => expression.as_str().len(),
            Timing::EverySeconds(_) => 0,
        };
        let keys = [&job.key, &job.fairness_key].into_iter().flatten().map(|key| key.as_str().len()).sum::<usize>();
        let name = name.as_ref().map_or(0, |name| name.as_str().len());
        size_of::<ScheduleState>() + name + cron + time_zone.as_str().len() + keys
    }
}

cqrs_aggregate!(Schedule);
redactable!(Schedule, ScheduleEvent);
