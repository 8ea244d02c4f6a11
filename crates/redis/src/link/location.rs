//! Where the store lies, under one address.
//!
//! ```text
//! redis://[user[:password]@]host[:port][/db][?prefix=tasker]
//! rediss://…                                                          by TLS
//! redis+sentinel://[user[:password]@]host[:port][,host[:port]]…/name[/db][?prefix=tasker]
//! ```
//!
//! # Promises
//! - No error quotes the address: what was mistaken for a host may be a part of a password.
//! - `Debug` and `name` leave the user and the password out.
//! - A prefix has no braces and no pattern of Redis, so that all its keys lie in one slot.
//!
//! Proof: the tests below.

use std::fmt;

use tasker_core::error::{Code, Error, Result};

const PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;
const PREFIX: &str = "tasker";
const PREFIX_BYTES_MAX: usize = 64;
const DATABASE_MAX: u32 = 65_535;

/// Where a store lies on a server of Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    pub(crate) scheme: Scheme,
    /// One server, or the sentinels that know it.
    pub(crate) hosts: Vec<Host>,
    /// What the sentinels call the primary; empty without them.
    pub(crate) primary: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    prefix: String,
}

/// How the server is found and spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
    Sentinel,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Scheme::Plain => "redis",
            Scheme::Tls => "rediss",
            Scheme::Sentinel => "redis+sentinel",
        }
    }
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Host { name, port } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?prefix={}", self.name(), self.prefix)
    }
}

impl Location {
    /// Reads an address.
    ///
    /// # Errors
    /// `Invalid` with the path `store` and what to write instead; `Unsupported` for `rediss://` in
    /// a build without TLS.
    pub fn parse(address: &str) -> Result<Location> {
        let Some((scheme, rest)) = address.split_once("://") else {
            return Err(invalid("an address begins with redis://, rediss:// or redis+sentinel://"));
        };
        let scheme = scheme_of(scheme)?;
        if rest.contains('#') {
            return Err(invalid("write a # in a password as %23; an address has no fragment"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (identity, hosts) = match authority.rsplit_once('@') {
            Some((identity, hosts)) => (Some(identity), hosts),
            None => (None, authority),
        };
        let (user, password) = identity.map_or(Ok((None, None)), identity_of)?;
        let (primary, database) = match scheme {
            Scheme::Sentinel => path.split_once('/').unwrap_or((path, "")),
            Scheme::Plain | Scheme::Tls => ("", path),
        };
        if scheme == Scheme::Sentinel && primary.is_empty() {
            return Err(invalid("name the primary as the sentinels do: …@host:26379/name"));
        }
        let hosts = hosts_of(scheme, hosts)?;
        debug_assert!(!hosts.is_empty(), "a location is somewhere");
        Ok(Location {
            scheme,
            hosts,
            primary: decoded(primary)?,
            user,
            password,
            database: database_of(database)?,
            prefix: prefix_of(query)?,
        })
    }

    /// The prefix as it stands in the address.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What all keys and channels of the store begin with: the prefix in braces, so that a cluster
    /// keeps them together.
    pub fn tag(&self) -> String {
        format!("{{{}}}", self.prefix)
    }

    /// The address to show in messages: without user and password.
    pub fn name(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        let path = [self.primary.as_str(), &self.database.to_string()].map(str::to_owned);
        let path: Vec<_> = path.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}://{}/{}", self.scheme.as_str(), hosts.join(","), path.join("/"))
    }
}

fn invalid(message: &str) -> Error {
    Error::invalid("store", message)
}

fn scheme_of(text: &str) -> Result<Scheme> {
    match text {
        "redis" | "valkey" => Ok(Scheme::Plain),
        "rediss" | "valkeys" if cfg!(feature = "tls") => Ok(Scheme::Tls),
        "rediss" | "valkeys" => {
            let message = "this build speaks no TLS; use redis:// or a build that does";
            Err(Error::at(Code::Unsupported, "store", message))
        }
        "redis+sentinel" | "valkey+sentinel" => Ok(Scheme::Sentinel),
        _ => Err(invalid("an address begins with redis://, rediss:// or redis+sentinel://")),
    }
}

/// User and password; a password alone stands behind a colon.
fn identity_of(text: &str) -> Result<(Option<String>, Option<String>)> {
    let Some((user, password)) = text.split_once(':') else {
        return Err(invalid("write user:password@ or :password@ before the host"));
    };
    if password.is_empty() {
        return Err(invalid("the password is empty; leave it out with its @"));
    }
    let user = decoded(user)?;
    Ok(((!user.is_empty()).then_some(user), Some(decoded(password)?)))
}

fn hosts_of(scheme: Scheme, text: &str) -> Result<Vec<Host>> {
    let port = if scheme == Scheme::Sentinel { SENTINEL_PORT } else { PORT };
    let hosts: Result<Vec<_>> = text.split(',').map(|host| host_of(host, port)).collect();
    let hosts = hosts?;
    if hosts.len() > 1 && scheme != Scheme::Sentinel {
        return Err(invalid("only redis+sentinel:// takes several hosts"));
    }
    Ok(hosts)
}

fn host_of(text: &str, default: u16) -> Result<Host> {
    let (name, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((name, port))) => (name, port),
        Some(None) => return Err(invalid("the bracket around the host is not closed")),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    if name.is_empty() || !name.chars().all(is_host) {
        let how = "the host is missing or no host; signs in a password are written as %40 for @, \
            %2F for /, %3A for :";
        return Err(invalid(how));
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => Some(default),
        None => None,
        Some(port) => port.parse().ok().filter(|port| *port > 0),
    };
    let port = port.ok_or_else(|| invalid("the port is a number from 1 to 65535"))?;
    Ok(Host { name: name.to_owned(), port })
}

fn database_of(text: &str) -> Result<u32> {
    if text.is_empty() {
        return Ok(0);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let database = text.parse().ok().filter(|database| is_number && *database <= DATABASE_MAX);
    database.ok_or_else(|| {
        invalid("after the / stands the number of the database; write a / in a password as %2F")
    })
}

fn prefix_of(query: &str) -> Result<String> {
    let mut prefix = None;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("prefix", value)) if prefix.is_none() => prefix = Some(value),
            _ => {
                let how = "after the ? stands prefix=… once; write a ? in a password as %3F";
                return Err(invalid(how));
            }
        }
    }
    let prefix = prefix.unwrap_or(PREFIX);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if prefix.is_empty() || prefix.len() > PREFIX_BYTES_MAX || !prefix.chars().all(is_plain) {
        let how = "a prefix has 1 to 64 of the letters A to Z and a to z, digits and . _ : -";
        return Err(invalid(how));
    }
    Ok(prefix.to_owned())
}

