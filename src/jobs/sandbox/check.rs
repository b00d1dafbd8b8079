//! What a program may bring: its files, arguments and variables.

use std::collections::BTreeSet;

/// Most files of a program.
pub(super) const MAX_FILES: usize = 1000;
/// Longest path of a file, in bytes.
const LONGEST_PATH: usize = 1024;
/// Longest name of a file or folder, in bytes: the file system's limit.
const LONGEST_NAME: usize = 255;
/// Most arguments, and most variables.
const MAX_TEXTS: usize = 256;
/// Bytes of all arguments together, and of all variables: far below what the kernel passes on.
const TEXT_BYTES: usize = 128 * 1024;

/// Variables that a program cannot be given. The sandbox sets the first; the others change what the shell does that
/// starts the program, or belong to it.
const RESERVED: [&str; 24] = [
    "PATH",
    "HOME",
    "LANG",
    "PWD", //
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

/// Whether a path stays where it is put: relative, without `.`, `..` and empty parts. The error follows the path.
pub(super) fn path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty");
    }
    if path.len() > LONGEST_PATH {
        return Err("is too long");
    }
    if path.contains('\0') {
        return Err("contains NUL");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("begins or ends with a slash, or has two in a row"),
            "." | ".." => return Err("has a part . or .."),
            part if part.len() > LONGEST_NAME => return Err("has a part that is too long"),
            _ => {}
        }
    }
    Ok(())
}

/// Whether all of these can be files beside each other.
pub(super) fn files<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Result<(), String> {
    if paths.clone().count() > MAX_FILES {
        return Err(format!("there are more than {MAX_FILES} files"));
    }
    let mut known = BTreeSet::new();
    for name in paths.clone() {
        path(name).map_err(|reason| format!("the path {name:?} {reason}"))?;
        if !known.insert(name) {
            return Err(format!("the path {name:?} is given twice"));
        }
    }
    for name in paths {
        let mut folders = name.match_indices('/').map(|(at, _)| &name[..at]);
        if let Some(folder) = folders.find(|folder| known.contains(folder)) {
            return Err(format!("{folder:?} is both a file and a folder"));
        }
    }
    Ok(())
}

/// Whether a program can be given these variables.
pub(super) fn environment<'a>(variables: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<(), String> {
    for (name, value) in variables.clone() {
        let begins = name.bytes().next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_');
        let follows = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !begins || !name.bytes().all(follows) {
            return Err(format!("the variable {name:?} is not of the form [A-Z_][A-Z0-9_]*"));
        }
        if RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(format!("the variable {name} cannot be set"));
        }
        if value.contains('\0') {
            return Err(format!("the variable {name} contains NUL"));
        }
    }
    let bytes = variables.clone().map(|(name, value)| name.len() + value.len() + 2).sum();
    bounded("variables", variables.count(), bytes)
}

/// Whether a program can be given these arguments.
pub(super) fn arguments<'a>(arguments: impl Iterator<Item = &'a str> + Clone) -> Result<(), String> {
    if arguments.clone().any(|argument| argument.contains('\0')) {
        return Err("an argument contains NUL".to_owned());
    }
    let bytes = arguments.clone().map(|argument| argument.len() + 1).sum();
    bounded("arguments", arguments.count(), bytes)
}

fn bounded(what: &str, count: usize, bytes: usize) -> Result<(), String> {
    if count > MAX_TEXTS {
        return Err(format!("there are more than {MAX_TEXTS} {what}"));
    }
    if bytes > TEXT_BYTES {
        return Err(format!("the {what} have more than {TEXT_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_work_folder() {
        for good in ["a", "a/b/c.py", ".hidden", "...", "a b", "ä/😀", "-x"] {
            assert_eq!(path(good), Ok(()), "{good}");
        }
        let (long, deep) = ("x".repeat(256), "a/".repeat(600) + "a");
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", long.as_str(), deep.as_str()] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_do_not_get_into_each_others_way() {
        assert_eq!(files(["a/b", "a/c", "ab"].into_iter()), Ok(()));
        for bad in [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]] {
            assert!(files(bad.into_iter()).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=MAX_FILES).map(|number| number.to_string()).collect();
        assert!(files(many.iter().map(String::as_str)).is_err());
    }

    #[test]
    fn variables_are_listed_by_form_and_none_of_the_sandboxs_own() {
        for good in ["A", "_A", "API_KEY_2", "PYTHONPATH", "NODE_OPTIONS"] {
            assert_eq!(environment([(good, "x'y\n$z")].into_iter()), Ok(()), "{good}");
        }
        for bad in ["", "a", "1A", "A-B", "A=B", "A B", "PATH", "HOME", "LD_PRELOAD", "LD_X", "BASH_ENV", "IFS", "_"] {
            assert!(environment([(bad, "x")].into_iter()).is_err(), "{bad}");
        }
        assert!(environment([("A", "x\0")].into_iter()).is_err());
        let long = "x".repeat(TEXT_BYTES);
        assert!(environment([("A", long.as_str())].into_iter()).is_err());
        assert!(arguments([long.as_str()].into_iter()).is_err());
        assert!(arguments(["a\0"].into_iter()).is_err());
        assert!(arguments(std::iter::repeat_n("x", MAX_TEXTS + 1)).is_err());
    }
}
