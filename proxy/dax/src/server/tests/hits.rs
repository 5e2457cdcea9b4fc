//! Answers that need no waiting: written by a plain call, in a row, and never put off by those that wait.

use api::expr::{Path, Projection, Step};
use api::op::{GetItemInput, ReturnConsumedCapacity};

use super::*;
use crate::codec::item::ListIds;
use crate::codec::request::write_request;
use crate::codec::schema::Schema;

/// What the store knows by heart: the item under the key as it was asked for; ready bytes, whatever is there, to who can take
/// them and did not ask for `hit typed`.
pub(super) fn answer(store: &Store, cx: &Context, input: &GetItemInput) -> Answer {
    let Some(AttributeValue::S(key)) = input.key.get("pk") else { panic!("a key of Hash is a string") };
    let version = Version { incarnation: 1, shard: 0, index: store.version.load(Ordering::Relaxed) };
    let response = if cx.wire == Wire::Dax && key != "hit typed" {
        let bytes = bytes::Bytes::from_static(b"\x80\xbf\x00\x41\x01\xff");
        Response::Ready(Ready { wire: Wire::Dax, bytes, crc32: 0 })
    } else {
        let item = store.items.lock().unwrap()[key].clone();
        let item = input.projection.as_ref().map_or(item.clone(), |projection| projection.apply(&item));
        Response::GetItem(GetItemOutput { item: Some(ItemBody::Tree(Arc::new(item))), capacity: None })
    };
    Answer { response, version: Some(version), source: Source::Cache }
}

/// The same for what it is asked without a request.
pub(super) fn peek(store: &Store, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
    assert_eq!((&read.table.name, read.wire), (&hash_table().name, Wire::Dax));
    if read.key != b"peek\0\0" {
        return None;
    }
    store.peeked.fetch_add(1, Ordering::Relaxed);
    *store.floor.lock().unwrap() = read.min_version;
    *store.caller.lock().unwrap() = Some(read.caller.access_key.clone());
    out.extend_from_slice(b"\x80\xbf\x00\x41\x02\xff");
    Some(Version { incarnation: 1, shard: 0, index: store.version.load(Ordering::Relaxed) })
}

const READY: &str = "80bf004101ff";

fn counts(front: &Front) -> (usize, usize) {
    (front.store.now.load(Ordering::Relaxed), front.store.called.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_is_known_is_answered_by_a_plain_call_in_one_write() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("hit").repeat(50))).await;
    let mut bytes = vec![0; 1 << 16];
    // One read gets what one write gave.
    let read = peer.io.read(&mut bytes).await.unwrap();
    assert_eq!(hex(&bytes[..read]), READY.repeat(50));
    assert_eq!(counts(&front), (50, 0));
}

#[tokio::test]
async fn a_plain_read_of_what_is_ready_is_answered_without_a_request() {
    let front = front();
    front.store.version.store(9, Ordering::Relaxed);
    let mut peer = front.connect();
    // The options may be there and say nothing: a strong read, no; capacity, none.
    let said = get("peek").replace(" f6", " a2 0200 0300");
    peer.send(&format!("{PREAMBLE} {} {said} {} {}", get("peek"), get("peek1"), get("peek"))).await;
    peer.expect("80bf004102ff 80bf004102ff 80bfff 80bf004102ff").await;
    assert_eq!((front.store.peeked.load(Ordering::Relaxed), counts(&front)), (3, (0, 1)));
    let floor = || front.store.floor.lock().unwrap().map(|version| version.index);
    assert_eq!(floor(), Some(9), "the version of each is a floor for the next");
    peer.send(&get("nope")).await;
    peer.expect("80bfff").await;
    assert_eq!(floor(), Some(9), "and for what is called for");
}

