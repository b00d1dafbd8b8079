//! What mails say: a template in plain text and one in HTML for each kind, in `templates/`. The first line of the text is the
//! subject.

use std::sync::LazyLock;

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, context, escape_formatter,
    syntax::SyntaxConfig,
};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    content::{Content, InvitationFacts, OrganizationFacts, TaskFacts},
    jobs::FailedJobs,
};

/// Most characters of a description in a mail; all of it is behind the button.
const EXCERPT: usize = 2000;

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        &[$(
            (concat!($name, ".txt"), include_str!(concat!("templates/", $name, ".txt"))),
            (concat!($name, ".html"), include_str!(concat!("templates/", $name, ".html"))),
        )+]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "layout",
    "parts",
    "email_verification",
    "password_reset",
    "password_changed",
    "invitation",
    "organization_joined",
    "task_assigned",
    "task_due",
    "job_email",
    "jobs_failed",
];

/// The templates; what is wrong with one is told when it is rendered.
static ENVIRONMENT: LazyLock<Result<Environment<'static>, Error>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_formatter(write_value);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
});

/// As the library does, but leaves slashes as they are: addresses are read by people, too.
fn write_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            Ok(output.write_str(&escape(text))?)
        }
        _ => escape_formatter(output, state, value),
    }
}

/// Text as HTML has it, within elements and quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A mail's text.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) plain: String,
    pub(super) html: String,
    /// Where one request keeps further mails of its kind away (RFC 8058), if there is such a place.
    pub(super) unsubscribe: Option<String>,
}

/// Writes a mail to somebody. What others have named is shown without links: a mail of the service must not carry
/// strangers' addresses. Where nobody has proven yet that the account is the reader's, it does not even carry its name.
///
/// # Errors
/// A template that does not fit what it is given.
pub(super) fn render(content: &Content, name: Option<&str>, app_url: &str) -> Result<Text, Error> {
    let name = match content {
        Content::EmailVerification { .. } | Content::PasswordReset { .. } => None,
        _ => name.map(without_links),
    };
    let app_url = app_url.trim_end_matches('/');
    let specific = match content {
        Content::EmailVerification { token } | Content::PasswordReset { token } => context! { token },
        Content::PasswordChanged => context! {},
        Content::Invitation { invitation, token } => {
            context! { invitation => self::invitation(invitation), token }
        }
        Content::OrganizationJoined { organization, note } => {
            context! { organization => self::organization(organization), note }
        }
        Content::TaskAssigned(task) | Content::TaskDue(task) => {
            context! { task => self::task(task) }
        }
        Content::JobEmail(message) => {
            context! { message => context! { subject => message.subject.as_str(), text => message.text.as_str() } }
        }
        Content::JobsFailed(failed) => context! { jobs => jobs(failed) },
    };
    let common = context! { name, app_url, ..specific };
    let environment = ENVIRONMENT.as_ref().map_err(clone)?;
    let kind = content.kind().as_str();
    let written = environment.get_template(&format!("{kind}.txt"))?.render(&common)?;
    let (subject, plain) = written.split_once('\n').unwrap_or(("", &written));
    let html = environment.get_template(&format!("{kind}.html"))?.render(context! { subject, ..common })?;
    let unsubscribe = match content {
        Content::Invitation { token, .. } => Some(format!("{app_url}/api/v1/invitations/{token}/block")),
        _ => None,
    };
    Ok(Text { subject: subject.to_owned(), plain: plain.to_owned(), html, unsubscribe })
}

fn clone(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}

/// What templates know of an invitation.
fn invitation(facts: &InvitationFacts) -> Value {
    context! {
        host => without_links(&facts.host),
        kind => if facts.is_project { "project" } else { "organization" },
        role => facts.role.as_str(),
        message => facts.message.as_deref(),
        inviter => facts.inviter.as_deref().map_or_else(|| "Somebody".to_owned(), without_links),
        expires => moment(facts.expires_at),
    }
}

/// What templates know of an organization.
fn organization(facts: &OrganizationFacts) -> Value {
    context! { id => facts.id.to_string(), name => without_links(&facts.name) }
}

/// What templates know of a task.
fn task(facts: &TaskFacts) -> Value {
    let description = facts.description.as_str();
    context! {
        id => facts.id.to_string(),
        project_id => facts.project_id.to_string(),
        project => without_links(&facts.project),
        title => without_links(&facts.title),
        description => if description.trim().is_empty() { String::new() } else { excerpt(description) },
        due => facts.due_at.map_or_else(|| "no date".to_owned(), moment),
        priority => facts.priority.as_str(),
    }
}

/// What templates know of jobs that have failed.
fn jobs(failed: &FailedJobs) -> Value {
    context! {
        number => failed.number,
        latest => failed.latest.to_string(),
        project => failed.project.as_deref().map(without_links),
    }
}

