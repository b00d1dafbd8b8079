//! Random bytes from the system.

use aws_lc_rs::rand;

/// The random generator of the system failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct RandomFailed;

/// Draws `N` random bytes that are fit for secrets.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomFailed> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| RandomFailed)?;
    Ok(bytes)
}
