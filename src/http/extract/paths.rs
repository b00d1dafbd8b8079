//! Addresses of resources: what a path names, as ids of their types.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Deserialize;
use workroom_domain::{
    ids::{
        AccountId, CommentId, FileId, InvitationId, JobId, OrganizationId, ProjectId, ScheduleId, SessionId, TaskId,
        TokenId, WebhookId, WorkspaceId,
    },
    refusal::NOT_FOUND,
};

use crate::http::{
    State,
    openapi::operation::{Input, OperationDoc, id, integer, text},
    problem::Problem,
};

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident = $template:literal { $($field:ident: $id:ident = $about:literal),+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub struct $name {
            $(#[doc = $about] pub $field: $id,)+
        }

        impl $name {
            /// The resource's address.
            pub fn location(&self) -> String {
                let mut location = concat!("/api/v1", $template).to_owned();
                $(location = location.replace(concat!("{", stringify!($field), "}"), &self.$field.to_string());)+
                location
            }
        }

        impl FromRequestParts<State> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
                named(parts, state).await
            }
        }

        impl Input for $name {
            fn describe(doc: &mut OperationDoc) {
                $(doc.path_parameter(stringify!($field), $about, id());)+
                doc.refuses(&["404"]);
            }
        }
    )+};
}

/// What a path names. What is no id names nothing: 404.
async fn named<T: serde::de::DeserializeOwned + Send>(parts: &mut Parts, state: &State) -> Result<T, Problem> {
    axum::extract::Path::from_request_parts(parts, state)
        .await
        .map(|axum::extract::Path(named)| named)
        .map_err(|_| Problem::new(NOT_FOUND, "there is nothing at this address"))
}

paths! {
    /// An organization, or a list of what belongs to it, such as `/organizations/{organization_id}/members`.
    OrganizationPath = "/organizations/{organization_id}" { organization_id: OrganizationId = "The id of the organization, a UUIDv7." }
    /// A member of an organization.
    OrganizationMemberPath = "/organizations/{organization_id}/members/{user_id}" {
        organization_id: OrganizationId = "The id of the organization, a UUIDv7.",
        user_id: AccountId = "The id of the member's account, a UUIDv7."
    }
    /// An invitation to an organization.
    OrganizationInvitationPath = "/organizations/{organization_id}/invitations/{invitation_id}" {
        organization_id: OrganizationId = "The id of the organization, a UUIDv7.",
        invitation_id: InvitationId = "The id of the invitation, a UUIDv7."
    }
    /// A project, or a list of what belongs to it, such as `/projects/{project_id}/tasks`.
    ProjectPath = "/projects/{project_id}" { project_id: ProjectId = "The id of the project, a UUIDv7." }
    /// A member of a project.
    MemberPath = "/projects/{project_id}/members/{user_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        user_id: AccountId = "The id of the member's account, a UUIDv7."
    }
    /// An invitation to a project.
    InvitationPath = "/projects/{project_id}/invitations/{invitation_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        invitation_id: InvitationId = "The id of the invitation, a UUIDv7."
    }
    /// A task of a project.
    TaskPath = "/projects/{project_id}/tasks/{task_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        task_id: TaskId = "The id of the task, a UUIDv7."
    }
    /// A comment on a task.
    CommentPath = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        task_id: TaskId = "The id of the task, a UUIDv7.",
        comment_id: CommentId = "The id of the comment, a UUIDv7."
    }
    /// A workspace of a project.
    WorkspacePath = "/projects/{project_id}/workspaces/{workspace_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        workspace_id: WorkspaceId = "The id of the workspace, a UUIDv7."
    }
    /// A file of a workspace.
    FilePath = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        workspace_id: WorkspaceId = "The id of the workspace, a UUIDv7.",
        file_id: FileId = "The id of the file, a UUIDv7."
    }
    /// A webhook of a project.
    WebhookPath = "/projects/{project_id}/webhooks/{webhook_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        webhook_id: WebhookId = "The id of the webhook, a UUIDv7."
    }
    /// A delivery to a webhook.
    DeliveryPath = "/projects/{project_id}/webhooks/{webhook_id}/deliveries/{delivery_id}" {
        project_id: ProjectId = "The id of the project, a UUIDv7.",
        webhook_id: WebhookId = "The id of the webhook, a UUIDv7.",
        delivery_id: JobId = "The id of the delivery."
    }
    /// A job, whether it belongs to a project or to its submitter alone.
    JobPath = "/jobs/{job_id}" { job_id: JobId = "The id of the job, a UUIDv7." }
    /// A schedule, whether it belongs to a project or to its creator alone.
    SchedulePath = "/schedules/{schedule_id}" { schedule_id: ScheduleId = "The id of the schedule, a UUIDv7." }
    /// A session of the signed-in account.
    SessionPath = "/auth/sessions/{session_id}" { session_id: SessionId = "The id of the session, a UUIDv7." }
    /// A personal access token of the signed-in account.
    TokenPath = "/auth/tokens/{token_id}" { token_id: TokenId = "The id of the token, a UUIDv7." }
}

macro_rules! event_paths {
    ($($(#[$doc:meta])* $name:ident = $feed:literal { $($field:ident: $id:ident = $about:literal)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub struct $name {
            $(#[doc = $about] pub $field: $id,)?
            /// The place in the feed.
            pub seq: i64,
        }

        impl $name {
            /// The event's address.
            pub fn location(&self) -> String {
                let location = format!("/api/v1{}/events/{}", $feed, self.seq);
                $(let location = location.replace(concat!("{", stringify!($field), "}"), &self.$field.to_string());)?
                location
            }
        }

        impl FromRequestParts<State> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
                named(parts, state).await
            }
        }

        impl Input for $name {
            fn describe(doc: &mut OperationDoc) {
                $(doc.path_parameter(stringify!($field), $about, id());)?
                doc.path_parameter("seq", "The event's place in the feed: 1, 2, 3, …", integer());
                doc.refuses(&["404"]);
            }
        }
    )+};
}

event_paths! {
    /// An event of a project's history.
    ProjectEventPath = "/projects/{project_id}" { project_id: ProjectId = "The id of the project, a UUIDv7." }
    /// An event of an organization's history.
    OrganizationEventPath = "/organizations/{organization_id}" { organization_id: OrganizationId = "The id of the organization, a UUIDv7." }
    /// An event of the signed-in account's own history.
    AccountEventPath = "/auth/me" {}
}

/// An invitation, by the secret in its mail.
#[derive(Clone, Debug, Deserialize)]
pub struct InvitationTokenPath {
    /// The secret that the invitation's mail carries; only its hash is stored.
    pub token: String,
}

impl FromRequestParts<State> for InvitationTokenPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        named(parts, state).await
    }
}

impl Input for InvitationTokenPath {
    fn describe(doc: &mut OperationDoc) {
        doc.path_parameter("token", "The secret in the mail of the invitation.", text());
        doc.refuses(&["404"]);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_address_names_all_that_it_lies_in() {
        let path = TaskPath { project_id: ProjectId(Uuid::from_u128(1)), task_id: TaskId(Uuid::from_u128(2)) };
        let expected =
            "/api/v1/projects/00000000-0000-0000-0000-000000000001/tasks/00000000-0000-0000-0000-000000000002";
        assert_eq!(path.location(), expected);
    }
}