#[tokio::test]
async fn a_read_that_asks_for_more_or_is_no_read_is_not_looked_for_as_it_lies() {
    let front = front();
    let item = Item::new().with("pk", AttributeValue::S("peek".into()));
    front.store.items.lock().unwrap().insert("peek".into(), item);
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    // A strong read; capacity; an option twice, of which the last counts; a table that is not there.
    for (options, answer) in
        [("a1 02f5", "80bf004101ff"), ("a1 0301", "80bf004101ff"), ("a2 0200 0201", "80bf004101ff")]
    {
        peer.send(&get("peek").replace(" f6", &format!(" {options}"))).await;
        peer.expect(answer).await;
    }
    let long = format!("011a0fb0cc6a 4448617368 59 2000 {} f6", "61".repeat(0x2000));
    peer.send(&long).await;
    peer.expect("80bfff").await;
    assert_eq!(front.store.peeked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nobody_is_answered_without_a_request_who_is_not_let_in() {
    let front = front_with(Auth::Keys(Arc::new(OneKey)), DaxSettings::default());
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("peek"))).await;
    peer.expect("840417181f1821").await;
    assert_eq!(front.store.peeked.load(Ordering::Relaxed), 0);
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    peer.io.write_all(&claim_frame(SIGNED_AT, true)).await.unwrap();
    peer.send(&get("peek")).await;
    peer.expect("80bf004102ff").await;
    let caller = front.store.caller.lock().unwrap().clone();
    assert_eq!(caller.as_deref(), Some(ACCESS_KEY));
}

#[tokio::test]
async fn what_is_not_known_is_called_for() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {} {} {}", get("hit"), get("nope"), get("hit"))).await;
    peer.expect(&format!("{READY} 80bfff {READY}")).await;
    assert_eq!(counts(&front), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_answered_also_when_nothing_more_may_wait() {
    let (front, mut waiting) = full().await;
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("hit"))).await;
    peer.expect(READY).await;
    waiting.expect("80bfff").await;
}

#[tokio::test]
async fn a_hit_with_attributes_that_have_no_list_yet_waits_for_its_id_and_the_next_does_not() {
    let front = front();
    let item = Item::new().with("pk", AttributeValue::S("hit typed".into())).with("a", AttributeValue::Null);
    front.store.items.lock().unwrap().insert("hit typed".into(), item);
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {} {} 011a27f9bd7102", get("hit typed"), get("hit typed"))).await;
    peer.expect("80bf004202f6ff 80bf004202f6ff 80816161").await;
    assert_eq!(counts(&front), (2, 0));
}

#[tokio::test]
async fn the_version_of_a_hit_is_a_floor_too() {
    let front = front();
    front.store.version.store(9, Ordering::Relaxed);
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {} {}", get("hit"), get("nope"))).await;
    peer.expect(&format!("{READY} 80bfff")).await;
    assert_eq!(front.store.floor.lock().unwrap().map(|version| version.index), Some(9));
}

/// Of several elements of one list nothing but the whole item tells which are there, so the service is asked for all of it;
/// what it has ready is no answer to such a question.
#[tokio::test]
async fn a_projected_read_is_never_answered_with_ready_bytes_of_the_whole_item() {
    let front = front();
    let number = |digits: &str| AttributeValue::N(digits.parse().unwrap());
    let item = Item::new().with("l", AttributeValue::L(vec![number("5"), number("6")]));
    front.store.items.lock().unwrap().insert("hit".into(), item);
    let element = |index| Path { attribute: "l".into(), steps: vec![Step::Index(index)] };
    for (paths, answer) in
        [(vec![element(0), element(1)], "80bf00 a2 0005 0106 ff"), (vec![element(1)], "80bf00 a1 0006 ff")]
    {
        let input = GetItemInput {
            table: hash_table().name,
            key: Item::new().with("pk", AttributeValue::S("hit".into())),
            projection: Some(Projection { paths }),
            consistent: false,
            return_capacity: ReturnConsumedCapacity::None,
        };
        let schema = Schema::Table(Arc::new(hash_table()));
        let mut frame = Vec::new();
        let mut lists = ListIds::new(&|_| None);
        write_request(&mut frame, &input.into(), &|_| Ok(schema.clone()), &mut lists).unwrap();
        let mut peer = front.connect();
        peer.send(PREAMBLE).await;
        peer.io.write_all(&frame).await.unwrap();
        peer.expect(answer).await;
    }
}
