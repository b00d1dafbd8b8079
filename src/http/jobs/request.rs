//! What clients say of a job when they submit it.

mod scheduled;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    job::{
        Code, GivenRefused, Key, Language, MaxAttempts, Priority, Source, Timeout, Work, check_arguments,
        check_variables,
    },
    refusal::FORBIDDEN_CHARACTER,
    schedule::UniqueSeconds,
    text::{Name, Prose},
    timestamp::Timestamp,
    workspace::FilePath,
};

use super::model::JobType;
use crate::{
    application::{
        Error, Violation, all, at_pointer,
        codes::{OUT_OF_RANGE, UNKNOWN_LANGUAGE},
        jobs::{
            CodeInput, EmailInput, InputFile, MAX_BYTES, MAX_FILES, RESERVED_KEYS, Repeat, StoredInput,
            WorkspaceProgram,
        },
    },
    http::{
        extract::RequestBody,
        problem::codes::{INVALID_VALUE, MISSING_FIELD},
    },
};

pub use scheduled::ScheduledJobRequest;

/// The longest time in which jobs with one key are compared: a week.
const MAX_WINDOW_SECONDS: u32 = UniqueSeconds::LIMIT;

/// A job to be submitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitJobRequest {
    /// What kind of work it is.
    #[schema(default = "code_execution")]
    r#type: Option<JobType>,
    /// The language that the program is written in: `python`, `javascript`, `bash`, or another that is configured.
    #[schema(example = "python")]
    language: Option<String>,
    /// The program, at most 128 KiB. Either this, or `files` and `entry`, or `workspace_id` and `entry`.
    #[schema(example = "print(6 * 7)", min_length = 1)]
    code: Option<String>,
    /// The program's files, at most 1,000 and one MiB together.
    #[schema(max_items = 1000)]
    files: Option<Vec<JobFile>>,
    /// The workspace whose files are the program, as they are when the job is submitted: at most 1,000 and one MiB
    /// together. The job belongs to the project of the workspace.
    workspace_id: Option<Uuid>,
    /// The path of the file that is run.
    #[schema(example = "src/main.py")]
    entry: Option<String>,
    /// What the program reads on its standard input, at most 128 KiB.
    stdin: Option<String>,
    /// The program's arguments, at most 100 of 4 KiB each and 128 KiB together.
    #[schema(max_items = 100)]
    args: Option<Vec<String>>,
    /// Variables of the program's environment: at most 100 of 4 KiB each, and 128 KiB together with their names. Names have capital
    /// letters, digits and `_`, the first is no digit, and they are none that the sandbox, the loader or the shell uses, such as `PATH`.
    env: Option<BTreeMap<String, String>>,
    /// How long the program may run, in seconds.
    #[schema(minimum = 1, maximum = 300, default = 30)]
    timeout_seconds: Option<u32>,
    /// Of an export: only events behind this place in the project's feed. An export that is cut tells where to go on.
    #[schema(minimum = 0, default = 0)]
    after: Option<i64>,
    /// Of a mail: its subject.
    #[schema(min_length = 1, max_length = 200)]
    subject: Option<String>,
    /// Of a mail: its text.
    #[schema(min_length = 1, max_length = 20_000)]
    text: Option<String>,
    /// The project it belongs to; without one it is the caller's own. An export needs one.
    pub(super) project_id: Option<Uuid>,
    /// How urgent it is among the jobs of its organization: 1 is the most urgent, 5 the least.
    #[schema(minimum = 1, maximum = 5, default = 3)]
    priority: Option<u8>,
    /// When it is to be done; at once when not given, or past.
    #[serde(default, with = "time::serde::rfc3339::option")]
    run_at: Option<OffsetDateTime>,
    /// How often it may be tried. After a failure it is tried again after a pause, which grows.
    #[schema(minimum = 1, maximum = 25, default = 1)]
    max_attempts: Option<u32>,
    /// Of the jobs of a project (or account) with the same key one runs at a time. It is kept in the history: nothing personal.
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// For so many seconds the job is the only one with its `key`: who submits another is answered with this one, and 200.
    #[schema(minimum = 1, maximum = 604_800)]
    unique_seconds: Option<u32>,
    /// The job is done after so many seconds, unless another one with its `key` is submitted in the same way before: that takes its
    /// place.
    #[schema(minimum = 1, maximum = 604_800)]
    debounce_seconds: Option<u32>,
    /// Jobs with different ones take turns, within their organization. It is kept in the history: nothing personal.
    #[schema(min_length = 1, max_length = 255)]
    fairness_key: Option<String>,
}

