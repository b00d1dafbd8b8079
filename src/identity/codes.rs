//! What identity refuses, by code. The codes of the rules of names and passwords stand beside those rules.

pub use workroom_credentials::codes::MALFORMED_EMAIL;

workroom_domain::codes! {
    CREDENTIALS_MISSING = "credentials-missing", Unauthenticated,
        "the request carries no credentials",
        "sign in, and send `Authorization: Bearer <access token>`";
    TOKEN_INVALID = "token-invalid", Unauthenticated,
        "the access token is not valid",
        "sign in again";
    TOKEN_EXPIRED = "token-expired", Unauthenticated,
        "the access token has expired",
        "exchange the refresh token for a new pair";
    SESSION_ENDED = "session-ended", Unauthenticated,
        "the session has ended",
        "sign in again";
    REFRESH_TOKEN_INVALID = "refresh-token-invalid", Unauthenticated,
        "the refresh token is not valid",
        "sign in again";
    WRONG_CREDENTIALS = "wrong-credentials", Unauthenticated,
        "the e-mail address or the password is wrong",
        "check both, or have a mail sent to set a new password";
    TICKET_INVALID = "ticket-invalid", Unauthenticated,
        "the ticket is not, or no longer, valid",
        "ask for another one";
    SIGNATURE_INVALID = "signature-invalid", Unauthenticated,
        "the message's signature does not hold",
        "sign it with the secret that is configured, and send it within five minutes";
    SCOPE_MISSING = "scope-missing", Forbidden,
        "the token's scope does not allow this",
        "use a token of a wider scope, or sign in";
    EMAIL_TAKEN = "email-taken", Conflict,
        "an account with this e-mail address exists already",
        "sign in, or have a mail sent to set a new password";
    USERNAME_TAKEN = "username-taken", Conflict,
        "this user name is taken",
        "choose another one, or leave it out";
    TOO_MANY_TOKENS = "too-many-tokens", Conflict,
        "the account has as many tokens as it can",
        "revoke one first";
    NO_PASSWORD = "no-password", Conflict,
        "the account has no password: its identity provider signs it in",
        "change the password there";
    EXTERNAL_SESSION = "external-session", Conflict,
        "you are signed in by another issuer",
        "sign out there";
    TOO_MANY_ATTEMPTS = "too-many-attempts", Throttled,
        "too many failed attempts; wait before the next",
        "try again after `Retry-After`";
    TOO_MANY_INVITATIONS = "too-many-invitations", Throttled,
        "too many invitations were sent, by this account or to this address",
        "try again after `Retry-After`";
    SIGN_INS_BUSY = "sign-ins-busy", Unavailable,
        "too many people are signing in at the moment",
        "try again after `Retry-After`";
    ISSUER_AWAY = "issuer-away", Unavailable,
        "the keys of the token's issuer cannot be fetched at the moment",
        "try again after `Retry-After`";
    WRONG_PASSWORD = "wrong-password", Field,
        "this is not the account's password",
        "check it, or have a mail sent to set a new one";
    MAIL_TOKEN_INVALID = "mail-token-invalid", Field,
        "the token of the link is not, or no longer, valid",
        "have another mail sent";
}
