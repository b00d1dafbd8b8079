//! The auditor: reads the history page by page, and compares it with what the subscriber saw.

use anyhow::bail;

use super::{
    cast::{Person, Stage},
    client::Call,
    event::Event,
    story::Project,
    subscriber::Seen,
};

/// Small, so that there is more than one page.
const PAGE: usize = 10;

/// Reads and checks the history. Returns how many events it has.
pub(super) async fn audit(
    stage: &mut Stage,
    auditor: &Person,
    grace: &Person,
    project: &Project,
    saw: &Seen,
    removed: i64,
) -> anyhow::Result<usize> {
    stage.narrator.act("12. The auditor reads the history");
    let (history, pages) = read(stage, auditor, project).await?;
    must_be_gapless(&history)?;
    must_be_equal(&history, &saw.events)?;
    let by_grace = must_stop(&history, grace, removed)?;
    stage.narrator.table(&history, &stage.names);
    let events = history.len();
    stage.narrator.audit(&format!("{events} events in {pages} pages: seq is 1 to {events}, without a hole"));
    stage.narrator.audit(&format!("the subscriber was sent the same {events}: same order, ids, actors, data"));
    stage.narrator.audit(&format!("Grace caused {by_grace}, none of them after her removal (#{removed})"));
    Ok(events)
}

async fn read(stage: &mut Stage, auditor: &Person, project: &Project) -> anyhow::Result<(Vec<Event>, usize)> {
    let mut history = Vec::new();
    let (mut after, mut pages) = (0, 0);
    loop {
        let path = format!("{}/events?limit={PAGE}&after={after}", project.path);
        let page = stage.ask(auditor, 200, &format!("page {}", pages + 1), Call::get(path)).await?;
        let items = page.list("/items")?;
        for item in items {
            history.push(Event::read(item)?);
        }
        pages += 1;
        match page.body["next_after"].as_i64() {
            Some(next) if next > after && items.len() == PAGE => after = next,
            Some(next) => return Err(page.unexpected(&format!("with a wrong next_after: {next}"))),
            None => return Ok((history, pages)),
        }
    }
}

fn must_be_gapless(history: &[Event]) -> anyhow::Result<()> {
    let mut before = 0;
    for (expected, event) in (1_i64..).zip(history) {
        if event.seq != expected {
            bail!("the history has seq {} where {expected} belongs", event.seq);
        }
        if event.position <= before {
            bail!("the history has position {} after {before}", event.position);
        }
        before = event.position;
    }
    Ok(())
}

fn must_be_equal(history: &[Event], seen: &[Event]) -> anyhow::Result<()> {
    if let Some((told, sent)) = history.iter().zip(seen).find(|(told, sent)| told != sent) {
        bail!("the history and the subscriber differ at seq {}: {told:?} and {sent:?}", told.seq);
    }
    if history.len() != seen.len() {
        bail!("the history has {} events, and the subscriber was sent {}", history.len(), seen.len());
    }
    Ok(())
}

/// Nobody acts after their removal. Returns how many events somebody caused.
fn must_stop(history: &[Event], who: &Person, removed: i64) -> anyhow::Result<usize> {
    let caused: Vec<&Event> = history.iter().filter(|event| event.actor == who.id).collect();
    if let Some(late) = caused.iter().find(|event| event.seq > removed) {
        bail!("{} caused #{} after the removal by #{removed}", who.name, late.seq);
    }
    Ok(caused.len())
}
