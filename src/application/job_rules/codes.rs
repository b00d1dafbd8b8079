//! What is refused about rules for jobs, by code.

workroom_domain::codes! {
    TOO_MANY_JOB_RULES = "too-many-job-rules", Conflict,
        "there are as many rules for jobs of the account, the project or the organization as there may be",
        "clear one that is not needed";
}
