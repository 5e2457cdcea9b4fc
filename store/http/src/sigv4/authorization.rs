//! What a request says of its own signature, in the `Authorization` header or in the query, and what may be wrong with it
//! before any key is looked at.

use std::borrow::Cow;

use api::{Error, ErrorKind};

use super::canonical::parameters;
use crate::server::head::Head;

/// A request's claim to be signed. Nothing in it has been judged but that it is there.
pub(super) struct Authorization<'a> {
    pub(super) algorithm: Cow<'a, str>,
    pub(super) credential: Cow<'a, str>,
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
    pub(super) date: Cow<'a, str>,
    pub(super) session_token: Option<Cow<'a, [u8]>>,
    /// How long the signature is good for, where the request says so. Unit: seconds.
    pub(super) expires: Option<Cow<'a, str>>,
}

fn incomplete(message: String) -> Error {
    Error::new(ErrorKind::IncompleteSignatureException, message)
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl<'a> Authorization<'a> {
    /// Takes the claim out of a request. Errors: that there is none, two, or half of one.
    pub(super) fn of(head: &Head<'a>) -> Result<Authorization<'a>, Error> {
        let query = head.uri.split_once('?').map_or("", |(_, query)| query);
        let in_query =
            !query.is_empty() && parameters(query).any(|(name, _)| &name[..] == b"X-Amz-Algorithm");
        match head.authorization {
            Some(_) if in_query => Err(Error::new(
                ErrorKind::InvalidSignatureException,
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
            )),
            Some(header) if header.trim_ascii().starts_with(b"AWS4-") => {
                Authorization::of_header(head, header)
            }
            None if in_query => Authorization::of_query(query),
            _ => Err(Error::new(
                ErrorKind::MissingAuthenticationTokenException,
                "Request is missing Authentication Token",
            )),
        }
    }

    fn of_header(head: &Head<'a>, header: &'a [u8]) -> Result<Authorization<'a>, Error> {
        let header = header.trim_ascii();
        let space = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
        let (algorithm, rest) = header.split_at(space);
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(|byte| matches!(byte, b',' | b' ')).filter(|part| !part.is_empty()) {
            let Some(equals) = part.iter().position(|byte| *byte == b'=') else {
                return Err(incomplete(format!(
                    "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{}'.",
                    text(part),
                    text(header)
                )));
            };
            let value = &part[equals + 1..];
            match &part[..equals] {
                b"Credential" => credential = Some(value),
                b"SignedHeaders" => signed_headers = Some(value),
                b"Signature" => signature = Some(value),
                _ => {}
            }
        }
        let date = head.header("x-amz-date").or_else(|| head.header("date"));
        let filled = |value: Option<&'a [u8]>| value.filter(|value| !value.is_empty());
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (filled(credential), filled(signature), filled(signed_headers), date)
        else {
            let mut message = String::new();
            for (name, value) in
                [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)]
            {
                if filled(value).is_none() {
                    message.push_str(&format!("Authorization header requires '{name}' parameter. "));
                }
            }
            if date.is_none() {
                message.push_str(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
                );
            }
            return Err(incomplete(format!("{message}Authorization={}", text(header))));
        };
        Ok(Authorization {
            algorithm: text(algorithm),
            credential: text(credential),
            signed_headers: text(signed_headers),
            signature: text(signature),
            date: text(date.trim_ascii()),
            session_token: head.header("x-amz-security-token").map(Cow::Borrowed),
            expires: None,
        })
    }

    fn of_query(query: &'a str) -> Result<Authorization<'a>, Error> {
        const NAMES: [&str; 7] = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
            "X-Amz-Security-Token",
            "X-Amz-Expires",
        ];
        const REQUIRED: usize = 5;
        let mut values: [Option<Cow<'a, [u8]>>; NAMES.len()] = Default::default();
        for (name, value) in parameters(query) {
            if let Some(place) = NAMES.iter().position(|known| known.as_bytes() == &name[..]) {
                values[place].get_or_insert(value);
            }
        }
        let mut message = String::new();
        for (name, value) in NAMES.iter().zip(&values).take(REQUIRED) {
            if value.as_ref().is_none_or(|value| value.is_empty()) {
                message.push_str(&format!("AWS query-string parameters must include '{name}'. "));
            }
        }
        if !message.is_empty() {
            return Err(incomplete(format!("{message}Re-examine the query-string parameters.")));
        }
        let [algorithm, credential, signature, signed_headers, date, session_token, expires] = values;
        let owned = |value: Option<Cow<'a, [u8]>>| Cow::Owned(text(&value.unwrap_or_default()).into_owned());
        Ok(Authorization {
            algorithm: owned(algorithm),
            credential: owned(credential),
            signed_headers: owned(signed_headers),
            signature: owned(signature),
            date: owned(date),
            session_token,
            expires: expires.map(|value| owned(Some(value))),
        })
    }
}
