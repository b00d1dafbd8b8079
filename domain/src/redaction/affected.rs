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

/// Which event each text of an aggregate is from. It is folded from the aggregate's events with marks in the place of their texts
/// ([`marked`](super::marked)), so it holds none of these. Redactions leave it as it is: it need not be folded anew behind them.
#[derive(Clone, Debug)]
pub struct Origins<A> {
    marks: A,
    has_ended: bool,
}

impl<A: Redactable> Default for Origins<A> {
    fn default() -> Self {
        Self { marks: A::default(), has_ended: false }
    }
}

impl<A: Redactable> Origins<A> {
    /// Folds the next event, with its marks. Of an aggregate that ended, the state before counts.
    pub fn fold(&mut self, event: &A::Event) {
        self.has_ended |= A::ends(event);
        // A placeholder is from where its text was.
        if !self.has_ended && A::redaction(event).is_none() {
            self.marks.evolve(event);
        }
    }

    /// The fields that the aggregate has from the events with these sequences, which ascend and were not redacted before: for each
    /// event those that its [`PayloadRedacted`] names.
    ///
    /// They hold for that stream alone: whoever appends the events guards the aggregate's sequence.
    pub fn affected(&self, sequences: &[i64]) -> Vec<Vec<String>> {
        let mut affected = vec![Vec::new(); sequences.len()];
        for (field, mark) in Texts::of(&self.marks).0 {
            let place = Placeholder::marked(&mark).and_then(|sequence| sequences.binary_search(&sequence).ok());
            if let Some(fields) = place.and_then(|place| affected.get_mut(place)) {
                fields.push(field);
            }
        }
        affected
    }

    /// The sequence of the event that the text of a field is from, if there is one.
    pub fn of(&self, field: &str) -> Option<i64> {
        Texts::of(&self.marks).0.get(field).and_then(|mark| Placeholder::marked(mark))
    }

    /// Roughly how many bytes it takes in memory beyond its fixed part.
    pub fn weight(&self) -> usize {
        self.marks.weight()
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
