//! Writing states and differences as JSON: once, into the bytes that are sent.

use std::borrow::Cow;

use time::format_description::well_known::Rfc3339;
use uuid::Uuid;
use workroom_projections::{
    changes::{Memory, Stored},
    state::{Form, KEPT, NOUNS, Noun},
};

use super::Moment;

/// The answer takes more bytes than it may.
#[derive(Debug)]
pub(super) struct TooLarge;

/// JSON of a bounded length.
struct Document {
    json: Vec<u8>,
    most: usize,
}

impl Document {
    fn new(most: usize) -> Self {
        Self { json: Vec::new(), most }
    }

    fn push(&mut self, json: &[u8]) -> Result<(), TooLarge> {
        if self.json.len() + json.len() > self.most {
            return Err(TooLarge);
        }
        self.json.extend_from_slice(json);
        Ok(())
    }

    /// What was written, in no more bytes than that takes.
    fn done(mut self) -> Vec<u8> {
        self.json.shrink_to_fit();
        self.json
    }

    /// The name of a field, and what stands before it. Names have nothing that JSON escapes.
    fn name(&mut self, separator: &[u8], name: &str) -> Result<(), TooLarge> {
        self.push(separator)?;
        self.push(b"\"")?;
        self.push(name.as_bytes())?;
        self.push(b"\":")
    }

