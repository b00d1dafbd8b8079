-- Deliveries go with their webhook, and with its project.

ALTER TABLE views.webhook_deliveries ADD COLUMN project_id uuid;
UPDATE views.webhook_deliveries d SET project_id = (asked.payload->>'project_id')::uuid
FROM events asked
WHERE asked.aggregate_type = 'job' AND asked.aggregate_id = d.id::text AND asked.sequence = 1;
CREATE INDEX deliveries_of_project ON views.webhook_deliveries (project_id);

-- Those that have gone already, as far as the view is: what follows in the log, it does itself.
DELETE FROM views.webhook_deliveries d
USING events asked, events ended
WHERE asked.aggregate_type = 'job' AND asked.aggregate_id = d.id::text AND asked.sequence = 1
  AND ended.aggregate_type = 'webhook' AND ended.aggregate_id = d.webhook_id::text AND ended.event_type = 'WebhookDeleted'
  AND ended.position > asked.position
  AND ended.position <= (SELECT c.position FROM projection_checkpoints c WHERE c.projection_group = 'jobs');
DELETE FROM views.webhook_deliveries d
USING events asked, events ended
WHERE asked.aggregate_type = 'job' AND asked.aggregate_id = d.id::text AND asked.sequence = 1
  AND ended.aggregate_type = 'project' AND ended.aggregate_id = d.project_id::text AND ended.event_type = 'ProjectDeleted'
  AND ended.position > asked.position
  AND ended.position <= (SELECT c.position FROM projection_checkpoints c WHERE c.projection_group = 'jobs');
