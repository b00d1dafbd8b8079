//! Mails, by SMTP: to servers that take them, and to servers that do not.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{MailServer, Manner, Server, World, eventually};

const RESET: &str = "Set a new password";
const CONFIRM: &str = "Confirm your e-mail address";

async fn server(world: &World, mails: &MailServer) -> Server {
    world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url())]).await
}

async fn forget(server: &Server, email: &str) {
    server.client().post("/auth/password/forgot", json!({"email": email})).await.is(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_once_in_two_forms_with_the_headers_that_a_mail_has() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Takes).await);
    let (one, other) = (server(&world, &mails).await, server(&world, &mails).await);
    let ada = one.person("ada").await;
    eventually("a mail", async || !mails.mails(&ada.email, CONFIRM).is_empty()).await;
    forget(&other, &ada.email).await;
    eventually("another", async || !mails.mails(&ada.email, RESET).is_empty()).await;
    let mail = mails.mails(&ada.email, CONFIRM).remove(0);
    assert_eq!(mail.header("To"), ada.email);
    assert!(mail.header("From").contains('@') && !mail.header("Date").is_empty(), "{}", mail.text);
    assert!(mail.header("Message-ID").starts_with('<'), "{}", mail.text);
    assert!(mail.header("Content-Type").starts_with("multipart/alternative"), "{}", mail.text);
    for part in ["Content-Type: text/plain", "Content-Type: text/html"] {
        assert_eq!(mail.text.matches(part).count(), 1, "{}", mail.text);
    }
    assert_eq!(mails.taken().len(), 2, "two senders, and each mail once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_password_gets_it() {
    // NUL ada NUL secret
    let (world, mails) = (World::new().await, MailServer::with_credentials("AGFkYQBzZWNyZXQ=").await);
    let server = world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url_as("ada", "secret"))]).await;
    let ada = server.person("ada").await;
    eventually("a mail", async || !mails.mails(&ada.email, CONFIRM).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_while_the_server_puts_it_off_hangs_up_or_is_away() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::PutsOff).await);
    let server = server(&world, &mails).await;
    let ada = server.person("ada").await;
    eventually("two attempts", async || mails.attempts() >= 2).await;
    mails.behave(Manner::Drops);
    let before = mails.attempts();
    eventually("two more", async || mails.attempts() >= before + 2).await;
    assert!(mails.taken().is_empty());
    mails.behave(Manner::Takes);
    eventually("the mail", async || mails.mails(&ada.email, CONFIRM).len() == 1).await;
    let state = "SELECT count(*) FROM mails WHERE sent_at IS NOT NULL";
    let pool = world.pool().await;
    eventually("a note of it", async || {
        sqlx::query_scalar::<_, i64>(state).fetch_one(&pool).await.expect("a count") == 1
    })
    .await;
    assert_eq!(mails.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_good_is_given_up_and_holds_nothing_up() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Refuses).await);
    let server = server(&world, &mails).await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let refused = "SELECT count(*) FROM mails WHERE failed_at IS NOT NULL";
    eventually("a refusal", async || {
        sqlx::query_scalar::<_, i64>(refused).fetch_one(&pool).await.expect("a count") == 1
    })
    .await;
    let attempts: i32 = sqlx::query_scalar("SELECT attempts FROM mails").fetch_one(&pool).await.expect("a number");
    assert_eq!(attempts, 1);
    mails.behave(Manner::Takes);
    forget(&server, &ada.email).await;
    eventually("the next mail", async || mails.mails(&ada.email, RESET).len() == 1).await;
    assert!(mails.mails(&ada.email, CONFIRM).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_delays_its_mails_and_nothing_else() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Stalls).await);
    let server = server(&world, &mails).await;
    let ada = server.person("ada").await;
    eventually("a connection", async || mails.attempts() >= 1).await;
    let begun = std::time::Instant::now();
    ada.project("Meanwhile").await;
    forget(&server, &ada.email).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    mails.behave(Manner::Takes);
    // The first mail's attempt has to time out first.
    eventually("both mails", async || {
        mails.mails(&ada.email, CONFIRM).len() == 1 && mails.mails(&ada.email, RESET).len() == 1
    })
    .await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_survives_a_kill() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::PutsOff).await);
    let first = server(&world, &mails).await;
    let ada = first.person("ada").await;
    eventually("an attempt", async || mails.attempts() >= 1).await;
    first.kill9().await;
    mails.behave(Manner::Takes);
    let _second = server(&world, &mails).await;
    eventually("the mail", async || mails.mails(&ada.email, CONFIRM).len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_a_frozen_sender_is_sent_by_another_and_once() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::Stalls).await);
    let first = server(&world, &mails).await;
    let ada = first.person("ada").await;
    eventually("a connection", async || mails.attempts() >= 1).await;
    let second = server(&world, &mails).await;
    first.signal(Signal::SIGSTOP);
    mails.behave(Manner::Takes);
    let frozen = Instant::now();
    eventually("the mail", async || mails.mails(&ada.email, CONFIRM).len() == 1).await;
    assert!(frozen.elapsed() < Duration::from_secs(4), "sent only after {:?}", frozen.elapsed());
    first.signal(Signal::SIGCONT);
    // It goes on where it was, and finds that the mail is no longer its own.
    let pool = world.pool().await;
    eventually("both agree", async || {
        let done = "SELECT count(*) FROM mails WHERE sent_at IS NOT NULL AND leased_until IS NULL";
        sqlx::query_scalar::<_, i64>(done).fetch_one(&pool).await.expect("a count") == 1
    })
    .await;
    forget(&first, &ada.email).await;
    eventually("the next mail", async || mails.mails(&ada.email, RESET).len() == 1).await;
    assert!(first.stop().await && second.stop().await);
    assert_eq!(mails.taken().len(), 2, "each mail once");
}
