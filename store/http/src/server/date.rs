//! The `Date` header, made once a second.

/// The text of the last second asked for.
#[derive(Debug)]
pub(super) struct Date {
    second: u64,
    text: [u8; 29],
}

impl Default for Date {
    fn default() -> Self {
        Date { second: 0, text: *b"Thu, 01 Jan 1970 00:00:00 GMT" }
    }
}

impl Date {
    /// The date, as in `Thu, 01 Jan 1970 00:00:00 GMT`. `second` counts from 1970.
    pub(super) fn text(&mut self, second: u64) -> &[u8] {
        if second != self.second {
            self.second = second;
            self.text = imf_fixdate(second);
        }
        &self.text
    }
}

fn imf_fixdate(second: u64) -> [u8; 29] {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let (days, in_day) = (second / 86_400, second % 86_400);
    let civil = crate::sigv4::time::civil_from_days(days);
    let weekday = (days % 7) as usize * 3;
    let month = (usize::from(civil.month) - 1) * 3;
    text[0..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
    text[8..11].copy_from_slice(&MONTHS[month..month + 3]);
    let mut two = |at: usize, number: u64| {
        text[at] = b'0' + (number / 10 % 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    };
    two(5, civil.day.into());
    two(12, civil.year / 100);
    two(14, civil.year % 100);
    two(17, in_day / 3600);
    two(20, in_day / 60 % 60);
    two(23, in_day % 60);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_what_a_calendar_says() {
        let mut date = Date::default();
        for (second, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"),
            (1_795_219_199, "Fri, 20 Nov 2026 23:59:59 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(date.text(second)).unwrap(), text);
        }
    }
}
