//! What a program may bring: its files, arguments and variables.

use std::collections::BTreeSet;

use workroom_domain::job::{check_arguments, check_variables};

/// Most files of a program.
pub(super) const MAX_FILES: usize = 1000;
/// Longest path of a file, in bytes.
const LONGEST_PATH: usize = 1024;
/// Longest name of a file or folder, in bytes: the file system's limit.
const LONGEST_NAME: usize = 255;

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
pub(super) fn environment<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), String> {
    check_variables(variables).map_err(|refused| match refused.at {
        Some(name) => format!("the variable {name:?} {}", refused.reason),
        None => format!("the variables {}", refused.reason),
    })
}

/// Whether a program can be given these arguments.
pub(super) fn arguments<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<(), String> {
    check_arguments(arguments).map_err(|refused| match refused.at {
        Some(place) => format!("the argument {} {}", place + 1, refused.reason),
        None => format!("the arguments {}", refused.reason),
    })
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
    fn what_a_program_cannot_be_given_is_named() {
        assert_eq!(environment([("A", "x'y\n$z"), ("TMPDIR", "/tmp")].into_iter()), Ok(()));
        assert_eq!(arguments(["x", "it's"].into_iter()), Ok(()));
        for bad in ["", "a", "A=B", "PATH", "LD_PRELOAD", "BASH_ENV", "IFS"] {
            let refused = environment([("A", ""), (bad, "x")].into_iter()).unwrap_err();
            assert!(refused.starts_with(&format!("the variable {bad:?} ")), "{refused}");
        }
        assert!(arguments(["x", "a\0"].into_iter()).is_err_and(|refused| refused.starts_with("the argument 2 ")));
        let many = std::iter::repeat_n("x".repeat(4096), 33).collect::<Vec<_>>();
        let many = || many.iter().map(String::as_str);
        assert!(arguments(many()).is_err_and(|refused| refused.starts_with("the arguments ")));
        let variables = environment(many().map(|value| ("A", value)));
        assert!(variables.is_err_and(|refused| refused.starts_with("the variables ")));
    }
}
