//! What mails say: HTML and plain text from the same paragraphs.

use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

use super::matter::{InvitationFacts, Matter, OrganizationFacts, TaskFacts};

/// Most characters of a description in a mail; all of it is behind the button.
const EXCERPT: usize = 2000;

/// A mail's words.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// Where one request keeps further mails of its kind away (RFC 8058), if there is such a place.
    pub(super) unsubscribe: Option<String>,
}

/// A button: what it says, and where it leads.
struct Button<'a> {
    label: &'static str,
    url: String,
    /// For programs whose pages are elsewhere.
    token: Option<&'a str>,
}

/// What lies between greeting and ending.
struct Body<'a> {
    paragraphs: Vec<String>,
    button: Option<Button<'a>>,
    /// Where to go for whoever did not want this mail, after the ending.
    refuse: Option<String>,
    ending: &'static str,
}

/// Writes to somebody about a matter. What others have named is shown without links: a mail of the service must not carry
/// strangers' addresses. Where nobody has proven yet that the account is the reader's, it does not even carry its name.
pub(super) fn write(matter: &Matter, name: Option<&str>, app_url: &str) -> Letter {
    let name = match matter {
        Matter::EmailVerification { .. } | Matter::PasswordReset { .. } => None,
        _ => name.map(plain),
    };
    let name = name.as_deref();
    let app_url = app_url.trim_end_matches('/');
    let with_token = |label, page: &str, token| {
        Some(Button { label, url: format!("{app_url}/{page}?token={token}"), token: Some(token) })
    };
    let (subject, body) = match matter {
        Matter::EmailVerification { token } => (
            "Confirm your e-mail address".to_owned(),
            Body {
                paragraphs: vec![
                    "Welcome to Workroom. Please confirm that this address is yours. The link is good for one day."
                        .to_owned(),
                ],
                button: with_token("Confirm address", "verify-email", token),
                refuse: None,
                ending: "If you did not register, ignore this mail.",
            },
        ),
        Matter::PasswordReset { token } => (
            "Set a new password".to_owned(),
            Body {
                paragraphs: vec![
                    "Somebody, most likely you, asked for a new password. The link is good for one hour, and for one \
                     use."
                        .to_owned(),
                ],
                button: with_token("Set password", "reset-password", token),
                refuse: None,
                ending: "If it was not you, ignore this mail: your password stays as it is.",
            },
        ),
        Matter::PasswordChanged => (
            "Your password was changed".to_owned(),
            Body {
                paragraphs: vec![
                    "The password of your Workroom account was changed just now, and other sessions were ended."
                        .to_owned(),
                ],
                button: None,
                refuse: None,
                ending: "If it was not you, set a new password at once, by “forgot password” on the sign-in page.",
            },
        ),
        Matter::Invitation { invitation, token } => (
            format!("You are invited to {}", plain(&invitation.host)),
            Body {
                paragraphs: invite(invitation),
                button: with_token("Accept invitation", "accept-invitation", token),
                refuse: Some(format!("{app_url}/block-invitations?token={token}")),
                ending: "You need a Workroom account with this e-mail address. If you do not want to join, ignore this \
                         mail. If you want no more invitations:",
            },
        ),
        Matter::OrganizationJoined { organization, note } => (
            format!("You were added to {}", plain(&organization.name)),
            Body {
                paragraphs: welcome(organization, note.as_deref()),
                button: Some(Button {
                    label: "View organization",
                    url: format!("{app_url}/organizations/{}", organization.id),
                    token: None,
                }),
                refuse: None,
                ending: "You can leave it at any time.",
            },
        ),
        Matter::TaskAssigned(task) => (
            format!("Assigned to you: {}", plain(&task.title)),
            Body {
                paragraphs: describe(task, "You have been given a task"),
                button: Some(view(task, app_url)),
                refuse: None,
                ending: "You get this mail because the task is assigned to you.",
            },
        ),
        Matter::TaskDue(task) => (
            format!("Due: {}", plain(&task.title)),
            Body {
                paragraphs: describe(task, "A task of yours is due"),
                button: Some(view(task, app_url)),
                refuse: None,
                ending: "You get this mail because the task is assigned to you and not done.",
            },
        ),
    };
    let unsubscribe = match matter {
        Matter::Invitation { token, .. } => Some(format!("{app_url}/api/v1/invitations/{token}/block")),
        _ => None,
    };
    Letter { unsubscribe, ..letter(subject, name, &body) }
}

fn view(task: &TaskFacts, app_url: &str) -> Button<'static> {
    let TaskFacts { id, project_id, .. } = task;
    Button { label: "View task", url: format!("{app_url}/projects/{project_id}/tasks/{id}"), token: None }
}

