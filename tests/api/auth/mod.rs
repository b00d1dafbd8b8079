//! `/auth`: registration, sign-in, sessions and the tokens that prove them.

mod access_token;
mod login;
mod refresh;
mod register;
