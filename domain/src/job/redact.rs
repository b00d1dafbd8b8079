//! The texts of what is asked for, and their redaction. The fields are those of [`PayloadRedacted::fields`].

use super::{Code, ControlFilter, InlineProgram, Key, Request, Source, Work};
use crate::redaction::{DIGEST, PayloadRedacted, Texts};

/// The program: its text, or the digest of what is kept outside the log.
const SOURCE: &str = "source";
/// What the program reads, where it is in the event.
const STDIN: &str = "stdin";
/// The digest of what a mail says.
const INPUT: &str = "input";
/// The keys that a controlling job looks for.
const FILTER_KEY: &str = "filter.key";
const FILTER_FAIRNESS_KEY: &str = "filter.fairness_key";

impl Request {
    pub(super) fn tell_texts(&self, texts: &mut Texts) {
        texts.add_some("key", self.key.as_ref().map(Key::as_str));
        texts.add_some("fairness_key", self.fairness_key.as_ref().map(Key::as_str));
        self.work.tell_texts(texts);
    }

    pub(super) fn redact(&mut self, redacted: &PayloadRedacted) {
        for (field, key) in [("key", &mut self.key), ("fairness_key", &mut self.fairness_key)] {
            if redacted.has(field) {
                *key = Some(Key::redacted(redacted.position));
            }
        }
        self.work.redact(redacted);
    }
}

impl Work {
    pub(crate) fn tell_texts(&self, texts: &mut Texts) {
        match self {
            Self::CodeExecution { source: Source::Input(input), .. } => {
                texts.add(SOURCE, hex::encode(input.sha256.0));
            }
            Self::CodeExecution { source: Source::Inline(InlineProgram { code, stdin }), .. } => {
                texts.add(SOURCE, code.as_str());
                texts.add_some(STDIN, stdin.as_ref().map(Code::as_str));
            }
            Self::Email { input } => texts.add(INPUT, hex::encode(input.sha256.0)),
            Self::JobControl { filter: ControlFilter { key, fairness_key, .. }, .. } => {
                texts.add_some(FILTER_KEY, key.as_ref().map(Key::as_str));
                texts.add_some(FILTER_FAIRNESS_KEY, fairness_key.as_ref().map(Key::as_str));
            }
            Self::Noop {} | Self::WebhookDelivery { .. } | Self::ProjectExport { .. } => {}
        }
    }

    pub(crate) fn redact(&mut self, redacted: &PayloadRedacted) {
        match self {
            Self::CodeExecution { source, .. } => source.redact(redacted),
            Self::Email { input } => {
                if redacted.has(INPUT) {
                    input.sha256 = DIGEST;
                }
            }
            Self::JobControl { filter, .. } => {
                let keys = [(FILTER_KEY, &mut filter.key), (FILTER_FAIRNESS_KEY, &mut filter.fairness_key)];
                for (field, key) in keys {
                    if redacted.has(field) {
                        *key = Some(Key::redacted(redacted.position));
                    }
                }
            }
            Self::Noop {} | Self::WebhookDelivery { .. } | Self::ProjectExport { .. } => {}
        }
    }

    /// Whether its program, or what its mail says, was redacted.
    pub(super) fn is_input_redacted(&self) -> bool {
        match self {
            Self::CodeExecution { source: Source::Inline(InlineProgram { code, .. }), .. } => code.is_redacted(),
            _ => self.input().is_some_and(|input| input.sha256 == DIGEST),
        }
    }
}

impl Source {
    fn redact(&mut self, redacted: &PayloadRedacted) {
        match self {
            Self::Input(input) => {
                if redacted.has(SOURCE) {
                    input.sha256 = DIGEST;
                }
            }
            Self::Inline(InlineProgram { code, stdin }) => {
                if redacted.has(SOURCE) {
                    *code = Code::redacted();
                }
                if redacted.has(STDIN) {
                    *stdin = Some(Code::redacted());
                }
            }
        }
    }
}
