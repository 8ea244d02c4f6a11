//! The fields of a task document, as a closed list.
//!
//! A path in a query or a sort begins with one of them. A set of them says which parts of a task a
//! reader has to load.
//!
//! Proof: `query::tests`, `document::tests`.

macro_rules! fields {
    ($($name:ident $text:literal $help:literal,)*) => {
        /// A field of the task document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field { $(#[doc = $help] $name,)* }

        impl Field {
            /// Every field, in the order of the document.
            pub const ALL: &[Field] = &[$(Field::$name,)*];

            /// Its name in documents and queries.
            pub const fn as_str(self) -> &'static str {
                match self { $(Field::$name => $text,)* }
            }

            /// The field with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Field::$name),)* _ => None }
            }
        }
    };
}

fields! {
    Uuid "uuid" "Its identity.",
    Seq "seq" "Its place in commit order.",
    Operation "operation" "Which runner takes it.",
    Data "data" "What the runner gets.",
    Id "id" "The caller's own identity of it.",
    Label "label" "What people call it.",
    Tags "tags" "Words to find it by.",
    Trace "trace" "The trace in which it was added.",
    Priority "priority" "How soon it runs.",
    Status "status" "One of five public words.",
    State "state" "Where it is in its life.",
    IsPausing "isPausing" "Whether it runs and is to pause at its next checkpoint.",
    IsHeld "isHeld" "Whether a hold keeps it.",
    Cause "cause" "Why it ended as it did.",
    CreatedAt "createdAt" "When it was added.",
    RunAt "runAt" "When it may start at the earliest.",
    StartedAt "startedAt" "When its last run started.",
    EndedAt "endedAt" "When it ended.",
    Attempt "attempt" "Attempts that count.",
    Attempts "attempts" "The last attempts, oldest first.",
    AttemptsLeftOut "attemptsLeftOut" "How many attempts before them are not kept.",
    Version "version" "How often it has changed since an executor outside took it first.",
    Result "result" "What the runner returned.",
    Error "error" "What the runner threw.",
    AbortReason "abortReason" "Why it was aborted.",
    Progress "progress" "How far it is.",
    DependsOn "dependsOn" "The tasks that must have ended before it starts.",
    Parent "parent" "The task whose run added it.",
    ScheduleId "scheduleId" "The schedule that added it.",
    ScheduledAt "scheduledAt" "The tick of its schedule for which that was.",
    RunTimeout "runTimeout" "The longest a run may take, in milliseconds.",
    QueueTimeout "queueTimeout" "How long it may wait for its first start.",
    Retry "retry" "How often it is tried, if more than once.",
    Retention "retention" "How long it is kept after its end, in milliseconds.",
    OnInterrupted "onInterrupted" "What a crash means, if not `retry`.",
    OnStop "onStop" "What a stop does with it, if it says so.",
    OnStopWaiting "onStopWaiting" "Whether it ends with the last stop, if it does.",
    Concurrency "concurrency" "What must hold at its start, besides.",
    Unique "unique" "The key that no other task of its operation has meanwhile.",
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(u64);

impl Fields {
    /// No field.
    pub const NONE: Fields = Fields(0);
    /// Every field; more than 63 do not compile.
    pub const ALL: Fields = Fields((1 << Field::ALL.len()) - 1);

    /// Whether `field` is in the set.
    pub const fn has(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// The set with `field` too.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | (1 << field as u8))
    }

    /// The fields of both sets.
    #[must_use]
    pub const fn and(self, other: Fields) -> Self {
        Self(self.0 | other.0)
    }

    /// Its fields, in the order of the document.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.iter().copied().filter(move |field| self.has(*field))
    }
}
