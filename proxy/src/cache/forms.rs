//! Wire forms of a cached answer: the bytes a front would send, made on first use and kept beside the entry.
//!
//! It encodes nothing. The invariant: an entry never changes in place, so that a form is kept by putting a copy of the entry
//! back at its new weight, and only if the entry it was made from still stands.

use std::sync::Arc;

use api::Wire;
use api::operation::Ready;
use bytes::Bytes;

use super::bounded::{self, Bounded, Entry, Installed};

/// The forms of one entry. Most callers speak one wire: the second costs an allocation.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    first: Option<Ready>,
    second: Option<Box<Ready>>,
}

impl Forms {
    /// The form of a wire, where it was made.
    #[inline]
    pub(super) fn of(&self, wire: Wire) -> Option<&Ready> {
        match &self.first {
            Some(form) if form.wire == wire => Some(form),
            Some(_) => self.second.as_deref().filter(|form| form.wire == wire),
            None => None,
        }
    }

    /// These and one more.
    fn with(&self, form: &Ready) -> Forms {
        // An exact copy: the encoder's buffer may be larger than what it holds.
        let form = Ready { bytes: Bytes::copy_from_slice(&form.bytes), ..*form };
        match &self.first {
            None => Forms { first: Some(form), second: None },
            Some(first) => Forms { first: Some(first.clone()), second: Some(Box::new(form)) },
        }
    }

    /// Memory they take beside the entry itself. Unit: bytes.
    pub(super) fn bytes(&self) -> usize {
        let form = |form: &Ready| bounded::buffer_bytes(form.bytes.len());
        let second = self.second.as_deref();
        self.first.as_ref().map_or(0, form)
            + second.map_or(0, |second| bounded::allocated_bytes(size_of::<Ready>()) + form(second))
    }
}

/// An entry with forms.
pub(super) trait Formed: Entry + Sized {
    /// Its forms.
    fn forms(&self) -> &Forms;
    /// The same entry with other forms, weighed anew.
    fn with_forms(&self, forms: Forms) -> Self;
}

impl<E: Formed> Bounded<E> {
    /// Keeps a form of an entry, if the entry still stands and both fit.
    pub(super) fn keep_form(&self, entry: &Arc<E>, form: &Ready) -> Installed {
        if entry.forms().of(form.wire).is_some() {
            return Installed::NOTHING;
        }
        let with_form = entry.with_forms(entry.forms().with(form));
        if with_form.weight() > self.entry_weight_max() {
            return Installed::NOTHING;
        }
        self.replace(entry, Arc::new(with_form))
    }
}
