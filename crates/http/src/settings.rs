//! The options of `listen`, read strictly.
//!
//! # Promises
//! - There is always a token: one is made if none is given. An address that others reach is refused
//!   without one (A-1).
//! - Nothing is accepted and ignored; what is wrong is told with its path.
//!
//! Proof: the tests below, `__test__/contract/http-listen.test.mjs`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::value::RawValue;
use tasker_core::argument;
use tasker_core::error::{Code, Error, Result};
use tasker_core::limits::OPERATION_BYTES_MAX;

use crate::limits::{
    HOSTS_MAX, OPERATIONS_PER_CALL_MAX, TOKEN_BYTES_MAX, TOKEN_CHARACTERS_MIN,
    TOKEN_NAME_BYTES_MAX, TOKENS_MAX,
};
use crate::token::{Role, Token, Tokens, Who, hash, new_token, read_hash};

/// Where a server listens if it does not say.
pub const PORT: u16 = 8275;

/// How to listen.
pub struct Settings {
    /// At which address.
    pub host: IpAddr,
    /// At which port; 0 for a free one.
    pub port: u16,
    /// The token, where it was made here or is the only one, and given as it is.
    pub token: Option<String>,
    pub(crate) tokens: Tokens,
    /// Names by which clients may reach the server besides.
    pub(crate) hosts: Vec<String>,
}

pub(crate) type Members<'a> = BTreeMap<String, &'a RawValue>;

impl Settings {
    /// Reads the options, a JSON object.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` with the path of the option.
    pub fn read(text: &str) -> Result<Self> {
        let mut members = members(text, "options")?;
        let port = members.remove("port").map_or(Ok(PORT), |raw| port(raw.get()))?;
        let host = members
            .remove("host")
            .map_or(Ok(IpAddr::from([127, 0, 0, 1])), |raw| host(raw.get()))?;
        let hosts = members
            .remove("allowedHosts")
            .map_or(Ok(Vec::new()), |raw| texts(raw.get(), "allowedHosts", (HOSTS_MAX, 255)))?;
        let given = members.remove("token");
        end(&members, "", "port, host, token, allowedHosts")?;
        if given.is_none() && !host.is_loopback() {
            let message = "must be given, for others can reach this address; \
                           or listen at 127.0.0.1";
            return Err(Error::invalid("token", message));
        }
        let (token, tokens) = match given.map(RawValue::get) {
            None => {
                let made = new_token()?;
                let tokens = vec![admin(&made)];
                (Some(made), tokens)
            }
            Some(text) if text.starts_with('[') => (None, list(text)?),
            Some(text) => {
                let given = plain_token(text, "token")?;
                let tokens = vec![admin(&given)];
                (Some(given), tokens)
            }
        };
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { host, port, token, tokens: Tokens::new(tokens), hosts })
    }
}

pub(crate) fn members<'a>(text: &'a str, path: &str) -> Result<Members<'a>> {
    serde_json::from_str(text).map_err(|_| Error::invalid(path, "must be an object"))
}

pub(crate) fn end(members: &Members<'_>, prefix: &str, known: &str) -> Result<()> {
    match members.first_key_value() {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("is not known; there are {known}");
            Err(Error::invalid(format!("{prefix}{name}"), message))
        }
    }
}

fn port(text: &str) -> Result<u16> {
    text.parse().map_err(|_| Error::invalid("port", "must be a whole number from 0 to 65535"))
}

fn host(text: &str) -> Result<IpAddr> {
    let given = argument::as_text(text);
    let address = match given.as_deref() {
        Some("localhost") => Some(IpAddr::from([127, 0, 0, 1])),
        Some(text) => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
        None => None,
    };
    let message = "must be an address of this machine, such as '127.0.0.1', '::1' or '0.0.0.0'";
    address.ok_or_else(|| Error::invalid("host", message))
}

