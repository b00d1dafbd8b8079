//! What redaction refuses, by code; those of an event stand beside [`workroom_domain::redaction::RedactionRefusal`].

workroom_domain::codes! {
    CONTENT_REDACTED = "content-redacted", NotFound,
        "what was in the file is redacted",
        "the history tells who did it, and why; write the file anew to use it again";
    FILE_REDACTED = "file-redacted", Conflict,
        "what was in a file of the workspace is redacted, so its program is not whole",
        "the detail names the file; write it anew, or delete it, and submit the job again";
}
