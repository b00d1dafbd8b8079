//! Accounts that another issuer vouches for: made when somebody first comes with its token or its webhook tells of them,
//! renamed and erased as the webhook says. An account is found by issuer and subject, never by its address.

use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::webhook::event::{ExternalProfile, IdentityEvent};
use workroom_domain::account::refusal::{ACCOUNT_DEACTIVATED, ACCOUNT_ERASED};
use workroom_domain::refusal::Kind;
use workroom_domain::{
    account::{AccountCommand, Closer, ProfileField, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, OrganizationId},
};
use workroom_projections::accounts::{self, AccountRow};

use super::{
    Caller, CredentialKind, Identity, Scope,
    codes::USERNAME_TAKEN,
    email::EmailAddress,
    external::ExternalRejected,
    profile::{ChangeProfile, changes, is_picture},
    register::derived_username,
    sessions::{EndSessions, end_rows},
    username::{FullName, Username},
};
use crate::application::{At, Bytea, Change, Context, Error, Refusal, TableChange, accounts::RecordAccount};
use crate::identity::codes::{EMAIL_TAKEN, ISSUER_AWAY, TOKEN_EXPIRED, TOKEN_INVALID};

const ROUNDS: u32 = 8;

#[derive(FromRow)]
struct Known {
    account_id: Uuid,
    updated_at: OffsetDateTime,
    is_deactivated: bool,
    period_id: Uuid,
}

/// The time since an account was last closed, and who has it closed now.
#[derive(FromRow)]
struct Period {
    id: Uuid,
    by_operator: bool,
    by_issuer: bool,
}

impl Identity {
    pub(super) async fn external(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let claims = self.inner.external.verify(token, now).await.map_err(|rejected| match rejected {
            ExternalRejected::Expired => Error::from(TOKEN_EXPIRED),
            ExternalRejected::Invalid(reason) => {
                tracing::debug!(reason, "a token of another issuer was refused");
                TOKEN_INVALID.into()
            }
            ExternalRejected::Unavailable => Error::later(ISSUER_AWAY, std::time::Duration::from_secs(5)),
        })?;
        let known = if let Some(known) = self.known(&claims.issuer, &claims.subject).await? {
            known
        } else {
            let profile = ExternalProfile {
                email: claims.email,
                email_verified: claims.email_verified,
                full_name: claims.name,
                username: claims.username,
                image_url: claims.picture,
            };
            // As old as can be: whatever the webhook tells is newer.
            self.provision(&claims.issuer, &claims.subject, &profile, OffsetDateTime::UNIX_EPOCH).await?;
            let known = self.known(&claims.issuer, &claims.subject).await?;
            known.ok_or(ACCOUNT_ERASED)?
        };
        if known.is_deactivated {
            return Err(ACCOUNT_DEACTIVATED.into());
        }
        let account_id = known.account_id;
        Ok(Caller {
            account_id: AccountId(account_id),
            kind: CredentialKind::External,
            credential_id: account_id,
            rests_on: known.period_id,
            scope: Scope::Full,
            expires_at: claims.expires_at,
        })
    }

