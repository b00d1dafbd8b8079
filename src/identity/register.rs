//! Registration: an account and its first event, or neither.

use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    actor::Actor,
    ids::{AccountId, OrganizationId},
};
use workroom_projections::accounts::AccountRow;

use super::{
    Identity,
    email::EmailAddress,
    password::{Password, PasswordError, PasswordOwner, Queue},
    recovery::new_mail,
    username::{FullName, Username},
};
use crate::application::in_field;
use crate::identity::codes::{EMAIL_TAKEN, SIGN_INS_BUSY, USERNAME_TAKEN};
use crate::{
    application::{
        Answer, At, Change, Command, Context, Error, IdempotencyKey, Rendered, TableChange, Unit, Violation,
        accounts::RecordAccount,
    },
    http::client_address::network,
    notify::outbox::{self, MailKind, NewMail},
};

/// What somebody registers with.
#[derive(Clone)]
pub struct Registration {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Full name.
    pub full_name: Option<String>,
    /// User name; made from the e-mail address when not given.
    pub username: Option<String>,
}

struct Checked {
    email: EmailAddress,
    password: Password,
    full_name: Option<FullName>,
    username: Option<Username>,
}

impl Checked {
    fn owner(&self) -> PasswordOwner<'_> {
        let full_name = self.full_name.as_ref().map(FullName::as_str);
        PasswordOwner { email: Some(&self.email), username: self.username.as_ref(), full_name }
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy { retry_after } => Self::later(SIGN_INS_BUSY, retry_after),
            PasswordError::UnusableHash | PasswordError::Failed => Self::failure(error),
        }
    }
}

impl Identity {
    /// Registers an account.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming every field that does not hold; `Kind::Conflict` for a taken address or user name.
    pub async fn register(
        &self,
        correlation_id: Uuid,
        registration: &Registration,
        address: IpAddr,
        key: Option<IdempotencyKey>,
        render: impl Fn(&AccountRow) -> Result<Rendered, Error> + Sync,
    ) -> Result<Answer, Error> {
        let checked = self.check(registration)?;
        let passed = self.inner.network_gates.pass(self.throttle_key(&[b"network gate", &network(address)])).await?;
        // A registration that was sent again gets its reply again.
        if key.is_none() {
            self.insist_on_free(&checked).await?;
        }
        let hashed = self.approve_and_hash(&checked.password, checked.owner(), Queue::Registration).await?;
        let password_hash = hashed.map_err(in_field("/password"))?;
        drop(passed);
        let account_id = AccountId(Uuid::now_v7());
        let personal_organization_id = OrganizationId(Uuid::now_v7());
        let context = Context::new(Actor::Account(account_id), correlation_id);
        let given = checked.username.is_some();
        for suffix in 0..5 {
            let username = match &checked.username {
                Some(username) => username.as_str().to_owned(),
                None => derived_username(checked.email.local_part(), suffix),
            };
            let account = AccountRow {
                id: account_id.into(),
                email: Some(checked.email.as_str().to_owned()),
                email_verified: false,
                username,
                full_name: checked.full_name.as_ref().map(|name| name.as_str().to_owned()),
                image_url: None,
                personal_organization_id: personal_organization_id.into(),
                created_at: context.now,
                updated_at: context.now,
                version: 1,
            };
            let mail = new_mail(&context, account_id, MailKind::EmailVerification, time::Duration::days(1));
            let tables =
                InsertAccount { account, email: checked.email.clone(), password_hash: password_hash.clone(), mail };
            let record = RecordAccount { account_id, command: AccountCommand::Register { personal_organization_id } };
            let command = Register { record, account: tables.account.clone() };
            match self.inner.app.create_with_tables(&context, &command, &tables, key.clone(), &render).await {
                Err(error) if error.code() == USERNAME_TAKEN && !given => {}
                Ok(answer) => {
                    outbox::wake();
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
        }
        Err(USERNAME_TAKEN.into())
    }

    /// Refuses what is taken already, before a hash is spent on it. What is free now may be taken when it is written.
    async fn insist_on_free(&self, checked: &Checked) -> Result<(), Error> {
        let (email, username): (bool, bool) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM accounts WHERE email_normalized = $1),
                    EXISTS (SELECT FROM accounts WHERE username = $2)",
        )
        .bind(checked.email.normalized())
        .bind(checked.username.as_ref().map(Username::as_str))
        .fetch_one(self.inner.app.pool())
        .await?;
        match (email, username) {
            (true, _) => Err(EMAIL_TAKEN.into()),
            (_, true) => Err(USERNAME_TAKEN.into()),
            _ => Ok(()),
        }
    }

