//! What can go wrong, as a closed table.
//!
//! [`Code`] is public API: its text is `err.code` in JavaScript, and the table of
//! `docs/reference/errors.md` is drawn from it.
//! Foreign errors are mapped to a code once, in the crate that owns the dependency. An error of a
//! user's runner is not an [`Error`]: it is data (see [`crate::task::TaskEnd`]).
//!
//! Proof: `tidy::every_error_code_is_in_the_reference_the_types_and_a_test`.

use std::error::Error as StdError;
use std::fmt;

/// A result with tasker's own error.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($name:ident $text:literal $retry:literal $help:literal,)*) => {
        /// The closed list of things that can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $(#[doc = $help] $name,)* }

        impl Code {
            /// Every code, in the order of `docs/reference/errors.md`.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The text that a JavaScript user sees as `err.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// Whether the same call may succeed later without a change by the caller.
            pub const fn is_retryable(self) -> bool {
                match self { $(Code::$name => $retry,)* }
            }

            /// One sentence for the caller: what it means and what to do.
            pub const fn help(self) -> &'static str {
                match self { $(Code::$name => $help,)* }
            }
        }
    };
}

codes! {
    Invalid "TASKER_INVALID" false
        "An argument is wrong; `err.path` names the field.",
    InvalidQuery "TASKER_INVALID_QUERY" false
        "A query or sort is wrong; `err.path` names the place.",
    TooLarge "TASKER_TOO_LARGE" false
        "A value exceeds a limit; `err.path` names the field.",
    Limit "TASKER_LIMIT" true
        "The store has no room for one more of something; `err.path` names it.",
    NotFound "TASKER_NOT_FOUND" false
        "There is no task with this uuid, or no schedule with this id.",
    Conflict "TASKER_CONFLICT" false
        "The operation already has a runner; unassign it first.",
    Duplicate "TASKER_DUPLICATE" false
        "Another task has the unique key; `err.uuid` is that task, unless it is of the same call.",
    Fenced "TASKER_FENCED" false
        "The run was replaced; it can no longer write anything.",
    Locked "TASKER_LOCKED" true
        "A tasker of process `err.pid` has the file, and it or this one is `exclusive`.",
    FileShared "TASKER_FILE_SHARED" false
        "Something else in this process has the file open; the two would break each other's locks.",
    Busy "TASKER_BUSY" true
        "The file stayed locked by another program for too long.",
    Full "TASKER_FULL" true
        "The disk is full; nothing was lost, free space and go on.",
    ReadOnly "TASKER_READ_ONLY" false
        "The file or its folder cannot be written.",
    Corrupt "TASKER_CORRUPT" false
        "The file is damaged or is not a tasker file; it was not touched.",
    Version "TASKER_VERSION" false
        "The file was written by a newer tasker; upgrade to open it.",
    Io "TASKER_IO" false
        "The operating system refused a file operation or a port; see `err.message`.",
    Closed "TASKER_CLOSED" false
        "The tasker is closed; open a new one.",
    Timeout "TASKER_TIMEOUT" true
        "The call did not finish in the time that was given.",
    Unknown "TASKER_UNKNOWN" false
        "A failed sync left the fate of a write open; reopen and look up `err.uuids`.",
    Unsupported "TASKER_UNSUPPORTED" false
        "This version cannot do that.",
    ThreadExited "TASKER_THREAD_EXITED" true
        "The thread of a run ended before the run: it exited, or nobody caught what it threw.",
    NativeMissing "TASKER_NATIVE_MISSING" false
        "The native addon was not found or cannot be loaded.",
    Bug "TASKER_BUG" false
        "A fault of tasker itself; the handle closed, the file is safe. Please report it.",
}

/// A fact that belongs to an error and that a program may want to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The path of the offending field, such as `concurrency` or `query.$or[1]`.
    pub path: Option<String>,
    /// The process that holds the file.
    pub pid: Option<u32>,
    /// The tasks whose fate is unknown.
    pub uuids: Vec<String>,
    /// The task that is in the way.
    pub uuid: Option<String>,
}

/// What went wrong, as a fact a caller can act on.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    facts: Facts,
    source: Option<std::sync::Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its code and a message that says what the caller can do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            facts: Facts::default(),
            source: None,
        }))
    }

    /// [`Code::Invalid`] for the field at `path`; the message starts with the path.
    pub fn invalid(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::at(Code::Invalid, path, message)
    }

    /// An error about the field at `path`; the message starts with the path.
    pub fn at(code: Code, path: impl Into<String>, message: impl fmt::Display) -> Self {
        let path = path.into();
        debug_assert!(!path.is_empty(), "the path of the field is missing");
        Self::new(code, format!("{path}: {message}")).with_path(path)
    }

    /// [`Code::Bug`]: tasker itself is wrong.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Code::Bug, message)
    }

    /// The same error with the path of the offending field.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.0.facts.path = Some(path.into());
        self
    }

    /// The same error with the process that is in the way.
    #[must_use]
    pub fn with_pid(mut self, pid: u32) -> Self {
        self.0.facts.pid = Some(pid);
        self
    }

    /// The same error with the tasks concerned.
    #[must_use]
    pub fn with_uuids(mut self, uuids: Vec<String>) -> Self {
        self.0.facts.uuids = uuids;
        self
    }

    /// The same error with the task that is in the way.
    #[must_use]
    pub fn with_uuid(mut self, uuid: impl Into<String>) -> Self {
        self.0.facts.uuid = Some(uuid.into());
        self
    }

    /// The same error with the foreign error behind it, which becomes `err.cause`.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// The same error below `prefix`, such as `[3]`: the path `priority` becomes `[3].priority`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        if let Some(path) = self.0.facts.path.take() {
            let joined = if path.starts_with('[') {
                format!("{prefix}{path}")
            } else {
                format!("{prefix}.{path}")
            };
            if let Some(rest) = self.0.message.strip_prefix(&path) {
                self.0.message = format!("{joined}{rest}");
            }
            self.0.facts.path = Some(joined);
        }
        self
    }

    /// Which of the closed list it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the caller can do, in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The facts a program may read.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match &self.0.source {
            Some(source) => write!(f, " (because {source})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
