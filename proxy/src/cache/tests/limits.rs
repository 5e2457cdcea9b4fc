//! Sizes, times to live, forms, sweeping.

use std::time::Duration;

use api::item::ItemBody;
use api::limits::ITEM_BYTES;
use api::op::Page;
use api::operation::Ready;
use api::{ChangeSink, EncodedItem, Image, Item, KeyBytes, Wire};
use bytes::Bytes;
use host::settings::ByteSize;

use super::fixture::{Fixture, form, item, key, string, table, version};
use crate::cache::item::{Filled, ItemFound, Read};
use crate::cache::query::{PageFound, PageKey};
use crate::cache::{CacheSettings, Mode};

fn fill(fixture: &Fixture, key: &KeyBytes, item: Option<&EncodedItem>, index: u64) -> Filled {
    let cache = &fixture.cache;
    let view = cache.view().unwrap();
    let ttl_nanos = cache.policy(&fixture.table).record_ttl_nanos;
    let read = Read { item, version: version(index), ttl_nanos, refresh: false };
    let item_key = cache.item_key(&fixture.table, key.as_bytes()).unwrap();
    cache.fill_item(&cache.item_permit(&view), &item_key, read)
}

fn found(fixture: &Fixture, key: &KeyBytes) -> Option<Option<EncodedItem>> {
    let cache = &fixture.cache;
    let item_key = cache.item_key(&fixture.table, key.as_bytes()).unwrap();
    match cache.item(&cache.view().unwrap(), &item_key) {
        ItemFound::Hit(entry, _) => Some(entry.item()),
        ItemFound::Miss => None,
    }
}

/// A page's key that no request has, so that tests need none.
fn page_key<'a>(fixture: &Fixture, bytes: &'a [u8], mode: Mode) -> PageKey<'a> {
    let cache = &fixture.cache;
    PageKey {
        hash: cache.pages.hash(bytes),
        table: fixture.table.id,
        bytes,
        dependencies: cache.stamps.of_table_partition(&cache.hasher, fixture.table.id, &form("p1")),
        mode,
        ttl_nanos: cache.policy(&fixture.table).query_ttl_nanos,
    }
}

fn page(items: Vec<EncodedItem>) -> Page {
    let count = items.len() as u32;
    let items = Some(items.into_iter().map(ItemBody::Encoded).collect());
    Page { items, count, scanned_count: count, last_key: None, capacity: None }
}

#[test]
fn the_largest_item_fits_the_smallest_cache_with_a_form_of_twice_its_size() {
    let fixture = Fixture::small();
    let small = key(1, 1);
    let attributes = Item::new().with("pk", string("p1")).with("sk", string("s1"));
    let room = ITEM_BYTES - attributes.billed_size() - 1;
    let largest = EncodedItem::encode(&attributes.with("x", string("x".repeat(room))));
    assert_eq!(largest.billed_size(), ITEM_BYTES);
    assert_eq!(fill(&fixture, &small, Some(&largest), 1), Filled::Stands);
    assert_eq!(found(&fixture, &small), Some(Some(largest.clone())));

    let item_key = fixture.cache.item_key(&fixture.table, small.as_bytes()).unwrap();
    let ItemFound::Hit(entry, _) = fixture.cache.item(&fixture.cache.view().unwrap(), &item_key) else {
        panic!()
    };
    let form = Ready { wire: Wire::Json, bytes: Bytes::from(vec![b'j'; 2 * ITEM_BYTES]), crc32: 5 };
    fixture.cache.keep_item_form(&entry, &form);
    let ItemFound::Hit(entry, _) = fixture.cache.item(&fixture.cache.view().unwrap(), &item_key) else {
        panic!()
    };
    assert_eq!(entry.ready(Wire::Json), Some(&form));
    assert_eq!(entry.ready(Wire::Dax), None);
    assert_eq!(entry.item(), Some(largest));
}

#[test]
fn a_form_too_large_for_a_shard_is_not_kept_and_costs_the_entry_nothing() {
    let fixture = Fixture::small();
    fill(&fixture, &key(1, 1), Some(&item(1, 1, 1, 10)), 1);
    let bytes = key(1, 1);
    let item_key = fixture.cache.item_key(&fixture.table, bytes.as_bytes()).unwrap();
    let ItemFound::Hit(entry, _) = fixture.cache.item(&fixture.cache.view().unwrap(), &item_key) else {
        panic!()
    };
    let form = Ready { wire: Wire::Json, bytes: Bytes::from(vec![b'j'; 16 << 20]), crc32: 5 };
    fixture.cache.keep_item_form(&entry, &form);
    let ItemFound::Hit(entry, _) = fixture.cache.item(&fixture.cache.view().unwrap(), &item_key) else {
        panic!()
    };
    assert_eq!(entry.ready(Wire::Json), None);
}

