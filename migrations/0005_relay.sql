-- How far the log has been copied to JetStream. Only a hint: after any doubt the stream itself is asked.
CREATE TABLE relay_checkpoints (
    stream   text   PRIMARY KEY,
    position bigint NOT NULL
);
