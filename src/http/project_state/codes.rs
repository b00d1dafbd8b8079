//! What the reading of earlier states refuses, by code.

workroom_domain::codes! {
    MALFORMED_MOMENT = "malformed-moment", Field,
        "the moment is neither a place of the history, nor a place with its epoch, nor a time",
        "give `12`, `<epoch>.12`, or a date and time with a zone (RFC 3339), with `+` written as `%2B`";
    MOMENT_AHEAD = "moment-ahead", Field,
        "the moment has not come yet",
        "give one that has, or none, for now";
    BEFORE_BEGINNING = "before-beginning", Field,
        "the moment is before the project's first event",
        "give 1, or the time of that event, or a later one";
    OTHER_EPOCH = "other-epoch", Field,
        "the epoch is not that of this history: the log was restored to an earlier state since",
        "read the history again, and take a place of that";
    STATE_TOO_LARGE = "state-too-large", Conflict,
        "the answer is larger than what is given at once",
        "read the lists for what is now, or the history; for a difference, take moments that lie nearer to each other";
}
