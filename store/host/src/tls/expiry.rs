//! When a certificate runs out: read from it, written as a date, watched and warned of while there is time.
//!
//! The library that checks certificates tells the moment only of one that has run out. So the one field is read here; what can't be
//! read is as if it said nothing, since whoever checks the certificate has its own to say of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::ec_key::{INTEGER, SEQUENCE, content, element};
use crate::clock::Clock;
use crate::metrics::{Registry, names};

/// The first field of a certificate, which one of the first version lacks.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// So long before it ends a certificate is warned of.
const WARNED_BEFORE: Duration = Duration::from_secs(30 * DAY_SECONDS);
/// The silence after a warning.
const SILENCE: Duration = Duration::from_secs(DAY_SECONDS);
/// How often it is looked at, so that one that was replaced is soon told of as it is.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A moment after which a certificate is no good. Shown to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// Seconds since 1970.
    pub unix_seconds: u64,
}

impl From<UnixTime> for Expiry {
    fn from(time: UnixTime) -> Expiry {
        Expiry { unix_seconds: time.as_secs() }
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.unix_seconds / DAY_SECONDS, self.unix_seconds % DAY_SECONDS);
        let (year, month, day) = date(days);
        write!(f, "{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60)
    }
}

/// The first of a chain to run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Earliest {
    /// When that is.
    pub expiry: Expiry,
    /// Which one it is: 0 is the certificate itself.
    pub place: usize,
}

