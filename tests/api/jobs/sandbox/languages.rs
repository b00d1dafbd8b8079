//! Languages are settings.

use super::*;

fn with_languages(languages: &serde_json::Value) -> SandboxConfig {
    let languages: Languages = serde_json::from_value(languages.clone()).expect("languages");
    SandboxConfig { languages, ..config() }
}

#[tokio::test]
async fn a_language_is_added_without_code() {
    let settings = serde_json::json!({
        "posix-sh": {"interpreters": ["sh"], "arguments": ["-eu"], "file": "src/main.sh", "trial": "echo ready",
                     "environment": {"GREETING": "hello", "OTHER": "one"}},
        "bash": {"enabled": false},
        "javascript": {"enabled": false}
    });
    for cgroups in [UseCgroups::Auto, UseCgroups::Never] {
        let config = SandboxConfig { cgroups, ..with_languages(&settings) };
        let sandbox = Sandbox::probe(config).await.expect("a sandbox");
        assert_eq!(sandbox.languages().collect::<Vec<_>>(), ["posix-sh", "python"]);
        let mut execution = code("posix-sh", "echo $GREETING $OTHER $0 $1 $-");
        execution.env = vec![("OTHER".to_owned(), "two".to_owned())];
        execution.args = vec!["three".to_owned()];
        let outcome = run_in(&sandbox, execution).await;
        assert!(outcome.stdout.starts_with("hello two /workspace/src/main.sh three"), "{outcome:?}");
        assert!(outcome.stdout.contains('e') && outcome.stdout.trim_end().ends_with(['u', 'e']), "{outcome:?}");
        let gone = sandbox.run(code("bash", "echo x"), pending(), quiet).await;
        assert!(matches!(gone, Err(SandboxError::LanguageMissing(_))), "{gone:?}");
    }
}

#[tokio::test]
async fn one_that_is_not_installed_is_left_out() {
    let settings = serde_json::json!({
        "cobol": {"interpreters": ["cobc-that-is-nowhere"], "file": "main.cob", "trial": "x"}
    });
    let sandbox = Sandbox::probe(with_languages(&settings)).await.expect("a sandbox");
    assert_eq!(sandbox.languages().collect::<Vec<_>>(), LANGUAGES);
}

#[tokio::test]
async fn one_whose_trial_fails_is_left_out() {
    let settings = serde_json::json!({"bash": {"trial": "echo steady"}});
    let sandbox = Sandbox::probe(with_languages(&settings)).await.expect("a sandbox");
    assert_eq!(sandbox.languages().collect::<Vec<_>>(), ["javascript", "python"]);
}

/// Files and folders of the host, by name.
#[tokio::test]
async fn programs_see_what_their_language_names() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("open to others");
    fs::write(folder.path().join("shown"), "hello\n").expect("a file");
    let settings = serde_json::json!({"bash": {"sees": [folder.path(), "/usr/bin/nothing-of-this-name"]}});
    let sandbox = Sandbox::probe(with_languages(&settings)).await.expect("a sandbox");
    let text = format!("cat {0}/shown; ls {0}; ls -d /usr/share/zoneinfo 2>/dev/null", folder.path().display());
    let outcome = run_in(&sandbox, code("bash", text)).await;
    assert_eq!(outcome.stdout, "hello\nshown\n", "{outcome:?}");
    let other =
        run_in(&sandbox, code("python", format!("import os; print(os.path.exists({:?}))", folder.path()))).await;
    assert_eq!(other.stdout, "False\n", "{other:?}");
}
