//! The library's one integration binary: what needs a real database.

#[cfg(test)]
mod mysql;
