//! What a job does, and what came of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ControlAction, ControlCounts, ControlFilter};
use crate::{
    file::Sha256,
    ids::WebhookId,
    redaction::{PLACEHOLDER, Placeholder},
    text::TextRefused,
};

/// The name of a language that code can be run in, such as `python`. Which there are is configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventLanguage, pattern = "^[a-z][a-z0-9_+-]{0,31}$"))]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// Most characters in a name.
    pub const LIMIT: usize = 32;

    /// Checks a name: a letter, then letters, digits, `_`, `+` and `-`; all in lower case.
    pub fn parse(name: &str) -> Option<Self> {
        let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        let follows =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-');
        (begins && name.len() <= Self::LIMIT && name.bytes().all(follows)).then(|| Self(name.to_owned()))
    }

    /// The name as the API writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A program's text, or what it reads on its standard input: at most 128 KiB. Only jobs that were submitted before inputs
/// were kept outside the log carry it in their events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ProgramText, max_length = 131_072))]
#[serde(transparent)]
pub struct Code(String);

impl Code {
    /// Most bytes of a program.
    pub const LIMIT: usize = 128 * 1024;

    /// Checks a program's text.
    ///
    /// # Errors
    /// Empty, larger than [`Code::LIMIT`], or with a NUL character.
    pub fn parse(text: String) -> Result<Self, TextRefused> {
        if text.trim().is_empty() {
            return Err(TextRefused::Empty);
        }
        Self::parse_input(text)
    }

    /// Checks what a program is to read, which may be empty.
    ///
    /// # Errors
    /// Larger than [`Code::LIMIT`], or with a NUL character.
    pub fn parse_input(text: String) -> Result<Self, TextRefused> {
        if text.len() > Self::LIMIT {
            return Err(TextRefused::TooManyBytes { limit: Self::LIMIT });
        }
        if text.contains('\0') {
            return Err(TextRefused::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// What stands for a program's text that was redacted.
    pub(crate) fn redacted() -> Self {
        Self(PLACEHOLDER.to_owned())
    }

    /// Whether the program's text was redacted.
    pub(super) fn is_redacted(&self) -> bool {
        self.0 == PLACEHOLDER
    }

    /// The text as it was submitted, neither trimmed nor changed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as it was submitted.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// How long a program may run, in whole seconds: 1 to 300.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TimeoutSeconds, minimum = 1, maximum = 300))]
#[serde(transparent)]
pub struct Timeout(u32);

impl Timeout {
    /// The longest, in seconds.
    pub const LIMIT: u32 = 300;

    /// Checks the bounds.
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&seconds).then_some(Self(seconds))
    }

    /// The timeout in whole seconds, 1 to [`Self::LIMIT`].
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Default for Timeout {
    fn default() -> Self {
        Self(30)
    }
}

/// What a job works on: kept outside the log, named by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobInput))]
pub struct Input {
    /// How many bytes are kept.
    pub size: u32,
    /// The SHA-256 digest of these bytes, as 64 lower-case hexadecimal digits.
    pub sha256: Sha256,
}

/// Where the program is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobSource))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Outside the log: the program, and all that it is given.
    Input(Input),
    /// In the event itself. Jobs of version 1 only.
    Inline(InlineProgram),
}

/// A program in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobInlineProgram))]
pub struct InlineProgram {
    /// The text of the program.
    pub code: Code,
    /// What it reads on its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub stdin: Option<Code>,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobWork))]
#[serde(tag = "job_type", rename_all = "snake_case")]
pub enum Work {
    /// Run a program in a sandbox.
    CodeExecution {
        /// The language of the program, which decides what interpreter runs it.
        language: Language,
        /// How long it may run.
        timeout_seconds: Timeout,
        /// Where the program is.
        source: Source,
    },
    /// Do nothing: it measures what everything around a job costs.
    Noop {},
    /// Send an event to the address of a webhook. Only the service itself asks for that.
    WebhookDelivery {
        /// The webhook. The job's events are in its feed.
        webhook_id: WebhookId,
        /// The id of the event that is sent.
        event_id: Uuid,
        /// The place of that event in the whole log.
        position: i64,
    },
    /// Write the history of the job's project into files that the job leaves.
    ProjectExport {
        /// Only events behind this place in the project's feed.
        after: i64,
    },
    /// Send a mail to the account that has submitted the job.
    Email {
        /// The subject and the text, which are kept outside the log.
        input: Input,
    },
    /// Do something with many jobs that were submitted before, in the name of the account that has submitted this one.
    JobControl {
        /// What is done with each.
        action: ControlAction,
        /// With which of them.
        filter: ControlFilter,
    },
}

impl Work {
    /// The type as the API writes it.
    pub fn job_type(&self) -> &'static str {
        match self {
            Self::CodeExecution { .. } => "code_execution",
            Self::Noop {} => "noop",
            Self::WebhookDelivery { .. } => "webhook_delivery",
            Self::ProjectExport { .. } => "project_export",
            Self::Email { .. } => "email",
            Self::JobControl { .. } => "job_control",
        }
    }

    /// What it works on that is kept outside the log, if there is any.
    pub fn input(&self) -> Option<Input> {
        match self {
            Self::CodeExecution { source: Source::Input(input), .. } | Self::Email { input } => Some(*input),
            Self::CodeExecution { source: Source::Inline(_), .. }
            | Self::Noop {}
            | Self::WebhookDelivery { .. }
            | Self::ProjectExport { .. }
            | Self::JobControl { .. } => None,
        }
    }
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventLimitHit))]
#[serde(rename_all = "snake_case")]
pub enum LimitHit {
    /// It ran longer than its timeout.
    Time,
    /// It used more memory than allowed.
    Memory,
    /// It printed more than allowed.
    Output,
    /// It started more processes than allowed.
    Processes,
    /// It wrote more than its folders hold.
    Disk,
}

