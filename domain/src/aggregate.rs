//! The two pure functions that make an aggregate, and the bridge to cqrs-es.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// An aggregate as two pure functions: `decide` turns a command into events or a refusal, `evolve` folds an event
/// into the state.
pub trait Decide: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the aggregate in the log (`aggregate_type`).
    const TYPE: &'static str;
    /// Version of the state's serialized shape. A snapshot of another shape is ignored, so raise it with every
    /// change of the struct's fields.
    const SHAPE: u32;
    /// What may be asked of the aggregate.
    type Command: Send;
    /// What can have happened to the aggregate.
    type Event: cqrs_es::DomainEvent;
    /// Why a command may be refused.
    type Refusal: crate::refusal::Refusal;

    /// Decides a command against the current state.
    ///
    /// # Errors
    /// The domain's refusal; nothing has changed then.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Folds one event into the state. Total: history is never refused.
    fn evolve(&mut self, event: &Self::Event);

    /// The feed (project, organization or account) that the aggregate's events belong to, given the aggregate's own
    /// id. Asked of the state *after* its first event.
    fn feed(&self, id: Uuid) -> Uuid {
        id
    }

    /// Roughly how many bytes the state takes in memory beyond its fixed part, so that caches can be bounded.
    fn weight(&self) -> usize {
        0
    }
}

/// Implements `cqrs_es::Aggregate` for a [`Decide`] type, so that cqrs-es' stores and `TestFramework` drive the same
/// two functions.
macro_rules! cqrs_aggregate {
    ($aggregate:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = <$aggregate as $crate::Decide>::TYPE;
            type Command = <$aggregate as $crate::Decide>::Command;
            type Event = <$aggregate as $crate::Decide>::Event;
            type Error = <$aggregate as $crate::Decide>::Refusal;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::Decide::decide(self, command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::Decide::evolve(self, &event);
            }
        }
    };
}
pub(crate) use cqrs_aggregate;
