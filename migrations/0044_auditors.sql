-- Organizations have auditors. A value of its own migration: it can be used only by what comes after it is committed.
ALTER TYPE organization_role ADD VALUE 'auditor' BEFORE 'member';
