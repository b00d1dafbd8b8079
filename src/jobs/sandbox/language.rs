//! The languages that programs can be in. They are settings: a further one is no code.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{check, seccomp};

/// Where interpreters are looked for: system folders only, since only they exist inside.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];

/// Time zones of the world.
const ZONES: &str = "/usr/share/zoneinfo";

/// Longest name of a language, in bytes.
const LONGEST_NAME: usize = 32;

/// A language: what runs its programs, and what these see and call beside what all programs do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// Names or paths of interpreters; the first that is installed and works is taken.
    pub interpreters: Vec<PathBuf>,
    /// The interpreter's arguments before the program's file.
    pub arguments: Vec<String>,
    /// The file, below `/workspace`, that a program becomes which names none.
    pub file: String,
    /// A program that prints `ready`.
    pub trial: String,
    /// What its programs see.
    pub sees: Vec<Sight>,
    /// System calls that its programs may make.
    pub calls: Vec<String>,
    /// Variables of environment.
    pub environment: BTreeMap<String, String>,
}

/// Something of the host that programs of a language see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sight {
    /// `python-modules`: the modules of the interpreter, as Python is installed. What others have installed is not there.
    PythonModules,
    /// `node-parts`: what some distributions keep outside of node's program.
    NodeParts,
    /// A file, with all that it needs to be loaded, or a folder, with what the libraries in it need. Left out where the host has
    /// none.
    Path(PathBuf),
}

/// A language as it is set. What is not given stays as it is in the language of this name that is built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageSettings {
    /// `false` takes the language away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// See [`Language::interpreters`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreters: Option<Vec<PathBuf>>,
    /// See [`Language::arguments`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<String>>,
    /// See [`Language::file`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// See [`Language::trial`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<String>,
    /// See [`Language::sees`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sees: Option<Vec<Sight>>,
    /// See [`Language::calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<Vec<String>>,
    /// See [`Language::environment`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
}

/// The languages that are set, each checked. None by default: then there are those that are built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, LanguageSettings>", into = "BTreeMap<String, LanguageSettings>")]
pub struct Languages(BTreeMap<String, LanguageSettings>);

/// A language that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("language {name:?}: {reason}")]
pub struct InvalidLanguage {
    name: String,
    reason: String,
}

impl Languages {
    /// All languages by their names: those that are built in, changed and extended by what is set.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Language> {
        let mut all: BTreeMap<String, Language> =
            built_in().into_iter().map(|(name, language)| (name.to_owned(), language)).collect();
        for (name, settings) in &self.0 {
            let known = all.remove(name).unwrap_or_else(Language::unknown);
            if settings.enabled != Some(false) {
                all.insert(name.clone(), known.with(settings.clone()));
            }
        }
        all
    }
}

impl TryFrom<BTreeMap<String, LanguageSettings>> for Languages {
    type Error = InvalidLanguage;

    fn try_from(given: BTreeMap<String, LanguageSettings>) -> Result<Self, Self::Error> {
        let languages = Self(given);
        for (name, language) in languages.all() {
            check_name(&name).and_then(|()| language.check()).map_err(|reason| InvalidLanguage { name, reason })?;
        }
        Ok(languages)
    }
}

impl From<Languages> for BTreeMap<String, LanguageSettings> {
    fn from(languages: Languages) -> Self {
        languages.0
    }
}

impl Language {
    /// What is completed by settings.
    fn unknown() -> Self {
        Self {
            interpreters: Vec::new(),
            arguments: Vec::new(),
            file: String::new(),
            trial: String::new(),
            sees: Vec::new(),
            calls: Vec::new(),
            environment: BTreeMap::new(),
        }
    }

    fn with(self, settings: LanguageSettings) -> Self {
        Self {
            interpreters: settings.interpreters.unwrap_or(self.interpreters),
            arguments: settings.arguments.unwrap_or(self.arguments),
            file: settings.file.unwrap_or(self.file),
            trial: settings.trial.unwrap_or(self.trial),
            sees: settings.sees.unwrap_or(self.sees),
            calls: settings.calls.unwrap_or(self.calls),
            environment: settings.environment.unwrap_or(self.environment),
        }
    }

