//! What an aggregate has from a redacted event.

use std::collections::BTreeMap;

use super::{PayloadRedacted, Placeholder};
use crate::Decide;

/// An aggregate whose events hold texts. Where its `evolve` meets a [`PayloadRedacted`], it sets the texts that this names to
/// their placeholders, and nothing else.
pub trait Redactable: Decide {
    /// The event that says that another event of the aggregate was redacted.
    fn payload_redacted(redacted: PayloadRedacted) -> Self::Event;

    /// What an event says of another, if it says that this was redacted.
    fn redaction(event: &Self::Event) -> Option<&PayloadRedacted>;

    /// Tells the texts that the state holds.
    fn texts(&self, texts: &mut Texts);

    /// Whether the state forgets its texts with this event, while views still have them.
    fn ends(_event: &Self::Event) -> bool {
        false
    }
}

/// Texts of an aggregate, each by the name that [`PayloadRedacted::fields`] knows it by.
#[derive(Debug, Default)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.0.insert(field.into(), text.into());
    }

    /// Adds one, if there is one.
    pub fn add_some(&mut self, field: impl Into<String>, text: Option<&str>) {
        if let Some(text) = text {
            self.add(field, text);
        }
    }

    fn of<A: Redactable>(state: &A) -> Self {
        let mut texts = Self::default();
        state.texts(&mut texts);
        texts
    }
}

/// An aggregate folded twice: from its events as they are, and with tombstones in the place of some of them.
#[derive(Debug)]
pub struct Comparison<A> {
    as_it_is: A,
    redacted: A,
    has_ended: bool,
}

impl<A: Redactable> Default for Comparison<A> {
    fn default() -> Self {
        Self { as_it_is: A::default(), redacted: A::default(), has_ended: false }
    }
}

impl<A: Redactable> Comparison<A> {
    /// Folds the next event, and the tombstone that is to take its place. Of an aggregate that ended, the state before counts.
    pub fn fold(&mut self, event: &A::Event, tombstone: Option<&A::Event>) {
        self.has_ended |= A::ends(event);
        if !self.has_ended {
            self.as_it_is.evolve(event);
            self.redacted.evolve(tombstone.unwrap_or(event));
        }
    }

    /// The fields that the aggregate has from the events with tombstones, which are at these positions: for each position those that
    /// its [`PayloadRedacted`] names. Where a placeholder does not tell which event it is of, the last one names the field: all are
    /// appended at once.
    ///
    /// They hold for that stream alone: whoever appends the events guards the aggregate's sequence.
    pub fn affected(&self, positions: &[i64]) -> Vec<Vec<String>> {
        let (before, after) = (Texts::of(&self.as_it_is), Texts::of(&self.redacted));
        let mut affected = vec![Vec::new(); positions.len()];
        let last = positions.len().saturating_sub(1);
        for (field, text) in before.0 {
            let now = after.0.get(&field);
            if now == Some(&text) {
                continue;
            }
            let is_its = |position: &i64| now == Some(&Placeholder::Unique.text(*position));
            if let Some(fields) = affected.get_mut(positions.iter().position(is_its).unwrap_or(last)) {
                fields.push(field);
            }
        }
        affected
    }
}

/// Implements [`Redactable`] for an aggregate whose event has the variant `PayloadRedacted`. It tells its texts by an inherent
/// method `tell_texts`. `ends` names the event that [`Redactable::ends`] means.
macro_rules! redactable {
    ($aggregate:ty, $event:ident $(, ends: $end:pat)?) => {
        impl $crate::redaction::Redactable for $aggregate {
            fn payload_redacted(redacted: $crate::redaction::PayloadRedacted) -> $event {
                $event::PayloadRedacted(Box::new(redacted))
            }

            fn redaction(event: &$event) -> Option<&$crate::redaction::PayloadRedacted> {
                let $event::PayloadRedacted(redacted) = event else { return None };
                Some(redacted.as_ref())
            }

            fn texts(&self, texts: &mut $crate::redaction::Texts) {
                self.tell_texts(texts);
            }

            $(fn ends(event: &$event) -> bool {
                matches!(event, $end)
            })?
        }
    };
}
pub(crate) use redactable;
