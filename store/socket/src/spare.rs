//! Buffers that no connection of this thread needs at the moment.
//!
//! A connection holds a buffer only while there is something in it, so that one that is idle costs none, and those that are
//! busy pass the same few around, which stay in the core's cache. What is kept is bounded for each thread; buffers past that,
//! and those that grew, go back to the allocator.

use std::cell::RefCell;

/// A read buffer. Holds some hundred pipelined reads, or any ordinary write, whole.
pub const READ_BYTES: usize = 8 * 1024;
/// The least a buffer for answers is made with.
const ANSWER_BYTES: usize = 2 * 1024;
/// The largest buffer for answers that is kept.
const KEPT_ANSWER_BYTES: usize = 64 * 1024;
/// Buffers of each kind that a thread keeps: as many connections as may be ready at a time.
const KEPT: usize = 64;

thread_local! {
    static READ: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static ANSWERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`READ_BYTES`] initialised bytes.
pub fn take_read() -> Vec<u8> {
    READ.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; READ_BYTES])
}

/// Takes back a buffer for reading. One that grew is freed.
pub fn give_read(buffer: Vec<u8>) {
    if buffer.len() == READ_BYTES && buffer.capacity() == READ_BYTES {
        keep(&READ, buffer);
    }
}

/// An empty buffer with some room.
pub fn take_answers() -> Vec<u8> {
    ANSWERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(ANSWER_BYTES))
}

/// Takes back a buffer for answers. One that grew too far is freed.
pub fn give_answers(mut buffer: Vec<u8>) {
    if (ANSWER_BYTES..=KEPT_ANSWER_BYTES).contains(&buffer.capacity()) {
        buffer.clear();
        keep(&ANSWERS, buffer);
    }
}

/// Frees what this thread keeps.
pub fn clear() {
    READ.with_borrow_mut(Vec::clear);
    ANSWERS.with_borrow_mut(Vec::clear);
}

fn keep(spare: &'static std::thread::LocalKey<RefCell<Vec<Vec<u8>>>>, buffer: Vec<u8>) {
    spare.with_borrow_mut(|spare| {
        if spare.len() < KEPT {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_in_number_and_size() {
        for _ in 0..3 * KEPT {
            give_read(vec![0; READ_BYTES]);
            give_answers(Vec::with_capacity(KEPT_ANSWER_BYTES));
        }
        give_read(vec![0; 2 * READ_BYTES]);
        give_answers(Vec::with_capacity(2 * KEPT_ANSWER_BYTES));
        give_answers(Vec::new());
        assert_eq!(READ.with_borrow(Vec::len), KEPT);
        assert_eq!(ANSWERS.with_borrow(Vec::len), KEPT);
        assert!((0..KEPT / 2).all(|_| take_read().len() == READ_BYTES));
        clear();
        assert_eq!((READ.with_borrow(Vec::len), ANSWERS.with_borrow(Vec::len)), (0, 0));
        assert!((0..2 * KEPT).all(|_| take_read().len() == READ_BYTES));
        assert!(
            (0..2 * KEPT).all(|_| (ANSWER_BYTES..=KEPT_ANSWER_BYTES).contains(&take_answers().capacity()))
        );
    }
}
