//! What nodes of a group ask each other besides requests of clients: `proto/peer.proto`.
//!
//! Served on a trusted lane only, and answered by whatever of the node's is given in as [`PeerService`].

use std::future::Future;
use std::pin::Pin;

use api::{Context, Error};
use bytes::Bytes;
use prost::Message;

use crate::codec::malformed;
use crate::proto::peer as pb;

/// Most names of one list that are read. A frame of a DAX client holds no more.
const NAMES_MAX: usize = 65_536;

/// A number under way.
pub type Granting<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

/// What an id of an attribute list is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// An answer, for which a passing id will do where there is no room for another list.
    Answer,
    /// A client that is about to write with it.
    Client,
}

/// What a node does for its peers.
pub trait PeerService: Send + Sync + 'static {
    /// The id of these names in this order, made if there is none. Errors: the registry's.
    fn define_attribute_list<'a>(&'a self, cx: Context, names: Vec<String>, demand: Demand) -> Granting<'a>;

    /// The first of a run of ids for lists that are never stored. Errors: the store's.
    fn take_passing_ids<'a>(&'a self, cx: Context) -> Granting<'a>;

    /// Up to where the log has to be applied for all that was acknowledged before the call to be there. Errors: those of a
    /// strongly consistent read.
    fn read_index<'a>(&'a self, cx: Context) -> Granting<'a>;
}

/// A call of a peer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PeerCall {
    DefineAttributeList { names: Vec<String>, demand: Demand },
    TakePassingIds,
    ReadIndex,
}

impl PeerCall {
    /// The method's name, as in a path.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            PeerCall::DefineAttributeList { .. } => "DefineAttributeList",
            PeerCall::TakePassingIds => "TakePassingIds",
            PeerCall::ReadIndex => "ReadIndex",
        }
    }

    /// Whether there is a method of that name.
    pub(crate) fn is_method(name: &str) -> bool {
        matches!(name, "DefineAttributeList" | "TakePassingIds" | "ReadIndex")
    }

    /// Reads a call. Errors: `SerializationException`.
    pub(crate) fn decode(method: &str, message: Bytes) -> Result<PeerCall, Error> {
        match method {
            "DefineAttributeList" => {
                let input = pb::DefineAttributeListInput::decode(message).map_err(|_| malformed())?;
                let demand = match pb::Demand::try_from(input.demand) {
                    Ok(pb::Demand::Answer) => Demand::Answer,
                    Ok(pb::Demand::Client) => Demand::Client,
                    Err(_) => return Err(malformed()),
                };
                if input.names.len() > NAMES_MAX {
                    return Err(malformed());
                }
                Ok(PeerCall::DefineAttributeList { names: input.names, demand })
            }
            "TakePassingIds" => {
                pb::TakePassingIdsInput::decode(message).map_err(|_| malformed())?;
                Ok(PeerCall::TakePassingIds)
            }
            "ReadIndex" => {
                pb::ReadIndexInput::decode(message).map_err(|_| malformed())?;
                Ok(PeerCall::ReadIndex)
            }
            _ => Err(malformed()),
        }
    }

    /// Appends the message of a call.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let encoded = match self {
            PeerCall::DefineAttributeList { names, demand } => {
                let demand = match demand {
                    Demand::Answer => pb::Demand::Answer,
                    Demand::Client => pb::Demand::Client,
                };
                pb::DefineAttributeListInput { names, demand: demand.into() }.encode(out)
            }
            PeerCall::TakePassingIds => pb::TakePassingIdsInput {}.encode(out),
            PeerCall::ReadIndex => pb::ReadIndexInput {}.encode(out),
        };
        encoded.expect("memory grows as needed");
    }

    /// Answers it.
    pub(crate) async fn answer(self, service: &dyn PeerService, cx: Context) -> Result<Vec<u8>, Error> {
        Ok(match self {
            PeerCall::DefineAttributeList { names, demand } => {
                let id = service.define_attribute_list(cx, names, demand).await?;
                pb::DefineAttributeListOutput { id }.encode_to_vec()
            }
            PeerCall::TakePassingIds => {
                let first = service.take_passing_ids(cx).await?;
                pb::TakePassingIdsOutput { first }.encode_to_vec()
            }
            PeerCall::ReadIndex => {
                let index = service.read_index(cx).await?;
                pb::ReadIndexOutput { index }.encode_to_vec()
            }
        })
    }
}

/// Reads the number that all calls are answered with.
pub(crate) fn decode_number(message: Bytes) -> Result<u64, Error> {
    // All answers are one number in the first field.
    Ok(pb::DefineAttributeListOutput::decode(message).map_err(|_| malformed())?.id)
}