    /// Does what a webhook tells of.
    ///
    /// # Errors
    /// The database's; the sender tries again then.
    pub async fn apply_identity_event(&self, issuer: &str, event: &IdentityEvent) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            let applied = match event {
                IdentityEvent::Ignored => return Ok(()),
                IdentityEvent::Deleted { subject } => self.delete(issuer, subject).await,
                IdentityEvent::Upsert { subject, updated_at, profile, banned } => {
                    self.upsert(issuer, subject, profile, *updated_at, *banned).await
                }
            };
            match applied {
                Err(Error::Overtaken) => {}
                Err(error) if error.code() == ACCOUNT_ERASED => return Ok(()),
                applied => return applied,
            }
        }
        Err(Error::Overtaken)
    }

    async fn known(&self, issuer: &str, subject: &str) -> Result<Option<Known>, Error> {
        let known = sqlx::query_as(
            "SELECT i.account_id, i.updated_at, a.deactivated_at IS NOT NULL AS is_deactivated, a.period_id
             FROM external_identities i JOIN accounts a ON a.id = i.account_id
             WHERE i.issuer = $1 AND i.subject = $2",
        )
        .bind(issuer)
        .bind(subject)
        .fetch_optional(self.inner.app.pool())
        .await?;
        Ok(known)
    }

    async fn upsert(
        &self,
        issuer: &str,
        subject: &str,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
        banned: bool,
    ) -> Result<(), Error> {
        let account_id = match self.known(issuer, subject).await? {
            None => self.provision(issuer, subject, profile, updated_at).await?,
            Some(known) if known.updated_at >= updated_at => return Ok(()),
            Some(known) => {
                self.renew(issuer, subject, &known, profile, updated_at).await?;
                known.account_id
            }
        };
        self.set_deactivated(SystemActor::Identity, AccountId(account_id), banned).await
    }

    async fn delete(&self, issuer: &str, subject: &str) -> Result<(), Error> {
        // First the digest, under the lock that provisioning takes, so that nobody comes back between.
        let digest = self.identity_digest(issuer, subject);
        sqlx::query(
            "WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(7770004, hashtext(encode($1, 'hex'))))
             INSERT INTO erased_identities (digest) SELECT $1 FROM locked ON CONFLICT DO NOTHING",
        )
        .bind(&digest)
        .execute(self.inner.app.pool())
        .await?;
        let Some(known) = self.known(issuer, subject).await? else { return Ok(()) };
        let account_id = AccountId(known.account_id);
        // Not in the account's name: it may be deactivated.
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        match self.erase_account(&context, account_id, true).await {
            // Somebody else was as fast.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes an account to its owner, or opens it again. Closing ends its sessions and tokens' use at once.
    ///
    /// # Errors
    /// The database's; `Kind::NotFound` for an account that is not there.
    pub async fn set_deactivated(
        &self,
        actor: SystemActor,
        account_id: AccountId,
        deactivated: bool,
    ) -> Result<(), Error> {
        let Period { id: period_id, by_operator, by_issuer } =
            self.period(account_id).await?.ok_or(Error::not_found("account"))?;
        let (by, is_closed) = match actor {
            // The operator opens what anybody has closed.
            SystemActor::Operator => (Closer::Operator, by_operator || (!deactivated && by_issuer)),
            _ => (Closer::Issuer, by_issuer),
        };
        // Most of what a provider tells is about something else.
        if is_closed == deactivated {
            return Ok(());
        }
        let context = Context::new(Actor::System(actor), Uuid::now_v7());
        let tables = SetDeactivated { account_id, by, deactivated, now: context.now };
        if deactivated {
            self.end_excess(&context, account_id).await?;
            let command = EndSessions {
                account_id,
                causes: vec![AccountCommand::Deactivate { by }],
                reason: SessionEnd::AccountDeactivated,
                keep: None,
                tokens: false,
            };
            let done = self.inner.app.run_with_tables(&context, &command, &tables).await?;
            let mut ended = done.reply.credentials();
            // Who was closed already is in the same period still.
            if self.period(account_id).await?.is_none_or(|period| period.id != period_id) {
                ended.push(period_id);
            }
            self.inner.revocations.end(&ended);
        } else {
            let record = RecordAccount { account_id, command: AccountCommand::Reactivate { by } };
            self.inner.app.run_with_tables(&context, &record, &tables).await?;
        }
        Ok(())
    }

    async fn period(&self, account_id: AccountId) -> Result<Option<Period>, Error> {
        let period = sqlx::query_as(
            "SELECT period_id AS id, closed_by_operator_at IS NOT NULL AS by_operator,
                    closed_by_issuer_at IS NOT NULL AS by_issuer
             FROM accounts WHERE id = $1",
        )
        .bind(Uuid::from(account_id))
        .fetch_optional(self.inner.app.pool())
        .await?;
        Ok(period)
    }

    async fn provision(
        &self,
        issuer: &str,
        subject: &str,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
    ) -> Result<Uuid, Error> {
        let account_id = AccountId(Uuid::now_v7());
        let personal_organization_id = OrganizationId(Uuid::now_v7());
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let mut email = verified_email(profile);
        for attempt in 0..ROUNDS {
            let account = AccountRow {
                id: account_id.into(),
                email: email.as_ref().map(|email| email.as_str().to_owned()),
                email_verified: email.is_some(),
                username: username(profile, email.as_ref(), attempt),
                full_name: full_name(profile),
                image_url: profile.image_url.clone().filter(|address| is_picture(address)),
                personal_organization_id: personal_organization_id.into(),
                created_at: context.now,
                updated_at: context.now,
                version: 1,
            };
            let tables = InsertExternal {
                account,
                email: email.clone(),
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                digest: self.identity_digest(issuer, subject),
                updated_at,
            };
            let record = RecordAccount { account_id, command: AccountCommand::Register { personal_organization_id } };
            match self.inner.app.run_with_tables(&context, &record, &tables).await {
                Ok(_) => return Ok(account_id.into()),
                // Whose address it is was here before: this account is another one, without it.
                Err(error) if error.code() == EMAIL_TAKEN => {
                    email = self.take_address(&context, email).await?;
                }
                Err(error) if error.code() == USERNAME_TAKEN => {}
                Err(Error::Overtaken) => {
                    if let Some(known) = self.known(issuer, subject).await? {
                        return Ok(known.account_id);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Overtaken)
    }

    async fn renew(
        &self,
        issuer: &str,
        subject: &str,
        known: &Known,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
    ) -> Result<(), Error> {
        let before = accounts::find(self.inner.app.pool(), known.account_id).await?.ok_or_else(|| Error::Overtaken)?;
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let mut email = verified_email(profile);
        let mut given_username = profile.username.as_deref().and_then(|name| Username::parse(name).ok());
        for _ in 0..ROUNDS {
            let mut after = before.clone();
            if let Some(email) = &email {
                after.email = Some(email.as_str().to_owned());
            }
            if let Some(username) = &given_username {
                username.as_str().clone_into(&mut after.username);
            }
            after.full_name = full_name(profile).or(after.full_name);
            let picture = profile.image_url.clone().filter(|address| is_picture(address));
            after.image_url = picture.or(after.image_url);
            let mut command = ChangeProfile { account_id: AccountId(after.id), fields: changes(&before, &after) };
            // The same address, but proven now.
            if email.is_some() && !before.email_verified && !command.fields.contains(&ProfileField::Email) {
                command.fields.push(ProfileField::Email);
            }
            after.version += 1;
            after.updated_at = context.now;
            let tables = Renew {
                account: after,
                email: email.clone(),
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                known_at: known.updated_at,
                updated_at,
            };
            let outcome = if command.fields.is_empty() {
                tables.note(self).await
            } else {
                self.inner.app.run_with_tables(&context, &command, &tables).await.map(drop)
            };
            match outcome {
                Err(error) if error.code() == EMAIL_TAKEN && email.is_some() => {
                    email = self.take_address(&context, email).await?;
                }
                Err(error) if error.code() == USERNAME_TAKEN && given_username.is_some() => {
                    given_username = None;
                }
                outcome => return outcome,
            }
        }
        Err(overtaken())
    }

    /// Takes an address that the issuer has verified from an account that has never proven it: whoever registered that may have
    /// typed somebody else's. `None` where the account has proven it.
    async fn take_address(
        &self,
        context: &Context,
        email: Option<EmailAddress>,
    ) -> Result<Option<EmailAddress>, Error> {
        let Some(address) = &email else { return Ok(None) };
        let holder = accounts::find_by_email(self.inner.app.pool(), address.normalized()).await?;
        match holder {
            Some(holder) if holder.email_verified => return Ok(None),
            Some(holder) => {
                let account_id = AccountId(holder.id);
                let lose = ChangeProfile { account_id, fields: vec![ProfileField::Email] };
                let tables = LoseAddress { account_id: holder.id, at: At(context.now) };
                match self.inner.app.run_with_tables(context, &lose, &tables).await {
                    // It has been proven or erased meanwhile: the next round finds out.
                    Ok(_) => {}
                    Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Unauthenticated) => {}
                    Err(error) => return Err(error),
                }
            }
            None => {}
        }
        Ok(email)
    }
}

/// An account's address that was never proven, and is somebody else's.
#[derive(Serialize)]
struct LoseAddress {
    account_id: Uuid,
    at: At,
}

impl TableChange for LoseAddress {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let lose = Change::new(
            "UPDATE accounts t SET email = NULL, email_normalized = NULL, updated_at = a.at, version = t.version + 1
             FROM jsonb_to_record($1) AS a (account_id uuid, at timestamptz)
             WHERE t.id = a.account_id AND t.email_verified_at IS NULL",
            self,
        )?;
        Ok(vec![lose.or(overtaken)])
    }
}

/// Only an address that the issuer has verified: another could be taken from its owner.
fn verified_email(profile: &ExternalProfile) -> Option<EmailAddress> {
    let email = profile.email.as_deref().filter(|_| profile.email_verified)?;
    EmailAddress::parse(email).ok()
}

fn full_name(profile: &ExternalProfile) -> Option<String> {
    let name = FullName::parse(profile.full_name.as_deref()?).ok()?;
    Some(name.as_str().to_owned())
}

fn username(profile: &ExternalProfile, email: Option<&EmailAddress>, attempt: u32) -> String {
    if let (0, Some(Ok(username))) = (attempt, profile.username.as_deref().map(Username::parse)) {
        return username.as_str().to_owned();
    }
    derived_username(email.map_or("user", EmailAddress::local_part), attempt)
}

const TAKEN: &[(&str, Refusal)] = &[
    ("accounts_email", || EMAIL_TAKEN.into()),
    ("accounts_username", || USERNAME_TAKEN.into()),
    ("external_identities_pkey", overtaken),
];

fn overtaken() -> Error {
    Error::Overtaken
}

struct InsertExternal {
    account: AccountRow,
    email: Option<EmailAddress>,
    issuer: String,
    subject: String,
    digest: Vec<u8>,
    updated_at: OffsetDateTime,
}

#[derive(Serialize)]
struct ExternalRow<'a> {
    id: Uuid,
    email: Option<&'a str>,
    email_normalized: Option<&'a str>,
    username: &'a str,
    full_name: Option<&'a str>,
    image_url: Option<&'a str>,
    organization: Uuid,
    at: At,
    version: i64,
    issuer: &'a str,
    subject: &'a str,
    digest: Bytea<'a>,
    known_at: Option<At>,
    updated_at: At,
}

fn external_row<'a>(
    account: &'a AccountRow,
    email: Option<&'a EmailAddress>,
    (issuer, subject): (&'a str, &'a str),
    at: OffsetDateTime,
    updated_at: OffsetDateTime,
) -> ExternalRow<'a> {
    ExternalRow {
        id: account.id,
        email: account.email.as_deref(),
        email_normalized: email.map(EmailAddress::normalized),
        username: &account.username,
        full_name: account.full_name.as_deref(),
        image_url: account.image_url.as_deref(),
        organization: account.personal_organization_id,
        at: At(at),
        version: account.version,
        issuer,
        subject,
        digest: Bytea(&[]),
        known_at: None,
        updated_at: At(updated_at),
    }
}

