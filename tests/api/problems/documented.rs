//! The list of codes in `docs/`, and in the document of the interface.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use serde_json::Value;
use workroom::http::problem::codes;
use workroom_domain::refusal::{Code, Kind};

use crate::support::World;

const INTRODUCTION: &str = "\
# Problems

Every error is a document of the media type `application/problem+json` (RFC 9457). Its `code` names what was refused, and never
changes; `type` is `urn:workroom:problem:` and the code. `detail` says what happened this time, for people; programs read the code.
`instance` is the request's id, under which the service's log has more. Where the code is `invalid`, `errors` names each field that
does not hold: `pointer` says where (a JSON pointer, RFC 6901), `code` why.

";

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str()).replace('|', "\\|")
}

fn page() -> String {
    let (fields, problems): (Vec<&Code>, Vec<&Code>) = codes::all().partition(|code| code.kind == Kind::Field);
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| status | code | meaning | what to do |\n|---|---|---|---|\n");
    let mut problems: Vec<_> = problems.into_iter().map(|code| (codes::status(code).as_u16(), code)).collect();
    problems.sort_by_key(|(status, code)| (*status, code.name));
    for (status, Code { name, meaning, remedy, .. }) in problems {
        writeln!(page, "| {status} | `{name}` | {} | {} |", sentence(meaning), sentence(remedy)).expect("text");
    }
    page.push_str("\n## Fields\n\n| code | meaning | what to do |\n|---|---|---|\n");
    let mut fields = fields;
    fields.sort_by_key(|code| code.name);
    for Code { name, meaning, remedy, .. } in fields {
        writeln!(page, "| `{name}` | {} | {} |", sentence(meaning), sentence(remedy)).expect("text");
    }
    page
}

/// `INSTA_UPDATE=always` writes the page.
#[test]
fn the_page_of_problems_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/problems.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, page()).expect("the page");
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), page());
}

#[test]
fn a_code_is_one_plain_word_and_names_one_thing() {
    let mut seen = BTreeSet::new();
    for code in codes::all() {
        let is_plain =
            code.name.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert!(is_plain && code.name == code.name.to_lowercase(), "{}", code.name);
        assert!(seen.insert(code.name), "{} is declared twice", code.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_the_interface_lists_every_code() {
    let world = World::new().await;
    let server = world.server().await;
    let document = server.client().get("/openapi.json").await.is(200).json;
    for (schema, of_field) in [("ProblemDetails", false), ("FieldProblem", true)] {
        let code = &document["components"]["schemas"][schema]["properties"]["code"];
        let listed: BTreeSet<_> =
            code["enum"].as_array().expect("an enumeration").iter().filter_map(Value::as_str).collect();
        let known = codes::all().filter(|code| (code.kind == Kind::Field) == of_field).map(|code| code.name);
        assert_eq!(listed, known.collect(), "{schema}");
    }
}
