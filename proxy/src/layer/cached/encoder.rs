//! How an answer becomes ready bytes: given in by the fronts, so that the cache knows no protocol.

use std::sync::Arc;

use api::expr::Projection;
use api::operation::Ready;
use api::{Response, Table, Wire};

/// What the form of an answer may lean on besides the answer: of a request, no more than what is the same for all who are
/// given the kept form.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The table that was read.
    pub table: &'a Arc<Table>,
    /// Whether it is a page of an index.
    pub of_index: bool,
    /// What the page has of each item. A single item is whole.
    pub projection: Option<&'a Projection>,
}

/// Encodes answers for one wire, exactly as its front would.
pub trait WireEncoder: Send + Sync + 'static {
    /// The whole body of an answer. `None` where the wire has no form for it that could be kept; then the front encodes it.
    fn encode(&self, asked: Asked<'_>, response: &Response) -> Option<Ready>;
}

/// The encoders of all wires that have ready forms.
#[derive(Clone, Default)]
pub struct Encoders {
    /// AWS JSON 1.0.
    pub json: Option<Arc<dyn WireEncoder>>,
    /// The DAX wire.
    pub dax: Option<Arc<dyn WireEncoder>>,
}

impl std::fmt::Debug for Encoders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoders")
            .field("json", &self.json.is_some())
            .field("dax", &self.dax.is_some())
            .finish()
    }
}

impl Encoders {
    /// No wire has a ready form.
    pub fn none() -> Encoders {
        Encoders::default()
    }

    pub(super) fn encode(&self, wire: Wire, asked: Asked<'_>, response: &Response) -> Option<Ready> {
        match wire {
            Wire::None => None,
            Wire::Json => self.json.as_ref()?.encode(asked, response),
            Wire::Dax => self.dax.as_ref()?.encode(asked, response),
        }
    }

    pub(super) fn has(&self, wire: Wire) -> bool {
        match wire {
            Wire::None => false,
            Wire::Json => self.json.is_some(),
            Wire::Dax => self.dax.is_some(),
        }
    }
}
