//! The source tree in a workspace of tidetable, and the program that is run beside it.

use super::{ProjectData, Who, tidetable};

/// The project it belongs to.
pub(in crate::seed) const PROJECT: &ProjectData = &tidetable::PROJECT;
/// Who brings it.
pub(in crate::seed) const AUTHOR: Who = Who::Jonas;
/// The workspace's name, and what it is for.
pub(in crate::seed) const WORKSPACE: (&str, &str) = ("Source", "The library, its command and its tests.");

macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("source/", $path)))),*] };
}

/// Each file's path and content.
pub(in crate::seed) const FILES: &[(&str, &str)] = files![
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "src/tidetable/__init__.py",
    "src/tidetable/__main__.py",
    "src/tidetable/harbours.py",
    "src/tidetable/predict.py",
    "tests/test_predict.py",
];

/// A Python program that reads a day on its standard input, and prints its tides.
pub(in crate::seed) const PROGRAM: &str = include_str!("source/tides_of_a_day.py");