/// A name without links, and without what a mail program would decode (RFC 2047): then the whole word is encoded once more.
fn without_links(name: &str) -> String {
    let is_link = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.contains("://") || word.contains("www.") || word.contains("mailto:")
    };
    let words = name.split(' ').map(|word| if is_link(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ").replace("=?", "=\u{2060}?")
}

/// The beginning of a long text.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A moment as people read it; not whose clock it is by, but which.
fn moment(at: OffsetDateTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday], [day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    let at = at.checked_to_offset(UtcOffset::UTC).unwrap_or(at);
    at.format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::application::jobs::EmailInput;

    #[test]
    fn a_name_is_never_markup() {
        let name = "<script>alert('&')</script>";
        let mail = render(&Content::PasswordChanged, Some(name), "https://app.example.com/").unwrap();
        assert!(mail.html.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(!mail.html.contains("<script>"));
    }

    #[test]
    fn a_name_carries_no_link_and_no_encoded_word() {
        assert_eq!(without_links("Win at https://evil.example now"), "Win at … now");
        assert_eq!(without_links("WWW.evil.example"), "…");
        assert_eq!(without_links("Apollo 2.0 (node.js)"), "Apollo 2.0 (node.js)");
        assert!(!without_links("=?utf-8?q?hidden?=").contains("=?"));
    }

    #[test]
    fn a_mail_to_an_address_that_may_be_a_strangers_carries_no_name() {
        for content in [
            Content::EmailVerification { token: "wrm_abc".to_owned() },
            Content::PasswordReset { token: "wrm_abc".to_owned() },
        ] {
            let mail = render(&content, Some("Call this number"), "https://app.example.com/").unwrap();
            assert!(mail.plain.starts_with("Hello,\n") && !mail.html.contains("Call"));
        }
    }

    #[test]
    fn a_link_leads_to_the_pages_that_are_configured() {
        let content = Content::PasswordReset { token: "wrm_abc".to_owned() };
        let mail = render(&content, None, "https://app.example.com/").unwrap();
        assert!(mail.plain.contains("https://app.example.com/reset-password?token=wrm_abc"));
        assert!(mail.html.contains("href=\"https://app.example.com/reset-password?token=wrm_abc\""));
    }

    #[test]
    fn a_notice_carries_no_link() {
        let mail = render(&Content::PasswordChanged, Some("Ada"), "https://app.example.com").unwrap();
        assert!(!mail.plain.contains("https://") && !mail.html.contains("href"));
    }

    #[test]
    fn every_mail_is_written_in_both_forms() {
        let task = || TaskFacts {
            id: Uuid::nil(),
            project_id: Uuid::nil(),
            project: "Apollo".to_owned(),
            title: "Launch <b>".to_owned(),
            description: "First line\nsecond & last".to_owned(),
            priority: "high".to_owned(),
            due_at: None,
            is_done: false,
        };
        let invitation = InvitationFacts {
            host: "Apollo".to_owned(),
            is_project: true,
            role: "viewer".to_owned(),
            message: Some("Come\nalong".to_owned()),
            inviter: None,
            expires_at: OffsetDateTime::UNIX_EPOCH,
        };
        let message = EmailInput { subject: "Good morning".to_owned(), text: "First line\nsecond & last".to_owned() };
        let failed = FailedJobs { number: 3, latest: Uuid::nil(), project: Some("Apollo".to_owned()) };
        let token = || "wri_abc".to_owned();
        let organization = OrganizationFacts { id: Uuid::nil(), name: "Acme".to_owned() };
        for content in [
            Content::EmailVerification { token: token() },
            Content::PasswordReset { token: token() },
            Content::PasswordChanged,
            Content::Invitation { invitation, token: token() },
            Content::OrganizationJoined { organization, note: None },
            Content::TaskAssigned(task()),
            Content::TaskDue(task()),
            Content::JobEmail(message),
            Content::JobsFailed(failed),
        ] {
            let Text { subject, plain, html, .. } = render(&content, Some("Ada"), "https://app.example.com").unwrap();
            insta::assert_snapshot!(
                content.kind().as_str().to_owned(),
                format!("Subject: {subject}\n\n{plain}\n--- html ---\n{html}")
            );
        }
    }

    #[test]
    fn one_job_that_has_failed_is_one() {
        let failed = FailedJobs { number: 1, latest: Uuid::nil(), project: None };
        let mail = render(&Content::JobsFailed(failed), None, "https://app.example.com").unwrap();
        assert_eq!(mail.subject, "A job has failed");
        assert!(mail.plain.contains("A job that you submitted has failed for good"), "{}", mail.plain);
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"ü".repeat(EXCERPT)), "ü".repeat(EXCERPT));
        assert_eq!(excerpt(&"ü".repeat(EXCERPT + 1)), format!("{}…", "ü".repeat(EXCERPT)));
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        let at = OffsetDateTime::from_unix_timestamp(1_798_131_600).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(moment(at), "Thursday, 24 December 2026, 17:00 UTC");
    }
}
