//! The decorators between a front and the store. Each answers, changes or refuses what it knows and passes on the rest.

pub mod cached;
pub mod limit;
pub mod resolve;
pub mod route;
pub mod trace;

pub use cached::{Asked, Cached, Encoders, WireEncoder};
pub use limit::{LimitSettings, Limited};
pub use resolve::{Resolved, Unknown};
pub use route::{Role, Routed};
pub use trace::Traced;
