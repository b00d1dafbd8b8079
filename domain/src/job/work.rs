//! What a job does, and what came of it.

use serde::{Deserialize, Serialize};

use crate::text::TextRefused;

/// A language that code can be run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventLanguage))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Python 3, run by the interpreter `python3`.
    Python,
    /// JavaScript on Node.js.
    Javascript,
    /// A shell script, run by the interpreter `bash`.
    Bash,
}

impl Language {
    /// All languages, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Python, Self::Javascript, Self::Bash];

    /// The language as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Bash => "bash",
        }
    }
}

/// A program's text, or what it reads on its standard input: at most 128 KiB.
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

    /// The text as it was submitted, neither trimmed nor changed.
    pub fn as_str(&self) -> &str {
        &self.0
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

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobWork))]
#[serde(tag = "job_type", rename_all = "snake_case")]
pub enum Work {
    /// Run a program in a sandbox.
    CodeExecution {
        /// The language of the program, which decides what interpreter runs it.
        language: Language,
        /// The text of the program: at most 131,072 bytes of UTF-8, not only white space, and without NUL characters.
        code: Code,
        /// What it reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(nullable = false))]
        stdin: Option<Code>,
        /// How long it may run.
        timeout_seconds: Timeout,
    },
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventLimitHit))]
#[serde(rename_all = "snake_case")]
pub enum LimitHit {
    /// It ran longer than its timeout.
    Timeout,
    /// It used more memory than allowed.
    Memory,
    /// It started more processes than allowed.
    Processes,
}

impl LimitHit {
    /// The limit as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Processes => "processes",
        }
    }
}

/// How a program ended. What it printed is kept outside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobOutcome))]
pub struct Outcome {
    /// Its exit code, or 128 + the signal that ended it; none when it was stopped before it could exit.
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
}

impl Outcome {
    /// Whether the program ended by itself and reported success.
    pub fn is_success(&self) -> bool {
        self.exit_code == Some(0) && self.limit_hit.is_none()
    }
}