/// Among those that say when they run out.
pub(super) fn of_chain(chain: &[CertificateDer<'_>]) -> Option<Earliest> {
    let dated = chain.iter().enumerate();
    let dated = dated.filter_map(|(place, certificate)| Some(Earliest { expiry: of(certificate)?, place }));
    dated.min_by_key(|one| one.expiry)
}

/// Source: RFC 5280, section 4.1.
fn of(certificate: &[u8]) -> Option<Expiry> {
    let (SEQUENCE, signed, _) = element(content(SEQUENCE, certificate)?)? else { return None };
    let rest = match element(signed)? {
        (VERSION, _, rest) => rest,
        _ => signed,
    };
    let (INTEGER, _, rest) = element(rest)? else { return None };
    // Its algorithm and its issuer.
    let (SEQUENCE, _, rest) = element(rest)? else { return None };
    let (SEQUENCE, _, rest) = element(rest)? else { return None };
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (_, _, not_after) = element(validity)?;
    match element(not_after)? {
        // Years of two digits are those of 1950 to 2049.
        (UTC_TIME, text, []) => {
            let year = digits(text.get(..2)?)?;
            moment(if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        (GENERALIZED_TIME, text, []) => moment(digits(text.get(..4)?)?, text.get(4..)?),
        _ => None,
    }
}

/// The moment of a year that the rest of a text names: month, day, hours, minutes and seconds, two digits each, and Z.
fn moment(year: u64, text: &[u8]) -> Option<Expiry> {
    let [rest @ .., b'Z'] = text else { return None };
    if rest.len() != 10 {
        return None;
    }
    let at = |index: usize| digits(&rest[2 * index..2 * index + 2]);
    let (month, day, hours, minutes, seconds) = (at(0)?, at(1)?, at(2)?, at(3)?, at(4)?);
    // What ran out before 1970 has run out.
    let days = if year < 1970 { 0 } else { days(year, month, day)? };
    Some(Expiry { unix_seconds: days * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds })
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a year.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// Days from 1970-01-01 to a day; `None` for one that no calendar has.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_one = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    let before: u64 = (1..month).map(|month| days_of_month(year, month)).sum();
    is_one.then(|| days_before(year) + before + day - 1)
}

/// The day that is so many days after 1970-01-01: year, month, day.
fn date(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let (mut month, mut left) = (1, days - days_before(year));
    while left >= days_of_month(year, month) {
        left -= days_of_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// What is to be said of a certificate, and when it was said last.
#[derive(Debug, Default)]
struct Warner {
    told: Option<(Earliest, u64)>,
}

impl Warner {
    /// What is to be logged now, if anything. `section` are the settings that name the certificate.
    fn look(&mut self, section: &str, earliest: Earliest, now_seconds: u64) -> Option<String> {
        let Earliest { expiry, place } = earliest;
        let left = expiry.unix_seconds.saturating_sub(now_seconds);
        if left > WARNED_BEFORE.as_secs() {
            self.told = None;
            return None;
        }
        if let Some((known, at)) = self.told
            && known == earliest
            && now_seconds.saturating_sub(at) < SILENCE.as_secs()
        {
            return None;
        }
        self.told = Some((earliest, now_seconds));
        let when = match left {
            0 => format!("has run out on {expiry}"),
            left => format!("runs out on {expiry}, in {} days", left / DAY_SECONDS),
        };
        let (which, mend) = match place {
            0 => ("the certificate".to_owned(), "put a new one and its key in their place"),
            place => (
                format!("certificate {} of the chain", place + 1),
                "put a new chain in its place, or take this one out where all trust the one before it without it",
            ),
        };
        Some(format!(
            "{which} of [{section}] {when}: {mend}; files are taken within ten seconds, without a restart"
        ))
    }
}

/// Keeps a metric of when a certificate runs out, and warns in the log from thirty days before, at the start and then daily. `section`
/// are the settings that name it, `now` says when the one in force runs out. For ever.
pub(super) async fn watch(
    section: &'static str,
    now: impl Fn() -> Option<Earliest>,
    registry: Registry,
    clock: Arc<dyn Clock>,
) {
    let mut warner = Warner::default();
    loop {
        // One whose end can't be read has a metric too: whoever watches it is to look.
        let known = now();
        let seconds = known.map_or(0, |earliest| earliest.expiry.unix_seconds);
        let gauge = registry.gauge(names::CERTIFICATE_EXPIRY, &[("section", section)]);
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        if let Some(warning) =
            known.and_then(|earliest| warner.look(section, earliest, clock.wall_millis() / 1000))
        {
            tracing::warn!("{warning}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(until: rcgen::CertificateParams) -> CertificateDer<'static> {
        until.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn until(year: i32, month: u8, day: u8) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, month, day);
        issued(params)
    }

    #[test]
    fn a_certificate_says_when_it_runs_out_in_either_form_of_a_date() {
        for (year, month, day, shown) in [
            (2020, 1, 1, "2020-01-01 00:00 UTC"),
            (2049, 12, 31, "2049-12-31 00:00 UTC"),
            (2050, 1, 1, "2050-01-01 00:00 UTC"),
            (2096, 2, 29, "2096-02-29 00:00 UTC"),
            (4000, 3, 1, "4000-03-01 00:00 UTC"),
        ] {
            assert_eq!(of(&until(year, month, day)).map(|expiry| expiry.to_string()).as_deref(), Some(shown));
        }
        let chain = [until(2031, 1, 1), until(2030, 6, 7), until(2032, 1, 1)];
        let first = of_chain(&chain).unwrap();
        assert_eq!((first.expiry.to_string().as_str(), first.place), ("2030-06-07 00:00 UTC", 1));
        let same = [until(2030, 6, 7), until(2030, 6, 7)];
        assert_eq!(of_chain(&same).unwrap().place, 0);
    }

    #[test]
    fn dates_are_what_a_calendar_says() {
        for (unix_seconds, shown) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_795_183_380, "2026-11-20 14:03 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59 UTC"),
        ] {
            assert_eq!(Expiry { unix_seconds }.to_string(), shown);
        }
        for day in 0..200_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }

    #[test]
    fn what_is_no_certificate_or_no_date_says_nothing() {
        let good = until(2030, 1, 1);
        for end in 0..good.len() {
            assert_eq!(of(&good[..end]), None);
        }
        assert_eq!(of_chain(&[]), None);
        for text in ["0131000000", "1301000000Z", "0230000000Z", "01010000Z", "01010a0000Z"] {
            assert_eq!(moment(2030, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn it_is_warned_of_from_thirty_days_before_once_a_day_and_again_when_it_is_another() {
        let mut warner = Warner::default();
        let of_day = |day: u64| Earliest { expiry: Expiry { unix_seconds: day * DAY_SECONDS }, place: 0 };
        assert_eq!(warner.look("tls", of_day(100), 69 * DAY_SECONDS), None);
        let said = warner.look("tls", of_day(100), 70 * DAY_SECONDS).unwrap();
        assert!(
            said.contains(
                "the certificate of [tls] runs out on 1970-04-11 00:00 UTC, in 30 days: put a new one"
            ),
            "{said}"
        );
        assert_eq!(warner.look("tls", of_day(100), 71 * DAY_SECONDS - 1), None);
        assert!(warner.look("tls", of_day(100), 71 * DAY_SECONDS).unwrap().contains("in 29 days"));
        assert_eq!(warner.look("tls", of_day(200), 71 * DAY_SECONDS), None, "it was replaced");
        let gone = warner.look("tls", of_day(70), 71 * DAY_SECONDS).unwrap();
        assert!(gone.contains("has run out on 1970-03-12"), "{gone}");
        // Clients may do without it, and then so can the file.
        let further = warner.look("tls", Earliest { place: 2, ..of_day(70) }, 71 * DAY_SECONDS).unwrap();
        assert!(further.contains("certificate 3 of the chain of [tls] has run out"), "{further}");
        assert!(further.contains("take this one out"), "{further}");
    }
}
