//! Accounts that another issuer vouches for: made when somebody first comes with its token or its webhook tells of them,
//! renamed and erased as the webhook says. An account is found by issuer and subject, never by its address.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, OrganizationId},
};
use workroom_projections::accounts::{self, AccountRow};

use super::{
    Caller, CredentialKind, Identity, Scope,
    email::EmailAddress,
    external::ExternalRejected,
    profile::{ChangeProfile, changes, is_picture},
    register::{USERNAME_TAKEN, derived_username},
    sessions::{EndSessions, end_rows},
    username::{FullName, Username},
    webhook::event::{ExternalProfile, IdentityEvent},
};
use crate::application::{Context, Error, TableChange, accounts::RecordAccount};

const ROUNDS: u32 = 8;
const EMAIL_TAKEN: &str = "the address is another account's";
const OVERTAKEN: &str = "the identity is being changed by others; try again";
const ERASED: &str = "the identity was erased";

#[derive(FromRow)]
struct Known {
    account_id: Uuid,
    updated_at: OffsetDateTime,
    is_deactivated: bool,
}

impl Identity {
    pub(super) async fn external(&self, token: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let claims = self.inner.external.verify(token, now).await.map_err(|rejected| match rejected {
            ExternalRejected::Expired => Error::Unauthenticated("the access token has expired"),
            ExternalRejected::Invalid(reason) => {
                tracing::debug!(reason, "a token of another issuer was refused");
                Error::Unauthenticated("the access token is not valid")
            }
            ExternalRejected::Unavailable => Error::Busy {
                detail: "the keys of the token's issuer cannot be fetched",
                retry_after: std::time::Duration::from_secs(5),
            },
        })?;
        let account_id = match self.known(&claims.issuer, &claims.subject).await? {
            Some(Known { is_deactivated: true, .. }) => {
                return Err(Error::Unauthenticated("the account is deactivated"));
            }
            Some(known) => known.account_id,
            None => {
                let profile = ExternalProfile {
                    email: claims.email,
                    email_verified: claims.email_verified,
                    full_name: claims.name,
                    username: claims.username,
                    image_url: claims.picture,
                };
                // As old as can be: whatever the webhook tells is newer.
                self.provision(&claims.issuer, &claims.subject, &profile, OffsetDateTime::UNIX_EPOCH).await?
            }
        };
        Ok(Caller {
            account_id: AccountId(account_id),
            kind: CredentialKind::External,
            credential_id: account_id,
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
                Err(Error::Conflict(detail)) if detail == OVERTAKEN => {}
                Err(Error::Unauthenticated(detail)) if detail == ERASED => return Ok(()),
                applied => return applied,
            }
        }
        Err(Error::Conflict(OVERTAKEN.to_owned()))
    }

