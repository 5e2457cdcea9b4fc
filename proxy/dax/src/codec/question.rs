//! What must be kept of a request until its answer is written: the wire's answers lean on what was asked. Items come without
//! the attributes that their keys have, and projected ones as the values at numbered paths.

use api::expr::Projection;
use api::op::Select;
use api::schema::{IndexKind, IndexName};
use api::{OpKind, Table, Wire};

use super::item::{Given, is_separable};
use super::schema::Schema;

/// A request, as far as its answer needs it.
#[derive(Debug, Clone)]
pub enum Question {
    /// GetItem.
    GetItem(ItemsOf),
    /// PutItem.
    PutItem(Schema),
    /// UpdateItem.
    UpdateItem {
        /// The table.
        schema: Schema,
        /// Whether what is returned is the whole item or what the update touched.
        returns: Returns,
    },
    /// DeleteItem.
    DeleteItem(Schema),
    /// Query.
    Query(PageOf),
    /// Scan.
    Scan(PageOf),
    /// BatchGetItem, in the order of the request's tables.
    BatchGetItem(Vec<ItemsOf>),
    /// BatchWriteItem, in the order of the request's tables.
    BatchWriteItem(Vec<Schema>),
    /// TransactGetItems, in the order of its reads.
    TransactGetItems(Vec<ItemsOf>),
    /// TransactWriteItems, in the order of its actions.
    TransactWriteItems(Vec<Schema>),
}

/// What an update's attributes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// The whole item, before or after.
    Whole,
    /// What the update touched, before or after.
    Touched,
}

/// Items of one table, whole or projected.
#[derive(Debug, Clone)]
pub struct ItemsOf {
    /// The table.
    pub schema: Schema,
    /// The projection to send them in, if any.
    pub projected: Option<Projected>,
}

impl ItemsOf {
    /// Items as a service gives them that was asked for this projection. `None` where what it leaves of an item does not tell
    /// what stood where.
    pub fn given(schema: Schema, projection: Option<&Projection>) -> Option<ItemsOf> {
        let projected = match projection {
            None => None,
            Some(projection) if !is_separable(projection) => return None,
            Some(projection) => Some(Projected { projection: projection.clone(), given: Given::Projected }),
        };
        Some(ItemsOf { schema, projected })
    }
}

/// A page of one table.
#[derive(Debug, Clone)]
pub struct PageOf {
    /// The items.
    pub items: ItemsOf,
    /// Whether it is a page of an index: then the place where it ends has another form.
    pub of_index: bool,
}

/// A projection, and what of the items the front will be given.
#[derive(Debug, Clone)]
pub struct Projected {
    /// The paths, in the order that numbers them.
    pub projection: Projection,
    /// What the front will be given.
    pub given: Given,
}

impl Question {
    /// The form in which the answer may come. Ready bytes are made of what the service was asked for, and those of a single
    /// item are of a whole one; who wants another part of it than the service was asked for needs typed values.
    pub fn wire(&self) -> Wire {
        let typed = match self {
            Question::GetItem(items) => items.projected.is_some(),
            Question::Query(PageOf { items, .. }) | Question::Scan(PageOf { items, .. }) => {
                items.projected.as_ref().is_some_and(|projected| projected.given == Given::Whole)
            }
            _ => false,
        };
        if typed { Wire::None } else { Wire::Dax }
    }

    /// The operation that was asked for.
    pub const fn op(&self) -> OpKind {
        match self {
            Question::GetItem(_) => OpKind::GetItem,
            Question::PutItem(_) => OpKind::PutItem,
            Question::UpdateItem { .. } => OpKind::UpdateItem,
            Question::DeleteItem(_) => OpKind::DeleteItem,
            Question::Query(_) => OpKind::Query,
            Question::Scan(_) => OpKind::Scan,
            Question::BatchGetItem(_) => OpKind::BatchGetItem,
            Question::BatchWriteItem(_) => OpKind::BatchWriteItem,
            Question::TransactGetItems(_) => OpKind::TransactGetItems,
            Question::TransactWriteItems(_) => OpKind::TransactWriteItems,
        }
    }
}

/// Splits a projection into what to ask the service for and what to do with what it gives. Where several elements of one
/// list are asked for, only the whole item tells which of them are there; it costs the service the same.
pub(super) fn ask(schema: Schema, projection: Option<Projection>) -> (Option<Projection>, ItemsOf) {
    let Some(projection) = projection else { return (None, ItemsOf { schema, projected: None }) };
    let whole = !is_separable(&projection)
        && matches!(&schema, Schema::Table(table) if table.check_scalar_keys(&projection.paths).is_ok());
    split(schema, projection, whole)
}

fn split(schema: Schema, projection: Projection, whole: bool) -> (Option<Projection>, ItemsOf) {
    let (asked, given) =
        if whole { (None, Given::Whole) } else { (Some(projection.clone()), Given::Projected) };
    (asked, ItemsOf { schema, projected: Some(Projected { projection, given }) })
}

/// As [`ask`], for a page.
pub(super) fn ask_page(schema: Schema, index: Option<&IndexName>, select: Select) -> (Select, PageOf) {
    let of_index = index.is_some();
    let Select::Specific(projection) = select else {
        return (select, PageOf { items: ItemsOf { schema, projected: None }, of_index });
    };
    let whole = match &schema {
        Schema::Table(table) if !is_separable(&projection) => whole_page(table, index, &projection),
        Schema::Table(_) | Schema::Key(_) => None,
    };
    let (_, items) = split(schema, projection.clone(), whole.is_some());
    (whole.unwrap_or(Select::Specific(projection)), PageOf { items, of_index })
}

/// What to select instead of a projection; `None` where the service would refuse the projection and must get to see it.
fn whole_page(table: &Table, index: Option<&IndexName>, projection: &Projection) -> Option<Select> {
    table.check_scalar_keys(&projection.paths).ok()?;
    let Some(index) = index else { return Some(Select::AllAttributes) };
    let index = table.index(index)?;
    let all_there = projection.paths.iter().all(|path| index.projects(table, &path.attribute));
    match (all_there, index.kind) {
        (true, _) => Some(Select::AllProjected),
        (false, IndexKind::Local) => Some(Select::AllAttributes),
        (false, IndexKind::Global) => None,
    }
}