/// A file of a program.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// Where it lies, relative to the folder that the program runs in.
    #[schema(example = "src/main.py", min_length = 1, max_length = 1024)]
    path: String,
    /// What is in it.
    content: String,
}

impl RequestBody for SubmitJobRequest {
    const CLEARABLE: &'static [&'static str] = &["project_id", "run_at", "key", "fairness_key"];
}

/// What a job does, what that works on, and the workspace that a program lies in.
type CheckedWork = (Work, Option<StoredInput>, Option<WorkspaceProgram>);

/// A request that holds.
pub(in crate::http) struct CheckedJob {
    pub(in crate::http) work: Work,
    pub(in crate::http) input: Option<StoredInput>,
    /// The program, where it lies in a workspace; what `work` says of it does not count then.
    pub(in crate::http) workspace: Option<WorkspaceProgram>,
    pub(in crate::http) max_attempts: MaxAttempts,
    pub(in crate::http) priority: Priority,
    pub(in crate::http) run_at: Option<OffsetDateTime>,
    pub(in crate::http) key: Option<Key>,
    pub(in crate::http) repeat: Repeat,
    pub(in crate::http) fairness_key: Option<Key>,
}

impl SubmitJobRequest {
    pub(super) fn check(&mut self, knows: impl Fn(&Language) -> bool) -> Result<CheckedJob, Error> {
        let lacks_project = self.r#type == Some(JobType::ProjectExport) && self.project_id.is_none();
        let project = if lacks_project {
            Err(Error::invalid("/project_id", MISSING_FIELD, "must name the project that is exported"))
        } else {
            Ok(())
        };
        all((project, self.check_job(knows))).map(|((), checked)| checked)
    }

    /// All but whether it has the project that it needs: that of a schedule's job is the schedule's.
    fn check_job(&mut self, knows: impl Fn(&Language) -> bool) -> Result<CheckedJob, Error> {
        let job_type = self.r#type.unwrap_or_default();
        let belongs = self.belongs_to(job_type);
        let work = match job_type {
            JobType::CodeExecution => self.code_execution(knows),
            JobType::Noop => Ok((Work::Noop {}, None, None)),
            JobType::ProjectExport => self.project_export().map(|work| (work, None, None)),
            JobType::Email => self.email().map(|(work, input)| (work, Some(input), None)),
            JobType::JobControl => {
                let detail = "is submitted by `POST /jobs/cancel`, `/jobs/retry` and `/jobs/delete`";
                Err(Error::invalid("/type", INVALID_VALUE, detail))
            }
        };
        let work = all((belongs, work)).map(|((), work)| work);
        let key =
            |key: &Option<String>, pointer| key.as_deref().map(Key::parse).transpose().map_err(at_pointer(pointer));
        // What Postgres and JSON can hold, as everywhere.
        let run_at = self.run_at.map(Timestamp::new).transpose();
        let run_at = run_at.map_err(|refused| Error::invalid("/run_at", OUT_OF_RANGE, refused.to_string()));
        let ((work, input, workspace), max_attempts, priority, (key, fairness_key), (repeat, run_at)) = all((
            work,
            number("/max_attempts", self.max_attempts, "1 to 25", MaxAttempts::from_number),
            number("/priority", self.priority, "1 to 5", Priority::from_number),
            all((key(&self.key, "/key").and_then(not_reserved), key(&self.fairness_key, "/fairness_key"))),
            all((self.repeat(), run_at)),
        ))?;
        Ok(CheckedJob {
            work,
            input,
            workspace,
            max_attempts,
            priority,
            run_at: run_at.map(Timestamp::get),
            key,
            repeat,
            fairness_key,
        })
    }

    /// What becomes of it beside others with its key.
    fn repeat(&self) -> Result<Repeat, Error> {
        let (pointer, seconds, repeat): (_, _, fn(Duration) -> Repeat) =
            match (self.unique_seconds, self.debounce_seconds) {
                (None, None) => return Ok(Repeat::Each),
                (Some(seconds), None) => ("/unique_seconds", seconds, Repeat::Unique),
                (None, Some(seconds)) => ("/debounce_seconds", seconds, Repeat::Debounce),
                (Some(_), Some(_)) => {
                    let detail = "must not be given beside `unique_seconds`";
                    return Err(Error::invalid("/debounce_seconds", INVALID_VALUE, detail));
                }
            };
        if self.key.is_none() {
            return Err(Error::invalid("/key", MISSING_FIELD, "must be given"));
        }
        if pointer == "/debounce_seconds" && self.run_at.is_some() {
            return Err(Error::invalid("/run_at", INVALID_VALUE, "must not be given beside `debounce_seconds`"));
        }
        if !(1..=MAX_WINDOW_SECONDS).contains(&seconds) {
            return Err(Error::invalid(pointer, OUT_OF_RANGE, "must be from 1 to 604800"));
        }
        Ok(repeat(Duration::from_secs(seconds.into())))
    }

