//! Credentials: what somebody proves who they are with, and the rules of the names they are known by.
//!
//! All of it is pure: it knows no database, no network and no wall clock (`clippy.toml` keeps it so). The present moment, ids
//! and settings are parameters. `src/identity` of the service joins it to accounts, sessions and requests.
//!
//! | module | |
//! |---|---|
//! | [`jws`] | signed tokens in compact serialization: the one strict parser, the one verification, `exp`, `nbf`, `iat` |
//! | [`access_token`] | our access tokens: issued, checked |
//! | [`signing_key`] | the keys that sign them, the ring of accepted ones, the JWKS that is published |
//! | [`external`] | tokens of other issuers: their keys, their claims, the bound of their life |
//! | [`refresh_token`] | refresh tokens: derived, and what presenting one does |
//! | [`personal_token`] | personal access tokens: their form and their hash |
//! | [`mail_token`] | the secrets of mailed links |
//! | [`ticket`] | the secrets of tickets |
//! | [`device`] | cookies of devices that somebody has signed in from |
//! | [`fingerprint`] | keyed digests |
//! | [`password`] | passwords: normal form, policy, strength, hashes |
//! | [`email`], [`username`] | addresses and names: their form, and what makes two the same |
//! | [`webhook`] | messages of identity providers: their signatures, and what they say |
//! | [`codes`] | what the rules of names and passwords refuse, by code |
//!
//! To add a kind of token: a module with its making and its parsing, its prefix or `typ` unlike all others, its secret kept out
//! of `Debug`, and a test in which each bit flip is refused.

pub mod access_token;
pub mod codes;
pub mod device;
pub mod email;
pub mod external;
pub mod fingerprint;
pub mod jws;
pub mod mail_token;
pub mod password;
pub mod personal_token;
pub mod random;
pub mod refresh_token;
pub mod signing_key;
pub mod ticket;
pub mod username;
pub mod webhook;
