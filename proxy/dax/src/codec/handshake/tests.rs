use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::codec::frame::{Frame, FrameScanner};
use crate::codec::tests::{hex, unhex};

#[test]
fn the_preambles_of_all_clients_are_read() {
    for (bytes, session, agent) in [
        (
            "674a37796e65354701f6a169557365724167656e74764461784a6176615632436c69656e742d322e302e313000",
            0,
            Some("DaxJavaV2Client-2.0.10"),
        ),
        (
            "674a37796e6535470050691d658d092003957510be13ce679143a169557365724167656e7475446178507974686f6e436c69656e742d322e312e3000",
            16,
            Some("DaxPythonClient-2.1.0"),
        ),
        (
            "674a37796e653547006130a169557365724167656e7472446178476f436c69656e742d312e322e313400",
            1,
            Some("DaxGoClient-1.2.14"),
        ),
        ("674a37796e65354700f6a000", 0, None),
        ("674a37796e6535470040f600", 0, None),
        ("674a37796e6535470040a2616101616200 00", 0, None),
    ] {
        let read = Preamble::read(&unhex(&bytes.replace(' ', ""))).unwrap();
        assert_eq!((read.session.len(), read.user_agent.as_deref()), (session, agent), "{bytes}");
    }
}

#[test]
fn a_preamble_is_read_back_as_it_was_written() {
    for user_agent in [None, Some("Forebay-1".to_owned())] {
        let layering = if user_agent.is_some() { Layering::Headed } else { Layering::Plain };
        let preamble = Preamble { layering, session: vec![7; 16], user_agent };
        let mut out = Vec::new();
        preamble.write(&mut out);
        assert_eq!(FrameScanner::new().next(&out), Ok(Some(Frame::Preamble { bytes: out.len() })));
        assert_eq!(Preamble::read(&out), Ok(preamble));
    }
}

#[test]
fn what_is_no_preamble_is_told_apart() {
    for (bytes, error) in [
        ("674a37796e65354800f6a000", PreambleError::NotDax),
        // Longer heads than the magic needs: its first bytes must tell it.
        ("78074a37796e65354700f6a000", PreambleError::NotDax),
        ("7a000000074a37796e65354700f6a000", PreambleError::NotDax),
        ("0000f6a000", PreambleError::NotDax),
        ("674a37796e65354702f6a000", PreambleError::Layering(2)),
        ("674a37796e65354720f6a000", PreambleError::Layering(-1)),
        ("674a37796e65354700f6a001", PreambleError::ClientMode(1)),
    ] {
        assert_eq!(Preamble::read(&unhex(bytes)), Err(error), "{bytes}");
    }
    assert!(matches!(Preamble::read(&unhex("674a37796e65354700f60000")), Err(PreambleError::Cbor(_))));
}

#[test]
fn endpoints_are_those_that_clients_take() {
    let node = |node, address: IpAddr, role| Endpoint {
        node,
        host: "node0.fake.dax".into(),
        address,
        port: 8111,
        role,
        zone: "us-east-1a".into(),
        leader_session: 0,
    };
    let first = node(5_000_000_000, Ipv4Addr::LOCALHOST.into(), Role::Leader);
    let mut out = Vec::new();
    write_endpoints(&mut out, std::slice::from_ref(&first));
    assert_eq!(
        hex(&out),
        "81a7001b000000012a05f200016e6e6f6465302e66616b652e64617802447f00000103191faf0401056a75732d656173742d31610600"
    );
    let all = [first, node(-1, Ipv6Addr::LOCALHOST.into(), Role::Replica)];
    let mut out = Vec::new();
    write_endpoints(&mut out, &all);
    assert_eq!(read_endpoints(&out).unwrap(), all);
    // A node without a usable address is left out, a field of a later version passed over.
    assert_eq!(read_endpoints(&unhex("82a1000182a10002")).ok(), None);
    assert_eq!(read_endpoints(&unhex("82a10244010203a0")).ok(), None);
    assert!(read_endpoints(&unhex("82a1000aa2024301020307f6")).unwrap().is_empty());
}

#[test]
fn key_schemas_keep_their_order() {
    for bytes in ["a162706b6153", "a262706b615362736b614e", "a2617a61426161614e"] {
        let schema = read_key_schema(&unhex(bytes)).unwrap();
        let mut out = Vec::new();
        write_key_schema(&mut out, &schema);
        assert_eq!(hex(&out), bytes);
    }
    for bytes in ["a0", "a1617064424f4f4c", "a361616153616261536163 6153", "8161 61"] {
        assert!(read_key_schema(&unhex(&bytes.replace(' ', ""))).is_err(), "{bytes}");
    }
}

#[test]
fn attribute_lists_that_no_item_can_have_are_refused() {
    let read = |bytes: &[u8]| read_define_attribute_list_id(bytes);
    assert_eq!(&*read(&unhex("8261626161")).unwrap(), ["b", "a"]);
    assert_eq!(read(&unhex("80")).unwrap().len(), 0);
    // As a set of strings, from the Java client; as no other.
    assert_eq!(&*read(&unhex("d90cf98261626161")).unwrap(), ["b", "a"]);
    for bytes in
        ["8160", "8261616161", "8101", "a0", "816161ff", "d90cfb816161", "d90cf9d90cf9816161", "d90cf9"]
    {
        assert!(read(&unhex(bytes)).is_err(), "{bytes}");
    }
    let name = "n".repeat(60_000);
    let mut out = Vec::new();
    let names: Vec<String> = (0..8).map(|at| format!("{name}{at}")).collect();
    write_names(&mut out, &names);
    assert_eq!(read(&out).unwrap_err().message, "Item size has exceeded the maximum allowed size");
}

#[test]
fn the_wires_own_requests_are_found_and_read() {
    let mut out = Vec::new();
    Preamble::default().write(&mut out);
    let mut scanner = FrameScanner::new();
    scanner.next(&out).unwrap().unwrap();
    let claim = AuthorizeConnection {
        access_key: "AK",
        signature: "00",
        string_to_sign: b"x",
        session_token: None,
        user_agent: Some("me"),
    };
    let mut next = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        let Ok(Some(Frame::Request { header_bytes, bytes, .. })) = scanner.next(&out) else {
            panic!("{out:x?} is a request")
        };
        assert_eq!(bytes, out.len());
        out.split_off(header_bytes)
    };
    let bytes = next(&|out| claim.write(out).unwrap());
    assert_eq!(AuthorizeConnection::read(&bytes).unwrap(), claim);
    assert!(next(&|out| write_endpoints_request(out).unwrap()).is_empty());
    let bytes = next(&|out| write_define_key_schema(out, "Hash").unwrap());
    assert_eq!(read_define_key_schema(&bytes).unwrap(), "Hash");
    let bytes = next(&|out| write_define_attribute_list_id(out, &["a".to_owned()]).unwrap());
    assert_eq!(&*read_define_attribute_list_id(&bytes).unwrap(), ["a"]);
    let bytes = next(&|out| write_define_attribute_list(out, ListId(9)).unwrap());
    assert_eq!(read_list_id(&bytes).unwrap(), ListId(9));
}
