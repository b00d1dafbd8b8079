//! Every part of the service may do what it has to, and no more: in Postgres, in NATS, on the machine.

mod nats;
mod postgres;
mod worker;