/// A text without its `%` escapes.
fn decoded(text: &str) -> Result<String> {
    let wrong = || invalid("after a % stand two hexadecimal digits, and the bytes are UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.into(), port }
    }

    #[test]
    fn an_address_says_what_it_says() {
        let plain = Location::parse("redis://localhost").unwrap();
        assert_eq!(plain.hosts, [host("localhost", 6_379)]);
        assert_eq!((plain.database, plain.prefix()), (0, "tasker"));
        assert_eq!(plain.tag(), "{tasker}");
        assert_eq!((plain.user.as_deref(), plain.password.as_deref()), (None, None));

        let full = Location::parse("redis://me:p%40s%2fs%3a%C3%A9@h-1.x:7/3?prefix=a:b.c-d_E9");
        let full = full.unwrap();
        assert_eq!(full.hosts, [host("h-1.x", 7)]);
        assert_eq!(full.user.as_deref(), Some("me"));
        assert_eq!(full.password.as_deref(), Some("p@s/s:é"));
        assert_eq!((full.database, full.prefix()), (3, "a:b.c-d_E9"));
        assert_eq!(full.name(), "redis://h-1.x:7/3");

        let six = Location::parse("redis://:pw@[::1]:8").unwrap();
        assert_eq!((six.user, six.hosts), (None, vec![host("::1", 8)]));
        assert_eq!(Location::parse("redis://[::1]").unwrap().name(), "redis://[::1]:6379/0");
    }

    #[test]
    fn sentinels_name_the_primary() {
        let location = Location::parse("redis+sentinel://u:p@a,b:9/main/2?prefix=x").unwrap();
        assert_eq!(location.hosts, [host("a", 26_379), host("b", 9)]);
        assert_eq!((location.primary.as_str(), location.database), ("main", 2));
        assert_eq!(location.name(), "redis+sentinel://a:26379,b:9/main/2");
    }

    #[test]
    fn tls_is_a_matter_of_the_build() {
        match Location::parse("rediss://host") {
            Ok(location) => assert!(cfg!(feature = "tls") && location.scheme == Scheme::Tls),
            Err(error) => assert!(!cfg!(feature = "tls") && error.code() == Code::Unsupported),
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_word_of_the_address() {
        let wrong = [
            "hunter2",
            "http://hunter2",
            "hunter2://host",
            "redis://",
            "redis://:hunter2",
            "redis://hunter2@host",
            "redis://user:@hunter2",
            "redis://:hunter2/rest@host",
            "redis://:hunter2?rest@host",
            "redis://:hunter2#rest@host",
            "redis://:%zzhunter2@host",
            "redis://:hunter2%4@host",
            "redis://:hunter2%ff@host",
            "redis://host:hunter2",
            "redis://host:0",
            "redis://host:65536",
            "redis://[::1",
            "redis://[::1]hunter2",
            "redis://a,b",
            "redis://ho st",
            "redis://host/hunter2",
            "redis://host/-1",
            "redis://host/+1",
            "redis://host/65536",
            "redis://host?hunter2=1",
            "redis://host?prefix=",
            "redis://host?prefix={hunter2}",
            "redis://host?prefix=hunter2*",
            "redis://host?prefix=a&prefix=hunter2",
            "redis+sentinel://hunter2",
            "redis+sentinel://host//0",
        ];
        for address in wrong {
            let error = Location::parse(address).expect_err(address);
            assert_eq!(error.code(), Code::Invalid, "{address}");
            assert_eq!(error.facts().path.as_deref(), Some("store"), "{address}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let long = format!("redis://host?prefix={}", "x".repeat(PREFIX_BYTES_MAX + 1));
        assert_eq!(Location::parse(&long).unwrap_err().code(), Code::Invalid);
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let location = Location::parse("redis://admin:hunter2@host/1?prefix=p").unwrap();
        assert_eq!(format!("{location:?}"), "redis://host:6379/1?prefix=p");
        assert!(!location.name().contains("hunter2"));
    }
}