fn admin(token: &str) -> Token {
    let hash = hash(token.as_bytes());
    Token { who: Who { name: "token".into(), role: Role::Admin, operations: None }, hash }
}

/// A token as it is: long enough not to be guessed, and fit for a header.
fn plain_token(text: &str, path: &str) -> Result<String> {
    let given = argument::as_text(text);
    let given = given.ok_or_else(|| {
        Error::invalid(path, "must be a string, or a list of { name, token | hash, role }")
    })?;
    if given.len() > TOKEN_BYTES_MAX {
        let message = format!("is longer than {TOKEN_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, path, message));
    }
    let is_fit = given.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_fit || given.len() < TOKEN_CHARACTERS_MIN {
        let message = format!(
            "must have {TOKEN_CHARACTERS_MIN} letters, digits and marks at least, which is what \
             128 bits need; crypto.randomBytes(24).toString('base64url') makes one"
        );
        return Err(Error::invalid(path, message));
    }
    Ok(given.into_owned())
}

fn list(text: &str) -> Result<Vec<Token>> {
    let items = argument::split(text, "token")?;
    if items.is_empty() {
        return Err(Error::invalid("token", "must have one token at least"));
    }
    if items.len() > TOKENS_MAX {
        let message = format!("has more than {TOKENS_MAX} tokens");
        return Err(Error::at(Code::TooLarge, "token", message));
    }
    let mut tokens: Vec<Token> = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let path = format!("token[{n}]");
        let token = one(item.get(), &path)?;
        if tokens.iter().any(|other| other.who.name == token.who.name || other.hash == token.hash) {
            return Err(Error::invalid(path, "has the name or the token of another one"));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn one(text: &str, path: &str) -> Result<Token> {
    let mut members = members(text, path)?;
    let at = |name: &str| format!("{path}.{name}");
    let missing = |name: &str| Error::invalid(at(name), "is missing");
    let given = members.remove("name").ok_or_else(|| missing("name"))?;
    let name = name(given.get(), &at("name"))?;
    let role = members.remove("role").ok_or_else(|| missing("role"))?;
    let role = argument::word(role.get(), &at("role"), Role::WORDS)?;
    let hash = match (members.remove("token"), members.remove("hash")) {
        (Some(token), None) => hash(plain_token(token.get(), &at("token"))?.as_bytes()),
        (None, Some(hash)) => {
            let text = argument::as_text(hash.get());
            let message = "must be the SHA-256 of the token: 64 hexadecimal digits";
            text.and_then(|text| read_hash(&text))
                .ok_or_else(|| Error::invalid(at("hash"), message))?
        }
        (Some(_), Some(_)) => return Err(Error::invalid(at("hash"), "give token or hash")),
        (None, None) => return Err(missing("token")),
    };
    let operations = operations(&mut members, &at("operations"))?;
    end(&members, &format!("{path}."), "name, token, hash, role, operations")?;
    Ok(Token { who: Who { name, role, operations }, hash })
}

/// What somebody is called.
pub(crate) fn name(text: &str, path: &str) -> Result<Arc<str>> {
    let name = argument::as_text(text);
    let is_fit =
        |name: &str| (1..=TOKEN_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(':');
    name.filter(|name| is_fit(name)).map(|name| name.as_ref().into()).ok_or_else(|| {
        let message = format!("must be a text of 1 to {TOKEN_NAME_BYTES_MAX} bytes without ':'");
        Error::invalid(path, message)
    })
}

/// The operations to which somebody is confined, if that is said.
pub(crate) fn operations(members: &mut Members<'_>, path: &str) -> Result<Option<Arc<[Arc<str>]>>> {
    let Some(raw) = members.remove("operations") else { return Ok(None) };
    let names = texts(raw.get(), path, (OPERATIONS_PER_CALL_MAX, OPERATION_BYTES_MAX))?;
    Ok(Some(names.into_iter().map(Into::into).collect()))
}

/// A list of so many texts at most, each of so many bytes at most.
fn texts(text: &str, path: &str, (count_max, bytes_max): (usize, usize)) -> Result<Vec<String>> {
    let read: Option<Vec<String>> = serde_json::from_str(text).ok();
    let is_fit = |text: &String| !text.is_empty() && text.len() <= bytes_max;
    read.filter(|all| all.len() <= count_max && all.iter().all(is_fit)).ok_or_else(|| {
        let message =
            format!("must be a list of {count_max} texts at most, each of 1 to {bytes_max} bytes");
        Error::invalid(path, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789012345678901";

    fn path_of(text: &str) -> String {
        let error = Settings::read(text).err().expect("is refused");
        error.facts().path.clone().unwrap_or_default()
    }

    #[test]
    fn there_is_always_a_token() {
        let made = Settings::read("{}").unwrap();
        assert_eq!((made.host.is_loopback(), made.port), (true, PORT));
        let header = format!("Bearer {}", made.token.unwrap());
        assert!(made.tokens.find(header.as_bytes()).is_some());
        assert_eq!(path_of(r#"{"host":"0.0.0.0"}"#), "token");
        assert_eq!(path_of(r#"{"host":"::"}"#), "token");
        let text = format!(r#"{{"host":"0.0.0.0","token":"{TOKEN}","port":0}}"#);
        assert_eq!(Settings::read(&text).unwrap().token.as_deref(), Some(TOKEN));
        assert_eq!(path_of(r#"{"token":[]}"#), "token");
    }

    #[test]
    fn every_wrong_option_is_named() {
        for (text, path) in [
            ("[]", "options"),
            (r#"{"port":65536}"#, "port"),
            (r#"{"port":"80"}"#, "port"),
            (r#"{"port":-1}"#, "port"),
            (r#"{"host":"example.com"}"#, "host"),
            (r#"{"host":7}"#, "host"),
            (r#"{"token":""}"#, "token"),
            (r#"{"token":"012345678901234567890"}"#, "token"),
            (r#"{"token":"0123456789 0123456789012"}"#, "token"),
            (r#"{"token":null}"#, "token"),
            (r#"{"allowedHosts":"a"}"#, "allowedHosts"),
            (r#"{"tls":true}"#, "tls"),
            (r#"{"token":[7]}"#, "token[0]"),
            (r#"{"token":[{"role":"read","token":"0123456789012345678901"}]}"#, "token[0].name"),
            (r#"{"token":[{"name":"a:b","role":"read"}]}"#, "token[0].name"),
            (r#"{"token":[{"name":"a","role":"root"}]}"#, "token[0].role"),
            (r#"{"token":[{"name":"a","role":"read"}]}"#, "token[0].token"),
            (r#"{"token":[{"name":"a","role":"read","token":"short"}]}"#, "token[0].token"),
            (r#"{"token":[{"name":"a","role":"read","hash":"ab"}]}"#, "token[0].hash"),
        ] {
            assert_eq!(path_of(text), path, "{text}");
        }
    }

    #[test]
    fn a_list_names_each_token_once() {
        let one = |name: &str, token: &str| {
            format!(r#"{{"name":"{name}","role":"executor","operations":["a"],"token":"{token}"}}"#)
        };
        let other = TOKEN.replace('0', "x");
        let both = |one: &str, two: &str| format!(r#"{{"token":[{one},{two}]}}"#);
        let read = Settings::read(&both(&one("a", TOKEN), &one("b", &other))).unwrap();
        let found = |token: &str| read.tokens.find(format!("Bearer {token}").as_bytes()).is_some();
        assert!(found(TOKEN) && found(&other) && read.token.is_none());
        assert_eq!(path_of(&both(&one("a", TOKEN), &one("a", &other))), "token[1]");
        assert_eq!(path_of(&both(&one("a", TOKEN), &one("b", TOKEN))), "token[1]");
    }
}
