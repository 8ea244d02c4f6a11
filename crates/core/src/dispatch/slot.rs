//! Where operations, lanes and groups lie in memory.

/// Where an operation lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OperationSlot(pub(super) u32);

impl OperationSlot {
    /// The first that there may be.
    pub(super) const FIRST: Self = Self(0);
    /// The last that there may be.
    pub(super) const LAST: Self = Self(u32::MAX);
}

/// Where a lane lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneSlot(pub(super) u32);

/// Where a group lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupSlot(pub(super) u32);

/// The number of a counter, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CounterId(pub(super) u64);

/// The number of one who waits for tasks, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakerId(pub(super) u64);

/// What stands among the heads of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Head {
    /// A lane that stands at no counter.
    Lane(LaneSlot),
    /// The lanes that stand at a counter which lets them pass.
    Group(GroupSlot),
}

/// Where the tokens of a rate limit lie, and a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GateSlot {
    /// With the operation: they are for all its tasks.
    Operation(OperationSlot),
    /// With the counter of a value.
    Counter(CounterId),
}

impl GateSlot {
    /// Whether it is that of a value.
    pub(super) fn is_of_key(self) -> bool {
        matches!(self, Self::Counter(_))
    }
}

/// What closes a gate until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closed {
    /// It has no token.
    ByTokens(GateSlot),
    /// Its circuit is open.
    ByCircuit(GateSlot),
}

impl Closed {
    /// Which gate.
    pub(super) fn gate(self) -> GateSlot {
        match self {
            Self::ByTokens(gate) | Self::ByCircuit(gate) => gate,
        }
    }
}
