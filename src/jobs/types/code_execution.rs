//! `code_execution`: runs a program in the sandbox.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use workroom_domain::job::{InlineProgram, Language, LimitHit, Outcome, Source, Timeout, Work};

use super::{Attempt, Broken, Ended, JobType};
use crate::{
    application::{
        Error,
        jobs::{CodeInput, InputFile},
    },
    jobs::{
        sandbox::{self, Execution, Sandbox, SourceFile},
        worker::{Stream, artifacts},
    },
};

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
            // The submission is checked, but what the sandbox takes is its own to say.
            Err(error) if error.is_final() => {
                attempt.output.write(Stream::Stderr, format!("{error}\n").as_bytes());
                return Ok(Ended::Hopeless(Outcome::default()));
            }
            Err(error) => return Err(error.into()),
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
