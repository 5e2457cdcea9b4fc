//! Request ids as answers carry them: 52 characters of `0-9A-V`, as the service's are.

/// Length of an id, bytes.
pub(super) const ID_BYTES: usize = 52;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// The second half, the same for every node: it tells our ids from the service's own in a mixed log.
const MARK: &[u8; 26] = b"F0REBAYF0REBAYF0REBAYF0REB";

/// The text of an id: its 128 bits in 26 digits of base 32, then a fixed mark.
pub(super) fn text(id: u128) -> [u8; ID_BYTES] {
    let mut text = [0; ID_BYTES];
    let (digits, mark) = text.split_at_mut(26);
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = ALPHABET[(id >> (place * 5)) as usize & 31];
    }
    mark.copy_from_slice(MARK);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_services_shape_and_keep_every_bit() {
        let shape = |id: u128| text(id).iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        assert!(shape(0) && shape(u128::MAX) && shape(0x0123_4567_89ab_cdef));
        for bit in 0..128 {
            assert_ne!(text(0), text(1 << bit));
        }
    }
}
