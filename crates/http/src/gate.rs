//! Which requests are served at all, by their heads.
//!
//! # Promises
//! - A page of another site reaches nothing: `Host` names this server (A-2, against names that are
//!   bound anew), `Sec-Fetch-Site` or `Origin` say that the page is ours, and no header of CORS is
//!   ever sent.
//! - What two readers could read in two ways is refused: no `Host` or two, an absolute URI, both
//!   lengths (A-12; `wire` sees the last).
//! - Of wrong tokens only so many a second are looked at from one address.
//!
//! Proof: the tests below, `__test__/contract/http-attacks.test.mjs`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use hyper::{HeaderMap, Uri};
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::limits::WRONG_TOKENS_PER_SECOND_MAX;
use crate::refusal::{Reason, Refusal};
use crate::token::{Tokens, Who};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Addresses that are remembered for their wrong tokens.
const ADDRESSES_MAX: usize = 4_096;

/// At what names a server may be called.
pub(crate) struct Hosts {
    /// Whether only this machine reaches it.
    is_local: bool,
    port: u16,
    /// Those that its user has allowed, in lower case.
    allowed: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(address: IpAddr, port: u16, allowed: Vec<String>) -> Self {
        Self { is_local: address.is_loopback(), port, allowed }
    }

    /// The name by which a request calls this server.
    ///
    /// # Errors
    /// `Unreadable` if it says none or several, `WrongHost` if it means another server.
    pub(crate) fn check<'h>(&self, uri: &Uri, headers: &'h HeaderMap) -> Result<&'h str, Refusal> {
        if uri.scheme().is_some() || uri.authority().is_some() {
            let message = "the request must name a path, not a whole URI";
            return Err(Refusal::new(Reason::Unreadable, message));
        }
        let mut hosts = headers.get_all(HOST).into_iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::new(Reason::Unreadable, "there must be one header Host"));
        };
        let host = host.to_str().unwrap_or_default();
        if self.is_ours(host) {
            return Ok(host);
        }
        let message = "this server is not at that Host; give its name in `allowedHosts`";
        Err(Refusal::new(Reason::WrongHost, message))
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let (name, port) = split(&host);
        if self.allowed.iter().any(|allowed| *allowed == host || *allowed == name) {
            return true;
        }
        if !self.is_local {
            return self.allowed.is_empty() && !name.is_empty();
        }
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = name == "localhost"
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        is_loopback && port.unwrap_or("80") == self.port.to_string()
    }
}

/// A name, and its port if it says one.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether the page that sends a request is ours; what is no browser says nothing and passes.
///
/// # Errors
/// `Forbidden` if it is not.
pub(crate) fn check_site(headers: &HeaderMap, host: &str) -> Result<(), Refusal> {
    let is_ours = match (headers.get(FETCH_SITE), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let origin = origin.to_str().unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, its)| its.eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    };
    if is_ours {
        return Ok(());
    }
    Err(Refusal::new(Reason::Forbidden, "a page of another site may not call this server"))
}

/// How many wrong tokens came from where.
#[derive(Default)]
pub(crate) struct WrongTokens(Mutex<BTreeMap<IpAddr, (Instant, u32)>>);

impl WrongTokens {
    /// Whose token a request shows. A right one is always taken: others may share its address.
    ///
    /// # Errors
    /// `Unauthorized`, or `TooManyWrongTokens`.
    pub(crate) fn check<'t>(
        &self,
        tokens: &'t Tokens,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<&'t Who, Refusal> {
        let mut shown = headers.get_all(AUTHORIZATION).into_iter();
        let (first, second) = (shown.next(), shown.next());
        let found = first.filter(|_| second.is_none()).map(|value| tokens.find(value.as_bytes()));
        match found {
            Some(Some(who)) => Ok(who),
            Some(None) if self.is_one_too_many(from) => {
                let message = "too many wrong tokens came from this address; wait a second";
                Err(Refusal::new(Reason::TooManyWrongTokens, message))
            }
            Some(None) | None => {
                let message = "a token is needed: Authorization: Bearer …, or Basic with its name";
                Err(Refusal::new(Reason::Unauthorized, message))
            }
        }
    }

    fn is_one_too_many(&self, from: Option<IpAddr>) -> bool {
        let Some(from) = from else { return false };
        let mut known = self.0.lock();
        let now = Instant::now();
        let is_over = |since: Instant| now.duration_since(since) >= Duration::from_secs(1);
        if known.len() >= ADDRESSES_MAX {
            known.retain(|_, (since, _)| !is_over(*since));
        }
        if known.len() >= ADDRESSES_MAX && !known.contains_key(&from) {
            return true;
        }
        let (since, count) = known.entry(from).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count > WRONG_TOKENS_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn hosts(address: [u8; 4], allowed: &[&str]) -> Hosts {
        let allowed = allowed.iter().map(|&name| name.to_owned()).collect();
        Hosts::new(IpAddr::from(address), 8275, allowed)
    }

    #[test]
    fn a_server_of_this_machine_is_called_by_the_names_of_this_machine() {
        let local = hosts([127, 0, 0, 1], &["tasks.example", "other:1"]);
        for host in [
            "127.0.0.1:8275",
            "LOCALHOST:8275",
            "[::1]:8275",
            "127.1.2.3:8275",
            "tasks.example",
            "Tasks.Example:443",
            "other:1",
        ] {
            assert!(local.is_ours(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8275",
            "127.0.0.1",
            "localhost:80",
            "",
            ":8275",
            "localhost.evil.example:8275",
            "127.0.0.1.evil.example:8275",
            "other:2",
            "[::1]",
            "::1:8275",
            "10.0.0.1:8275",
        ] {
            assert!(!local.is_ours(host), "{host}");
        }
        assert!(hosts([0, 0, 0, 0], &[]).is_ours("any.example"));
        assert!(!hosts([0, 0, 0, 0], &["a"]).is_ours("any.example"));
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let check = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(k, v)| (k.clone(), HeaderValue::from_static(v)));
            check_site(&pairs.collect(), "localhost:1").is_ok()
        };
        let origin = |value| [(ORIGIN, value)];
        assert!(check(&[]));
        assert!(check(&origin("http://localhost:1")));
        assert!(!check(&origin("http://localhost:2")));
        assert!(!check(&origin("null")));
        for (site, expected) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
        {
            assert_eq!(check(&[(FETCH_SITE, site), (ORIGIN, "http://localhost:1")]), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_counted_by_address_and_second() {
        let wrong = WrongTokens::default();
        let from = |n| Some(IpAddr::from([127, 0, 0, n]));
        let burst = |n| (0..6).map(|_| wrong.is_one_too_many(from(n))).collect::<Vec<_>>();
        assert_eq!(burst(1), [false, false, false, false, false, true]);
        assert!(!wrong.is_one_too_many(from(2)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!wrong.is_one_too_many(from(1)));
    }
}
