//! A batch of writes, in as many entries as it takes.
//!
//! No entry should keep those behind it waiting for long, and a batch may hold 16 MB for a table with twenty indexes.

use api::op::{BatchWriteItemInput, BatchWriteItemOutput};
use api::{Answer, Context, Error, ErrorKind, Request, Response, Version};

use super::Core;
use crate::engine::{self, batch_write_item};
use crate::error::internal;

impl Core {
    /// Does a batch. Where it takes several entries and a later one is not taken, for lack of room or because this node is the
    /// primary no longer, its writes and those behind are told as not done; any other error is the answer to all, and the
    /// caller makes all again.
    pub(super) async fn write_batch(
        &self,
        cx: &Context,
        input: BatchWriteItemInput,
    ) -> Result<Answer, Error> {
        let Some(parts) = self.parts_of(&input)? else { return self.write_entry(cx, input.into()).await };
        let mut parts = parts.into_iter();
        let mut output = BatchWriteItemOutput::default();
        let mut version: Option<Version> = None;
        while let Some(part) = parts.next() {
            let tables = part.tables.clone();
            match self.write_entry(cx, part.into()).await {
                Ok(answer) => {
                    let Response::BatchWriteItem(more) = answer.response else { return Err(internal()) };
                    batch_write_item::merge(&mut output, more);
                    version = answer.version;
                }
                Err(error)
                    if version.is_some()
                        && (error.kind == ErrorKind::ThrottlingException || error.is_not_primary()) =>
                {
                    let unprocessed = tables.into_iter().chain(parts.flat_map(|part| part.tables)).collect();
                    let left = BatchWriteItemOutput { unprocessed, ..BatchWriteItemOutput::default() };
                    batch_write_item::merge(&mut output, left);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Answer::from_store(Response::BatchWriteItem(output), version))
    }

    /// The entries of a batch that is too much for one; `None` for all others. Errors: what refuses the batch as a whole,
    /// before the first entry is made.
    fn parts_of(&self, input: &BatchWriteItemInput) -> Result<Option<Vec<BatchWriteItemInput>>, Error> {
        let tables = self.published.tables();
        if !batch_write_item::is_large(&tables, input) {
            return Ok(None);
        }
        let request = Request::BatchWriteItem(input.clone());
        engine::admit(&tables, &request)?;
        Ok(Some(batch_write_item::parts(&tables, input)))
    }
}
