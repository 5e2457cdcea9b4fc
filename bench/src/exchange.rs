//! A load in the bytes of a target: the requests, where an answer ends, and whether it is a good one.
//!
//! Requests are written once and then changed in place, key and payload; an answer is compared with the shape that all good
//! answers of the load have, so that an exchange costs the generator about the same whatever it speaks. What has another shape
//! is taken apart by the protocol's own rules. Every so many answers the content is looked at too: a wrong answer must not
//! pass for a fast one.

use memchr::memmem;

use crate::item::{self, KEY_DIGITS, PARTITION_ITEMS};
use crate::keys::Keys;
use crate::scenario::Scenario;
use crate::target::{Modelled, Protocol};
use crate::{dax, http, redis};

/// What all good answers of a load have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Their first bytes, up to the first that is of a key.
    pub(crate) begins: Vec<u8>,
    /// Their length. Unit: bytes.
    pub(crate) bytes: usize,
}

/// An answer that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerEnd {
    /// Its length. Unit: bytes.
    pub(crate) bytes: usize,
    /// Whether it is what a good server answers.
    pub(crate) good: bool,
}

/// A scenario as one target speaks it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    protocol: Protocol,
    scenario: Scenario,
    value_bytes: usize,
    /// The request for key 0.
    request: Vec<u8>,
    /// Where the key's digits stand in it; an echo has none.
    digits: Option<usize>,
    /// Where the payload stands in it, if it brings one.
    payload: Option<usize>,
    shape: Option<Shape>,
}

impl Exchange {
    /// A scenario in the bytes of a protocol. `learned` is what its DAX targets said.
    pub(crate) fn new(
        protocol: Protocol,
        scenario: Scenario,
        value_bytes: usize,
        learned: dax::Learned,
    ) -> Exchange {
        let mut request = Vec::new();
        let shape = match protocol {
            Protocol::Http => {
                http::write(scenario, 0, value_bytes, &mut request);
                None
            }
            Protocol::Redis => {
                redis::write(scenario, 0, value_bytes, &mut request);
                Some(redis::shape(scenario, value_bytes))
            }
            Protocol::Dax => {
                learned.write(scenario, 0, value_bytes, &mut request);
                Some(learned.shape(scenario, value_bytes))
            }
            Protocol::Echo(modelled) => {
                let answer_bytes = match modelled {
                    Modelled::Http => {
                        http::write(scenario, 0, value_bytes, &mut request);
                        http::answer_bytes(scenario, value_bytes)
                    }
                    Modelled::Dax => {
                        learned.write(scenario, 0, value_bytes, &mut request);
                        learned.shape(scenario, value_bytes).bytes
                    }
                };
                request.fill(b'x');
                Some(Shape { begins: Vec::new(), bytes: answer_bytes })
            }
        };
        let payload = item::payload(0, value_bytes);
        Exchange {
            protocol,
            scenario,
            value_bytes,
            digits: memmem::find(&request, b"-0000000000").map(|at| at + 1),
            payload: memmem::find(&request, payload.as_bytes()).filter(|_| scenario == Scenario::PutItem),
            request,
            shape,
        }
    }

    /// The name of what is asked.
    pub(crate) fn name(&self) -> &'static str {
        self.scenario.name()
    }

    /// Bytes of a request, and of an answer where all have one length.
    pub(crate) fn sizes(&self) -> (usize, Option<usize>) {
        (self.request.len(), self.shape.as_ref().map(|shape| shape.bytes))
    }

    /// Makes the request for key 0, or that of another key, the one for `key`.
    fn change(&self, request: &mut [u8], key: u64) {
        if let Some(at) = self.digits {
            let number = if self.scenario == Scenario::Query { key / PARTITION_ITEMS } else { key };
            item::write_digits(&mut request[at..at + KEY_DIGITS], number);
        }
        if let Some(at) = self.payload {
            item::write_payload(key, &mut request[at..at + self.value_bytes]);
        }
    }

    /// Where the first answer in `bytes` ends; `None` while it is not whole.
    pub(crate) fn answer_end(&self, bytes: &[u8]) -> Option<AnswerEnd> {
        if let Some(shape) = &self.shape
            && (bytes.starts_with(&shape.begins) || shape.begins.starts_with(bytes))
        {
            return (bytes.len() >= shape.bytes).then_some(AnswerEnd { bytes: shape.bytes, good: true });
        }
        match self.protocol {
            Protocol::Http => http::answer_end(bytes, self.scenario),
            Protocol::Redis => redis::answer_end(bytes),
            Protocol::Dax => dax::answer_end(bytes, self.scenario),
            Protocol::Echo(_) => None,
        }
    }

    /// Whether an answer holds what was asked for.
    pub(crate) fn is_answered(&self, answer: &[u8], key: u64) -> bool {
        matches!(self.protocol, Protocol::Echo(_))
            || item::is_answered(answer, self.scenario, key, self.value_bytes)
    }
}

