//! AWS JSON 1.0 over HTTP, both directions, and SigV4.
