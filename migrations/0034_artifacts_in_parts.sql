-- Files that jobs have left are read part by part. Of what is compressed, each part would be found by decompressing all
-- that comes before it.
ALTER TABLE job_artifacts ALTER COLUMN content SET STORAGE EXTERNAL;
