//! What is said at the end: what there is now, where, and how to look at it.

use std::time::Duration;

use super::{
    Outcome, Seeded,
    client::{Api, BASE},
    data::{
        ORGANIZATION, PASSWORD, PEOPLE, PROJECTS, ProjectData,
        source::{FILES, WORKSPACE},
    },
};
use crate::out;

pub(super) fn print(api: &Api, seeded: &Seeded, took: Duration) {
    let url = api.url();
    out::line(&format!(
        "{} has moved into {url}, in {:.1} s ({} requests):",
        ORGANIZATION.0,
        took.as_secs_f64(),
        api.requests()
    ));
    let total = |of: fn(&ProjectData) -> usize| PROJECTS.iter().map(|project| of(project)).sum::<usize>();
    out::line(&format!(
        "{} people, {} projects, {} tasks, {} comments, {} files, {} open invitation.",
        PEOPLE.len(),
        PROJECTS.len(),
        total(|project| project.tasks.len()),
        total(|project| project.tasks.iter().map(|task| task.comments.len()).sum()),
        FILES.len(),
        total(|project| project.invited.iter().len()),
    ));
    places(seeded);
    people(seeded);
    sign_in(url, seeded);
}

fn places(seeded: &Seeded) {
    let team = &seeded.team;
    out::line("");
    place(ORGANIZATION.0, &format!("{BASE}/organizations/{}", team.organization), &team.slug);
    for project in &seeded.projects {
        let ProjectData { name, status, is_public, lead, tasks, .. } = project.data;
        let visibility = if *is_public { "public, " } else { "" };
        let lead = lead.map(|who| format!(", led by {}", PEOPLE[who as usize].full_name)).unwrap_or_default();
        place(name, &project.path, &format!("{visibility}{status}, {} tasks{lead}", tasks.len()));
    }
    place(&format!("tidetable: {}", WORKSPACE.0), &seeded.workspace.path, &format!("{} files", FILES.len()));
    match &seeded.job {
        Outcome::Submitted { id, status, stdout } => {
            place("tidetable: a job", &format!("{BASE}/jobs/{id}"), status);
            stdout.lines().for_each(|line| out::line(&format!("{:26}| {line}", "")));
        }
        Outcome::NoSandbox(detail) => out::line(&format!("  No job was submitted: {detail}.")),
    }
}

fn place(name: &str, path: &str, note: &str) {
    out::line(&format!("  {name:<22}  {path}"));
    out::line(&format!("  {:22}  {note}", ""));
}

fn people(seeded: &Seeded) {
    out::line("");
    out::line(&format!("The people; the password of all is “{PASSWORD}”:"));
    for (data, person) in seeded.team.everybody() {
        let role = if data.is_admin { "admin" } else { "member" };
        out::line(&format!("  {:<16}{role:<8}{:<44}{}", data.full_name, person.email, data.job));
    }
}

fn sign_in(url: &str, seeded: &Seeded) {
    let (Some(project), Some((_, person))) = (seeded.projects.first(), seeded.team.everybody().next()) else { return };
    let credentials = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, person.email);
    out::line("");
    out::line("To sign in as one of them, and look around:");
    out::line(&format!("  token=$(curl -sS {url}{BASE}/auth/login -H 'Content-Type: application/json' \\"));
    out::line(&format!("    -d '{credentials}' | jq -r .access_token)"));
    out::line(&format!("  curl -sS {url}{}/tasks -H \"Authorization: Bearer $token\"", project.path));
}