    async fn known(&self, issuer: &str, subject: &str) -> Result<Option<Known>, Error> {
        let known = sqlx::query_as(
            "SELECT i.account_id, i.updated_at, a.deactivated_at IS NOT NULL AS is_deactivated
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
            Ok(_) | Err(Error::Unauthenticated(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes an account to its owner, or opens it again. Closing ends its sessions and tokens' use at once.
    ///
    /// # Errors
    /// The database's; [`Error::NotFound`] for an account that is not there.
    pub async fn set_deactivated(
        &self,
        actor: SystemActor,
        account_id: AccountId,
        deactivated: bool,
    ) -> Result<(), Error> {
        let is_deactivated: bool = sqlx::query_scalar("SELECT deactivated_at IS NOT NULL FROM accounts WHERE id = $1")
            .bind(Uuid::from(account_id))
            .fetch_optional(self.inner.app.pool())
            .await?
            .ok_or(Error::NotFound("account"))?;
        if is_deactivated == deactivated {
            return Ok(());
        }
        let context = Context::new(Actor::System(actor), Uuid::now_v7());
        let tables = SetDeactivated { account_id, deactivated, now: context.now };
        if deactivated {
            let command = EndSessions {
                account_id,
                causes: vec![AccountCommand::Deactivate],
                reason: SessionEnd::AccountDeactivated,
                keep: None,
            };
            let done = self.inner.app.run_with_tables(&context, &command, &tables).await?;
            self.inner.revocations.end(&done.reply);
        } else {
            let record = RecordAccount { account_id, command: AccountCommand::Reactivate };
            self.inner.app.run_with_tables(&context, &record, &tables).await?;
        }
        Ok(())
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
                Err(Error::Conflict(detail)) if detail == EMAIL_TAKEN => email = None,
                Err(Error::Conflict(detail)) if detail == USERNAME_TAKEN => {}
                Err(Error::Conflict(detail)) if detail == OVERTAKEN => {
                    if let Some(known) = self.known(issuer, subject).await? {
                        return Ok(known.account_id);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict(OVERTAKEN.to_owned()))
    }

    async fn renew(
        &self,
        issuer: &str,
        subject: &str,
        known: &Known,
        profile: &ExternalProfile,
        updated_at: OffsetDateTime,
    ) -> Result<(), Error> {
        let before = accounts::find(self.inner.app.pool(), known.account_id)
            .await?
            .ok_or_else(|| Error::Conflict(OVERTAKEN.to_owned()))?;
        let context = Context::new(Actor::System(SystemActor::Identity), Uuid::now_v7());
        let mut email = verified_email(profile);
        let mut given_username = profile.username.as_deref().and_then(|name| Username::parse(name).ok());
        loop {
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
            let command = ChangeProfile { account_id: AccountId(after.id), fields: changes(&before, &after) };
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
                Err(Error::Conflict(detail)) if detail == EMAIL_TAKEN && email.is_some() => email = None,
                Err(Error::Conflict(detail)) if detail == USERNAME_TAKEN && given_username.is_some() => {
                    given_username = None;
                }
                outcome => return outcome,
            }
        }
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

fn constraint(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(database) => match database.constraint() {
            Some("accounts_email") => Error::Conflict(EMAIL_TAKEN.to_owned()),
            Some("accounts_username") => Error::Conflict(USERNAME_TAKEN.to_owned()),
            Some("external_identities_pkey") => Error::Conflict(OVERTAKEN.to_owned()),
            _ => error.into(),
        },
        _ => error.into(),
    }
}

struct InsertExternal {
    account: AccountRow,
    email: Option<EmailAddress>,
    issuer: String,
    subject: String,
    digest: Vec<u8>,
    updated_at: OffsetDateTime,
}

impl TableChange for InsertExternal {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let account = &self.account;
        sqlx::query(
            "INSERT INTO accounts (id, email, email_normalized, email_verified_at, username, full_name, image_url,
                                   personal_organization_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        )
        .bind(account.id)
        .bind(&account.email)
        .bind(self.email.as_ref().map(EmailAddress::normalized))
        .bind(self.email.as_ref().map(|_| account.created_at))
        .bind(&account.username)
        .bind(&account.full_name)
        .bind(&account.image_url)
        .bind(account.personal_organization_id)
        .bind(account.created_at)
        .execute(&mut *connection)
        .await
        .map_err(constraint)?;
        sqlx::query(
            "INSERT INTO external_identities (issuer, subject, account_id, updated_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(&self.issuer)
        .bind(&self.subject)
        .bind(account.id)
        .bind(self.updated_at)
        .execute(&mut *connection)
        .await
        .map_err(constraint)?;
        // A deletion notes its digest first and then looks for the identity: one of the two sees the other.
        sqlx::query("SELECT pg_advisory_xact_lock(7770004, hashtext(encode($1, 'hex')))")
            .bind(&self.digest)
            .execute(&mut *connection)
            .await?;
        let is_erased: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM erased_identities WHERE digest = $1)")
            .bind(&self.digest)
            .fetch_one(connection)
            .await?;
        if is_erased { Err(Error::Unauthenticated(ERASED)) } else { Ok(()) }
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
        let mut connection = identity.inner.app.pool().acquire().await?;
        self.mark(&mut connection).await
    }

    async fn mark(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let marked = sqlx::query(
            "UPDATE external_identities SET updated_at = $4 WHERE issuer = $1 AND subject = $2 AND updated_at = $3",
        )
        .bind(&self.issuer)
        .bind(&self.subject)
        .bind(self.known_at)
        .bind(self.updated_at)
        .execute(connection)
        .await?;
        if marked.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict(OVERTAKEN.to_owned())) }
    }
}

impl TableChange for Renew {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        self.mark(connection).await?;
        let account = &self.account;
        sqlx::query(
            "UPDATE accounts SET email = $2, email_normalized = COALESCE($3, email_normalized),
                    email_verified_at = CASE WHEN $3 IS NULL THEN email_verified_at ELSE $7 END,
                    username = $4, full_name = $5, image_url = $6, updated_at = $7, version = $8
             WHERE id = $1",
        )
        .bind(account.id)
        .bind(&account.email)
        .bind(self.email.as_ref().map(EmailAddress::normalized))
        .bind(&account.username)
        .bind(&account.full_name)
        .bind(&account.image_url)
        .bind(account.updated_at)
        .bind(account.version)
        .execute(connection)
        .await
        .map_err(constraint)?;
        Ok(())
    }
}

struct SetDeactivated {
    account_id: AccountId,
    deactivated: bool,
    now: OffsetDateTime,
}

impl TableChange for SetDeactivated {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query("UPDATE accounts SET deactivated_at = $2 WHERE id = $1")
            .bind(Uuid::from(self.account_id))
            .bind(self.deactivated.then_some(self.now))
            .execute(&mut *connection)
            .await?;
        if self.deactivated {
            end_rows(connection, self.account_id, None, self.now).await?;
        }
        Ok(())
    }
}