/// Requests that are sent together: one, or as many as are pipelined.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) exchange: std::rc::Rc<Exchange>,
    bytes: Vec<u8>,
    /// What stands in front of the first request.
    opening_bytes: usize,
    keys: Vec<u64>,
}

impl Batch {
    /// So many requests of an exchange.
    pub(crate) fn new(exchange: std::rc::Rc<Exchange>, requests: usize) -> Batch {
        Batch {
            bytes: exchange.request.repeat(requests),
            opening_bytes: 0,
            keys: vec![0; requests],
            exchange,
        }
    }

    /// The same behind the bytes that a connection begins with.
    pub(crate) fn behind(mut self, opening: &[u8]) -> Batch {
        self.bytes.splice(..0, opening.iter().copied());
        self.opening_bytes += opening.len();
        self
    }

    /// Draws a key for each request.
    pub(crate) fn draw(&mut self, keys: &mut Keys) {
        let requests = self.bytes[self.opening_bytes..].chunks_exact_mut(self.exchange.request.len());
        for (request, key) in requests.zip(&mut self.keys) {
            *key = keys.draw();
            self.exchange.change(request, *key);
        }
    }

    /// What is sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The keys last drawn, in the order of the answers.
    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    const SCENARIOS: [Scenario; 4] =
        [Scenario::GetItem, Scenario::GetItemStrong, Scenario::PutItem, Scenario::Query];

    fn anew(protocol: Protocol, scenario: Scenario, key: u64) -> Vec<u8> {
        let mut out = Vec::new();
        match protocol {
            Protocol::Http => http::write(scenario, key, 40, &mut out),
            Protocol::Redis => redis::write(scenario, key, 40, &mut out),
            Protocol::Dax => dax::Learned::ASSUMED.write(scenario, key, 40, &mut out),
            Protocol::Echo(_) => {}
        }
        out
    }

    #[test]
    fn a_changed_request_is_the_one_written_anew() {
        for protocol in [Protocol::Http, Protocol::Redis, Protocol::Dax] {
            for scenario in SCENARIOS {
                if (protocol, scenario) == (Protocol::Redis, Scenario::Query) {
                    continue;
                }
                let exchange = Exchange::new(protocol, scenario, 40, dax::Learned::ASSUMED);
                let mut batch = Batch::new(Rc::new(exchange), 3).behind(b"hello");
                let mut keys = Keys::new(5, 1 << 33);
                for _ in 0..3 {
                    batch.draw(&mut keys);
                    let wanted = batch.keys().iter().flat_map(|key| anew(protocol, scenario, *key));
                    let wanted: Vec<u8> = b"hello".iter().copied().chain(wanted).collect();
                    assert_eq!(batch.bytes(), wanted, "{protocol:?} {scenario:?} {:?}", batch.keys());
                }
            }
        }
    }

    #[test]
    fn an_echo_has_the_sizes_of_what_it_stands_for() {
        for (protocol, modelled) in [(Protocol::Http, Modelled::Http), (Protocol::Dax, Modelled::Dax)] {
            for scenario in SCENARIOS {
                let of = |protocol| Exchange::new(protocol, scenario, 470, dax::Learned::ASSUMED);
                let (own, echo) = (of(protocol), of(Protocol::Echo(modelled)));
                assert_eq!(own.sizes().0, echo.sizes().0);
                let answer_bytes = echo.sizes().1.unwrap();
                assert!(own.sizes().1.is_none_or(|bytes| bytes == answer_bytes));
                assert_eq!(echo.answer_end(&vec![b'x'; answer_bytes - 1]), None);
                let whole = AnswerEnd { bytes: answer_bytes, good: true };
                assert_eq!(echo.answer_end(&vec![b'x'; answer_bytes + 9]), Some(whole));
            }
        }
    }

    #[test]
    fn what_has_another_shape_is_judged_by_the_protocols_rules() {
        let of = |protocol| Exchange::new(protocol, Scenario::GetItem, 40, dax::Learned::ASSUMED);
        let bad = |bytes| Some(AnswerEnd { bytes, good: false });
        assert_eq!(of(Protocol::Redis).answer_end(b"$-1\r\n"), bad(5));
        assert_eq!(of(Protocol::Redis).answer_end(b"$4"), None);
        assert_eq!(of(Protocol::Redis).answer_end(b"$40\r\nabc"), None);
        assert_eq!(of(Protocol::Dax).answer_end(b"\x80\xbf\xff"), bad(3));
        assert_eq!(of(Protocol::Dax).answer_end(b"\x80\xbf"), None);
    }
}
