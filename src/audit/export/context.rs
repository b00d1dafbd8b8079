//! What an export has of other feeds: what is needed to judge the events of its own, and nothing else.
//!
//! A right in a project follows from its own feed, from the organization that it is in (its admins, whether members may
//! create projects, whether it takes guests), and from whether the accounts that act, or are members, were there: closed,
//! open or erased. So a project's export has the organization's own events as far as they are about these accounts or about
//! nobody, and of these accounts their registration, closing, opening and erasure. An organization's export has its feed and those of its projects, and of others only the
//! accounts'. The whole log needs nothing more.

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    Decide, account::Account, audit_trail::AuditTrail, membership::Membership, organization::Organization,
    redaction::PAYLOAD_REDACTED,
};

use super::positions::Part;

/// What happens to an account that decides whether it can act.
const LIFE: [&str; 4] = ["AccountRegistered", "AccountDeactivated", "AccountReactivated", "AccountErased"];
/// Events whose accounts are gathered by one query.
const WINDOW: i64 = 20_000;
/// Accounts whose lives are looked up by one query.
const ACCOUNTS: usize = 1000;

/// The organization that a project was created in, if the log tells.
pub(super) async fn organization_of(pool: &PgPool, project_id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    let id: Option<Option<String>> = sqlx::query_scalar(
        "SELECT payload->>'organization_id' FROM events
         WHERE aggregate_type = 'project' AND aggregate_id = $1 AND sequence = 1",
    )
    .bind(project_id.to_string())
    .fetch_optional(pool)
    .await?;
    Ok(id.flatten().and_then(|id| Uuid::try_parse(&id).ok()))
}

/// The projects of an organization, deleted ones included, in the order in which they were created.
pub(super) async fn projects_of(pool: &PgPool, organization_id: Uuid, until: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT feed_id FROM events
         WHERE aggregate_type = 'organization_projects' AND aggregate_id = $1 AND position <= $2 ORDER BY sequence",
    )
    .bind(organization_id.to_string())
    .bind(until)
    .fetch_all(pool)
    .await
}

/// The positions of an organization's own events, but for the coming and going of members who have nothing to do with these
/// accounts: a guest of a project may not see who belongs to the organization. What says that one of them was redacted is told
/// however late it is: without it, nobody believes what is left.
///
/// Whoever caused one of them is involved until then.
pub(super) async fn of_organization(
    pool: &PgPool,
    organization_id: Uuid,
    involved: &mut Involved,
    (after, until): (i64, i64),
) -> Result<Vec<i64>, sqlx::Error> {
    let (accounts, bounds) = involved.bounds();
    // Only events that name no account hold texts.
    let rows: Vec<(i64, Option<Uuid>)> = sqlx::query_as(
        "SELECT position, CASE WHEN starts_with(metadata->>'actor', 'account:')
                               THEN substr(metadata->>'actor', 9)::uuid END
         FROM events LEFT JOIN unnest($5::uuid[], $6::bigint[]) AS a (id, last)
             ON a.id::text = payload->>'account_id'
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND position > $3 AND position <= $4
             AND position <= CASE
                 WHEN event_type = $8 AND (payload->>'position')::bigint <= $7 THEN $4
                 WHEN payload->>'account_id' IS NULL THEN $7
                 ELSE a.last END
         ORDER BY sequence",
    )
    .bind(Organization::TYPE)
    .bind(organization_id.to_string())
    .bind(after)
    .bind(until)
    .bind(accounts)
    .bind(bounds)
    .bind(involved.accounts.values().copied().max().unwrap_or_default().max(involved.last))
    .bind(PAYLOAD_REDACTED)
    .fetch_all(pool)
    .await?;
    for (position, actor) in &rows {
        // Of others the file does not tell whether they could act.
        if let Some(last) = actor.and_then(|actor| involved.accounts.get_mut(&actor)) {
            *last = (*last).max(*position);
        }
    }
    Ok(rows.into_iter().map(|(position, _)| position).collect())
}

/// Who has to do with parts of feeds, and until when. What happens to them later is nobody's business here: exports are made long
/// after a project has ended, and by those who have left.
#[derive(Default)]
pub(super) struct Involved {
    /// The accounts that act there, or are members, with the last position at which they do.
    accounts: BTreeMap<Uuid, i64>,
    /// The last position at which anything happened but exports and readings.
    last: i64,
}

impl Involved {
    /// The accounts, and the position behind which nothing of them is told.
    fn bounds(&self) -> (Vec<Uuid>, Vec<i64>) {
        self.accounts.iter().map(|(id, last)| (*id, self.last.max(*last))).unzip()
    }
}

