//! JSON objects without repeated names: two readers of `{"sub":1,"sub":2}` need not agree on what it says (RFC 8725 §2.4,
//! RFC 8259 §4).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;

use super::Limits;

/// 9999-12-31T23:59:59Z: the last second a four-digit year can name.
pub(crate) const LAST_SECOND: i64 = 253_402_300_799;

/// A JSON object that repeats no name, at any depth. `Debug` does not show what it holds.
#[derive(Clone, Default, PartialEq)]
pub struct Object(Map<String, Value>);

impl Object {
    /// Reads one part of a token: canonical base64url without padding, of an object within the limits.
    pub(super) fn decode(part: &str, limits: Limits) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(part).ok()?;
        let mut reader = serde_json::Deserializer::from_slice(&json);
        let value = Strict { members: limits.members, depth: limits.depth }.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        match value {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    /// Whether it has a member of that name, whatever its value.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The member of that name, where it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The names of all members, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} members)", self.0.len())
    }
}

/// The moment that a claim names: whole seconds since 1970 (RFC 7519 §2, `NumericDate`; no fractions here), up to the year 9999.
pub(crate) fn moment(claim: &Value) -> Option<OffsetDateTime> {
    let seconds = claim.as_i64().filter(|seconds| (0..=LAST_SECOND).contains(seconds))?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// Reads any JSON value. Stops at the first repeated name, and at what is too wide or too deep.
#[derive(Clone, Copy)]
struct Strict {
    members: usize,
    /// Levels that are left.
    depth: usize,
}

impl Strict {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.len() == self.members || members.contains_key(&name) {
                return Err(A::Error::custom("a name is repeated, or there are too many"));
            }
            let value = map.next_value_seed(below)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}
