//! Why nothing was started.

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing was started. The worker reads it from the standard error of whoever failed.
#[derive(Debug, thiserror::Error)]
#[error("sandbox launcher: {step}")]
pub struct Failure {
    step: String,
    source: Source,
}

/// Says what was being done when it failed.
pub(crate) trait During<T> {
    fn during(self, step: &str) -> Result<T, Failure>;
}

impl<T, E: Into<Source>> During<T> for Result<T, E> {
    fn during(self, step: &str) -> Result<T, Failure> {
        self.map_err(|source| Failure { step: step.to_owned(), source: source.into() })
    }
}
