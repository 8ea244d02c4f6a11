//! Where operations and lanes lie in memory.

/// Where an operation lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OperationSlot(pub(super) u32);

/// Where a lane lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneSlot(pub(super) u32);