/// The accounts that act in these parts of feeds, or are members there.
pub(super) async fn involved_in(pool: &PgPool, parts: &[Part]) -> Result<Involved, sqlx::Error> {
    let mut found = Involved::default();
    for window in windows(parts, WINDOW) {
        let rows: Vec<(Uuid, i64, Option<i64>)> = sqlx::query_as(
            "SELECT id::uuid, max(e.position), max(e.position) FILTER (WHERE e.aggregate_type <> $5) FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS w (feed_id, after, until)
             CROSS JOIN LATERAL (
                 SELECT e.position, e.aggregate_type, e.event_type, e.metadata, e.payload FROM events e
                 WHERE e.feed_id = w.feed_id AND e.feed_seq > w.after AND e.feed_seq <= w.until) AS e
             CROSS JOIN LATERAL (VALUES
                 (CASE WHEN starts_with(e.metadata->>'actor', 'account:') THEN substr(e.metadata->>'actor', 9) END),
                 (CASE WHEN e.aggregate_type = ANY($4) THEN e.payload->>'account_id' END),
                 (CASE WHEN e.aggregate_type = ANY($4) THEN e.payload->>'admin_id' END),
                 -- Whose words were taken out: the service does that where they were erased with what they wrote.
                 (CASE WHEN e.event_type = $6 THEN
                     (SELECT substr(r.metadata->>'actor', 9) FROM events r
                      WHERE r.position = (e.payload->>'position')::bigint
                        AND starts_with(r.metadata->>'actor', 'account:')) END)) AS ids (id)
             WHERE id IS NOT NULL GROUP BY id",
        )
        .bind(window.iter().map(|part| part.feed_id).collect::<Vec<_>>())
        .bind(window.iter().map(|part| part.after).collect::<Vec<_>>())
        .bind(window.iter().map(|part| part.until).collect::<Vec<_>>())
        .bind([Membership::TYPE, Organization::TYPE].as_slice())
        .bind(AuditTrail::TYPE)
        .bind(PAYLOAD_REDACTED)
        .fetch_all(pool)
        .await?;
        for (id, position, event) in rows {
            let last = found.accounts.entry(id).or_default();
            *last = position.max(*last);
            found.last = found.last.max(event.unwrap_or_default());
        }
    }
    Ok(found)
}

/// Cuts parts of feeds into groups of so many events at most.
fn windows(parts: &[Part], most: i64) -> Vec<Vec<Part>> {
    let mut windows = Vec::new();
    let (mut window, mut room) = (Vec::new(), most);
    for part in parts {
        let mut after = part.after;
        while after < part.until {
            let until = part.until.min(after + room);
            window.push(Part { after, until, ..*part });
            room -= until - after;
            after = until;
            if room == 0 {
                windows.push(std::mem::take(&mut window));
                room = most;
            }
        }
    }
    if !window.is_empty() {
        windows.push(window);
    }
    windows
}

/// The positions of what decided whether these accounts could act.
pub(super) async fn lives(
    pool: &PgPool,
    involved: &Involved,
    (after, until): (i64, i64),
) -> Result<Vec<i64>, sqlx::Error> {
    let (accounts, bounds) = involved.bounds();
    let mut found = Vec::new();
    for (some, bounds) in accounts.chunks(ACCOUNTS).zip(bounds.chunks(ACCOUNTS)) {
        // By the index on feed and type: whoever signs in daily has a long feed.
        let positions: Vec<i64> = sqlx::query_scalar(
            "SELECT e.position FROM unnest($1::uuid[], $6::bigint[]) AS a (id, last) CROSS JOIN unnest($2::text[]) AS t (name)
             CROSS JOIN LATERAL (
                 SELECT position, aggregate_type FROM events
                 WHERE uuid_hash_extended(feed_id, hashtextextended(event_type, 0))
                         = uuid_hash_extended(a.id, hashtextextended(t.name, 0))
                     AND feed_id = a.id AND event_type IS NOT DISTINCT FROM t.name) AS e
             WHERE e.aggregate_type = $3 AND e.position > $4 AND e.position <= $5 AND e.position <= a.last",
        )
        .bind(some)
        .bind(LIFE.as_slice())
        .bind(Account::TYPE)
        .bind(after)
        .bind(until)
        .bind(bounds)
        .fetch_all(pool)
        .await?;
        found.extend(positions);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_read_in_groups_that_are_bounded() {
        let part = |feed, after, until| Part { feed_id: Uuid::from_u128(feed), after, until };
        let windows = windows(&[part(1, 0, 3), part(2, 5, 5), part(3, 10, 18)], 4);
        let expected = vec![vec![part(1, 0, 3), part(3, 10, 11)], vec![part(3, 11, 15)], vec![part(3, 15, 18)]];
        assert_eq!(windows, expected);
    }
}
