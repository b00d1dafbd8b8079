//! Who somebody is, and how they show it.

use std::time::Duration;

use super::{mail::MailSettings, section::section};
use crate::{
    application::EmailProof,
    identity::{
        IdentityConfig, IdentityWebhook, external::ExternalIssuerConfig, password::PasswordPolicy, throttle::Rule,
        webhook::IdentityWebhookConfig,
    },
};

/// A day, in seconds.
const DAY: u64 = 24 * 3600;

section! {
    /// Who somebody is, and how they show it.
    pub struct IdentitySettings {
        /// `iss` of access tokens: who signed them.
        issuer: String = "workroom".to_owned(),
        /// `aud` of access tokens: whom they are for.
        audience: String = "workroom".to_owned(),
        /// How long an access token holds, in seconds.
        access_token_seconds: u64 = 15 * 60,
        /// How long a session holds without a new sign-in, in days.
        session_days: u64 = 30,
        /// Sessions that an account can have at a time; one more ends the oldest.
        session_limit: u32 = 100,
        /// How long a personal access token can hold, in days.
        personal_token_days: u32 = 365,
        /// Rules for new passwords.
        password_policy: PasswordPolicyConfig = PasswordPolicyConfig::default(),
        /// How often signing in may fail.
        login_throttle: LoginThrottleConfig = LoginThrottleConfig::default(),
        /// When an address counts as its account's: once that is proven by `mail` (when not given), or `trusted` as soon as it is
        /// typed.
        email_proof: Option<EmailProof> = None,
        /// Invitations that somebody may send in a day.
        invitations_per_sender: u32 = 500,
        /// Invitations that an address may get in a day, by whomever.
        invitations_per_recipient: u32 = 20,
        /// Other issuers whose tokens are accepted (`OpenID` Connect).
        external_issuers: Vec<ExternalIssuerConfig> = Vec::new(),
        /// What an identity provider may tell by webhook.
        identity_webhook: Option<IdentityWebhookConfig> = None,
    }
}

section! {
    /// Rules for new passwords.
    #[serde(deny_unknown_fields)]
    pub struct PasswordPolicyConfig {
        /// Fewest characters.
        min_length: usize = 8,
        /// Most characters.
        max_length: usize = 128,
        /// Whether well-known passwords are refused.
        refuse_common: bool = true,
        /// How hard to guess a password must be, from 0 (not looked at) to 4.
        min_strength: u8 = 2,
    }
}

section! {
    /// How often signing in may fail: so often in a window, and then once each window ÷ attempts.
    #[serde(deny_unknown_fields)]
    pub struct LoginThrottleConfig {
        /// Failures from one address, or one /64 network of IPv6; from a /56 four times as many, from a /48 sixteen times.
        address_attempts: u32 = 100,
        /// Their window, in seconds.
        address_window_seconds: u64 = 300,
        /// Failures for one account from one address.
        account_attempts: u32 = 10,
        /// Their window, in seconds.
        account_window_seconds: u64 = 300,
        /// Failures for one account from all addresses together; not for whoever signed in from there before.
        everywhere_attempts: u32 = 100,
        /// Their window, in seconds.
        everywhere_window_seconds: u64 = 3600,
    }
}

impl IdentitySettings {
    /// When an address counts as its account's.
    pub fn email_proof(&self) -> EmailProof {
        self.email_proof.unwrap_or_default()
    }

    /// What identity needs of it.
    ///
    /// # Errors
    /// A webhook secret that does not read.
    pub fn config(&self, mail: &MailSettings) -> anyhow::Result<IdentityConfig> {
        let PasswordPolicyConfig { min_length, max_length, refuse_common, min_strength } = self.password_policy;
        let throttle = &self.login_throttle;
        let rule = |attempts, seconds| Rule { attempts, window: Duration::from_secs(seconds) };
        Ok(IdentityConfig {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            access_token_lifetime: Duration::from_secs(self.access_token_seconds),
            session_lifetime: Duration::from_secs(self.session_days.clamp(1, 36_500) * 86_400),
            session_limit: self.session_limit.clamp(1, 1000),
            personal_token_lifetime: Duration::from_secs(u64::from(self.personal_token_days.clamp(1, 36_500)) * 86_400),
            password_policy: PasswordPolicy {
                min_length,
                max_length,
                refuse_common,
                min_strength: min_strength.min(4),
            },
            address_attempts: rule(throttle.address_attempts, throttle.address_window_seconds),
            account_attempts: rule(throttle.account_attempts, throttle.account_window_seconds),
            account_attempts_everywhere: rule(throttle.everywhere_attempts, throttle.everywhere_window_seconds),
            invitations_per_sender: rule(self.invitations_per_sender, DAY),
            invitations_per_recipient: rule(self.invitations_per_recipient, DAY),
            external_issuers: self.external_issuers.clone(),
            webhook: self.identity_webhook.as_ref().map(IdentityWebhook::new).transpose()?,
            mail_folder: mail.mail_folder.clone(),
        })
    }
}