    fn check(&self, registration: &Registration) -> Result<Checked, Error> {
        let mut violations = Vec::new();
        let email = EmailAddress::parse(&registration.email)
            .map_err(|error| violations.push(Violation::of("/email", &error)))
            .ok();
        let username = registration.username.as_deref().map(Username::parse).transpose();
        let username = username.map_err(|error| violations.push(Violation::of("/username", &error))).ok().flatten();
        let full_name = registration.full_name.as_deref().map(FullName::parse).transpose();
        let full_name = full_name.map_err(|error| violations.push(Violation::of("/full_name", &error))).ok().flatten();
        let password = Password::new(&registration.password)
            .map_err(|error| violations.push(Violation::of("/password", &error)))
            .ok();
        if let Some(password) = &password {
            let owner = PasswordOwner { email: email.as_ref(), username: username.as_ref(), full_name: None };
            if let Err(error) = self.inner.config.password_policy.check(password, owner) {
                violations.push(Violation::of("/password", &error));
            }
        }
        match (email, password) {
            (Some(email), Some(password)) if violations.is_empty() => {
                Ok(Checked { email, password, full_name, username })
            }
            _ => Err(Error::Invalid(violations)),
        }
    }
}

/// A user name made from an e-mail address' local part; a later try takes random digits to it.
pub(super) fn derived_username(local_part: &str, attempt: u32) -> String {
    let mut name: String = local_part
        .chars()
        .filter_map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => Some(c),
            '+' => Some('-'),
            _ => None,
        })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(24)
        .collect();
    if name.len() < 3 {
        name.insert_str(0, "user");
    }
    if attempt > 0 {
        let digits = Uuid::now_v7().as_u128() % 1_000_000;
        return format!("{name}-{digits}");
    }
    name
}

struct Register {
    record: RecordAccount,
    account: AccountRow,
}

impl Command for Register {
    type Reply = AccountRow;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<AccountRow, Error> {
        self.record.decide(unit).await?;
        Ok(self.account.clone())
    }
}

struct InsertAccount {
    account: AccountRow,
    email: EmailAddress,
    password_hash: String,
    mail: NewMail,
}

#[derive(Serialize)]
struct NewAccount<'a> {
    id: Uuid,
    email: Option<&'a str>,
    email_normalized: &'a str,
    username: &'a str,
    full_name: Option<&'a str>,
    password_hash: &'a str,
    organization: Uuid,
    at: At,
}

impl TableChange for InsertAccount {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let account = &self.account;
        let row = NewAccount {
            id: account.id,
            email: account.email.as_deref(),
            email_normalized: self.email.normalized(),
            username: &account.username,
            full_name: account.full_name.as_deref(),
            password_hash: &self.password_hash,
            organization: account.personal_organization_id,
            at: At(account.created_at),
        };
        let insert = Change::new(
            "INSERT INTO accounts (id, email, email_normalized, username, full_name, password_hash,
                                   personal_organization_id, created_at, updated_at)
             SELECT id, email, email_normalized, username, full_name, password_hash, organization, at, at
             FROM jsonb_to_record($1) AS a (id uuid, email text, email_normalized text, username text, full_name text,
                                            password_hash text, organization uuid, at timestamptz)",
            &row,
        )?;
        let insert = insert
            .unless(&[("accounts_email", || EMAIL_TAKEN.into()), ("accounts_username", || USERNAME_TAKEN.into())]);
        Ok(vec![insert, outbox::enqueue(&self.mail)?])
    }
}
