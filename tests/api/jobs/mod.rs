mod running;
mod sandbox;
mod submitting;
