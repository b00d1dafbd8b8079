-- Password hashes of imported accounts, by kind, so that the service finds out quickly which kinds there are.

-- What precedes the salt: algorithm and cost. Empty for what is no hash.
CREATE FUNCTION hash_kind(password_hash text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce(substring(password_hash FROM '^(?:\$2[aby]\$[0-9]{2}|\$argon2[a-z]+\$(?:v=[0-9]+\$)?[^$]*)'), '') $$;

-- Whether it is of another kind than the hashes that the service made when this was written. Should their cost change, the
-- old ones are another kind, too, but not in this index: then it is made anew.
CREATE FUNCTION is_foreign_hash(password_hash text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT NOT starts_with(password_hash, '$argon2id$v=19$m=19456,t=2,p=1$') $$;

CREATE INDEX accounts_by_foreign_hash ON accounts (hash_kind(password_hash)) WHERE is_foreign_hash(password_hash);
