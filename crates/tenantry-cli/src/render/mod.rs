//! What people and programs see. Nothing outside this folder prints.

mod message;
pub(crate) mod out;
mod style;
pub(crate) mod text;

#[cfg(test)]
pub(crate) mod sample;