#[test]
fn both_forms_of_an_entry_are_kept_and_a_form_of_an_older_entry_is_not() {
    let fixture = Fixture::small();
    let bytes = key(1, 1);
    fill(&fixture, &bytes, Some(&item(1, 1, 1, 10)), 1);
    let item_key = fixture.cache.item_key(&fixture.table, bytes.as_bytes()).unwrap();
    let get = || match fixture.cache.item(&fixture.cache.view().unwrap(), &item_key) {
        ItemFound::Hit(entry, _) => entry,
        ItemFound::Miss => panic!("it was filled"),
    };
    let form = |wire| Ready { wire, bytes: Bytes::from_static(b"form"), crc32: 5 };
    let first = get();
    fixture.cache.keep_item_form(&first, &form(Wire::Dax));
    // The entry in hand is not the one that stands now: its form may be of what was overwritten.
    fixture.cache.keep_item_form(&first, &form(Wire::Json));
    assert_eq!(get().ready(Wire::Json), None);
    fixture.cache.keep_item_form(&get(), &form(Wire::Json));
    assert_eq!(get().ready(Wire::Json), Some(&form(Wire::Json)));
    assert_eq!(get().ready(Wire::Dax), Some(&form(Wire::Dax)));
}

#[test]
fn a_page_of_one_megabyte_and_the_item_that_crossed_it_fits_the_smallest_cache() {
    let fixture = Fixture::small();
    let items: Vec<_> = (0..4).map(|sort| item(1, sort, 0, 350_000)).collect();
    let read = page(items);
    let key = page_key(&fixture, b"large", Mode::Coherent);
    let cache = &fixture.cache;
    let permit = cache.page_permit(&cache.view().unwrap(), None);
    assert_eq!(cache.fill_page(&permit, &key, &read, &version(1)), Filled::Stands);
    let PageFound::Hit(entry, _) = cache.page(&cache.view().unwrap(), &key) else { panic!("it was filled") };
    assert_eq!(entry.page(), read);
    let form = Ready { wire: Wire::Json, bytes: Bytes::from(vec![b'j'; 2 << 20]), crc32: 5 };
    cache.keep_page_form(&entry, &form);
    let PageFound::Hit(entry, _) = cache.page(&cache.view().unwrap(), &key) else { panic!("it was filled") };
    assert_eq!(entry.ready(Wire::Json), Some(&form));
}

#[test]
fn memory_is_bounded_and_what_is_evicted_is_counted() {
    let fixture = Fixture::small();
    for n in 0..40_000 {
        assert_eq!(fill(&fixture, &key(n, 0), Some(&item(n, 0, 0, 1_000)), 1), Filled::Stands);
    }
    let bytes = fixture.cache.bytes();
    assert!(bytes <= ByteSize::mib(16).bytes(), "{bytes}");
    assert!(bytes > ByteSize::mib(10).bytes(), "{bytes}");
    assert!(fixture.cache.statistics().item_evicted_bytes.value() > 20_000_000);
}

#[test]
fn what_is_replaced_is_not_counted_as_evicted() {
    let fixture = Fixture::small();
    for index in 1..100 {
        fill(&fixture, &key(1, 1), Some(&item(1, 1, index, 1_000)), index);
    }
    assert_eq!(fixture.cache.items().len(), 1);
    assert_eq!(fixture.cache.statistics().item_evicted_bytes.value(), 0);
}

#[test]
fn an_entry_ends_with_its_time_and_a_write_renews_it_but_a_read_does_not() {
    let fixture = Fixture::small();
    let at = key(1, 1);
    fill(&fixture, &at, Some(&item(1, 1, 1, 0)), 1);
    fixture.clock.advance(Duration::from_secs(299));
    assert!(found(&fixture, &at).is_some());
    let change = fixture.change(
        at.clone(),
        Image::Present(item(1, 1, 1, 0)),
        Image::Present(item(1, 1, 2, 0)),
        2,
        &[],
    );
    fixture.cache.raise(std::slice::from_ref(&change));
    fixture.cache.publish(&[change], version(2));
    fixture.clock.advance(Duration::from_secs(299));
    assert_eq!(found(&fixture, &at), Some(Some(item(1, 1, 2, 0))));
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(found(&fixture, &at), None);
    assert_eq!(fill(&fixture, &at, Some(&item(1, 1, 2, 0)), 2), Filled::Stands);
    assert!(found(&fixture, &at).is_some());
}

