//! What mails say: HTML and plain text from the same paragraphs.

use super::outbox::MailKind;

/// A mail's words.
pub(super) struct Letter {
    pub(super) subject: &'static str,
    pub(super) text: String,
    pub(super) html: String,
}

/// A button: what it says, and where it leads.
struct Button<'a> {
    label: &'a str,
    url: String,
    /// For programs whose pages are elsewhere.
    token: &'a str,
}

/// Writes a mail of this kind to somebody. `token` is the secret it carries, if it carries one.
pub(super) fn write(kind: MailKind, name: &str, app_url: &str, token: Option<&str>) -> Letter {
    let app_url = app_url.trim_end_matches('/');
    let button =
        |label, page: &str| token.map(|token| Button { label, url: format!("{app_url}/{page}?token={token}"), token });
    match kind {
        MailKind::EmailVerification => letter(
            "Confirm your e-mail address",
            name,
            &["Welcome to Workroom. Please confirm that this address is yours. The link is good for one day."],
            button("Confirm address", "verify-email").as_ref(),
            "If you did not register, ignore this mail.",
        ),
        MailKind::PasswordReset => letter(
            "Set a new password",
            name,
            &["Somebody, most likely you, asked for a new password. The link is good for one hour, and for one use."],
            button("Set password", "reset-password").as_ref(),
            "If it was not you, ignore this mail: your password stays as it is.",
        ),
        MailKind::PasswordChanged => letter(
            "Your password was changed",
            name,
            &["The password of your Workroom account was changed just now, and other sessions were ended."],
            None,
            "If it was not you, set a new password at once, by “forgot password” on the sign-in page.",
        ),
    }
}

fn letter(subject: &'static str, name: &str, paragraphs: &[&str], button: Option<&Button<'_>>, ending: &str) -> Letter {
    let mut text = format!("Hello {name},\n\n");
    let mut html = format!("<p>Hello {},</p>\n", escape(name));
    for paragraph in paragraphs {
        add(&mut text, format_args!("{paragraph}\n\n"));
        add(&mut html, format_args!("<p>{}</p>\n", escape(paragraph)));
    }
    if let Some(Button { label, url, token }) = button {
        add(&mut text, format_args!("{label}: {url}\n\nToken: {token}\n\n"));
        add(
            &mut html,
            format_args!(
                "<p><a href=\"{}\" style=\"display:inline-block;padding:10px 18px;background:#1f6feb;color:#ffffff;\
             border-radius:6px;text-decoration:none\">{}</a></p>\n<p>Token: <code>{}</code></p>\n",
                escape(url),
                escape(label),
                escape(token)
            ),
        );
    }
    add(&mut text, format_args!("{ending}\n"));
    add(&mut html, format_args!("<p>{}</p>\n", escape(ending)));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;line-height:1.5\">\n{html}</body></html>\n",
        escape(subject)
    );
    Letter { subject, text, html }
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
        let letter = write(MailKind::PasswordReset, name, "https://app.example.com/", Some("wrm_abc"));
        assert!(letter.html.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(!letter.html.contains("<script>"));
        assert!(letter.text.contains("https://app.example.com/reset-password?token=wrm_abc"));
        assert!(letter.html.contains("href=\"https://app.example.com/reset-password?token=wrm_abc\""));
    }

    #[test]
    fn a_notice_carries_no_link() {
        let letter = write(MailKind::PasswordChanged, "Ada", "https://app.example.com", None);
        assert!(!letter.text.contains("https://") && !letter.html.contains("href"));
    }
}