impl TableChange for InsertExternal {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let identity = (self.issuer.as_str(), self.subject.as_str());
        let at = self.account.created_at;
        let row = external_row(&self.account, self.email.as_ref(), identity, at, self.updated_at);
        let row = ExternalRow { digest: Bytea(&self.digest), ..row };
        let account = Change::new(
            "INSERT INTO accounts (id, email, email_normalized, email_verified_at, username, full_name, image_url,
                                   personal_organization_id, created_at, updated_at)
             SELECT id, email, email_normalized, CASE WHEN email_normalized IS NOT NULL THEN at END, username, full_name,
                    image_url, organization, at, at
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            image_url text, organization uuid, at timestamptz)",
            &row,
        )?;
        let identity = Change::new(
            "INSERT INTO external_identities (issuer, subject, account_id, updated_at)
             SELECT issuer, subject, id, updated_at
             FROM jsonb_to_record($1) AS a (issuer text, subject text, id uuid, updated_at timestamptz)",
            &row,
        )?;
        // A deletion notes its digest first and then looks for the identity: one of the two sees the other.
        let turn = Change::new("SELECT pg_advisory_xact_lock(7770004, hashtext(substr($1->>'digest', 3)))", &row)?;
        let not_erased = Change::new(
            "SELECT FROM jsonb_to_record($1) AS a (digest bytea)
             WHERE NOT EXISTS (SELECT FROM erased_identities e WHERE e.digest = a.digest)",
            &row,
        )?;
        Ok(vec![account.unless(TAKEN), identity, turn, not_erased.or(|| ACCOUNT_ERASED.into())])
    }
}

