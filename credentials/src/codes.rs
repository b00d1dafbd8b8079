//! What the rules of names and passwords refuse, by code. What messages of identity providers are refused for stands in
//! [`webhook::event`](crate::webhook::event).

workroom_domain::codes! {
    MALFORMED_EMAIL = "malformed-email", Field,
        "the text is not an e-mail address",
        "correct the address; the detail names what is wrong with it";
    MALFORMED_USERNAME = "malformed-username", Field,
        "a user name is 3 to 32 letters a to z, digits, underscores, dots and hyphens, and starts with a letter or a digit",
        "choose another one, or leave it out";
    WEAK_PASSWORD = "weak-password", Field,
        "the password is too short, too common, or too easy to guess",
        "choose a longer one; the detail names what is wrong with it";
}
