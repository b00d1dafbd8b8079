//! What a program may be given beside its files: arguments, and variables of environment.
//!
//! Who takes a job refuses what is against these rules, and the sandbox starts no program against them: both ask here.

/// Most arguments, and most variables.
const MAX_TEXTS: usize = 100;
/// Most bytes of an argument, and of a variable's value.
const MAX_BYTES: usize = 4096;
/// Most bytes of all arguments together, and of all variables with their names: far below what the kernel passes on.
const MAX_BYTES_TOGETHER: usize = 128 * 1024;
/// Most bytes of a variable's name.
const MAX_NAME_BYTES: usize = 128;

/// Variables that a program cannot be given. The sandbox sets the first four; the others change what shells do, or belong to
/// them.
const RESERVED: [&str; 24] = [
    "PATH",
    "HOME",
    "LANG",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
    "IFS",
    "ENV",
    "PPID",
    "UID",
    "EUID",
    "OPTIND",
    "OPTARG",
    "OPTERR",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "SHELLOPTS",
    "POSIXLY_CORRECT",
    "GLIBC_TUNABLES",
    "CDPATH",
    "FUNCNEST",
];
/// Beginnings of names that a program cannot be given: those of the loader and of bash.
const RESERVED_PREFIXES: [&str; 2] = ["LD_", "BASH"];

/// Why a program cannot be given something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenRefused {
    /// There are too many.
    #[error("must be at most {most}", most = MAX_TEXTS)]
    TooMany,
    /// An argument, or the value of a variable, is too long.
    #[error("must be at most {most} bytes long", most = MAX_BYTES)]
    TooLong,
    /// All together have too many bytes.
    #[error("must have at most {most} bytes together", most = MAX_BYTES_TOGETHER)]
    TooLarge,
    /// No program can be given this character: it ends what it stands in.
    #[error("must not contain NUL")]
    Nul,
    /// The name of a variable is malformed, or too long.
    #[error("must have a name of the form [A-Z_][A-Z0-9_]* and of at most {most} bytes", most = MAX_NAME_BYTES)]
    Name,
    /// The name of a variable is taken.
    #[error("is a variable of the sandbox, the loader or the shell, and cannot be set")]
    Reserved,
}

/// What a program cannot be given, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotGiven<P> {
    /// The place of an argument, or the name of a variable; none where all of them together are meant.
    pub at: Option<P>,
    /// What is wrong with it.
    pub reason: GivenRefused,
}

/// Whether a program can be given these arguments.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), NotGiven<usize>> {
    let mut taken = Taken::default();
    for (place, argument) in arguments.into_iter().enumerate() {
        text(argument).map_err(|reason| NotGiven { at: Some(place), reason })?;
        taken.add(argument.len()).map_err(|reason| NotGiven { at: None, reason })?;
    }
    Ok(())
}

/// Whether a program can be given these variables: names, each with its value.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_variables<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), NotGiven<&'a str>> {
    let mut taken = Taken::default();
    for (name, value) in variables {
        variable(name).and_then(|()| text(value)).map_err(|reason| NotGiven { at: Some(name), reason })?;
        taken.add(name.len() + value.len()).map_err(|reason| NotGiven { at: None, reason })?;
    }
    Ok(())
}

fn text(text: &str) -> Result<(), GivenRefused> {
    if text.len() > MAX_BYTES {
        return Err(GivenRefused::TooLong);
    }
    if text.contains('\0') { Err(GivenRefused::Nul) } else { Ok(()) }
}

fn variable(name: &str) -> Result<(), GivenRefused> {
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_');
    let follows = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !begins || name.len() > MAX_NAME_BYTES || !name.bytes().all(follows) {
        return Err(GivenRefused::Name);
    }
    let is_reserved = RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if is_reserved { Err(GivenRefused::Reserved) } else { Ok(()) }
}

/// What was counted so far.
#[derive(Default)]
struct Taken {
    texts: usize,
    bytes: usize,
}

impl Taken {
    fn add(&mut self, bytes: usize) -> Result<(), GivenRefused> {
        self.texts += 1;
        self.bytes += bytes;
        if self.texts > MAX_TEXTS {
            return Err(GivenRefused::TooMany);
        }
        if self.bytes > MAX_BYTES_TOGETHER { Err(GivenRefused::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_bounded_each_and_together() {
        let (full, half) = ("x".repeat(MAX_BYTES), "x".repeat(MAX_BYTES / 2));
        let argument = |text: &str| check_arguments([text]).map_err(|refused| (refused.at, refused.reason));
        assert_eq!(argument(""), Ok(()));
        assert_eq!(argument("it's\n$A"), Ok(()));
        assert_eq!(argument(&full), Ok(()));
        assert_eq!(argument(&format!("{full}x")), Err((Some(0), GivenRefused::TooLong)));
        assert_eq!(argument("a\0"), Err((Some(0), GivenRefused::Nul)));
        assert_eq!(check_arguments(["a", "b\0"]).unwrap_err().at, Some(1));

        assert_eq!(check_arguments(vec!["x"; MAX_TEXTS]), Ok(()));
        let too_many = NotGiven { at: None, reason: GivenRefused::TooMany };
        assert_eq!(check_arguments(vec!["x"; MAX_TEXTS + 1]), Err(too_many));
        // 31 whole ones, and two halves.
        let mut together = vec![full.as_str(); 31];
        together.extend([half.as_str(), half.as_str()]);
        assert_eq!(check_arguments(together.iter().copied()), Ok(()));
        together.push("x");
        assert_eq!(check_arguments(together), Err(NotGiven { at: None, reason: GivenRefused::TooLarge }));
    }

    #[test]
    fn variables_have_names_of_a_form_and_none_that_others_use() {
        let variable = |name: &str, value: &str| check_variables([(name, value)]).map_err(|refused| refused.reason);
        let longest = "N".repeat(MAX_NAME_BYTES);
        for good in ["A", "_A", "API_KEY_2", "PYTHONPATH", "NODE_OPTIONS", "TMPDIR", "SHELL", "LD", "__", &longest] {
            assert_eq!(variable(good, "x'y\n$z"), Ok(()), "{good}");
        }
        let too_long = format!("{longest}N");
        for malformed in ["", "a", "Aa", "1A", "A-B", "A=B", "A B", "A\n", "A\0", "Ä", &too_long] {
            assert_eq!(variable(malformed, "x"), Err(GivenRefused::Name), "{malformed:?}");
        }
        for reserved in RESERVED.into_iter().chain(["LD_", "LD_PRELOAD", "BASH", "BASH_ENV", "BASHOPTS"]) {
            assert_eq!(variable(reserved, "x"), Err(GivenRefused::Reserved), "{reserved}");
        }
        assert_eq!(variable("A", "x\0"), Err(GivenRefused::Nul));
        assert_eq!(variable("A", &"x".repeat(MAX_BYTES + 1)), Err(GivenRefused::TooLong));
    }

    #[test]
    fn variables_count_with_their_names() {
        let value = "x".repeat(MAX_BYTES - 2);
        let mut variables = vec![("AA", value.as_str()); 32];
        assert_eq!(check_variables(variables.iter().copied()), Ok(()), "exactly so much");
        variables.push(("A", ""));
        assert_eq!(check_variables(variables), Err(NotGiven { at: None, reason: GivenRefused::TooLarge }));
        assert_eq!(check_variables([("A", "1"), ("B=", "2")]).unwrap_err().at, Some("B="));
        let many = vec![("A", ""); MAX_TEXTS + 1];
        assert_eq!(check_variables(many), Err(NotGiven { at: None, reason: GivenRefused::TooMany }));
    }
}