fn describe(task: &TaskFacts, opening: &str) -> Vec<String> {
    let (project, title) = (plain(&task.project), plain(&task.title));
    let mut paragraphs = vec![format!("{opening} in the project “{project}”:"), format!("Task: {title}")];
    if !task.description.trim().is_empty() {
        paragraphs.push(format!("Description: {}", excerpt(&task.description)));
    }
    let due = task.due_at.map_or_else(|| "no date".to_owned(), moment);
    paragraphs.push(format!("Due: {due}\nPriority: {}", task.priority));
    paragraphs
}

fn invite(invitation: &InvitationFacts) -> Vec<String> {
    let InvitationFacts { host, is_project, role, message, inviter, expires_at } = invitation;
    let (host, who) = (plain(host), inviter.as_deref().map_or_else(|| "Somebody".to_owned(), plain));
    let what = if *is_project { "project" } else { "organization" };
    let mut paragraphs = vec![format!("{who} invites you to the {what} “{host}” on Workroom, as {role}.")];
    paragraphs.extend(message.clone());
    paragraphs.push(format!("The invitation is good until {}.", moment(*expires_at)));
    paragraphs
}

fn welcome(organization: &OrganizationFacts, note: Option<&str>) -> Vec<String> {
    let mut paragraphs =
        vec![format!("You belong to the organization “{}” on Workroom now.", plain(&organization.name))];
    paragraphs.extend(note.map(str::to_owned));
    paragraphs
}

/// A name without links, and without what a mail program would decode (RFC 2047): then the whole word is encoded once more.
fn plain(name: &str) -> String {
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

fn letter(subject: String, name: Option<&str>, body: &Body<'_>) -> Letter {
    let greeting = name.map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {name},"));
    let mut text = format!("{greeting}\n\n");
    let mut html = format!("<p>{}</p>\n", escape(&greeting));
    for paragraph in &body.paragraphs {
        add(&mut text, format_args!("{paragraph}\n\n"));
        add(&mut html, format_args!("<p>{}</p>\n", escape(paragraph).replace('\n', "<br>\n")));
    }
    if let Some(Button { label, url, token }) = &body.button {
        add(&mut text, format_args!("{label}: {url}\n\n"));
        add(
            &mut html,
            format_args!(
                "<p><a href=\"{}\" style=\"display:inline-block;padding:10px 18px;background:#1f6feb;color:#ffffff;\
             border-radius:6px;text-decoration:none\">{}</a></p>\n",
                escape(url),
                escape(label),
            ),
        );
        if let Some(token) = token {
            add(&mut text, format_args!("Token: {token}\n\n"));
            add(&mut html, format_args!("<p>Token: <code>{}</code></p>\n", escape(token)));
        }
    }
    add(&mut text, format_args!("{}\n", body.ending));
    add(&mut html, format_args!("<p>{}</p>\n", escape(body.ending)));
    if let Some(url) = &body.refuse {
        add(&mut text, format_args!("{url}\n"));
        add(&mut html, format_args!("<p><a href=\"{}\">No more invitations to this address</a></p>\n", escape(url)));
    }
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;line-height:1.5\">\n{html}</body></html>\n",
        escape(&subject)
    );
    Letter { subject, text, html, unsubscribe: None }
}

fn add(to: &mut String, text: std::fmt::Arguments<'_>) {
    use std::fmt::Write;
    // Writing into a string cannot fail.
    let _ = to.write_fmt(text);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_markup() {
        let name = "<script>alert('&')</script>";
        let letter = write(&Matter::PasswordChanged, Some(name), "https://app.example.com/");
        assert!(letter.html.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(!letter.html.contains("<script>"));
    }

    #[test]
    fn a_name_carries_no_link_and_no_encoded_word() {
        assert_eq!(plain("Win at https://evil.example now"), "Win at … now");
        assert_eq!(plain("WWW.evil.example"), "…");
        assert_eq!(plain("Apollo 2.0 (node.js)"), "Apollo 2.0 (node.js)");
        assert!(!plain("=?utf-8?q?hidden?=").contains("=?"));
    }

    #[test]
    fn a_mail_to_an_address_that_may_be_a_strangers_carries_no_name() {
        for matter in [
            Matter::EmailVerification { token: "wrm_abc".to_owned() },
            Matter::PasswordReset { token: "wrm_abc".to_owned() },
        ] {
            let letter = write(&matter, Some("Call this number"), "https://app.example.com/");
            assert!(letter.text.starts_with("Hello,\n") && !letter.html.contains("Call"));
        }
    }

    #[test]
    fn a_link_leads_to_the_pages_that_are_configured() {
        let matter = Matter::PasswordReset { token: "wrm_abc".to_owned() };
        let letter = write(&matter, None, "https://app.example.com/");
        assert!(letter.text.contains("https://app.example.com/reset-password?token=wrm_abc"));
        assert!(letter.html.contains("href=\"https://app.example.com/reset-password?token=wrm_abc\""));
    }

    #[test]
    fn a_notice_carries_no_link() {
        let letter = write(&Matter::PasswordChanged, Some("Ada"), "https://app.example.com");
        assert!(!letter.text.contains("https://") && !letter.html.contains("href"));
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
