//! Tasks over HTTP: the Task Executor API, for programs in any language.
//!
//! One service ([`service::Service`]) over an open engine, a server of it ([`server::Server`]) on a
//! thread of its own, and a mount of it ([`mount::Mount`]) behind a server of the user's. Requests
//! become inputs of the engine, which puts what comes together into one commit.
//!
//! # Left to others
//! Every rule of tasks is the engine's. TLS is a proxy's.

pub mod limits;
mod refusal;
mod token;
mod method;
mod moment;
pub mod yaml;
mod format;
pub mod settings;
mod access;
mod gate;
mod wire;
mod body;
mod calls;
mod names;
mod params;
mod task;
mod resource;
mod definitions;
mod load;
mod context;
mod users;
mod list;
mod executors;
mod rpc;
mod pulse;
mod process;
mod health;
mod metrics;
pub mod service;
pub mod server;
pub mod mount;

pub use access::Access;
pub use method::Method;
pub use process::Process;
pub use pulse::Awaited;
pub use token::Role;
