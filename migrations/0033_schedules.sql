-- Schedules, second version: their jobs name them, and how many an owner has is counted where no other process adds to it.

ALTER TABLE views.jobs ADD COLUMN schedule_id uuid;
CREATE INDEX jobs_of_schedule ON views.jobs (schedule_id, id) WHERE schedule_id IS NOT NULL;

-- The schedules that a project has, or an account alone. A row comes and goes with its schedule, and goes with the project.
CREATE TABLE schedule_slots (
    schedule_id uuid PRIMARY KEY,
    owner_id    uuid NOT NULL
);
CREATE INDEX schedule_slots_of_owner ON schedule_slots (owner_id);
-- From the log: the views may be behind. A schedule is in the feed of its owner.
INSERT INTO schedule_slots (schedule_id, owner_id)
    SELECT created.aggregate_id::uuid, created.feed_id FROM events created
    WHERE created.aggregate_type = 'schedule' AND created.event_type = 'ScheduleCreated'
      AND NOT EXISTS (
          SELECT FROM events deleted
          WHERE deleted.aggregate_type = 'schedule' AND deleted.aggregate_id = created.aggregate_id
            AND deleted.event_type = 'ScheduleDeleted');
