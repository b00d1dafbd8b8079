//! Checks of one request that are made together, so that whatever does not hold is told at once.

use super::{Error, Violation};

/// Checks that can be made together: a tuple of results.
pub trait Checks {
    /// What they give.
    type Checked;

    /// What they give, or all violations.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the violations of all checks; any other error alone.
    fn all(self) -> Result<Self::Checked, Error>;
}

/// What all checks give, or all violations.
///
/// # Errors
/// As [`Checks::all`].
pub fn all<C: Checks>(checks: C) -> Result<C::Checked, Error> {
    checks.all()
}

/// Keeps what a check gives, or its violations.
fn take<T>(check: Result<T, Error>, violations: &mut Vec<Violation>) -> Result<Option<T>, Error> {
    match check {
        Ok(checked) => Ok(Some(checked)),
        Err(Error::Invalid(found)) => {
            violations.extend(found);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

macro_rules! checks {
    ($($kind:ident $check:ident),+) => {
        impl<$($kind),+> Checks for ($(Result<$kind, Error>,)+) {
            type Checked = ($($kind,)+);

            fn all(self) -> Result<Self::Checked, Error> {
                let ($($check,)+) = self;
                let mut violations = Vec::new();
                $(let $check = take($check, &mut violations)?;)+
                match ($($check,)+) {
                    ($(Some($check),)+) => Ok(($($check,)+)),
                    _ => Err(Error::Invalid(violations)),
                }
            }
        }
    };
}
checks!(A a, B b);
checks!(A a, B b, C c);
checks!(A a, B b, C c, D d);
checks!(A a, B b, C c, D d, E e);

#[cfg(test)]
mod tests {
    use workroom_domain::refusal::{EMPTY, TOO_LONG};

    use super::*;

    #[test]
    fn all_that_does_not_hold_is_told() {
        let checks =
            (Err::<(), _>(Error::invalid("/a", EMPTY, "")), Ok(1), Err::<(), _>(Error::invalid("/c", TOO_LONG, "")));
        let Err(Error::Invalid(violations)) = all(checks) else { panic!("refused") };
        let pointers: Vec<_> = violations.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a", "/c"]);
        assert_eq!(all((Ok(1), Ok("two"))).ok(), Some((1, "two")));
    }
}
