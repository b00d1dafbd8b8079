//! What a job needs of a worker.

/// What a job needs of a worker. Each pool has slots and a queue of its own, so that what waits for one does not hold up the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// A sandbox: other people's code.
    Sandbox,
    /// A process that may do what the service may: the service's own code, which mostly waits for others.
    Service,
}

impl Pool {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Service];

    /// What a type of jobs needs.
    pub fn of(job_type: &str) -> Self {
        match job_type {
            "code_execution" => Self::Sandbox,
            _ => Self::Service,
        }
    }

    /// Its name, also that of its consumer in NATS.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Service => "service",
        }
    }

    /// The subject that its jobs are queued on.
    pub fn subject(self) -> String {
        format!("jobs.{}", self.as_str())
    }
}

/// A number for each pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerPool<T> {
    sandbox: T,
    service: T,
}

impl<T> PerPool<T> {
    /// One for each.
    pub fn new(sandbox: T, service: T) -> Self {
        Self { sandbox, service }
    }
}

impl<T> std::ops::Index<Pool> for PerPool<T> {
    type Output = T;

    fn index(&self, pool: Pool) -> &T {
        match pool {
            Pool::Sandbox => &self.sandbox,
            Pool::Service => &self.service,
        }
    }
}

impl<T> std::ops::IndexMut<Pool> for PerPool<T> {
    fn index_mut(&mut self, pool: Pool) -> &mut T {
        match pool {
            Pool::Sandbox => &mut self.sandbox,
            Pool::Service => &mut self.service,
        }
    }
}
