//! Who calls, where a node has credentials configured; and saying so, for a client.
//!
//! The scheme is SigV4 over what gRPC has in place of a request: `POST`, the method's path, the metadata that the signature
//! names, and the hash of the message or `UNSIGNED-PAYLOAD`; see `docs/grpc.md`. Whoever holds the secrets judges it, by
//! [`Signers`], or makes it, by [`Signer`]: this crate knows no keys.

use std::sync::Arc;

use api::Error;
use api::service::Caller;
use http::HeaderMap;

/// A call, as far as a signature covers it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The method's path, e.g. `/forebay.dynamodb.v1.DynamoDb/GetItem`.
    pub path: &'a str,
    /// What the client calls the node: the `:authority` of HTTP/2, which a signature names `host`.
    pub authority: &'a str,
    /// The metadata.
    pub metadata: &'a HeaderMap,
    /// The message, without what frames it.
    pub message: &'a [u8],
}

/// Holds the secrets of access keys.
pub trait Signers: Send + Sync + 'static {
    /// Who signed a call. Compares in constant time. Errors: the service's, for calls without or with a wrong signature.
    fn verify(&self, call: &Call<'_>) -> Result<Arc<Caller>, Error>;
}

/// Holds the secret of one access key.
pub trait Signer: Send + Sync + 'static {
    /// What says who makes a call: names, in lower case, and values of metadata to send along. `now_millis` is the wall clock's, since
    /// 1970.
    fn sign(&self, call: &Call<'_>, now_millis: u64) -> Vec<(&'static str, String)>;
}

/// Whom a front lets in.
#[derive(Clone)]
pub enum Auth {
    /// Anybody, signed or not. For development on the loopback.
    Any,
    /// Those whose signature one of these keys made.
    Keys(Arc<dyn Signers>),
}
