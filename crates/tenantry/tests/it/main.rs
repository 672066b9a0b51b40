//! The library's one integration binary.

mod generated;
mod split;
