//! The dispatcher: decides which attempt goes to the workers next.
//!
//! One process dispatches, elected as the relay is. It reads all open jobs and rules from the views when it begins,
//! and follows the log from there: what it knows is a pure function of the log ([`book`]). It hands out an attempt
//! when it is due and a slot is free, in fair turns ([`fair`], [`turns`]) and where nothing else holds it back
//! ([`gates`], [`rules`]), so that the queue in NATS is never longer than what workers have room for. What it handed
//! out and nobody has started it looks for after a while, and hands it out again only if the queue has lost it. It
//! watches which workers live ([`roll`]).
//!
//! Times are those of the database ([`clock`]), so that no process' clock keeps others' jobs waiting.
//!
//! A deposed dispatcher that does not know it yet does no harm: attempts are fenced by the log.

mod book;
mod bucket;
mod clock;
mod entry;
mod fair;
mod gates;
mod interrupt;
mod lead;
mod line;
mod out;
mod roll;
mod rules;
#[cfg(test)]
mod tests;
mod turns;

pub use gates::RunningLimits;
pub use lead::Dispatcher;