impl LimitHit {
    /// The limit as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Processes => "processes",
            Self::Disk => "disk",
        }
    }
}

/// How an attempt ended. What it printed is kept outside the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobOutcome))]
pub struct Outcome {
    /// A program's exit code, or 128 + the signal that ended it; none when it was stopped before it could exit, and for a job
    /// that runs no program.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub execution_time_ms: u64,
    /// Whether some of its output was dropped.
    pub truncated: bool,
    /// The limit that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub limit_hit: Option<LimitHit>,
    /// What became of the jobs that it was about, where it controls others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub control: Option<ControlCounts>,
}

/// How urgent a job is among those of its organization: 1 is the most urgent, 5 the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobPriority, minimum = 1, maximum = 5))]
#[serde(transparent)]
pub struct Priority(u8);

impl Priority {
    /// The least urgent.
    pub const LEAST: u8 = 5;

    /// Checks the bounds.
    pub fn from_number(number: u8) -> Option<Self> {
        (1..=Self::LEAST).contains(&number).then_some(Self(number))
    }

    /// 1 to 5.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(3)
    }
}

/// How often a job may be tried: 1 to 25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = MaxAttempts, minimum = 1, maximum = 25))]
#[serde(transparent)]
pub struct MaxAttempts(u32);

impl MaxAttempts {
    /// Most attempts that can be asked for.
    pub const LIMIT: u32 = 25;

    /// Checks the bounds.
    pub fn from_number(number: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl Default for MaxAttempts {
    fn default() -> Self {
        Self(1)
    }
}

/// A name that somebody chose to group jobs by: 1 to 255 characters, without control characters. It is kept in the log for
/// ever, so it must hold nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobKeyName, min_length = 1, max_length = 255))]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// Most characters in a key.
    pub const LIMIT: usize = 255;

    /// Checks a key; it is kept as given.
    ///
    /// # Errors
    /// Empty, too long, or with control characters.
    pub fn parse(text: &str) -> Result<Self, TextRefused> {
        if text.trim().is_empty() {
            return Err(TextRefused::Empty);
        }
        if text.chars().count() > Self::LIMIT {
            return Err(TextRefused::TooLong { limit: Self::LIMIT });
        }
        if text.chars().any(char::is_control) {
            return Err(TextRefused::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// What stands for a key that was redacted, in the event at a position.
    pub(crate) fn redacted(position: i64) -> Self {
        Self(Placeholder::Unique.text(position))
    }

    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
