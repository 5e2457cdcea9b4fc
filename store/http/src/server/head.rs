//! A request's head, whichever way it came, with the fields this front reads found in one pass.
//!
//! Borrows everything. Deliberately keeps the header list as it came: a signature may cover any of them.

use httparse::Header;

/// The head of a request.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    /// Path and query as sent.
    pub(crate) uri: &'a str,
    /// All headers, in the order they came. HTTP/2's `:authority` is there as `host`.
    pub(crate) headers: &'a [Header<'a>],
    pub(crate) target: Option<&'a [u8]>,
    pub(crate) content_type: Option<&'a [u8]>,
    pub(crate) content_encoding: Option<&'a [u8]>,
    pub(crate) accept_encoding: Option<&'a [u8]>,
    pub(crate) authorization: Option<&'a [u8]>,
    pub(crate) host: Option<&'a [u8]>,
    pub(crate) origin: Option<&'a [u8]>,
    pub(crate) min_version: Option<&'a [u8]>,
    pub(crate) max_staleness: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    pub(crate) fn new(method: &'a str, uri: &'a str, headers: &'a [Header<'a>]) -> Head<'a> {
        let mut head = Head {
            method,
            uri,
            headers,
            target: None,
            content_type: None,
            content_encoding: None,
            accept_encoding: None,
            authorization: None,
            host: None,
            origin: None,
            min_version: None,
            max_staleness: None,
        };
        for header in headers {
            // The length picks at most two candidates, so most headers cost one comparison of integers.
            let name = header.name;
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let field = match name.len() {
                4 if is("host") => &mut head.host,
                6 if is("origin") => &mut head.origin,
                12 if is("x-amz-target") => &mut head.target,
                12 if is("content-type") => &mut head.content_type,
                13 if is("authorization") => &mut head.authorization,
                15 if is("accept-encoding") => &mut head.accept_encoding,
                16 if is("content-encoding") => &mut head.content_encoding,
                21 if is(api::token::MIN_VERSION_HEADER) => &mut head.min_version,
                23 if is(api::token::MAX_STALENESS_HEADER) => &mut head.max_staleness,
                _ => continue,
            };
            // The first of several stands, as a proxy before us would most likely read it.
            field.get_or_insert(header.value);
        }
        head
    }

    /// The first header of that name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_whatever_its_case() {
        let names = [
            "Host",
            "ORIGIN",
            "X-Amz-Target",
            "content-type",
            "Authorization",
            "Accept-Encoding",
            "Content-Encoding",
            "X-Forebay-Min-Version",
            "X-Forebay-Max-Staleness",
        ];
        let headers: Vec<Header> = names.iter().map(|name| Header { name, value: name.as_bytes() }).collect();
        let head = Head::new("POST", "/", &headers);
        let fields = [
            head.host,
            head.origin,
            head.target,
            head.content_type,
            head.authorization,
            head.accept_encoding,
            head.content_encoding,
            head.min_version,
            head.max_staleness,
        ];
        for (name, field) in names.iter().zip(fields) {
            assert_eq!(field, Some(name.as_bytes()), "{name}");
        }
    }
}
