//! The page `/live`: its files, and what two people see of each other in two browsers.
//!
//! The browsers are Chromium, driven by ChromeDriver over WebDriver. They are found in `PATH`, or where
//! `WORKROOM_CHROMIUM` and `WORKROOM_CHROMEDRIVER` say. What asks for them is a drill: `./dev drill browser`.

mod chrome;
mod files;
mod page;
mod web_driver;

use futures::future::join_all;
use serde_json::json;

use crate::support::{Person, World, eventually};

use self::{
    chrome::ChromeDriver,
    page::{Page, assert_whole},
};
use super::door::Door;

/// The title of a task that is added while there is no server.
const WAITS: &str = "while it was away";

/// How many events of a project are about a task of this title.
async fn tasks_called(person: &Person, project: &str, title: &str) -> usize {
    person.history(project).await.iter().filter(|event| event["data"]["title"] == title).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium and ChromeDriver: ./dev drill browser"]
async fn drill_two_browsers_see_each_other_and_heal_after_the_server_was_killed() {
    let world = World::new().await;
    let server = world.server().await;
    let door = Door::to(&server.address).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "collaborator").await;
    let driver = ChromeDriver::start().await;
    let (one, two) = (Page::open(&driver, &door.address).await, Page::open(&driver, &door.address).await);

    assert_eq!(one.sign_in_wrongly(&ada.email).await, "The e-mail address or the password is wrong.");
    let failed = one.failed_requests().await;
    assert!(failed.len() == 1 && failed[0].contains("/auth/login") && failed[0].contains("401"), "{failed:?}");

    for (page, person) in [(&one, &ada), (&two, &bob)] {
        page.sign_in(person).await;
        page.open_project(&project).await;
    }
    for page in [&one, &two] {
        page.shows_people(&[&ada, &bob]).await;
    }

    one.point(0.3, 0.4).await;
    two.shows_cursor(&ada, "ada", 0.3, 0.4).await;
    one.add_task("before").await;
    for page in [&one, &two] {
        page.shows_event_once("“before”").await;
        assert_whole(&page.seqs_up_to(4).await);
    }
    one.say("Do you see my cursor?").await;
    two.shows_message("Do you see my cursor?").await;
    for page in [&one, &two] {
        page.has_logged_nothing().await;
    }

    door.shut();
    server.kill9().await;
    for page in [&one, &two] {
        page.says_that_it_is_lost().await;
    }
    one.add_task(WAITS).await;
    one.waits_for_an_answer().await;
    for page in [&one, &two] {
        assert_whole(&page.seqs_up_to(4).await);
    }

    let server = world.server().await;
    let here = ada.at(&server.address);
    let path = format!("/projects/{project}/tasks");
    // One of them is there before the pages are: they have something to catch up with.
    here.post(&path, json!({"title": "event 0"})).await.is(201);
    door.lead_to(&server.address);
    let titles = (1..20).map(|number| json!({"title": format!("event {number}")}));
    for reply in join_all(titles.map(|task| here.post(&path, task))).await {
        reply.is(201);
    }
    for page in [&one, &two] {
        let text = page.says_that_it_is_back().await;
        assert!(text.contains("caught up, none missing."), "{text}");
    }
    // What was sent while there was no server is done, once.
    eventually("the task that had to wait", async || tasks_called(&here, &project, WAITS).await > 0).await;
    let head = i64::try_from(here.history(&project).await.len()).expect("a number");
    for page in [&one, &two] {
        let seqs = page.seqs_up_to(head).await;
        assert_whole(&seqs);
        assert_eq!(seqs.len(), 25);
        page.shows_event_once(WAITS).await;
        page.shows_people(&[&ada, &bob]).await;
        page.failed_requests().await;
    }
    two.point(0.7, 0.6).await;
    one.shows_cursor(&bob, "bob", 0.7, 0.6).await;

    one.reload().await;
    assert_whole(&one.seqs_up_to(head).await);
    for page in [&one, &two] {
        page.shows_people(&[&ada, &bob]).await;
        page.has_logged_nothing().await;
    }
    one.sign_out().await;
    two.shows_people(&[&bob]).await;
    for page in [&one, &two] {
        page.has_logged_nothing().await;
        page.obeys_its_policy().await;
    }
    for page in [one, two] {
        page.close().await;
    }
}
