mod running;
pub mod sandbox;
mod submitting;
