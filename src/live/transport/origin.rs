//! Which pages may open a socket. A browser sends cookies and tickets from anywhere, but tells truthfully from where.

use axum::http::{HeaderMap, header};

/// Whether a request may come from where it says it comes from. Without `Origin` it is no browser's.
pub(in crate::live) fn is_welcome(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    if !allowed.is_empty() {
        return allowed.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(origin: Option<&str>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::from_iter([(header::HOST, "room.example:8080".parse().unwrap())]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_welcome(&headers, &allowed.iter().map(|&one| one.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_own_host_or_the_list() {
        assert!(welcome(None, &[]));
        assert!(welcome(Some("http://room.example:8080"), &[]));
        assert!(welcome(Some("https://ROOM.example:8080"), &[]));
        assert!(!welcome(Some("http://room.example"), &[]));
        assert!(!welcome(Some("http://room.example:8080.evil.example"), &[]));
        assert!(!welcome(Some("null"), &[]));
        assert!(welcome(None, &["https://app.example"]));
        assert!(welcome(Some("https://app.example"), &["https://app.example/"]));
        assert!(!welcome(Some("http://app.example"), &["https://app.example"]));
        assert!(!welcome(Some("http://room.example:8080"), &["https://app.example"]));
    }
}
