//! Places to resume from, as clients write them.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::Place;
use crate::live::connection::Since;

/// Where the client is: `<epoch>.<seq>`, or a JSON object with one of these for each project.
pub(super) fn write(places: &BTreeMap<Uuid, Place>, is_single: bool) -> String {
    let one = |place: &Place| format!("{}.{}", place.epoch, place.seq);
    match places.values().next() {
        Some(place) if is_single => one(place),
        _ => {
            let map: BTreeMap<_, _> = places.iter().map(|(project, place)| (project.to_string(), one(place))).collect();
            serde_json::to_string(&map).unwrap_or_default()
        }
    }
}

/// Reads a place: `<epoch>.<seq>`, or a bare `<seq>` in the current history. `None`: it is none.
pub(super) fn read(text: &str) -> Option<Since> {
    let (epoch, seq) = match text.split_once('.') {
        Some((epoch, seq)) => (Some(Uuid::try_parse(epoch).ok()?), seq),
        None => (None, text),
    };
    let seq = seq.parse().ok().filter(|seq| *seq >= 0)?;
    Some(Since { epoch, seq })
}

/// Reads places by project. `None`: they are none.
pub(super) fn read_all(text: &str) -> Option<HashMap<Uuid, Since>> {
    let map: HashMap<Uuid, String> = serde_json::from_str(text).ok()?;
    map.into_iter().map(|(project, place)| Some((project, read(&place)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let epoch = Uuid::from_u128(7);
        assert_eq!(read(&format!("{epoch}.12")), Some(Since { epoch: Some(epoch), seq: 12 }));
        assert_eq!(read("0"), Some(Since { epoch: None, seq: 0 }));
        for wrong in ["", ".", "-1", "a.1", "1.5", &format!("{epoch}."), &format!("{epoch}.-1")] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let project = Uuid::from_u128(1);
        let all = read_all(&format!(r#"{{"{project}":"{epoch}.12"}}"#)).unwrap();
        assert_eq!(all[&project], Since { epoch: Some(epoch), seq: 12 });
        for wrong in ["", "[]", "{\"a\":\"1\"}", &format!(r#"{{"{project}":"x"}}"#)] {
            assert_eq!(read_all(wrong), None, "{wrong}");
        }
    }
}
