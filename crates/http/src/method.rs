//! The methods of `POST …/rpc`, and which role each asks for.
//!
//! # Promises
//! - A method without a role does not compile: the table has no row without one.
//!
//! Proof: `__test__/contract/http-attacks.test.mjs` tries each role with each method.

use crate::token::Role;

macro_rules! methods {
    ($($name:ident $text:literal $role:ident,)*) => {
        /// A method of the Task Executor API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Method { $(#[doc = $text] $name,)* }

        impl Method {
            /// Every method.
            pub const ALL: &[Method] = &[$(Method::$name,)*];

            /// Its name, as clients write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Method::$name => $text,)* }
            }

            /// Who may call it.
            pub const fn role(self) -> Role {
                match self { $(Method::$name => Role::$role,)* }
            }
        }
    };
}

methods! {
    CreateAndExecute "awf.task/create-and-execute" Write,
    Status "awf.task/status" Read,
    Cancel "awf.task/cancel" Write,
    List "awf.task/list" Read,
    Poll "awf.task/poll" Executor,
    LongPoll "awf.task/long-poll" Executor,
    Start "awf.task/start" Executor,
    Notify "awf.task/notify" Executor,
    Success "awf.task/success" Executor,
    Fail "awf.task/fail" Executor,
}

impl Method {
    /// The method with this name.
    pub(crate) fn from_name(name: &str) -> Option<Method> {
        Method::ALL.iter().copied().find(|method| method.as_str() == name)
    }

    /// Whether it asks for tasks. One that does is answered with none where another call would be
    /// refused for the time being: the usual client ends when a poll fails.
    pub(crate) fn is_poll(self) -> bool {
        match self {
            Method::Poll | Method::LongPoll => true,
            Method::CreateAndExecute
            | Method::Status
            | Method::Cancel
            | Method::List
            | Method::Start
            | Method::Notify
            | Method::Success
            | Method::Fail => false,
        }
    }
}
