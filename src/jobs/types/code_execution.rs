//! `code_execution`: runs a program in the sandbox.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use workroom_domain::job::{InlineProgram, Language, LimitHit, MAX_SUSPICIONS, Outcome, Source, Timeout, Work};

use super::{Attempt, Broken, Ended, JobType};
use crate::{
    application::{
        Error,
        jobs::{CodeInput, InputFile},
    },
    jobs::{
        sandbox::{self, Execution, Sandbox, SandboxError, SourceFile},
        worker::{Stream, artifacts},
    },
};

/// An attempt has failed when so many workers, one after the other, had no interpreter for it. One that lacks it is soon free again, and
/// may be asked again: the pauses in between, up to 15 seconds together, leave time to those that have it.
const WITHOUT_INTERPRETER: u32 = 5;

/// Runs programs.
pub(super) struct CodeExecution(pub(super) Sandbox);

impl JobType for CodeExecution {
    fn name(&self) -> &'static str {
        "code_execution"
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        self.execute(attempt).boxed()
    }
}

impl CodeExecution {
    async fn execute(&self, attempt: Attempt) -> Result<Ended, Broken> {
        let Work::CodeExecution { language, timeout_seconds, source } = &attempt.job.request.work else {
            return Err("the job runs no program".into());
        };
        let Some(input) = input(&attempt, source).await? else {
            // Its account was erased, or its retention is over.
            attempt.output.write(Stream::Stderr, b"the program is no longer kept\n");
            return Ok(Ended::Hopeless(Outcome::default()));
        };
        let (stop, output) = (attempt.stop.clone(), attempt.output.clone());
        let print = move |stream, bytes: &[u8]| output.write(printed_to(stream), bytes);
        let execution = execution(language, *timeout_seconds, input);
        let ran = match self.0.run(execution, async move { stop.cancelled().await }, print).await {
            Ok(ran) => ran,
            Err(error) => return not_run(&attempt, error),
        };
        if !ran.artifacts.is_empty() {
            let dropped = artifacts::store(&attempt, &ran.artifacts).await?;
            if dropped > 0 {
                let dropped =
                    format!("{dropped} artifacts were not kept: there is no room for more of what jobs leave\n");
                attempt.output.write(Stream::Stderr, dropped.as_bytes());
            }
        }
        if ran.artifacts_dropped > 0 {
            let dropped =
                format!("{} artifacts were not kept: too many, too large, or no files\n", ran.artifacts_dropped);
            attempt.output.write(Stream::Stderr, dropped.as_bytes());
        }
        if ran.cancelled {
            return Ok(Ended::Stopped);
        }
        let outcome = Outcome {
            exit_code: ran.exit_code,
            execution_time_ms: u64::try_from(ran.execution_time.as_millis()).unwrap_or(u64::MAX),
            truncated: ran.truncated,
            limit_hit: ran.limit_hit.map(limit),
            control: None,
        };
        let is_success = outcome.exit_code == Some(0) && outcome.limit_hit.is_none();
        Ok(if is_success { Ended::Succeeded(outcome) } else { Ended::Failed(outcome) })
    }
}

/// What becomes of an attempt whose program was not run. Whoever has submitted it is told why.
fn not_run(attempt: &Attempt, error: SandboxError) -> Result<Ended, Broken> {
    attempt.output.write(Stream::Stderr, format!("{}\n", error.told()).as_bytes());
    let Some(ended) = end_without_run(&error, attempt.job.suspicions + 1) else { return Err(error.into()) };
    let (job_id, number) = (attempt.job_id, attempt.attempt);
    tracing::warn!(error = &error as &dyn std::error::Error, %job_id, attempt = number, "a program was not run");
    Ok(ended)
}

/// How an attempt ends whose program was not run, if no other worker is to try it. So many could not run the job, one
/// after the other, this one included.
fn end_without_run(error: &SandboxError, workers: u32) -> Option<Ended> {
    match error {
        // The submission is checked, but what the sandbox takes is its own to say.
        SandboxError::FilesTooLarge { .. } | SandboxError::Invalid { .. } => Some(Ended::Hopeless(Outcome::default())),
        SandboxError::LanguageMissing(_) => (workers >= WITHOUT_INTERPRETER).then(|| Ended::Failed(Outcome::default())),
        // The job would be given up now, and nobody told why.
        SandboxError::NotStarted { .. } | SandboxError::Host { .. } => {
            (workers >= MAX_SUSPICIONS).then(|| Ended::Hopeless(Outcome::default()))
        }
    }
}

/// The program, and all that it is given.
async fn input(attempt: &Attempt, source: &Source) -> Result<Option<CodeInput>, Error> {
    match source {
        Source::Input(input) => CodeInput::read(attempt.app.pool(), attempt.job_id, *input).await,
        Source::Inline(InlineProgram { code, stdin }) => Ok(Some(CodeInput {
            files: vec![InputFile { path: String::new(), content: code.as_str().to_owned() }],
            stdin: stdin.as_ref().map(|stdin| stdin.as_str().to_owned()),
            ..CodeInput::default()
        })),
    }
}

fn execution(language: &Language, timeout: Timeout, input: CodeInput) -> Execution {
    let CodeInput { files, entry, stdin, args, env } = input;
    let file = |InputFile { path, content }| SourceFile { path, content: content.into() };
    Execution {
        language: language.as_str().to_owned(),
        files: files.into_iter().map(file).collect(),
        entry,
        args,
        env: env.into_iter().collect(),
        stdin: stdin.map(Into::into),
        timeout: Duration::from_secs(timeout.seconds().into()),
        keep_artifacts: true,
    }
}

fn printed_to(stream: sandbox::Stream) -> Stream {
    match stream {
        sandbox::Stream::Stdout => Stream::Stdout,
        sandbox::Stream::Stderr => Stream::Stderr,
    }
}

fn limit(limit: sandbox::LimitHit) -> LimitHit {
    match limit {
        sandbox::LimitHit::Time => LimitHit::Time,
        sandbox::LimitHit::Memory => LimitHit::Memory,
        sandbox::LimitHit::Output => LimitHit::Output,
        sandbox::LimitHit::Processes => LimitHit::Processes,
        sandbox::LimitHit::Disk => LimitHit::Disk,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_program_that_cannot_be_run_goes_to_other_workers_and_then_its_submitter_is_told() {
        let missing = SandboxError::LanguageMissing("cobol".to_owned());
        let broken = SandboxError::NotStarted { detail: "/srv/secret: no such file".to_owned() };
        let host = SandboxError::Host { step: "making a cgroup", source: io::Error::other("/sys/fs/cgroup/secret") };
        let wrong = SandboxError::Invalid { reason: "the entry \"a\" is none of the files".to_owned() };

        assert!((1..WITHOUT_INTERPRETER).all(|workers| end_without_run(&missing, workers).is_none()));
        assert!(matches!(end_without_run(&missing, WITHOUT_INTERPRETER), Some(Ended::Failed(_))));
        for error in [&broken, &host] {
            assert!((1..MAX_SUSPICIONS).all(|workers| end_without_run(error, workers).is_none()), "{error:?}");
            assert!(matches!(end_without_run(error, MAX_SUSPICIONS), Some(Ended::Hopeless(_))), "{error:?}");
            assert!(!error.told().contains("secret") && !error.told().contains('/'), "{}", error.told());
        }
        assert!(matches!(end_without_run(&wrong, 1), Some(Ended::Hopeless(_))));
        assert_eq!(missing.told(), "the worker has no interpreter for cobol");
    }
}
