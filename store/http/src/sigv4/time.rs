//! Dates of signatures, `20130609T095204Z`, and the calendar beneath them. Pure; years 1970 to 9999.

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// Days from 0000-03-01, where this arithmetic begins its years, to 1970-01-01.
const EPOCH_DAYS: u64 = 719_468;

/// The day that many days after 1970-01-01.
pub(crate) fn civil_from_days(days: u64) -> Civil {
    let shifted = days + EPOCH_DAYS;
    let (era, in_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here, so that the leap day is their last.
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil { year: year_of_era + era * 400 + u64::from(month <= 2), month: month as u8, day: day as u8 }
}

/// Days from 1970-01-01 to a day; `None` for a day that no calendar has.
fn days_from_civil(civil: Civil) -> Option<u64> {
    let Civil { year, month, day } = civil;
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let shifted_year = year - u64::from(month <= 2);
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let march_month = u64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * march_month + 2) / 5 + u64::from(day) - 1;
    let in_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA_DAYS + in_era - EPOCH_DAYS;
    (civil_from_days(days) == civil).then_some(days)
}

/// Length of a date, bytes.
pub const DATE_BYTES: usize = 16;

/// The date of a moment. Unit: seconds since 1970-01-01T00:00:00Z.
pub fn write(seconds: u64) -> [u8; DATE_BYTES] {
    let civil = civil_from_days(seconds / 86_400);
    let mut text = *b"00000000T000000Z";
    let mut put = |at: usize, digits: usize, number: u64| {
        let mut number = number;
        for place in (at..at + digits).rev() {
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0, 4, civil.year);
    put(4, 2, civil.month.into());
    put(6, 2, civil.day.into());
    put(9, 2, seconds / 3600 % 24);
    put(11, 2, seconds / 60 % 60);
    put(13, 2, seconds % 60);
    text
}

/// The moment of a date, in seconds since 1970; `None` if it is not of that form or names no moment.
pub fn read(text: &[u8]) -> Option<u64> {
    let text: &[u8; DATE_BYTES] = text.try_into().ok()?;
    if text[8] != b'T' || text[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0_u64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        })
    };
    let civil = Civil { year: number(0, 4)?, month: number(4, 6)? as u8, day: number(6, 8)? as u8 };
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_from_civil(civil)? * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_day_by_day() {
        let mut days_seen = 0;
        for day in (0..60_000).chain((60_000..2_900_000).step_by(37)) {
            let seconds = day * 86_400 + day % 86_400;
            assert_eq!(read(&write(seconds)), Some(seconds));
            days_seen += 1;
        }
        assert!(days_seen > 100_000);
    }

    #[test]
    fn known_moments() {
        assert_eq!(&write(1_440_938_160), b"20150830T123600Z");
        assert_eq!(read(b"20240229T235959Z"), Some(1_709_251_199));
    }

    #[test]
    fn what_names_no_moment_is_refused() {
        for text in [
            "",
            "201",
            "20150830T123600",
            "2015-08-30T12:36Z",
            "20150230T000000Z",
            "20230229T000000Z",
            "20150830T240000Z",
            "20151330T000000Z",
            "20150800T000000Z",
            "20150830 123600Z",
            "19691231T235959Z",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