    /// Nothing may be given that only jobs of another type have.
    fn belongs_to(&self, job_type: JobType) -> Result<(), Error> {
        use JobType::{CodeExecution, Email, ProjectExport};
        let given = [
            ("/language", self.language.is_some(), CodeExecution),
            ("/code", self.code.is_some(), CodeExecution),
            ("/files", self.files.is_some(), CodeExecution),
            ("/workspace_id", self.workspace_id.is_some(), CodeExecution),
            ("/entry", self.entry.is_some(), CodeExecution),
            ("/stdin", self.stdin.is_some(), CodeExecution),
            ("/args", self.args.is_some(), CodeExecution),
            ("/env", self.env.is_some(), CodeExecution),
            ("/timeout_seconds", self.timeout_seconds.is_some(), CodeExecution),
            ("/after", self.after.is_some(), ProjectExport),
            ("/subject", self.subject.is_some(), Email),
            ("/text", self.text.is_some(), Email),
        ];
        let foreign = given.into_iter().filter(|(_, is_given, owner)| *is_given && *owner != job_type);
        let violations: Vec<_> = foreign
            .map(|(pointer, _, owner)| {
                Violation::new(pointer, INVALID_VALUE, format!("is only for jobs of the type `{}`", owner.as_str()))
            })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
    }

    fn project_export(&self) -> Result<Work, Error> {
        match self.after.unwrap_or_default() {
            after @ 0.. => Ok(Work::ProjectExport { after }),
            _ => Err(Error::invalid("/after", OUT_OF_RANGE, "must not be negative")),
        }
    }

    fn email(&mut self) -> Result<(Work, StoredInput), Error> {
        let given = |text: Option<String>, pointer: &str| {
            text.ok_or_else(|| Error::invalid(pointer, MISSING_FIELD, "is missing"))
        };
        let subject = given(self.subject.take(), "/subject");
        let text = given(self.text.take(), "/text");
        let (subject, text) = all((
            subject.and_then(|subject| Name::parse(&subject).map_err(at_pointer("/subject"))),
            text.and_then(|text| Prose::parse_filled(&text).map_err(at_pointer("/text"))),
        ))?;
        let input = EmailInput { subject: subject.as_str().to_owned(), text: text.as_str().to_owned() }.stored()?;
        Ok((Work::Email { input: input.input() }, input))
    }

    fn code_execution(&mut self, knows: impl Fn(&Language) -> bool) -> Result<CheckedWork, Error> {
        let (language, (files, entry), stdin, (args, env), timeout_seconds) = all((
            self.language(knows),
            self.program(),
            self.stdin.take().map(Code::parse_input).transpose().map_err(at_pointer("/stdin")),
            all((self.arguments(), self.environment())),
            number("/timeout_seconds", self.timeout_seconds, "1 to 300", Timeout::from_seconds),
        ))?;
        let given = CodeInput { files, entry, stdin: stdin.map(Code::into_string), args, env };
        let input = given.stored()?;
        let work = Work::CodeExecution { language, timeout_seconds, source: Source::Input(input.input()) };
        Ok(match self.workspace_id {
            Some(id) => (work, None, Some(WorkspaceProgram { workspace_id: id.into(), given, no_entry })),
            None => (work, Some(input), None),
        })
    }

    fn language(&self, knows: impl Fn(&Language) -> bool) -> Result<Language, Error> {
        let Some(name) = self.language.as_deref() else {
            return Err(Error::invalid("/language", MISSING_FIELD, "is missing"));
        };
        Language::parse(name)
            .filter(knows)
            .ok_or_else(|| Error::invalid("/language", UNKNOWN_LANGUAGE, "is none that programs can be in here"))
    }

    /// The files of the program, and which of them is run. A program of one file has no path: the language names it. The
    /// files of a workspace are not known yet.
    fn program(&mut self) -> Result<(Vec<InputFile>, String), Error> {
        match (self.code.take(), self.files.take(), self.workspace_id) {
            (Some(code), None, None) => {
                if self.entry.is_some() {
                    let detail = "belongs to `files` or `workspace_id`, not to `code`";
                    return Err(Error::invalid("/entry", INVALID_VALUE, detail));
                }
                let code = Code::parse(code).map_err(at_pointer("/code"))?;
                Ok((vec![InputFile { path: String::new(), content: code.into_string() }], String::new()))
            }
            (None, Some(files), None) => {
                let entry = self.entry()?;
                let files = checked_files(files)?;
                if !files.iter().any(|file| file.path == entry) {
                    return Err(no_entry());
                }
                Ok((files, entry))
            }
            (None, None, Some(_)) => Ok((Vec::new(), self.entry()?)),
            (Some(_), Some(_), None) => Err(Error::invalid("/files", INVALID_VALUE, "must not be given beside `code`")),
            (_, _, Some(_)) => {
                let detail = "must not be given beside `code` or `files`";
                Err(Error::invalid("/workspace_id", INVALID_VALUE, detail))
            }
            (None, None, None) => {
                let detail = "must be given, or else `entry` and either `files` or `workspace_id`";
                Err(Error::invalid("/code", MISSING_FIELD, detail))
            }
        }
    }