#[test]
fn record_ttl_zero_is_for_ever_and_query_ttl_zero_caches_no_page() {
    let settings = CacheSettings {
        cache_bytes: ByteSize::mib(16),
        record_ttl_millis: 0,
        query_ttl_millis: 0,
        ..CacheSettings::default()
    };
    let fixture = Fixture::new(settings);
    fill(&fixture, &key(1, 1), None, 1);
    fixture.clock.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(found(&fixture, &key(1, 1)), Some(None));
    let scan = api::op::ScanInput {
        table: fixture.table.name.clone(),
        index: None,
        filter: None,
        select: api::op::Select::AllAttributes,
        limit: None,
        consistent: false,
        segment: None,
        start: None,
        return_capacity: Default::default(),
    };
    assert!(fixture.cache.scan_key(&fixture.table, &scan, &mut Vec::new()).is_none());
}

#[tokio::test]
async fn a_shorter_time_to_live_holds_for_what_is_cached_already_and_a_longer_one_does_not() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    let with = |record_ttl_millis| CacheSettings { record_ttl_millis, ..CacheSettings::default() };
    let (old, new) = (key(1, 1), key(1, 2));
    fill(&fixture, &old, None, 1);
    cache.set_policies(&with(1_000));
    fill(&fixture, &new, None, 1);
    cache.shorten().await;
    assert_eq!((found(&fixture, &old), found(&fixture, &new)), (None, Some(None)));
    cache.set_policies(&with(0));
    cache.shorten().await;
    assert_eq!(found(&fixture, &new), Some(None));
    fixture.clock.advance(Duration::from_secs(2));
    assert_eq!(found(&fixture, &new), None, "it keeps the time it was given");
}

#[test]
fn a_page_of_mode_ttl_outlives_a_write_and_counts_as_of_when_it_was_read() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    for mode in [Mode::Ttl, Mode::Coherent] {
        let key = page_key(&fixture, mode_name(mode), mode);
        let permit = cache.page_permit(&cache.view().unwrap(), None);
        cache.fill_page(&permit, &key, &page(vec![]), &version(1));
    }
    let change = fixture.change(key(1, 1), Image::Absent, Image::Present(item(1, 1, 1, 0)), 9, &[]);
    cache.raise(std::slice::from_ref(&change));
    cache.publish(&[change], version(9));
    let found = |mode| cache.page(&cache.view().unwrap(), &page_key(&fixture, mode_name(mode), mode));
    assert!(matches!(found(Mode::Ttl), PageFound::Hit(_, as_of) if as_of == version(1)));
    assert!(matches!(found(Mode::Coherent), PageFound::Void(_)));
    fixture.clock.advance(Duration::from_secs(300));
    assert!(matches!(found(Mode::Ttl), PageFound::Miss));
}

fn mode_name(mode: Mode) -> &'static [u8] {
    match mode {
        Mode::Ttl => b"ttl",
        Mode::Coherent => b"coherent",
    }
}

#[test]
fn a_write_without_images_voids_its_key_and_every_page_of_the_indexes() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    fill(&fixture, &key(1, 1), Some(&item(1, 1, 1, 0)), 1);
    let index = fixture.table.indexes[0].id;
    let of_index = PageKey {
        dependencies: cache.stamps.of_index_partition(&cache.hasher, index, &form("anything")),
        ..page_key(&fixture, b"index", Mode::Coherent)
    };
    let permit = cache.page_permit(&cache.view().unwrap(), None);
    cache.fill_page(&permit, &of_index, &page(vec![]), &version(1));
    assert!(matches!(cache.page(&cache.view().unwrap(), &of_index), PageFound::Hit(..)));
    let change = fixture.change(key(1, 1), Image::Unknown, Image::Unknown, 2, &[]);
    cache.raise(std::slice::from_ref(&change));
    cache.publish(&[change], version(2));
    assert_eq!(found(&fixture, &key(1, 1)), None);
    assert!(matches!(cache.page(&cache.view().unwrap(), &of_index), PageFound::Void(_)));
}

#[test]
fn a_write_that_changes_nothing_voids_no_page() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    let key_of_page = page_key(&fixture, b"page", Mode::Coherent);
    let permit = cache.page_permit(&cache.view().unwrap(), None);
    cache.fill_page(&permit, &key_of_page, &page(vec![item(1, 1, 1, 0)]), &version(1));
    let same = Image::Present(item(1, 1, 1, 0));
    let change = fixture.change(key(1, 1), same.clone(), same, 2, &[]);
    cache.raise(std::slice::from_ref(&change));
    cache.publish(&[change], version(2));
    let found = cache.page(&cache.view().unwrap(), &key_of_page);
    assert!(matches!(found, PageFound::Hit(_, as_of) if as_of == version(2)));
}