struct Renew {
    account: AccountRow,
    email: Option<EmailAddress>,
    issuer: String,
    subject: String,
    known_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Renew {
    /// Nothing to tell the log: only the moment is noted.
    async fn note(&self, identity: &Identity) -> Result<(), Error> {
        match self.mark()?.run(identity.inner.app.pool()).await? {
            0 => Err(overtaken()),
            _ => Ok(()),
        }
    }

    fn row(&self) -> ExternalRow<'_> {
        let identity = (self.issuer.as_str(), self.subject.as_str());
        let at = self.account.updated_at;
        let row = external_row(&self.account, self.email.as_ref(), identity, at, self.updated_at);
        ExternalRow { known_at: Some(At(self.known_at)), ..row }
    }

    fn mark(&self) -> Result<Change, Error> {
        let mark = Change::new(
            "UPDATE external_identities t SET updated_at = a.updated_at
             FROM jsonb_to_record($1) AS a (issuer text, subject text, known_at timestamptz, updated_at timestamptz)
             WHERE t.issuer = a.issuer AND t.subject = a.subject AND t.updated_at = a.known_at",
            &self.row(),
        )?;
        Ok(mark.or(overtaken))
    }
}

impl TableChange for Renew {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let update = Change::new(
            "UPDATE accounts t SET email = a.email, email_normalized = COALESCE(a.email_normalized, t.email_normalized),
                    email_verified_at = CASE WHEN a.email_normalized IS NULL THEN t.email_verified_at ELSE a.at END,
                    username = a.username, full_name = a.full_name, image_url = a.image_url, updated_at = a.at,
                    version = a.version
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            image_url text, at timestamptz, version bigint)
             WHERE t.id = a.id",
            &self.row(),
        )?;
        Ok(vec![self.mark()?, update.unless(TAKEN)])
    }
}

