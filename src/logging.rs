//! What the process logs, and how: lines to stderr, as text for people or as JSON for collectors.
//!
//! A warning that comes again and again is written once, and then summed up: what is away for an hour must not fill a
//! disk, or hide what else happens. JSON lines keep an error's causes; colours are for terminals.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    fmt::{self, Debug, Write},
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        self as lines, FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::{Context, Filter, SubscriberExt},
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};
use workroom_projections::describe::describe;

use crate::config::LogFormat;

/// How often repeated warnings are summed up.
const WINDOW: Duration = Duration::from_secs(15);
/// Warnings that are told apart; more than that are not held back.
const MAX_CACHED: usize = 1024;
/// The target of the sums, which are never held back themselves.
const SUMS: &str = "workroom::logging";

static REPEATS: OnceLock<Repeats> = OnceLock::new();

/// Starts writing log lines; `RUST_LOG` chooses which. A second start in one process keeps the first one's.
pub fn start(format: LogFormat) {
    let repeats = REPEATS.get_or_init(Repeats::default).clone();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn,sqlx=warn,tower_http=warn"));
    let registry = tracing_subscriber::registry().with(filter);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let layer = lines::layer().with_writer(std::io::stderr).with_ansi(colours);
    let started = match format {
        LogFormat::Text => registry.with(layer.compact().with_filter(repeats)).try_init(),
        LogFormat::Json => registry.with(layer.json().event_format(JsonLines).with_filter(repeats)).try_init(),
    };
    if started.is_ok() {
        // Without the thread the first of each is still written.
        let _ = std::thread::Builder::new().name("log-sums".to_owned()).spawn(|| {
            loop {
                std::thread::sleep(WINDOW);
                sum_up();
            }
        });
    }
}

/// Writes what has been held back so far.
pub fn sum_up() {
    let Some(repeats) = REPEATS.get() else { return };
    for Said { level, message, times } in repeats.take() {
        if level == Level::ERROR {
            tracing::error!(target: SUMS, times, "again: {message}");
        } else {
            tracing::warn!(target: SUMS, times, "again: {message}");
        }
    }
}

/// Holds back warnings and errors that say the same as one before them. Numbers do not count: a position or a duration
/// does not make it another matter.
#[derive(Clone, Debug, Default)]
struct Repeats {
    said: Arc<Mutex<HashMap<String, Said>>>,
}

/// A warning that was written, and how often it was held back since.
#[derive(Clone, Debug)]
struct Said {
    level: Level,
    message: String,
    times: u64,
}

impl Repeats {
    fn said(&self) -> MutexGuard<'_, HashMap<String, Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is to be written.
    fn admits(&self, metadata: &Metadata<'_>, words: Words) -> bool {
        let mut said = self.said();
        let key = format!("{}:{}:{}", metadata.target(), metadata.line().unwrap_or_default(), words.all);
        if let Some(said) = said.get_mut(&key) {
            said.times += 1;
            return false;
        }
        if said.len() < MAX_CACHED {
            said.insert(key, Said { level: *metadata.level(), message: words.message, times: 0 });
        }
        true
    }

    /// What was held back. What was not repeated is forgotten, and is written again when it comes again.
    fn take(&self) -> Vec<Said> {
        let mut said = self.said();
        said.retain(|_, said| said.times > 0);
        let sums = said.values().cloned().collect();
        said.values_mut().for_each(|said| said.times = 0);
        sums
    }
}

impl<S> Filter<S> for Repeats {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || metadata.target() == SUMS {
            return true;
        }
        let mut words = Words::default();
        event.record(&mut words);
        self.admits(metadata, words)
    }
}

/// The words of an event.
#[derive(Default)]
struct Words {
    message: String,
    all: String,
}

impl Words {
    fn add(&mut self, field: &Field, text: &str) {
        // Writing into a string does not fail.
        let _ = write!(self.all, "{}={text};", field.name());
        if field.name() == "message" {
            text.clone_into(&mut self.message);
        }
    }
}

impl Visit for Words {
    fn record_i64(&mut self, _: &Field, _: i64) {}

    fn record_u64(&mut self, _: &Field, _: u64) {}

    fn record_f64(&mut self, _: &Field, _: f64) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, &describe(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// One JSON object a line, with the causes of errors.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans: Vec<Value> = context
            .event_scope()
            .into_iter()
            .flat_map(Scope::from_root)
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<N>>();
                let mut fields: Map<String, Value> =
                    fields.and_then(|fields| serde_json::from_str(&fields.fields).ok()).unwrap_or_default();
                fields.insert("name".to_owned(), span.name().into());
                fields.into()
            })
            .collect();
        let mut line = json!({
            "timestamp": timestamp,
            "level": event.metadata().level().as_str(),
            "target": event.metadata().target(),
            "fields": fields.0,
        });
        if let Some(span) = spans.last().cloned() {
            line["span"] = span;
            line["spans"] = spans.into();
        }
        writeln!(writer, "{line}")
    }
}

/// The fields of an event, as JSON.
#[derive(Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, value.to_string());
        let causes: Vec<Value> = std::iter::successors(value.source(), |cause| (*cause).source())
            .map(|cause| cause.to_string().into())
            .collect();
        if !causes.is_empty() {
            self.0.insert(format!("{}.sources", field.name()), causes.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a filter lets through, counted.
    #[derive(Clone, Default)]
    struct Count(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut words = Words::default();
            event.record(&mut words);
            self.0.lock().unwrap().push(words.message);
        }
    }

    #[test]
    fn what_is_said_again_is_held_back_and_counted() {
        let (count, repeats) = (Count::default(), Repeats::default());
        let subscriber = tracing_subscriber::registry().with(count.clone().with_filter(repeats.clone()));
        tracing::subscriber::with_default(subscriber, || {
            for position in 0..5 {
                tracing::warn!(position, group = "jobs", "paused");
                tracing::warn!(position, group = "workspace", "paused");
                tracing::info!("goes on");
            }
        });
        let said = count.0.lock().unwrap().clone();
        assert_eq!(said.iter().filter(|message| *message == "paused").count(), 2, "one a group");
        assert_eq!(said.iter().filter(|message| *message == "goes on").count(), 5);
        let sums = repeats.take();
        assert_eq!(sums.iter().map(|said| said.times).collect::<Vec<_>>(), [4, 4]);
        assert!(repeats.take().is_empty(), "nothing was held back since");
        assert!(repeats.said().is_empty(), "what has ended is forgotten");
    }
}