    fn entry(&self) -> Result<String, Error> {
        let missing = || Error::invalid("/entry", MISSING_FIELD, "must name the file that is run");
        self.entry.clone().ok_or_else(missing)
    }

    fn arguments(&mut self) -> Result<Vec<String>, Error> {
        let args = self.args.take().unwrap_or_default();
        check_arguments(args.iter().map(String::as_str)).map_err(|refused| {
            let pointer = refused.at.map_or_else(|| "/args".to_owned(), |index| format!("/args/{index}"));
            not_given(&pointer, refused.reason)
        })?;
        Ok(args)
    }

    fn environment(&mut self) -> Result<BTreeMap<String, String>, Error> {
        let env = self.env.take().unwrap_or_default();
        check_variables(env.iter().map(|(name, value)| (name.as_str(), value.as_str()))).map_err(|refused| {
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            let pointer = refused.at.map_or_else(|| "/env".to_owned(), |name| format!("/env/{}", escaped(name)));
            not_given(&pointer, refused.reason)
        })?;
        Ok(env)
    }
}

/// No file lies where the one is to lie that is run.
fn no_entry() -> Error {
    Error::invalid("/entry", INVALID_VALUE, "must be the path of one of the files")
}

fn checked_files(files: Vec<JobFile>) -> Result<Vec<InputFile>, Error> {
    if files.is_empty() || files.len() > MAX_FILES {
        return Err(Error::invalid("/files", OUT_OF_RANGE, "must be 1 to 1000"));
    }
    if files.iter().map(|file| file.content.len()).sum::<usize>() > MAX_BYTES {
        return Err(Error::invalid("/files", OUT_OF_RANGE, "must be at most 1048576 bytes together"));
    }
    let mut paths = BTreeSet::new();
    for (index, file) in files.iter().enumerate() {
        let pointer = format!("/files/{index}/path");
        FilePath::parse(&file.path).map_err(|refused| Error::of_field(&pointer, &refused))?;
        if !paths.insert(file.path.as_str()) {
            return Err(Error::invalid(&pointer, INVALID_VALUE, "must not be there twice"));
        }
    }
    // What is a file cannot be a folder.
    let folder = |path: &str| path.match_indices('/').find(|(end, _)| paths.contains(&path[..*end])).is_some();
    if let Some(index) = files.iter().position(|file| folder(&file.path)) {
        let pointer = format!("/files/{index}/path");
        return Err(Error::invalid(&pointer, INVALID_VALUE, "lies below another file"));
    }
    Ok(files.into_iter().map(|JobFile { path, content }| InputFile { path, content }).collect())
}

/// How it is refused that a program cannot be given something.
fn not_given(pointer: &str, reason: GivenRefused) -> Error {
    let code = match reason {
        GivenRefused::TooMany | GivenRefused::TooLong | GivenRefused::TooLarge => OUT_OF_RANGE,
        GivenRefused::Nul => FORBIDDEN_CHARACTER,
        GivenRefused::Name | GivenRefused::Reserved => INVALID_VALUE,
    };
    Error::invalid(pointer, code, reason.to_string())
}

/// A key, unless it looks like one of the service's own.
fn not_reserved(key: Option<Key>) -> Result<Option<Key>, Error> {
    match key {
        Some(key) if RESERVED_KEYS.iter().any(|begin| key.as_str().starts_with(begin)) => {
            Err(Error::invalid("/key", INVALID_VALUE, "begins like the service's own keys"))
        }
        key => Ok(key),
    }
}

/// A number in its range, or its default.
fn number<N, T: Default>(
    pointer: &str,
    number: Option<N>,
    range: &str,
    parse: impl FnOnce(N) -> Option<T>,
) -> Result<T, Error> {
    match number {
        None => Ok(T::default()),
        Some(number) => {
            parse(number).ok_or_else(|| Error::invalid(pointer, OUT_OF_RANGE, format!("must be from {range}")))
        }
    }
}