struct SetDeactivated {
    account_id: AccountId,
    by: Closer,
    deactivated: bool,
    now: OffsetDateTime,
}

#[derive(Serialize)]
struct DeactivatedRow {
    account_id: Uuid,
    at: At,
}

impl TableChange for SetDeactivated {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let row = DeactivatedRow { account_id: self.account_id.into(), at: At(self.now) };
        if !self.deactivated {
            return Ok(vec![Change::new(
                match self.by {
                    Closer::Operator => {
                        "UPDATE accounts SET closed_by_operator_at = NULL, closed_by_issuer_at = NULL
                         WHERE id = ($1->>'account_id')::uuid"
                    }
                    Closer::Issuer => {
                        "UPDATE accounts SET closed_by_issuer_at = NULL WHERE id = ($1->>'account_id')::uuid"
                    }
                },
                &row,
            )?]);
        }
        let close = Change::new(
            match self.by {
                Closer::Operator => {
                    "UPDATE accounts SET closed_by_operator_at = ($1->>'at')::timestamptz
                     WHERE id = ($1->>'account_id')::uuid"
                }
                Closer::Issuer => {
                    "UPDATE accounts SET closed_by_issuer_at = ($1->>'at')::timestamptz
                     WHERE id = ($1->>'account_id')::uuid"
                }
            },
            &row,
        )?;
        let end_period = Change::new(
            "WITH before AS (SELECT id, period_id FROM accounts WHERE id = ($1->>'account_id')::uuid FOR UPDATE),
                  renewed AS (
                      UPDATE accounts t SET period_id = gen_random_uuid() FROM before b WHERE t.id = b.id
                      RETURNING b.period_id)
             INSERT INTO ended_credentials (id) SELECT period_id FROM renewed ON CONFLICT DO NOTHING",
            &row,
        )?;
        Ok(vec![close, end_period, end_rows(self.account_id, None, self.now)?])
    }
}
