//! What is refused about webhooks, by code; the domain's own codes stand beside its refusals.

workroom_domain::codes! {
    TOO_MANY_WEBHOOKS = "too-many-webhooks", Conflict,
        "the project has as many webhooks as a project may have",
        "delete one that is not needed";
    UNREACHABLE_ADDRESS = "unreachable-address", Field,
        "webhooks may not reach this address: it is not public",
        "give a public address, or ask whoever runs the service to allow the network";
    MALFORMED_SECRET = "malformed-secret", Field,
        "the secret is not one that webhooks are signed with",
        "give `whsec_` and 24 to 64 random bytes in base64, or leave it out to have one made";
}
