//! Registration: an account and its first event, or neither.

use std::net::IpAddr;

use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    actor::Actor,
    ids::{AccountId, OrganizationId},
};
use workroom_projections::accounts::AccountRow;

use super::{
    derived_username,
    store::{self, InsertAccount},
};
use crate::{
    application::{
        Answer, Command, Context, Error, IdempotencyKey, Rendered, Unit, Violation, accounts::RecordAccount, at_pointer,
    },
    identity::{
        Identity,
        codes::{EMAIL_TAKEN, USERNAME_TAKEN},
        email::{EmailAddress, new_mail},
        password::{Password, PasswordOwner, Queue},
        username::{FullName, Username},
    },
    network::network,
    notify::outbox::{self, MailKind},
};

/// What somebody registers with.
#[derive(Clone)]
pub struct Registration {
    /// The e-mail address as it was typed; refused where another account has it.
    pub email: String,
    /// The password as it was typed; it is checked against the policy.
    pub password: String,
    /// The full name, up to 200 characters; `None` where none is given.
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
        let passed =
            self.inner.network_limits.acquire(self.throttle_key(&[b"network gate", &network(address)])).await?;
        // A registration that was sent again gets its reply again.
        if key.is_none() {
            self.require_free(&checked).await?;
        }
        let hashed = self.approve_and_hash(&checked.password, checked.owner(), Queue::Registration).await?;
        let password_hash = hashed.map_err(at_pointer("/password"))?;
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
    async fn require_free(&self, checked: &Checked) -> Result<(), Error> {
        match store::taken(self.inner.app.pool(), &checked.email, checked.username.as_ref()).await? {
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