#[test]
fn a_change_nobody_asked_for_is_not_learnt_but_replaces_what_stands() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    fill(&fixture, &key(1, 1), Some(&item(1, 1, 1, 0)), 1);
    let expired: Vec<_> = [1, 2]
        .into_iter()
        .map(|sort| api::Change {
            cause: api::service::Cause::TimeToLive,
            ..fixture.change(key(1, sort), Image::Present(item(1, sort, 1, 0)), Image::Absent, 2, &[])
        })
        .collect();
    cache.raise(&expired);
    cache.publish(&expired, version(2));
    assert_eq!(found(&fixture, &key(1, 1)), Some(None));
    assert_eq!(found(&fixture, &key(1, 2)), None);
}

#[test]
fn an_older_read_is_refused_after_a_delete_also_when_the_absence_was_evicted() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    let view = cache.view().unwrap();
    let permit = cache.item_permit(&view);
    let change = fixture.change(key(1, 1), Image::Present(item(1, 1, 1, 0)), Image::Absent, 5, &[]);
    cache.raise(std::slice::from_ref(&change));
    cache.publish(&[change], version(5));
    assert_eq!(found(&fixture, &key(1, 1)), Some(None));
    assert!(cache.invalidate_item(&fixture.table, &key(1, 1)));
    let at = key(1, 1);
    let item_key = cache.item_key(&fixture.table, at.as_bytes()).unwrap();
    let old = item(1, 1, 1, 0);
    let read = Read { item: Some(&old), version: version(4), ttl_nanos: u64::MAX, refresh: false };
    assert_eq!(cache.fill_item(&permit, &item_key, read), Filled::Voided);
    assert_eq!(found(&fixture, &key(1, 1)), None);
    assert_eq!(cache.statistics().item_voided_fills.value(), 1);
}

#[test]
fn a_sweep_drops_what_is_dead_and_nothing_else() {
    let fixture = Fixture::small();
    fill(&fixture, &key(1, 1), Some(&item(1, 1, 1, 0)), 1);
    fixture.clock.advance(Duration::from_secs(200));
    fill(&fixture, &key(1, 2), Some(&item(1, 2, 1, 0)), 1);
    let other = table(2);
    let cache = &fixture.cache;
    let bytes = key(9, 9);
    let item_key = cache.item_key(&other, bytes.as_bytes()).unwrap();
    let read = Read { item: None, version: version(1), ttl_nanos: u64::MAX, refresh: false };
    cache.fill_item(&cache.item_permit(&cache.view().unwrap()), &item_key, read);
    fixture.clock.advance(Duration::from_secs(150));
    cache.table_changed(&other, true);
    assert_eq!(cache.items().len(), 3);
    assert_eq!(cache.sweep().items, 2);
    assert_eq!(cache.items().len(), 1);
    assert!(found(&fixture, &key(1, 2)).is_some());
    assert!(cache.gone_tables.lock().is_empty());
    assert_eq!(cache.invalidate_table(fixture.table.id), 1);
}

#[test]
fn a_slice_of_a_large_buffer_does_not_keep_the_buffer() {
    let fixture = Fixture::small();
    let one = item(1, 1, 1, 100);
    let mut batch = one.as_bytes().to_vec();
    batch.resize(8 << 20, 0);
    let batch = Bytes::from(batch);
    let sliced = EncodedItem::from_own_copy(batch.slice(..one.as_bytes().len()));
    fill(&fixture, &key(1, 1), Some(&sliced), 1);
    drop(sliced);
    assert!(batch.is_unique(), "the entry holds on to the whole batch");
}

#[test]
fn one_who_took_a_page_before_another_log_and_its_stamps_after_does_not_serve_it() {
    let fixture = Fixture::small();
    let cache = &fixture.cache;
    let key = page_key(&fixture, b"page", Mode::Coherent);
    let before = cache.view().unwrap();
    let permit = cache.page_permit(&before, None);
    assert_eq!(cache.fill_page(&permit, &key, &page(vec![item(1, 1, 1, 0)]), &version(50)), Filled::Stands);
    let write =
        fixture.change(super::fixture::key(1, 1), Image::Absent, Image::Present(item(1, 1, 2, 0)), 80, &[]);
    cache.raise(std::slice::from_ref(&write));
    cache.publish(&[write], version(80));
    let view = cache.view().unwrap();
    assert!(matches!(cache.page(&view, &key), PageFound::Void(_)));
    // As when the feed's thread gets that far between a reader's two steps: the page is in the reader's hands, so that
    // clearing the map does not reach it.
    cache.position.end();
    cache.stamps.reset(5);
    cache.position.begin(api::Version { incarnation: 2, ..version(5) });
    assert!(matches!(cache.page(&view, &key), PageFound::Miss));
}
