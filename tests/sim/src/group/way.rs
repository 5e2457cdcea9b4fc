//! The way of requests to other nodes.
//!
//! Not the shipped one, which is gRPC over connections of its own: a request is a message of this network, and so is its answer. What
//! stands is what the layer above is promised: who was certainly not reached is told apart from who may have been.

use std::time::Duration;

use api::{Answer, Context, Detail, DynamoDb, Error, ErrorKind, OpClass, Request, Shared};
use proxy::layer::route::{self, not_primary};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::NodeId;
use super::net::{Content, Net};

/// The way of one node.
pub struct Way {
    net: Net,
    from: NodeId,
}

/// A request on its way.
pub struct Call {
    from: NodeId,
    to: NodeId,
    cx: Context,
    /// What is left of its time when it leaves. The nodes' clocks have nothing in common.
    patience: Option<Duration>,
    request: Request,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

/// An answer on its way.
pub struct Reply {
    answered: Result<Answer, Error>,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

impl Way {
    /// The way from a node.
    pub fn new(net: &Net, from: NodeId) -> Way {
        Way { net: net.clone(), from }
    }
}

impl route::Way for Way {
    async fn ask(&self, node: u64, mut cx: Context, request: Request) -> Result<Answer, Error> {
        let unknown = lost(&request);
        let deadline = cx.deadline.take().map(Instant::from_std);
        let patience = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let (answer, answered) = oneshot::channel();
        let call = Call { from: self.from, to: node, cx, patience, request, answer };
        self.net.send(self.from, node, Content::Call(Box::new(call)));
        let answered = match patience {
            Some(patience) => tokio::time::timeout(patience, answered).await,
            None => Ok(answered.await),
        };
        match answered {
            Ok(Ok(answered)) => answered,
            // Nothing in time, or the connection broke.
            Ok(Err(_)) | Err(_) => Err(unknown),
        }
    }
}

fn lost(request: &Request) -> Error {
    let error = Error::new(ErrorKind::InternalServerError, "the node that was asked did not answer");
    match request.kind().class() {
        OpClass::Write | OpClass::Control => error.with(Detail::OutcomeUnknown),
        OpClass::Read | OpClass::Describe => error,
    }
}

impl Call {
    /// Nobody is there.
    pub fn refuse(self, net: &Net) {
        let reply = Reply { answered: Err(not_primary(None)), answer: self.answer };
        net.send(self.to, self.from, Content::Answer(Box::new(reply)));
    }

    /// Asks the node it came to, on whose runtime this is.
    pub async fn serve(self, net: &Net, db: &Shared) {
        let Call { from, to, cx, patience, request, answer } = self;
        let deadline = patience.map(|patience| (Instant::now() + patience).into_std());
        let answered = db.call(Context { deadline, ..cx }, request).await;
        net.send(to, from, Content::Answer(Box::new(Reply { answered, answer })));
    }
}

impl Reply {
    /// It has come.
    pub fn give(self) {
        // Whoever asked may have given up.
        let _ = self.answer.send(self.answered);
    }
}
