//! User names for those who have given none.

use uuid::Uuid;

/// A user name made from an e-mail address' local part; a later try takes random digits to it.
pub(in crate::identity) fn derived_username(local_part: &str, attempt: u32) -> String {
    let mut name: String = local_part
        .chars()
        .filter_map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_' | '.' | '-') => Some(c),
            '+' => Some('-'),
            _ => None,
        })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(24)
        .collect();
    if name.len() < 3 {
        name.insert_str(0, "user");
    }
    if attempt > 0 {
        let digits = Uuid::now_v7().as_u128() % 1_000_000;
        return format!("{name}-{digits}");
    }
    name
}