    /// The fields of a moment.
    fn moment(&mut self, moment: &Moment) -> Result<(), TooLarge> {
        let time = moment.place.time.format(&Rfc3339).unwrap_or_default();
        let (seq, position, epoch) = (moment.place.seq, moment.place.position, moment.epoch);
        self.push(format!(r#""seq":{seq},"position":{position},"time":"{time}","epoch":"{epoch}","#).as_bytes())?;
        let root = moment.feed_root.map_or_else(|| "null".to_owned(), |root| format!(r#""{}""#, root.to_base64()));
        self.push(format!(r#""feed_root":{root}"#).as_bytes())
    }
}

/// A field, and where its value stands in a row.
struct Field {
    name: &'static str,
    place: usize,
    form: Form,
    less: Option<usize>,
}

/// A noun, and where it stands in memory.
struct Shape {
    noun: &'static Noun,
    table: usize,
    columns: usize,
    fields: Vec<Field>,
    only: Option<usize>,
}

impl Shape {
    /// None, where the tables are not those of the nouns; a test sees to it that they are.
    fn of(noun: &'static Noun) -> Option<Self> {
        let table = KEPT.iter().position(|kept| kept.table == noun.table)?;
        let kept = KEPT.get(table)?;
        let fields = noun.fields.iter().map(|shown| {
            let less = if let Form::Less(other) = shown.form { Some(kept.place(other)?) } else { None };
            Some(Field { name: shown.name, place: kept.place(shown.column)?, form: shown.form, less })
        });
        let only = noun.only.and_then(|column| kept.place(column));
        Some(Self { noun, table, columns: kept.columns.len(), fields: fields.collect::<Option<_>>()?, only })
    }

    fn value<'r>(&self, field: &Field, row: &'r Stored) -> Cow<'r, [u8]> {
        let value = row.value(field.place, self.columns);
        match field.form {
            // As Postgres reads bytes: a backslash, which JSON escapes, and an x.
            Form::Hex => match value.strip_prefix(br#""\\x"#) {
                Some(hex) => [b"\"".as_slice(), hex].concat().into(),
                None => value.into(),
            },
            // As it was called at first.
            Form::Limit if value == br#""timeout""# => br#""time""#.as_slice().into(),
            Form::Plain | Form::Limit => value.into(),
            Form::IsNull => (value == b"null").to_string().into_bytes().into(),
            Form::Less(_) => {
                let number = |json: &[u8]| serde_json::from_slice::<i64>(json).unwrap_or_default();
                let less = field.less.map_or(0, |place| number(row.value(place, self.columns)));
                (number(value) - less).to_string().into_bytes().into()
            }
        }
    }

    fn is_shown(&self, row: &Stored) -> bool {
        self.only.is_none_or(|place| row.value(place, self.columns) == b"true")
    }

    /// The fields of a row, without the braces around them.
    fn write(&self, document: &mut Document, row: &Stored) -> Result<(), TooLarge> {
        let mut separator: &[u8] = b"";
        for field in &self.fields {
            document.name(separator, field.name)?;
            document.push(&self.value(field, row))?;
            separator = b",";
        }
        Ok(())
    }
}

fn shapes(is_visitor: bool) -> impl Iterator<Item = Shape> {
    NOUNS.iter().filter(move |noun| noun.seen_by_visitors || !is_visitor).filter_map(Shape::of)
}

/// How many belong to the project.
fn member_count(memory: &Memory) -> String {
    let rosters = KEPT.iter().enumerate().find(|(_, kept)| kept.table == "rosters");
    let count = rosters.and_then(|(table, kept)| {
        let row = memory.rows(table).next()?;
        Some(String::from_utf8_lossy(row.value(kept.place("member_count")?, kept.columns.len())).into_owned())
    });
    count.unwrap_or_else(|| "0".to_owned())
}

/// A state. Its rows are dropped as they are written.
pub(super) fn state(moment: &Moment, mut memory: Memory, is_visitor: bool, most: usize) -> Result<Vec<u8>, TooLarge> {
    let mut document = Document::new(most);
    let members = member_count(&memory);
    document.push(format!(r#"{{"project_id":"{}","#, Uuid::from(moment.project_id)).as_bytes())?;
    document.moment(moment)?;
    for shape in shapes(is_visitor) {
        document.name(b",", shape.noun.list)?;
        let mut rows = memory.take(shape.table).filter(|row| shape.is_shown(row));
        if shape.noun.kind == "project" {
            match rows.next() {
                Some(row) => {
                    document.push(b"{")?;
                    shape.write(&mut document, &row)?;
                    document.name(b",", "member_count")?;
                    document.push(members.as_bytes())?;
                    document.push(b"}")?;
                }
                None => document.push(b"null")?,
            }
            continue;
        }
        document.push(b"[")?;
        let mut separator: &[u8] = b"{";
        for row in rows {
            document.push(separator)?;
            shape.write(&mut document, &row)?;
            document.push(b"}")?;
            separator = b",{";
        }
        document.push(b"]")?;
    }
    document.push(b"}")?;
    Ok(document.done())
}

/// What differs between the moments. The memory has watched what lies between them, from the earlier to the later one.
pub(super) fn diff(
    (from, to): (&Moment, &Moment),
    memory: &Memory,
    is_visitor: bool,
    most: usize,
) -> Result<Vec<u8>, TooLarge> {
    let is_backwards = from.place.seq > to.place.seq;
    let mut document = Document::new(most);
    document.push(format!(r#"{{"project_id":"{}","from":{{"#, Uuid::from(from.project_id)).as_bytes())?;
    document.moment(from)?;
    document.push(br#"},"to":{"#)?;
    document.moment(to)?;
    document.push(br#"},"changes":["#)?;
    let mut separator: &[u8] = b"";
    for shape in shapes(is_visitor) {
        for difference in memory.differences().filter(|difference| difference.table == shape.table) {
            let (before, after) =
                if is_backwards { (difference.to, difference.from) } else { (difference.from, difference.to) };
            // What is not shown is not there.
            let shown = |row: Option<&'_ Stored>| row.is_some_and(|row| shape.is_shown(row));
            let before = before.filter(|_| shown(before));
            let after = after.filter(|_| shown(after));
            if change(&mut document, &shape, separator, (before, after))? {
                separator = b",";
            }
        }
    }
    document.push(b"]}")?;
    Ok(document.done())
}

/// Writes what became of a row; `false` where nothing of it that is shown differs.
fn change(
    document: &mut Document,
    shape: &Shape,
    separator: &[u8],
    (from, to): (Option<&Stored>, Option<&Stored>),
) -> Result<bool, TooLarge> {
    const NULL: &[u8] = b"null";
    let change = match (from, to) {
        (None, None) => return Ok(false),
        (None, Some(_)) => "created",
        (Some(_), None) => "deleted",
        (Some(_), Some(_)) => "changed",
    };
    let value = |field: &Field, row: Option<&Stored>| -> Vec<u8> {
        row.map_or(NULL.to_vec(), |row| shape.value(field, row).into_owned())
    };
    let fields = shape.fields.iter().map(|field| (field, value(field, from), value(field, to)));
    let differing: Vec<_> = fields.filter(|(_, from, to)| from != to).collect();
    let Some(id) = shape.fields.first().filter(|_| !differing.is_empty()) else { return Ok(false) };
    let id = value(id, to.or(from));
    document.push(separator)?;
    document.push(format!(r#"{{"kind":"{}","id":"#, shape.noun.kind).as_bytes())?;
    document.push(&id)?;
    document.push(format!(r#","change":"{change}","fields":{{"#).as_bytes())?;
    let mut separator: &[u8] = b"";
    for (field, from, to) in differing {
        document.name(separator, field.name)?;
        document.push(br#"{"from":"#)?;
        document.push(&from)?;
        document.push(br#","to":"#)?;
        document.push(&to)?;
        document.push(b"}")?;
        separator = b",";
    }
    document.push(b"}}")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_noun_has_its_table_and_its_columns() {
        assert_eq!(shapes(false).count(), NOUNS.len());
        assert_eq!(shapes(true).map(|shape| shape.noun.kind).collect::<Vec<_>>(), ["project", "task", "comment"]);
        for noun in NOUNS {
            let shape = Shape::of(noun).expect("a shape");
            assert_eq!(shape.only.is_some(), noun.only.is_some());
        }
    }

    #[test]
    fn an_answer_ends_where_it_would_be_too_large() {
        let mut document = Document::new(4);
        assert!(document.push(b"1234").is_ok());
        assert!(document.push(b"5").is_err());
    }
}
