//! A project: created, joined, and filled with tasks and what is said about them.

use anyhow::Context;
use futures::future::{try_join, try_join_all};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, Time, format_description::well_known::Rfc3339};

use super::{
    client::{Api, BASE, Call, Reply},
    data::{ProjectData, TaskData, Who},
    team::Team,
};

/// A project that was created.
pub(super) struct Project {
    /// What was to be made.
    pub(super) data: &'static ProjectData,
    pub(super) id: String,
    pub(super) path: String,
}

impl Project {
    pub(super) async fn found(api: &Api, team: &Team, data: &'static ProjectData) -> anyhow::Result<Self> {
        let today = OffsetDateTime::now_utc().date();
        let (first, last) = data.days;
        let mut request = json!({
            "name": data.name, "description": data.description, "organization_id": team.organization,
            "is_public": data.is_public, "status": data.status, "priority": data.priority,
            "start_date": day(today, first)?.to_string(), "end_date": day(today, last)?.to_string(),
            "team_members": data.team.iter().map(|who| team.person(*who).id.as_str()).collect::<Vec<_>>(),
        });
        if let Some(lead) = data.lead {
            request["team_lead"] = Value::from(team.person(lead).id.as_str());
            request["edit_policy"] = Value::from("lead");
        }
        let call = Call::post(format!("{BASE}/projects")).body(&request);
        let created = team.ask(api, data.creator, 201, call).await?;
        let id = created.text("/id")?.to_owned();
        let project = Self { data, path: format!("{BASE}/projects/{id}"), id };
        project.welcome(api, team).await?;
        Ok(project)
    }

    /// Whether it is this one.
    pub(super) fn is(&self, data: &ProjectData) -> bool {
        self.data.name == data.name
    }

    /// Tasks in the order in which they are to be listed; then all discussions at once.
    pub(super) async fn fill(&self, api: &Api, team: &Team) -> anyhow::Result<()> {
        let today = OffsetDateTime::now_utc().date();
        let mut discussions = Vec::new();
        for data in self.data.tasks {
            let task = self.write_down(api, team, data, today).await?;
            let comments = format!("{}/tasks/{}/comments", self.path, task.text("/id")?);
            discussions.push((comments, data.comments));
        }
        try_join_all(discussions.iter().map(|(path, comments)| discuss(api, team, path, comments))).await?;
        Ok(())
    }

    async fn welcome(&self, api: &Api, team: &Team) -> anyhow::Result<()> {
        let members = self.data.members.iter().map(|(who, role)| (team.person(*who).email.clone(), *role));
        let guests = self.data.invited.iter().map(|(local_part, role)| (team.address(local_part), *role));
        let add = async |email: String, role: &str| {
            let request = json!({ "email": email, "role": role });
            let call = Call::post(format!("{}/members", self.path)).body(&request);
            team.ask(api, self.data.creator, 201, call).await
        };
        let added = try_join_all(members.map(|(email, role)| add(email, role)));
        let invited = try_join_all(guests.map(|(email, role)| add(email, role)));
        let (_, invited) = try_join(added, invited).await?;
        invited.iter().try_for_each(|reply| reply.must_say("/status", &json!("invited")))
    }

    async fn write_down(&self, api: &Api, team: &Team, data: &TaskData, today: Date) -> anyhow::Result<Reply> {
        let due_at = data.due.map(|(days, hour)| moment(today, days, hour)).transpose()?;
        let request = json!({
            "title": data.title, "description": data.description, "type": data.task_type, "status": data.status,
            "priority": data.priority, "assignee_id": data.assignee.map(|who| team.person(who).id.as_str()),
            "due_at": due_at,
        });
        let call = Call::post(format!("{}/tasks", self.path)).body(&request);
        team.ask(api, data.author, 201, call).await
    }
}

/// One after the other, as they answer each other.
async fn discuss(api: &Api, team: &Team, path: &str, comments: &[(Who, &str)]) -> anyhow::Result<()> {
    for (who, body) in comments {
        team.ask(api, *who, 201, Call::post(path).body(&json!({ "body": body }))).await?;
    }
    Ok(())
}

fn day(today: Date, days: i64) -> anyhow::Result<Date> {
    today.checked_add(Duration::days(days)).context("the clock of this machine is far off")
}

fn moment(today: Date, days: i64, hour: u8) -> anyhow::Result<String> {
    Ok(day(today, days)?.with_time(Time::from_hms(hour, 0, 0)?).assume_utc().format(&Rfc3339)?)
}