    /// The first thing that is wrong with it, as a sentence.
    fn check(&self) -> Result<(), String> {
        if self.interpreters.is_empty() {
            return Err("no interpreters are given".to_owned());
        }
        let plain = |path: &&PathBuf| path.is_absolute() || path.components().count() == 1;
        if let Some(path) = self.interpreters.iter().find(|path| !plain(path)) {
            return Err(format!("the interpreter {} is neither a name nor an absolute path", path.display()));
        }
        check::path(&self.file).map_err(|reason| format!("the file {:?} {reason}", self.file))?;
        if self.trial.is_empty() {
            return Err("no trial is given: a program that prints \"ready\"".to_owned());
        }
        if let Some(call) = self.calls.iter().find(|call| seccomp::number(call).is_none()) {
            let known = seccomp::ADDABLE.map(|(name, _)| name).join(", ");
            return Err(format!("the call {call:?} cannot be allowed; these can: {known}"));
        }
        check::environment(self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        check::arguments(self.arguments.iter().map(String::as_str))
    }

    /// Where its interpreter may be, first to last.
    pub(super) fn places(&self) -> impl Iterator<Item = PathBuf> {
        self.interpreters.iter().flat_map(|path| {
            let folders: &'static [&'static str] = if path.is_absolute() { &["/"] } else { &FOLDERS };
            folders.iter().map(move |folder| Path::new(folder).join(path))
        })
    }
}

impl TryFrom<String> for Sight {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "python-modules" => Ok(Self::PythonModules),
            "node-parts" => Ok(Self::NodeParts),
            path if path.starts_with('/') => Ok(Self::Path(PathBuf::from(path))),
            _ => Err(format!("{text:?} is neither an absolute path nor \"python-modules\" nor \"node-parts\"")),
        }
    }
}

impl From<Sight> for String {
    fn from(sight: Sight) -> Self {
        match sight {
            Sight::PythonModules => "python-modules".to_owned(),
            Sight::NodeParts => "node-parts".to_owned(),
            Sight::Path(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// A letter, then letters, digits, `_`, `+` and `-`: it becomes the name of a folder.
fn check_name(name: &str) -> Result<(), String> {
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    let follows = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-');
    if begins && name.len() <= LONGEST_NAME && name.bytes().all(follows) {
        return Ok(());
    }
    Err(format!("a name is a lower-case letter, then letters, digits, _, + and -, {LONGEST_NAME} at most"))
}

fn built_in() -> [(&'static str, Language); 3] {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let zones = || Sight::Path(ZONES.into());
    [
        (
            "python",
            Language {
                interpreters: vec!["python3".into()],
                // Unbuffered, so that a program that is stopped has said what it said.
                arguments: texts(&["-u", "-B"]),
                file: "main.py".to_owned(),
                trial: "print('ready')".to_owned(),
                sees: vec![Sight::PythonModules, zones()],
                // `os.execve` of an open file, and `os.sched_rr_get_interval`.
                calls: texts(&["execveat", "sched_rr_get_interval"]),
                ..Language::unknown()
            },
        ),
        (
            "javascript",
            Language {
                interpreters: vec!["node".into()],
                file: "main.js".to_owned(),
                trial: "console.log('ready')".to_owned(),
                sees: vec![Sight::NodeParts],
                // V8 guards the code that it makes with memory protection keys.
                calls: texts(&["pkey_alloc", "pkey_free", "pkey_mprotect"]),
                ..Language::unknown()
            },
        ),
        (
            "bash",
            Language {
                interpreters: vec!["bash".into()],
                file: "main.sh".to_owned(),
                trial: "echo ready".to_owned(),
                sees: vec![zones()],
                ..Language::unknown()
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Languages, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn three_languages_are_built_in() {
        let all = Languages::default().all();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["bash", "javascript", "python"]);
        assert!(Languages::try_from(BTreeMap::new()).is_ok(), "and right");
        assert_eq!(serde_json::to_value(Languages::default()).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn one_can_be_added_changed_and_taken_away() {
        let text = r#"{"ruby": {"interpreters": ["ruby"], "file": "main.rb", "trial": "puts :ready", "sees": ["/usr/lib/ruby"]},
                       "python": {"arguments": []}, "bash": {"enabled": false}}"#;
        let all = parse(text).unwrap().all();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["javascript", "python", "ruby"]);
        assert!(all["python"].arguments.is_empty() && all["python"].file == "main.py");
        let places: Vec<_> = all["ruby"].places().collect();
        assert_eq!(places[0], Path::new("/usr/bin/ruby"));
        assert_eq!(all["ruby"].sees, [Sight::Path("/usr/lib/ruby".into())]);
    }

    #[test]
    fn a_wrong_one_is_named() {
        for (text, told) in [
            (r#"{"ruby": {}}"#, "\"ruby\": no interpreters"),
            (r#"{"Ruby": {"interpreters": ["ruby"], "file": "a", "trial": "x"}}"#, "\"Ruby\": a name"),
            (r#"{"python": {"speed": 9}}"#, "speed"),
            (r#"{"python": {"file": "../x"}}"#, "\"../x\""),
            (r#"{"python": {"calls": ["ptrace"]}}"#, "\"ptrace\""),
            (r#"{"python": {"sees": ["usr"]}}"#, "\"usr\""),
            (r#"{"python": {"environment": {"LD_PRELOAD": "x"}}}"#, "LD_PRELOAD"),
            (r#"{"python": {"interpreters": ["bin/python"]}}"#, "bin/python"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
