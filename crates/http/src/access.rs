//! Who asks through a server of the user's own, which has looked at the request by itself.
//!
//! # Promises
//! - What says nothing that is known here opens nothing: it is refused with its path.
//!
//! Proof: the tests below, `__test__/contract/http-mount.test.mjs`.

use serde_json::value::RawValue;
use tasker_core::argument;
use tasker_core::error::{Error, Result};

use crate::refusal::{Reason, Refusal};
use crate::settings::{self, Members, end, members};
use crate::token::{Role, Who};

/// What somebody is called whom nobody has named.
const NAME: &str = "http";

/// The words of users: the roles, and none.
const WORDS: &[(&str, Option<Role>)] = &[
    ("none", None),
    ("read", Some(Role::Read)),
    ("write", Some(Role::Write)),
    ("executor", Some(Role::Executor)),
    ("admin", Some(Role::Admin)),
];

/// What a request may that came through another server; an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access(Option<Who>);

impl Access {
    /// Reads what the user has said, JSON: a role, or `{ role, by?, operations? }`.
    ///
    /// # Errors
    /// `Invalid` with the path of what is wrong.
    pub fn read(text: &str) -> Result<Self> {
        if !text.starts_with('{') {
            let role = argument::word(text, "access", WORDS)?;
            return Ok(Self(role.map(|role| Who { name: NAME.into(), role, operations: None })));
        }
        let mut members: Members<'_> = members(text, "access")?;
        let role = members.remove("role").map(RawValue::get);
        let role = role.ok_or_else(|| Error::invalid("access.role", "is missing"))?;
        let role = argument::word(role, "access.role", WORDS)?;
        let by = members.remove("by");
        let by = by.map(|raw| settings::name(raw.get(), "access.by")).transpose()?;
        let operations = settings::operations(&mut members, "access.operations")?;
        end(&members, "access.", "role, by, operations")?;
        let name = by.unwrap_or_else(|| NAME.into());
        Ok(Self(role.map(|role| Who { name, role, operations })))
    }

    /// Who asks.
    ///
    /// # Errors
    /// `Forbidden` if they may nothing, `MountFailed` if nobody has said what they may.
    pub(crate) fn who(given: Option<&Self>) -> std::result::Result<&Who, Refusal> {
        let Some(Self(who)) = given else {
            let message = "the server that this belongs to has failed; its log says how";
            return Err(Refusal::new(Reason::MountFailed, message));
        };
        who.as_ref().ok_or_else(|| Refusal::new(Reason::Forbidden, "you may not ask for this"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_a_role_or_none_perhaps_with_a_name_and_operations() {
        assert_eq!(Access::read(r#""none""#).unwrap(), Access(None));
        assert_eq!(Access::read(r#"{"role":"none","by":"ann"}"#).unwrap(), Access(None));
        for (word, role) in Role::WORDS {
            let who = Who { name: "http".into(), role: *role, operations: None };
            assert_eq!(Access::read(&format!("\"{word}\"")).unwrap(), Access(Some(who)), "{word}");
        }
        let text = r#"{"role":"executor","by":"ann","operations":["a"]}"#;
        let operations: Option<std::sync::Arc<[_]>> = Some(["a".into()].into());
        let who = Who { name: "ann".into(), role: Role::Executor, operations };
        assert_eq!(Access::read(text).unwrap(), Access(Some(who)));
    }

    #[test]
    fn nonsense_opens_nothing() {
        for (text, path) in [
            ("true", "access"),
            ("null", "access"),
            ("1", "access"),
            (r#""""#, "access"),
            (r#""Admin""#, "access"),
            (r#""root""#, "access"),
            (r#"["admin"]"#, "access"),
            ("{}", "access.role"),
            (r#"{"role":"boss"}"#, "access.role"),
            (r#"{"role":["admin"]}"#, "access.role"),
            (r#"{"role":"admin","by":""}"#, "access.by"),
            (r#"{"role":"admin","by":7}"#, "access.by"),
            (r#"{"role":"admin","operations":"a"}"#, "access.operations"),
            (r#"{"role":"admin","operations":[null]}"#, "access.operations"),
            (r#"{"role":"admin","operations":{}}"#, "access.operations"),
            (r#"{"role":"admin","user":"ann"}"#, "access.user"),
        ] {
            let error = Access::read(text).unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn who_was_not_judged_is_refused_as_a_fault() {
        assert_eq!(Access::who(None).unwrap_err().reason, Reason::MountFailed);
        assert_eq!(Access::who(Some(&Access(None))).unwrap_err().reason, Reason::Forbidden);
    }
}
