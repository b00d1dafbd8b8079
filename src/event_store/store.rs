//! `cqrs_es::EventStore` over the log, for whoever drives an aggregate through cqrs-es.

use std::{collections::HashMap, marker::PhantomData};

use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use uuid::Uuid;
use workroom_domain::{Decide, metadata::Metadata};

use super::{AppendError, AppendRequest, EventLog, Expected, StreamAppend, Versioned, load::Stored, serialize_events};

/// The log as cqrs-es sees it: one aggregate at a time.
///
/// `commit` takes its [`Metadata`] from the string map of cqrs-es' `execute_with_metadata`.
pub struct LogEventStore<A> {
    log: EventLog,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> LogEventStore<A> {
    /// The log, for aggregates of type `A`.
    pub fn new(log: EventLog) -> Self {
        Self { log, aggregate: PhantomData }
    }
}

/// An aggregate that cqrs-es is deciding on.
pub struct LogAggregateContext<A> {
    loaded: Versioned<A>,
}

impl<A: Aggregate> AggregateContext<A> for LogAggregateContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.loaded.state
    }
}

fn unexpected<E: std::error::Error>(error: impl std::error::Error + Send + Sync + 'static) -> AggregateError<E> {
    AggregateError::UnexpectedError(Box::new(error))
}

fn parse_id<E: std::error::Error>(id: &str) -> Result<Uuid, AggregateError<E>> {
    Uuid::try_parse(id).map_err(unexpected)
}

impl<A: Stored> EventStore<A> for LogEventStore<A> {
    type AC = LogAggregateContext<A>;

    async fn load_events(&self, id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let id = parse_id(id)?;
        self.log.inner.loader.envelopes(id).await.map_err(unexpected)
    }

    async fn load_aggregate(&self, id: &str) -> Result<Self::AC, AggregateError<A::Error>> {
        let id = parse_id(id)?;
        let loaded = self.log.load::<A>(id).await.map_err(unexpected)?;
        Ok(LogAggregateContext { loaded: (*loaded).clone() })
    }

    async fn commit(
        &self,
        events: Vec<<A as Aggregate>::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let stored = Metadata::from_map(&metadata).map_err(unexpected)?;
        let Versioned { id, state, sequence } = context.loaded;
        let expected = Expected { aggregate_type: <A as Decide>::TYPE, aggregate_id: id, sequence };
        let stream = StreamAppend {
            expected,
            feed_id: state.feed(id),
            events: serialize_events(&events, &stored).map_err(unexpected)?,
        };
        let request = AppendRequest { streams: vec![stream], ..AppendRequest::default() };
        self.log.append(request).await.map_err(|error| match error {
            AppendError::Conflict => {
                self.log.evict(<A as Decide>::TYPE, id);
                AggregateError::AggregateConflict
            }
            other => unexpected(other),
        })?;
        // The context's state has the events applied already: cqrs-es applies each as it is written to the sink.
        let last = sequence + i64::try_from(events.len()).unwrap_or_default();
        let generation = self.log.incarnations().generation();
        self.log.cache(std::sync::Arc::new(Versioned { id, state, sequence: last }), generation);
        Ok((1_usize..)
            .zip(events)
            .map(|(offset, payload)| EventEnvelope {
                aggregate_id: id.to_string(),
                sequence: usize::try_from(sequence).unwrap_or_default() + offset,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}
