//! Where webhooks may send events to, and how many may wait.

use super::section::section;
use crate::jobs::webhook::{Destinations, Network};

section! {
    /// Where webhooks may send events to, besides public addresses over https, and how many may wait.
    #[serde(deny_unknown_fields)]
    pub struct WebhookSettings {
        /// Whether webhooks may send events over http, without encryption: for tests and closed networks.
        allow_http: bool = false,
        /// Networks that webhooks may reach though they are not public, such as `10.1.0.0/16`.
        allowed_networks: Vec<Network> = Vec::new(),
        /// Deliveries of a webhook that may wait or run; what happens meanwhile is sent when there is room. 0 is as
        /// many as there are.
        open_deliveries: u32 = 1_000,
    }
}

impl WebhookSettings {
    /// What deliveries need of it.
    pub fn destinations(&self) -> Destinations {
        Destinations { allow_http: self.allow_http, allowed_networks: self.allowed_networks.clone() }
    }
}
