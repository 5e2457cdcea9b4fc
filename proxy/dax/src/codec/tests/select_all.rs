//! All attributes of a page, asked for by a client that means it and by one that does not.

use api::op::Select;
use api::{Error, OpKind, Request};

use super::round_trip::find;
use super::unhex;
use crate::codec::item::ListNames;
use crate::codec::request::{SelectAll, read_request};

/// A Scan of `Hash` with `Select` 1 and these options besides.
fn scan(all: SelectAll, options: &str) -> Result<Select, Error> {
    let values = unhex(&format!("4448617368bf0f01{options}ff").replace(' ', ""));
    let (request, _) = read_request(OpKind::Scan, &values, all, &find, &mut ListNames::new(&|_| None))?;
    let Request::Scan(input) = request else { panic!("a Scan was read") };
    Ok(input.select)
}

/// `IndexName` of `gsi1`, and a projection on `val`.
const INDEX: &str = "0b 4467736931";
const PROJECTION: &str = "00 4982018182126376616c";

#[test]
fn all_attributes_are_asked_for_by_who_means_it() {
    assert_eq!(scan(SelectAll::Meant, ""), Ok(Select::AllAttributes));
    assert_eq!(scan(SelectAll::Meant, INDEX), Ok(Select::AllAttributes));
    let refused = scan(SelectAll::Meant, PROJECTION).unwrap_err();
    assert_eq!(
        refused.message,
        "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES"
    );
}

#[test]
fn who_does_not_mean_it_gets_what_it_would_without() {
    assert_eq!(scan(SelectAll::Unsaid, ""), Ok(Select::AllAttributes));
    assert_eq!(scan(SelectAll::Unsaid, INDEX), Ok(Select::AllProjected));
    assert!(matches!(scan(SelectAll::Unsaid, PROJECTION), Ok(Select::Specific(_))));
}

#[test]
fn one_client_alone_does_not_mean_it() {
    assert_eq!(SelectAll::of(Some("DaxGoV2Client-1.0.3")), SelectAll::Unsaid);
    for agent in
        [None, Some("DaxPythonClient-2.1.0"), Some("DaxJSV3Client-3.1.0"), Some("DaxGoClient-1.2.14")]
    {
        assert_eq!(SelectAll::of(agent), SelectAll::Meant, "{agent:?}");
    }
}
