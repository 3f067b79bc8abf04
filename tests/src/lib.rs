//! End-to-end tests of Sluicegate.
